#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""`mailfsctl events`: what others change, what is sent, what fails, and that who follows them keeps nothing mounted."""

import contextlib
import os
import re
import subprocess
import threading

import mailtest
from mailtest import messages

LOOKED_AT_AGAIN_S = 30      # a folder that is looked at is checked again after 10 s


class Follower:
    """`mailfsctl events` of a mount, and the lines that it has printed."""

    def __init__(self, mount):
        self.lines = []
        self.process = subprocess.Popen([os.environ['MAILFSCTL'], 'events', mount.path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip('\n'))

    def wait_for(self, pattern, meanwhile=lambda: None):
        """The first line that matches; `meanwhile` is what somebody does all the time, e.g. looks at a folder."""
        def found():
            meanwhile()
            return next((line for line in self.lines if re.fullmatch(pattern, line)), None)
        return mailtest.wait_for(found, LOOKED_AT_AGAIN_S, f'{pattern} in {self.lines}', interval=0.2)

    def ended(self):
        status = self.process.wait(10)
        self.reader.join(10)
        self.process.stdout.close()
        self.process.stderr.close()
        return status

    def kill(self):
        self.process.terminate()
        return self.ended()


class Events(mailtest.MountTestCase):
    limit_s = 120

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = mailtest.Dovecot(acl=True).start()
        cls.addClassCleanup(cls.server.stop)
        cls.postfix = mailtest.Postfix(cls.server).start()
        cls.addClassCleanup(cls.postfix.stop)

    def setUp(self):
        for number in range(3):
            self.server.deliver(messages.letter(subject=f'letter {number}'))
        self.proxy = self.enterContext(mailtest.Proxy(self.server.imaps_port))
        section = mailtest.account(self.server, self.postfix, imap=f'imaps://alice@localhost:{self.proxy.port}', sent='Sent', timeout=5)
        self.mount = mailtest.Mount(section).start()
        self.addCleanup(self.mount.unmount)
        self.listed = {int(name.rsplit('.', 2)[-2]): name for name in self.look()}

    def look(self):
        return os.listdir(self.mount / 'INBOX')

    def follow(self):
        follower = Follower(self.mount)
        self.addCleanup(follower.kill)
        mailtest.wait_for(lambda: follower.process.poll() is not None or self.is_heard(follower), 10, 'the follower')
        return follower

    @staticmethod
    def is_heard(follower):
        """It has its connection: a socket beside the three descriptors it began with."""
        directory = f'/proc/{follower.process.pid}/fd'
        with contextlib.suppress(FileNotFoundError):    # a descriptor that it closes at this moment
            return any(os.readlink(os.path.join(directory, name)).startswith('socket:') for name in os.listdir(directory))
        return False

    def test_what_another_client_does(self):
        follower = self.follow()
        first, second, *_ = sorted(self.listed)
        self.server.deliver(messages.letter(subject='news'))
        with self.server.imap() as client:
            client.select('INBOX')
            client.uid('STORE', str(first), '+FLAGS', '(\\Flagged urgent)')
            client.uid('STORE', str(second), '+FLAGS', '(\\Deleted)')
            client.uid('EXPUNGE', str(second))
            client.create('Fresh')
        follower.wait_for(r'new INBOX/\S+_news\.\d+\.eml', self.look)
        follower.wait_for(r'flags \\Flagged,urgent INBOX/' + re.escape(self.listed[first]), self.look)
        follower.wait_for('gone INBOX/' + re.escape(self.listed[second]), self.look)
        follower.wait_for('new Fresh/', lambda: os.listdir(self.mount.path))

    def test_sent_and_failed(self):
        follower = self.follow()
        for name, recipient in (('good', 'bob@example.com'), ('bad', 'nobody-at-all@example.com')):
            with open(self.mount / f'outbox/{name}', 'w', encoding='ascii') as file:
                file.write(f'From: alice@example.com\nTo: {recipient}\nSubject: {name}\n\nhello\n')
        follower.wait_for('sent good')
        follower.wait_for('failed bad .*55[0-9].*')

    def test_own_changes_are_no_events_and_refused_ones_are(self):
        follower = self.follow()
        name = sorted(self.listed.items())[-1][1]
        os.setxattr(self.mount / f'INBOX/{name}', 'user.mail.flags', b'+\\Answered')
        os.rename(self.mount / f'INBOX/{name}', self.mount / f'Archive/{name}')
        os.listdir(self.mount / 'Junk')         # the rights it is known to give, from now for a while
        self.server.set_rights('Junk', 'lr')
        self.addCleanup(self.server.set_rights, 'Junk', None)
        self.proxy.drop_connections()       # a session goes on by the rights that it knows
        other = sorted(self.listed.items())[0][1]
        os.rename(self.mount / f'INBOX/{other}', self.mount / f'Junk/{other}')
        follower.wait_for(f'alert moving {re.escape(other)} was refused and is taken back: .*')
        self.assertFalse([line for line in follower.lines if not line.startswith(('alert ', 'offline', 'online'))])

    def test_offline_and_online(self):
        follower = self.follow()

        def read_uncached():
            for path in self.mount.files():
                try:
                    self.mount.read(path)
                except OSError:
                    pass
        self.server.stop()
        try:
            follower.wait_for('offline', read_uncached)
        finally:
            self.server.start()
        follower.wait_for('online')

    def test_who_follows_does_not_keep_it_mounted(self):
        follower = self.follow()
        self.mount.unmount()
        self.assertEqual(follower.ended(), 0)

    def test_what_is_no_mount_is_said(self):
        result = subprocess.run([os.environ['MAILFSCTL'], 'events', '/'], capture_output=True, text=True, timeout=10, check=False)
        self.assertEqual((result.returncode, result.stderr), (1, 'mailfsctl: /: not a mailfs mount\n'))
        result = subprocess.run([os.environ['MAILFSCTL'], 'events', 'a', 'b'], capture_output=True, text=True, timeout=10, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn('events [MOUNTPOINT]', result.stderr)

    def test_socket_is_its_owner_s(self):
        path = self.mount.status()['events']
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.mount.kill9()
        self.mount.start()      # what a killed daemon left is no hindrance
        self.follow()
        self.mount.unmount()
        self.assertFalse(os.path.exists(path))


if __name__ == '__main__':
    mailtest.main()
