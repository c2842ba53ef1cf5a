#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Some of what a submission server can do wrong (mailtest.submission_faults), seen through a mount; all of it: tests/protocol/test_outbox_faults.py."""

import contextlib
import os

import mailtest
from mailtest import certificates, submission_faults

ROWS = ('nothing', 'RCPT: 5yz for one', 'RCPT: 4yz for one', '.: 5yz of several lines', 'MAIL: 421 and closed', '.: closed', 'AUTH: 5yz',
        'wrapped: an expired certificate', 'starttls: taken out of what EHLO offers')
LETTER = ('From: Alice <alice@example.com>\r\nTo: ' + ', '.join(submission_faults.RECIPIENTS) + '\r\nSubject: hi\r\nMessage-ID: <{number}@example.com>\r\n'
          'Date: Tue, 14 Apr 2026 09:30:00 +0000\r\n\r\nhello\r\n')


class EachFault(mailtest.MountTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = mailtest.Dovecot(special_use={'Sent': '\\Sent'}).start()
        cls.addClassCleanup(cls.server.stop)

    def setUp(self):
        self.number = 0

    def copies(self):
        wanted = f'Message-ID: <{self.number}@example.com>'.encode()
        return sum(wanted in data for _, data in self.server.messages('Sent').values())

    @staticmethod
    def states(outbox):
        states = {}
        for path in (outbox, os.path.join(outbox, 'failed')):
            with contextlib.suppress(FileNotFoundError):    # not there, or sent or moved this moment
                states[os.path.basename(path)] = os.getxattr(os.path.join(path, 'm'), 'user.mail.state').decode()
        return states

    def check(self, row):
        smtp = self.enterContext(row.server())
        section = mailtest.account(self.server, sent='Sent', smtp=f'{row.scheme()}://alice@localhost:{smtp.port}', smtp_password='secret', timeout='5')
        section['tls-ca'] = certificates.good().ca_file
        with mailtest.Mount(section) as mount:
            outbox = mount / 'outbox'
            with open(os.path.join(outbox, 'm'), 'xb') as file:
                file.write(LETTER.format(number=self.number).encode())
            place = {'sent': None, 'retry': 'outbox'}.get(row.state, 'failed')
            mailtest.wait_for(lambda: self.states(outbox) == ({place: row.state} if place else {}), 15, row.name, 0.05)
            if place:
                path = os.path.join(outbox, 'failed/m' if place == 'failed' else 'm')
                self.assertRegex(os.getxattr(path, 'user.mail.error').decode(), row.error)
            if row.refused:
                self.assertEqual(os.getxattr(path, 'user.mail.rcpt').decode(), ', '.join(row.refused))
            self.assertEqual(len(smtp.messages), row.dots)
            if row.state != 'uncertain':
                self.assertEqual([recipient for message in smtp.accepted() for recipient in message.recipients], list(row.took))
            if row.state == 'retry':    # the copy comes with the next try, if not before
                self.assertLessEqual(self.copies(), bool(row.took))
            else:
                mailtest.wait_for(lambda: self.copies() >= row.copies(), 10, 'the copy', 0.05)
                self.assertEqual(self.copies(), row.copies())
            self.assertEqual(mount.log().count('messages wait'), row.is_session)
        self.assertEqual(smtp.failures, [])

    def test_each(self):
        table = submission_faults.table()
        for name in ROWS:
            self.number += 1
            with self.subTest(name):
                self.check(table[name])


if __name__ == '__main__':
    mailtest.main()
