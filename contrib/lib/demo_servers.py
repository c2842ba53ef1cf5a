# SPDX-License-Identifier: BSD-2-Clause
"""The demo's mailbox and its servers: a process of its own that lives until it is told to end.

Dovecot and Postfix are those of the tests, tests/support/mailtest.
"""

import json
import random
import re
import signal
import sys
import time

import mailtest
from mailtest import messages

DAY = 86400
SIZE_OF_THE_LARGE_ONE = 20 << 20

EVERYDAY = ['plain', 'utf8', 'alternative', 'attachment', 'quoted_printable', 'related_image', 'base64_text', 'forward', 'invitation',
            'html_only', 'subject_gb2312_b', 'subject_gb18030_b', 'subject_big5_b', 'subject_iso-2022-jp_b', 'subject_koi8-r_q',
            'subject_iso-8859-1_q', 'subject_windows-1252_q', 'subject_euc-kr_b', 'signed', 'raw_utf8_headers']
# Folder, how many messages, of which kinds in turn.
FOLDERS = [('INBOX', 120, EVERYDAY), (('Projects', 'Website'), 40, ['plain', 'attachment', 'alternative', 'forward', 'utf8']),
           (('Projects', '预算'), 25, ['base64_text', 'attachment', 'subject_gb18030_b', 'utf8']),
           (('Lists', 'users'), 60, ['mailing_list', 'mailing_list', 'digest', 'signed']), (('Archive', 'Letters'), 70, EVERYDAY)]


def _message(kind, number, date):
    return messages.KINDS[kind](messages.Source(number, date))


def _invoice(date):
    """What the demo looks for: the word in the body, a Chinese subject in its name."""
    source = messages.Source(9001, date)
    headers = source.headers(messages.encoded('四月份电子发票', 'gb18030'), From='"Example Shop" <billing@example.org>',
                             Content_Type='text/plain; charset=utf-8', Content_Transfer_Encoding='8bit')
    return messages.assemble(headers, 'The invoice of order 4711 is attached.\r\n您的发票已开具。\r\n')


def _large(date):
    source = messages.Source(9002, date)
    source.sender = ('Carol Sample', 'carol@example.org')
    data = messages.KINDS['attachment'](source, SIZE_OF_THE_LARGE_ONE * 57 // 78)
    return re.sub(rb'(?m)^Subject: [^\r\n]*', b'Subject: The plans, scanned', data, count=1)


def fill(dovecot):
    """The same mailbox each time, its mail of the last half year. Returns the number of messages."""
    chooser = random.Random(7)
    now = int(time.time())
    number = 0
    for folder, count, kinds in FOLDERS:
        for i in range(count):
            date = now - (count - i) * 180 * DAY // count + chooser.randrange(DAY)
            dovecot.deliver(_message(kinds[i % len(kinds)], number, date), folder, chooser.choice(['S', 'S', 'RS', 'FS', '']), date)
            number += 1
    dovecot.deliver(_invoice(now - 3 * DAY), 'INBOX', 'FS', now - 3 * DAY)
    dovecot.deliver(_large(now - 200 * DAY), ('Archive', 'Letters'), 'S', now - 200 * DAY)
    return number + 2


def serve(ready):
    """Start all, tell the file `ready` where it is, as JSON, and wait for SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with mailtest.Dovecot({'alice': 'secret'}) as dovecot, mailtest.Postfix(dovecot) as postfix:
        count = fill(dovecot)
        json.dump({'imaps': dovecot.imaps_port, 'smtps': postfix.smtps_port, 'ca': dovecot.ca_file, 'messages': count}, ready)
        ready.close()
        while True:
            signal.pause()
