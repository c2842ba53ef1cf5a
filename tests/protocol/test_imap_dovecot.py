#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The backend on a real Dovecot: every way to sign in, folders of any name, what changed, bodies byte for byte, appends."""

import os
import re
import subprocess
import unittest

import mailtest
from transcript import CLIENT


def bytes_of(printed):
    """What imap_client printed of a body."""
    return re.sub(rb'\\([0-9a-f]{2})', lambda escape: bytes([int(escape.group(1), 16)]), printed)


class Server(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.server = mailtest.Dovecot(rawlog=True).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    def client(self, *arguments, options=(), password='secret', user='alice'):
        """Output as bytes, after checking that nothing went wrong."""
        url = f'imaps://{user}@localhost:{self.server.imaps_port}'
        process = subprocess.run([CLIENT, '-c', self.server.ca_file, *options, url, password, *arguments],
                                 stdout=subprocess.PIPE, timeout=50, check=False)
        return process.stdout

    def lines(self, *arguments, **how):
        return self.client(*arguments, **how).decode('utf-8', 'backslashreplace').splitlines()

    def sync(self, folder, *known):
        """The lines of a sync, and what to know for the next one."""
        lines = self.lines('sync', folder, *known)
        self.assertTrue(lines[-1].startswith('complete'), lines)
        status = dict(word.split('=') for word in lines[-1].split() if '=' in word)
        return lines[1:-1], [status[key] for key in ('uidvalidity', 'uidnext', 'modseq', 'messages')]


class SignIn(Server):

    def test_every_mechanism(self):
        for auth in ('auto', 'plain', 'login', 'cram-md5', 'scram-sha-1', 'scram-sha-256'):
            with self.subTest(auth):
                lines = self.lines('describe', options=['-a', auth])
                expected = 'SCRAM-SHA-256' if auth == 'auto' else auth.upper()
                self.assertIn('Sign-in: ' + expected, lines)

    def test_a_wrong_password_is_eacces_with_the_servers_words(self):
        for auth in ('auto', 'plain', 'cram-md5'):
            line, = self.lines('noop', options=['-a', auth], password='wrong')
            self.assertRegex(line, '^error EACCES .*sign-in refused .*Authentication failed')

    def test_an_unknown_user_too(self):
        line, = self.lines('noop', user='nobody')
        self.assertTrue(line.startswith('error EACCES'), line)


class Folders(Server):

    def test_names_are_sent_as_they_were_listed(self):
        names = ['a "quoted" \\ name', '&AOQ-', "it's 100% *", 'x' * 200]
        for name in names:
            self.assertEqual(self.lines('create', name), [])
        listed = [re.match('folder (.*) delimiter', line).group(1).replace('\\5c', '\\') for line in self.lines('list')]
        for name in names:
            self.assertIn(name, listed)
            self.sync(name)


class Messages(Server):

    def test_what_is_new_changed_and_gone_comes_by_and_by(self):
        self.server.create('changes')
        path = os.path.join(self.server.directory, 'letter')
        with open(path, 'wb') as file:
            file.write(b'Message-ID: <one@example.com>\r\nSubject: one\r\n\r\n1\r\n')
        appends = (['append', 'changes', path, '\\Seen $x', '--'] * 5)[:-1]
        self.assertEqual([line.split()[:2] for line in self.lines(*appends)], [['appended', str(uid)] for uid in range(1, 6)])
        lines, known = self.sync('changes')
        self.assertEqual([line.split()[:2] for line in lines[:-1]], [['message', str(uid)] for uid in range(1, 6)])
        self.assertIn('flags=(\\Seen $x)', lines[0])
        self.assertIn('date=1000000000', lines[0])
        with self.server.imap() as client:
            client.select('changes')
            client.uid('STORE', '2', '+FLAGS', '(\\Flagged)')
            client.uid('STORE', '4', '+FLAGS', '(\\Deleted)')
            client.expunge()
            client.append('changes', '', None, b'Subject: six\r\n\r\n6\r\n')
        without_modseq = known[:2] + ['0'] + known[3:]
        lines, _ = self.sync('changes', *without_modseq)
        self.assertEqual(sum(line.startswith('flags') for line in lines), 4)
        lines, known = self.sync('changes', *known)
        self.assertEqual(lines[0].split()[:2], ['message', '6'])
        self.assertEqual(lines[1:], ['batch 7', 'flags 2 (\\Seen \\Flagged $x)', 'present 1:3', 'present 5:5'])
        self.assertEqual(self.sync('changes', *known)[0], [])
        self.assertEqual(self.lines('find', 'changes', 'Message-ID', '<one@example.com>'),
                         ['found 1', 'found 2', 'found 3', 'found 5'])

    def test_what_was_resent_is_found_by_its_resending(self):
        self.server.create('resent')
        with self.server.imap() as client:
            client.append('resent', '', None, b'Resent-Message-ID: <two@b>\r\nResent-Message-ID: <one@b>\r\nMessage-ID: <a@b>\r\n\r\n1\r\n')
            client.append('resent', '', None, b'Message-ID: <one@b>\r\n\r\n2\r\n')
        self.assertEqual(self.lines('find', 'resent', 'Resent-Message-ID', '<one@b>'), ['found 1'])
        self.assertEqual(self.lines('find', 'resent', 'Resent-Message-ID', '<two@b>'), ['found 1'])
        self.assertEqual(self.lines('find', 'resent', 'Message-ID', '<one@b>'), ['found 2'])

    def test_bodies_are_byte_for_byte_and_reading_changes_nothing(self):
        self.server.fill(300, folder='bodies')
        expected = self.server.messages('bodies')
        _, known = self.sync('bodies')
        output = self.client('fetch', 'bodies', known[0], '1:300')
        read = {int(uid): bytes_of(data) for _, data, uid in re.findall(rb'^begin \d+ size=(\d+) (.*) end (\d+)$', output, re.M)}
        self.assertEqual(read, {uid: data for uid, (_, data) in expected.items()})
        part = self.client('range', 'bodies', known[0], '7', '10', '20')
        self.assertEqual(bytes_of(part.split(b' ', 3)[3]).rsplit(b' end', 1)[0], expected[7][1][10:30])
        self.assertEqual(self.server.messages('bodies'), expected)
        self.assertNotRegex(self.server.commands(), r'(?i)uid fetch .*[( ]body\[')

    def test_a_great_append_takes_little_memory(self):
        path = os.path.join(self.server.directory, 'great')
        with open(path, 'wb') as file:
            file.write(b'Subject: great\r\n\r\n')
            for _ in range(1000):
                file.write((b'y' * 76 + b'\r\n') * 1000)
        self.server.create('great')
        with subprocess.Popen([CLIENT, '-c', self.server.ca_file, f'imaps://alice@localhost:{self.server.imaps_port}', 'secret',
                               'append', 'great', path, ''], stdout=subprocess.PIPE) as process:
            self.assertRegex(process.stdout.read(), rb'^appended 1 uidvalidity=\d+$')
            usage = os.wait4(process.pid, 0)[2]
            process.returncode = 0
        if not mailtest.mount.is_sanitized():
            self.assertLess(usage.ru_maxrss, 75000)
        self.assertEqual(len(self.server.messages('great')[1][1]), os.path.getsize(path))

    def test_a_new_uidvalidity_is_told(self):
        self.server.create('renewed')
        _, known = self.sync('renewed')
        self.server.new_uidvalidity('renewed')
        lines = self.lines('fetch', 'renewed', known[0], '1')
        self.assertTrue(lines[-1].startswith('error ESTALE'), lines)


if __name__ == '__main__':
    mailtest.main()
