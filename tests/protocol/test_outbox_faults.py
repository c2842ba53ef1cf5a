#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Each thing that a submission server can do wrong (mailtest.submission_faults), with and without pipelining: the state that it leaves the letter in and
the words, what the server has, what is in the sent folder; and the same once the server is well again and the time for another try has come.
"""
import collections
import concurrent.futures
import unittest

import mailtest
from mailtest import certificates, submission_faults
from outbox_program import Outbox, letter

AT_ONCE = 8     # most of them wait
DAY_S = 86400
TO_BOTH = ', '.join(submission_faults.RECIPIENTS)


def taken(server):
    """How often each recipient's mail was accepted, by letter."""
    times = collections.Counter()
    for message in server.accepted():
        number = message.data.split(b'Message-ID: <')[1].split(b'@')[0].decode()
        times.update((number, recipient) for recipient in message.recipients)
    return times


class EachFault(unittest.TestCase):
    limit_s = 120

    def run_table(self, pipelining):
        rows = submission_faults.table()
        certificates.good(), certificates.wrong_host(), certificates.expired(), certificates.other_ca()     # once, not in each thread
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            futures = {name: pool.submit(self.check, row, pipelining) for name, row in rows.items()}
            for name, future in futures.items():
                with self.subTest(name):
                    future.result()

    def check(self, row, pipelining):
        letters = ('1', '2') if row.is_session else ('1',)
        with row.server(pipelining) as server:
            url = f'{row.scheme()}://alice@localhost:{server.port}'
            outbox = Outbox(url, '-c', certificates.good().ca_file, '-t', '1', '-r', '1')
            try:
                for number in letters:
                    self.assertEqual(outbox.send(number, letter(number, TO_BOTH)), 0)
                self.check_first(row, server, outbox, letters)
                if not row.certificate and not row.is_stripped and not row.asks_certificate:
                    self.check_later(row, server, outbox, letters)
            finally:
                log = outbox.close()
            self.assertEqual(server.failures, [])
        if row.is_session:
            self.assertEqual(log.count('messages wait'), 1, log)
        else:
            self.assertLessEqual(log.count('messages wait'), 1, log)

    def left(self, outbox):
        """States by name; what came when the server was known to be out of reach waits as what was there before, but nobody tried it."""
        states = outbox.list()
        return {number: 'retry' if state == 'queued' and number != '1' and states.get('1') == 'retry' else state for number, state in states.items()}

    def check_taken(self, row, server, letters, by):
        """What is uncertain to us may be with the server, or not."""
        if row.state != 'uncertain':
            self.assertEqual(taken(server), {(number, one): 1 for number in letters for one in by})

    def check_first(self, row, server, outbox, letters):
        expected = {} if row.state == 'sent' else {number: row.state for number in letters}
        mailtest.wait_for(lambda: self.left(outbox) == expected, 15, f'{expected}, not {outbox.list()}')
        for number in expected:
            if outbox.list()[number] == 'queued':
                continue
            place = 'queue' if row.state == 'retry' else 'failed'
            self.assertRegex(outbox.attribute(place, number, 'error'), row.error)
        self.check_taken(row, server, letters, row.took)
        self.assertEqual(len(server.messages), row.dots)
        if row.is_session:
            self.assertFalse([line for line in server.commands if line.startswith(b'MAIL')])
            self.assertEqual(outbox.copies(), [])
        if row.certificate or row.is_stripped:
            self.assertFalse([line for line in server.commands if line.startswith(b'AUTH')])

    def check_later(self, row, server, outbox, letters):
        """Whatever else is tried, nothing is sent twice, what is decided stays so, and what waits arrives."""
        server.places.clear()
        outbox.ask('later', DAY_S)
        expected = {} if row.final == 'sent' else {number: row.final for number in letters}
        mailtest.wait_for(lambda: outbox.settle(15) == 0 and outbox.list() == expected, 15, f'{expected} in the end, not {outbox.list()}')
        mailtest.wait_for(lambda: len(outbox.copies()) >= row.copies() * len(letters), 10, 'the copies')
        self.assertEqual(len(outbox.copies()), row.copies() * len(letters))
        self.check_taken(row, server, letters, row.took_finally())
        self.assertLessEqual(max(taken(server).values(), default=0), 1)
        for number in letters if row.refused else ():
            self.assertEqual(outbox.attribute('failed', number, 'rcpt'), ', '.join(row.refused))

    def test_with_pipelining(self):
        self.run_table(True)

    def test_without_pipelining(self):
        self.run_table(False)


if __name__ == '__main__':
    mailtest.main()
