#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Sending by copying: from a file in outbox/ through a real Postfix into a real Dovecot, and what is refused at close."""

import email
import errno
import os
import signal
import subprocess
import time

import mailtest

LETTER = (b'From: Alice <alice@example.com>\r\nTo: Bob <bob@example.com>\r\nBcc: alice@example.com\r\n'
          b'Subject: lunch\r\nMessage-ID: <%s@example.com>\r\nDate: Tue, 14 Apr 2026 09:30:00 +0000\r\n\r\nAt noon?\r\n')


def write(path, data):
    """As a program that looks at what close says."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


class Outbox(mailtest.MountTestCase):
    """One server and one mount for all; each test uses a Message-ID of its own."""

    limit_s = 90

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = mailtest.Dovecot(special_use={'Sent': '\\Sent', 'Drafts': '\\Drafts'}).start()
        cls.addClassCleanup(cls.server.stop)
        cls.postfix = mailtest.Postfix(cls.server).start()
        cls.addClassCleanup(cls.postfix.stop)

    def setUp(self):
        self.mount = mailtest.Mount(mailtest.account(self.server, self.postfix, sent='Sent')).start()
        self.addCleanup(self.mount.unmount)
        self.outbox = self.mount / 'outbox'
        self.id = self.id_of_test()

    def id_of_test(self):
        return self.id_base() + str(time.monotonic_ns())

    def id_base(self):
        return 'x'

    def letter(self, **replace):
        data = LETTER % self.id.encode()
        for old, new in replace.items():
            data = data.replace(old.encode(), new)
        return data

    def received(self, user, folder='INBOX'):
        return [data for _, data in self.server.messages(folder, user=user).values() if self.id.encode() in data]

    def wait_received(self, user, folder='INBOX'):
        mailtest.wait_for(lambda: self.received(user, folder), 20, f'the message in {user} {folder}')
        return self.received(user, folder)

    def wait_queue_empty(self):
        mailtest.wait_for(lambda: [n for n in os.listdir(self.outbox) if n != 'failed'] == [], 20, 'an empty outbox')

    def failed(self):
        return os.listdir(os.path.join(self.outbox, 'failed'))

    def refused(self, data, error, name='letter.eml'):
        with self.assertRaises(OSError) as caught:
            write(os.path.join(self.outbox, name), data)
        self.assertEqual(caught.exception.errno, error)
        self.assertIn(name, self.failed())
        path = os.path.join(self.outbox, 'failed', name)
        with open(path, 'rb') as file:
            self.assertEqual(file.read(), data)
        return os.getxattr(path, 'user.mail.error').decode()

    def test_cp_delivers_once_without_bcc_and_files_one_copy(self):
        source = os.path.join(self.mount.directory, 'letter.eml')
        with open(source, 'wb') as file:
            file.write(self.letter())
        subprocess.run(['cp', source, self.outbox], check=True)
        (got,) = self.wait_received('bob')
        self.assertNotIn(b'Bcc:', got)
        self.assertIn(b'At noon?', got)
        self.assertEqual(len(self.wait_received('alice')), 1)
        self.wait_queue_empty()
        (copy,) = self.wait_received('alice', 'Sent')
        self.assertIn(b'Bcc: alice@example.com', copy)
        self.assertEqual(self.failed(), [])

    def test_what_is_missing_is_added(self):
        write(os.path.join(self.outbox, 'note'), f'To: bob@example.com\nSubject: {self.id}\n\nhello\n'.encode())
        (got,) = self.wait_received('bob')
        message = email.message_from_bytes(got)
        self.assertEqual(message['From'], 'Alice <alice@example.com>')
        self.assertTrue(message['Date'] and message['Message-ID'] and message['MIME-Version'])

    def test_a_shell_group_is_one_message(self):
        script = f'{{ echo "To: bob@example.com"; echo "Subject: {self.id}"; echo; date; sleep 0.2; echo end; }} > "$0/m"'
        subprocess.run(['sh', '-c', script, self.outbox], check=True)
        (got,) = self.wait_received('bob')
        self.assertTrue(got.rstrip().endswith(b'end'))

    def test_a_killed_writer_sends_nothing_and_loses_nothing(self):
        child = subprocess.Popen(['sh', '-c', f'{{ echo "To: bob@example.com"; echo "Subject: {self.id}"; echo; sleep 30; }} > "$0/m"; :',
                                  self.outbox], start_new_session=True)
        mailtest.wait_for(lambda: os.path.exists(os.path.join(self.outbox, 'm')) and os.path.getsize(os.path.join(self.outbox, 'm')) > 40)
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        mailtest.wait_for(lambda: 'm.partial' in os.listdir(self.outbox), 10, 'm.partial')
        self.assertEqual(self.received('bob'), [])

    def test_no_message_is_einval(self):
        self.assertTrue(self.refused(b'\x7fELF and so on', errno.EINVAL))

    def test_no_recipient_is_einval(self):
        self.assertIn('recipient', self.refused(self.letter(**{'To: Bob <bob@example.com>\r\nBcc: alice@example.com\r\n': b''}), errno.EINVAL))

    def test_somebody_elses_from_is_eperm(self):
        self.assertIn('From', self.refused(self.letter(**{'alice@example.com>\r\nTo': b'mallory@example.org>\r\nTo'}), errno.EPERM))

    def test_the_same_message_twice_is_eexist(self):
        write(os.path.join(self.outbox, 'first.eml'), self.letter())
        self.wait_received('bob')
        self.wait_queue_empty()
        self.refused(self.letter(), errno.EEXIST, 'second.eml')
        self.assertEqual(len(self.received('bob')), 1)

    def test_an_unfinished_multipart_is_einval(self):
        data = self.letter().replace(b'\r\n\r\n', b'\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n')
        self.refused(data, errno.EINVAL)

    def test_a_refused_recipient_lands_in_failed_with_the_servers_words(self):
        write(os.path.join(self.outbox, 'unknown.eml'), self.letter(**{'Bob <bob@example.com>\r\nBcc: alice@example.com': b'unknown@example.com'}))
        mailtest.wait_for(lambda: 'unknown.eml' in self.failed(), 20, 'the refusal')
        path = os.path.join(self.outbox, 'failed', 'unknown.eml')
        self.assertIn('550', os.getxattr(path, 'user.mail.error').decode())

    def test_a_refused_recipient_is_told_in_the_inbox_once(self):
        write(os.path.join(self.outbox, 'm'), self.letter(**{'Bob <bob@example.com>': b'nobody@example.com, Bob <bob@example.com>'}))
        self.wait_received('bob')
        mailtest.wait_for(lambda: b'In-Reply-To: <%s@example.com>' % self.id.encode() in b''.join(self.received('alice')), 20, 'the notice')
        self.mount.remount()    # nor at another start
        (notice,) = [data for data in self.received('alice') if b'multipart/report' in data]
        message = email.message_from_bytes(notice)
        words, status, header = message.get_payload()
        self.assertEqual((message['Return-Path'], message['Auto-Submitted'], message.get_content_type(), message.get_param('report-type')),
                         ('<>', 'auto-replied', 'multipart/report', 'delivery-status'))
        self.assertIn('outbox/failed/m', words.get_payload())
        _, recipient = status.get_payload()
        self.assertEqual((recipient['Final-Recipient'], recipient['Action']), ('rfc822; nobody@example.com', 'failed'))
        self.assertTrue(recipient['Status'].startswith('5.'))
        self.assertIn('nobody@example.com', recipient['Diagnostic-Code'])
        self.assertEqual(header.get_content_type(), 'text/rfc822-headers')
        self.assertIn(f'Message-ID: <{self.id}@example.com>', header.get_payload())
        with self.server.imap('alice') as client:
            client.select('INBOX', readonly=True)
            (found,) = client.uid('SEARCH', 'UNSEEN', 'HEADER', 'Auto-Submitted', 'auto-replied', 'HEADER', 'In-Reply-To', self.id)[1]
        self.assertEqual(len(found.split()), 1)

    def test_rsync_sends_each_file_once_and_its_temporary_files_never(self):
        source = os.path.join(self.mount.directory, 'letters')
        os.mkdir(source)
        for number in range(5):
            write(os.path.join(source, f'{number}.eml'), f'To: bob@example.com\nSubject: {self.id} {number}\n\nhello\n'.encode())
        subprocess.run(['rsync', '-a', source + '/', self.outbox + '/'], check=True)
        self.wait_queue_empty()
        mailtest.wait_for(lambda: len(self.received('bob')) >= 5, 20, 'the letters')
        self.assertEqual(sorted(email.message_from_bytes(data)['Subject'][-1] for data in self.received('bob')), list('01234'))
        self.assertEqual(self.failed(), [])

    def test_mv_of_a_draft_sends_it_and_takes_it_out_of_the_drafts(self):
        self.server.deliver(self.letter(), ('Drafts',))
        (draft,) = mailtest.wait_for(lambda: self.mount.files('Drafts'), 20, 'the draft')
        subprocess.run(['mv', draft, self.outbox], check=True)
        self.assertEqual(len(self.wait_received('bob')), 1)
        self.wait_queue_empty()
        mailtest.wait_for(lambda: not self.received('alice', 'Drafts'), 20, 'the draft to go')

    def test_what_vim_saves_is_sent_once(self):
        path = os.path.join(self.outbox, 'lunch')
        commands = f'a\nTo: bob@example.com\nSubject: {self.id}\n\nAt noon?\n.\nwq\n'
        subprocess.run(['vim.tiny', '-u', 'NONE', '-es', path], input=commands.encode(), check=True, timeout=30)
        self.assertEqual(len(self.wait_received('bob')), 1)
        self.wait_queue_empty()
        self.assertEqual(len(self.received('bob')), 1)
        self.assertEqual(self.failed(), [])

    def test_scratch_names_wait_for_their_rename(self):
        temporary, final = (os.path.join(self.outbox, name) for name in ('.letter.eml.AbCdEf', 'letter.eml'))
        write(temporary, self.letter())
        time.sleep(0.5)
        self.assertEqual(self.received('bob'), [])
        os.rename(temporary, final)
        self.assertEqual(len(self.wait_received('bob')), 1)

    def test_a_notice_of_success_that_was_asked_for_arrives(self):
        temporary, final = (os.path.join(self.outbox, name) for name in ('.asked', 'asked.eml'))
        write(temporary, self.letter(**{'Bcc: alice@example.com\r\n': b''}))
        with self.assertRaises(OSError) as caught:
            os.setxattr(temporary, 'user.mail.dsn', b'sometimes')
        self.assertEqual(caught.exception.errno, errno.EINVAL)
        os.setxattr(temporary, 'user.mail.dsn', b'success,ret=hdrs')
        os.rename(temporary, final)
        self.wait_received('bob')
        (notice,) = self.wait_received('alice')
        message = email.message_from_bytes(notice)
        self.assertEqual(message.get_content_type(), 'multipart/report')
        text, report, header = message.get_payload()
        envelope, recipient = report.get_payload()
        self.assertEqual(envelope['Original-Envelope-Id'], f'{self.id}@example.com')
        self.assertEqual(recipient['Original-Recipient'], 'rfc822;bob@example.com')
        self.assertIn(recipient['Action'], ('relayed', 'delivered'))     # whether Dovecot's LMTP has DSN as well
        self.assertEqual(header.get_content_type(), 'text/rfc822-headers')
        self.assertNotIn('At noon?', header.get_payload())
        self.assertEqual(len(self.received('alice')), 1)

    def test_without_being_asked_for_none_does(self):
        write(os.path.join(self.outbox, 'quiet.eml'), self.letter(**{'Bcc: alice@example.com\r\n': b''}))
        self.wait_received('bob')
        self.postfix.wait_until_delivered()
        self.assertEqual(self.received('alice'), [])

    def test_what_was_queued_is_sent_by_the_next_mount(self):
        self.postfix.stop()
        write(os.path.join(self.outbox, 'later.eml'), self.letter())
        self.assertIn('later.eml', os.listdir(self.outbox))
        self.mount.kill9()
        self.postfix.start()
        self.mount.start()
        self.assertEqual(len(self.wait_received('bob')), 1)


class ReadOnly(mailtest.MountTestCase):
    """`-o ro` has no outbox."""

    def test_there_is_none(self):
        with mailtest.Dovecot() as server, mailtest.Postfix(server) as postfix:
            with mailtest.Mount(mailtest.account(server, postfix), ['ro']) as mount:
                self.assertNotIn('outbox', os.listdir(mount.path))


if __name__ == '__main__':
    mailtest.main()
