#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Sending many letters: one cp into outbox/ until the server has accepted all, against a shell loop that runs msmtp for each; on loopback, and far away.

One Postfix, over TLS from the first byte, with a password; it discards what it has accepted. mailfs is mounted before its clock runs, which stops when
nothing is listed in outbox/ any more: each letter was written, judged, on disk and submitted. msmtp files no copies, so neither does mailfs; what it takes with
them is told. What Postfix took must be all of it, once.
"""

import argparse
import os
import subprocess
import sys

import figures
import mailtest

AT_LEAST = 5.0
FAR_AT_LEAST = 10.0
FAR_S = 0.04        # the round trip

MSMTPRC = '''defaults
host localhost
port {port}
tls on
tls_starttls off
tls_trust_file {ca_file}
auth plain
user alice
password {password}
from alice@example.com

account default
'''

LETTER_BYTES = 4096
HEADER = ('From: Alice <alice@example.com>\r\nTo: bob@example.net\r\nSubject: letter {name}\r\nMessage-ID: <{name}@example.com>\r\n'
          'Date: Tue, 14 Apr 2026 09:30:00 +0000\r\n\r\n')
LINE = 'All work and no play makes a letter long enough to be measured.\r\n'


def letters(count, tag):
    """A directory of them. The tag keeps one run's apart from another's: a Message-ID is not sent twice."""
    directory = mailtest.temporary_directory('bench-letters-')
    for number in range(count):
        text = HEADER.format(name=f'{tag}-{number}')
        while len(text) < LETTER_BYTES:
            text += LINE
        with open(os.path.join(directory, f'{number:05}.eml'), 'w', encoding='ascii', newline='') as file:
            file.write(text)
    return directory


def taken(postfix):
    """How many letters it has accepted so far."""
    return postfix.count(r'from=<alice@example\.com>, size=\d+, nrcpt=1 \(queue active\)')


def check(postfix, before, count):
    postfix.wait_until_delivered(60)
    got = taken(postfix) - before
    if got != count:
        raise RuntimeError(f'Postfix took {got} letters of {count}')


def by_msmtp(postfix, port, count, tag):
    directory, before = letters(count, tag), taken(postfix)
    configuration = os.path.join(mailtest.temporary_directory('bench-msmtp-'), 'msmtprc')
    with open(configuration, 'w', encoding='utf-8', opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(MSMTPRC.format(port=port, ca_file=postfix.ca_file, password=postfix.dovecot.users['alice']))
    with figures.Stopwatch() as watch:
        subprocess.run(['sh', '-c', 'for letter in *; do msmtp -C "$0" -t < "$letter" || exit 1; done', configuration], cwd=directory, check=True)
    check(postfix, before, count)
    return watch.seconds


def waiting(outbox):
    return [name for name in os.listdir(outbox) if name != 'failed']


def by_mailfs(postfix, port, count, tag, sent='none'):
    """Seconds until cp has returned; until all are accepted."""
    directory, before = letters(count, tag), taken(postfix)
    mount = mailtest.Mount(mailtest.account(postfix.dovecot, postfix, sent=sent, smtp=f'smtps://alice@localhost:{port}'))
    with figures.mounted(mount):
        outbox = mount / 'outbox'
        with figures.Stopwatch() as watch:
            subprocess.run(f'cp -- * {outbox}/', shell=True, cwd=directory, check=True)
            called_s = watch.so_far()
            mailtest.wait_for(lambda: not waiting(outbox), 600, 'an empty outbox', 0.02)
        if os.listdir(os.path.join(outbox, 'failed')):
            raise RuntimeError(f'not all were sent:\n{mount.log()}')
        check(postfix, before, count)
    return called_s, watch.seconds


def measure(postfix, port, title, count, runs, at_least):
    table = figures.Figures(title)
    each, called, accepted = [], [], []
    for run in range(runs):
        each.append(by_msmtp(postfix, port, count, f'{port}-msmtp-{run}'))
        called_s, accepted_s = by_mailfs(postfix, port, count, f'{port}-mailfs-{run}')
        called.append(called_s)
        accepted.append(accepted_s)
    base = table.seconds('msmtp for each', each)
    table.seconds('mailfs: cp returned', called)
    total = table.seconds('mailfs: cp, and all accepted', accepted)
    table.ratio('msmtp / mailfs', base, total, at_least=at_least)
    table.seconds('mailfs, with copies in the sent folder', by_mailfs(postfix, port, count, f'{port}-copies', 'Sent')[1])
    return table.exit_status()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--messages', type=int, default=1000)
    parser.add_argument('--far-messages', type=int, default=300)
    parser.add_argument('--runs', type=int, default=3)
    parser.add_argument('--only', choices=('near', 'far'), action='append')
    arguments = parser.parse_args()
    chosen = arguments.only or ('near', 'far')
    failed = 0
    with mailtest.Dovecot(special_use={'Sent': '\\Sent'}) as server, mailtest.Postfix(server) as postfix:
        if 'near' in chosen:
            failed |= measure(postfix, postfix.smtps_port, f'{arguments.messages} letters of 4 KiB', arguments.messages, arguments.runs, AT_LEAST)
        if 'far' in chosen:
            with mailtest.Proxy(postfix.smtps_port, latency=FAR_S) as proxy:
                failed |= measure(postfix, proxy.port, f'{arguments.far_messages} letters of 4 KiB, {FAR_S * 1000:.0f} ms away', arguments.far_messages,
                                  arguments.runs, FAR_AT_LEAST)
    return failed


if __name__ == '__main__':
    sys.exit(main())
