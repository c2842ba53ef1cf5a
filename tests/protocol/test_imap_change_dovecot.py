#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Changing mail on a real Dovecot: what another client then finds, and that it finds all else as it was."""

import os
import subprocess
import unittest

import mailtest
from transcript import CLIENT


class Server(unittest.TestCase):

    settings = {}

    @classmethod
    def setUpClass(cls):
        cls.server = mailtest.Dovecot(rawlog=True, **cls.settings).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    def setUp(self):
        """A folder of this test's own with eight messages, UIDs 1 to 8; 5 is \\Deleted by somebody else, 6 flagged."""
        self.folder = self.id().rpartition('.')[2]
        self.to = 'to-' + self.folder
        for name in (self.folder, self.to):
            self.server.create(name)
        with self.server.imap() as client:
            for number in range(1, 9):
                flags = {5: r'\Deleted', 6: r'\Flagged $old'}.get(number, '')
                client.append(self.folder, flags, None, b'Subject: %d\r\n\r\nbody %d\r\n' % (number, number))
        self.before = self.server.messages(self.folder)

    def run_client(self, *arguments):
        command = [CLIENT, '-c', self.server.ca_file, f'imaps://alice@localhost:{self.server.imaps_port}', 'secret', *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)

    def lines(self, *arguments):
        return self.run_client(*arguments).stdout.splitlines()

    def uidvalidity(self, folder=None):
        line, = self.lines('status', folder or self.folder)
        return dict(word.split('=') for word in line.split() if '=' in word)['uidvalidity']

    def change(self, name, uids, *arguments):
        return self.lines(name, self.folder, self.uidvalidity(), uids, *arguments)

    def assert_only(self, changed):
        """Another client finds the folder as it was, but for `changed`: {uid: flags, or None for gone}."""
        expected = dict(self.before)
        for uid, flags in changed.items():
            if flags is None:
                del expected[uid]
            else:
                expected[uid] = (frozenset(flags.split()), expected[uid][1])
        found = {uid: (flags - {'\\Recent'}, data) for uid, (flags, data) in self.server.messages(self.folder).items()}
        self.assertEqual(found, {uid: (flags - {'\\Recent'}, data) for uid, (flags, data) in expected.items()})


class Changes(Server):

    def test_flags(self):
        self.assertEqual(self.change('store', '2:3,6', r'\Seen $new', r'\Flagged'), [])
        self.assert_only({2: r'\Seen $new', 3: r'\Seen $new', 6: r'\Seen $new $old'})
        self.assertEqual(self.change('store', '2:3,6', r'\Seen $new', r'\Flagged'), [])
        self.assert_only({2: r'\Seen $new', 3: r'\Seen $new', 6: r'\Seen $new $old'})

    def test_expunge_takes_these_and_leaves_what_others_marked(self):
        self.assertEqual(self.change('expunge', '2:3,7'), [])
        self.assert_only({2: None, 3: None, 7: None})
        self.assertEqual(self.change('expunge', '2:3,7'), [])
        self.assert_only({2: None, 3: None, 7: None})

    def test_what_others_marked_also_survives_the_end_of_the_session_and_the_next_folder(self):
        uidvalidity = self.uidvalidity()
        self.assertEqual(self.lines('store', self.folder, uidvalidity, '1', '$x', '', '--', 'uids', self.to, '0', '1', '--',
                                    'expunge', self.folder, uidvalidity, '8', '--', 'store', self.to, '0', '1', '$x', ''), [])
        self.assert_only({1: '$x', 8: None})

    def test_copy(self):
        line, = self.change('copy', '2:3,6,100', self.to)
        self.assertEqual(line, f'copied done=4 uidvalidity={self.uidvalidity(self.to)} uids=1,2,3,0')
        self.assert_only({})
        copies = self.server.messages(self.to)
        self.assertEqual({uid: data for uid, (_, data) in copies.items()},
                         {1: self.before[2][1], 2: self.before[3][1], 3: self.before[6][1]})
        self.assertEqual(copies[3][0] - {'\\Recent'}, {'\\Flagged', '$old'})

    def test_move(self):
        line, = self.change('move', '2:3,6', self.to)
        self.assertEqual(line, f'copied done=3 uidvalidity={self.uidvalidity(self.to)} uids=1,2,3')
        self.assert_only({2: None, 3: None, 6: None})
        self.assertEqual([data for _, data in self.server.messages(self.to).values()], [self.before[uid][1] for uid in (2, 3, 6)])

    def test_a_missing_destination_changes_nothing(self):
        for command in ('copy', 'move'):
            lines = self.change(command, '2:3', 'no/such/folder')
            self.assertTrue(lines[-1].startswith('error ENOLINK'), lines)
        self.assert_only({})

    def test_a_message_that_came_after_the_session_opened_the_folder(self):
        came = os.path.join(self.server.directory, 'came')
        command = ['store', self.folder, self.uidvalidity(), '1', '$x', '', '--', 'until', came, '--',
                   'store', self.folder, self.uidvalidity(), '9', '$x', '']
        command = [CLIENT, '-c', self.server.ca_file, f'imaps://alice@localhost:{self.server.imaps_port}', 'secret', *command]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            mailtest.wait_for(lambda: '$x' in self.server.messages(self.folder)[1][0], 10, 'the first change')
            with self.server.imap() as other:
                other.append(self.folder, '', None, b'Subject: 9\r\n\r\n9\r\n')
            with open(came, 'w', encoding='ascii'):
                pass
            self.assertEqual(process.stdout.read(), b'')
        self.assertIn('$x', self.server.messages(self.folder)[9][0])

    def test_uids_from(self):
        self.assertEqual(self.lines('uids', self.folder, self.uidvalidity(), '7'), ['exists 7', 'exists 8'])
        self.assertEqual(self.lines('uids', self.folder, self.uidvalidity(), '9'), [])
        self.assertEqual(self.lines('uids', self.to, self.uidvalidity(self.to), '1'), [])

    def test_five_thousand_messages_with_gaps(self):
        self.server.create('many')
        self.server.fill(10000, folder='many')
        uidvalidity = self.uidvalidity('many')
        self.lines('uids', 'many', uidvalidity, '1')
        odd = ','.join(map(str, range(1, 10000, 2)))
        self.assertEqual(self.lines('store', 'many', uidvalidity, odd, '$odd', ''), [])
        line, = self.lines('move', 'many', uidvalidity, odd, self.to)
        self.assertEqual(line.split()[1], 'done=5000')
        self.assertEqual(line.split('uids=')[1].split(','), [str(uid) for uid in range(1, 5001)])
        rest = ','.join(map(str, range(4, 10001, 4)))
        self.assertEqual(self.lines('expunge', 'many', uidvalidity, rest), [])
        self.assertEqual(self.lines('uids', 'many', uidvalidity, '1'), [f'exists {uid}' for uid in range(2, 10001, 4)])
        with self.server.imap() as client:
            client.select(self.to, readonly=True)
            self.assertEqual(len(client.search(None, 'KEYWORD', '$odd')[1][0].split()), 5000)
        sent = [line for line in self.server.commands().splitlines() if ' UID ' in line]
        self.assertLess(max(map(len, sent)), 1050)

    def test_never_close_and_never_a_bare_expunge(self):
        self.change('expunge', '1')
        self.assertNotRegex(self.server.commands(), r'(?im)^\S+ \S+ (close|expunge)\b')


class Appends(Server):

    def file(self, data):
        path = os.path.join(self.server.directory, 'letter')
        with open(path, 'wb') as file:
            file.write(data)
        return path

    def test_a_hundred_at_once(self):
        paths = []
        for number in range(100):
            paths.append(os.path.join(self.server.directory, f'letter-{number}'))
            with open(paths[-1], 'wb') as file:
                file.write(b'Subject: %d\r\n\r\n' % number + b'x\r\n' * number * 50)
        uidvalidity = self.uidvalidity(self.to)
        self.assertEqual(self.lines('appends', self.to, r'\Seen $x', *paths),
                         [f'appended {uid} uidvalidity={uidvalidity}' for uid in range(1, 101)])
        stored = self.server.messages(self.to)
        for uid, path in enumerate(paths, 1):
            with open(path, 'rb') as file:
                self.assertEqual(stored[uid][1], file.read())
            self.assertLessEqual({'\\Seen', '$x'}, stored[uid][0])

    def test_fifty_megabytes_in_little_memory(self):
        path = self.file(b'Subject: great\r\n\r\n' + (b'y' * 76 + b'\r\n') * (50 * 1000 * 1000 // 78))
        lines = self.lines('appends', self.to, '', path, path, '--', 'memory')
        self.assertEqual([line.split()[:2] for line in lines[:2]], [['appended', '1'], ['appended', '2']])
        if not mailtest.mount.is_sanitized():
            self.assertLess(int(lines[2].split()[1]), 25000)
        with open(path, 'rb') as file:
            self.assertEqual(self.server.messages(self.to)[2][1], file.read())

    def test_a_missing_folder_is_enolink(self):
        path = self.file(b'a: b\r\n\r\n')
        for command in (['append', 'no/such', path, ''], ['appends', 'no/such', '', path, path]):
            line, = self.lines(*command)
            self.assertTrue(line.startswith('error ENOLINK'), line)


class Folders(Server):

    def test_remove_rename_subscribe(self):
        child = self.folder + '/child'
        uidvalidity = self.uidvalidity()
        self.assertEqual(self.lines('create', child, '--', 'store', self.folder, uidvalidity, '1', '$x', '', '--',
                                    'rename', self.folder, 'new name'), [])
        listed = self.lines('list')
        self.assertTrue(any(line.startswith('folder new name/child ') for line in listed), listed)
        self.assertFalse(any(line.startswith(f'folder {child} ') and 'noselect' not in line for line in listed), listed)
        self.assertEqual(self.lines('subscribe', 'new name', '--', 'unsubscribe', child, '--', 'unsubscribe', self.folder),
                         [])
        listed = self.lines('list')
        self.assertRegex('\n'.join(listed), r'folder new name delimiter=/ prefix=0.* subscribed')
        self.assertEqual(self.lines('store', 'new name', '0', '1', '$y', '', '--', 'remove', 'new name/child', '--',
                                    'remove', 'new name'), [])
        self.assertNotIn('folder new name', '\n'.join(self.lines('list')))

    def test_refusals(self):
        for command, error in ((['create', self.folder], 'EEXIST'), (['remove', 'none'], 'ENXIO'), (['rename', 'none', 'x'], 'ENXIO'),
                               (['rename', self.folder, self.to], 'EEXIST')):
            line, = self.lines(*command)
            self.assertTrue(line.startswith(f'error {error} '), line)
        self.assert_only({})


class Quota(Server):

    settings = {'quota': 'storage=100K'}

    def test_what_does_not_fit_is_edquot_and_leaves_all_as_it_was(self):
        path = os.path.join(self.server.directory, 'letter')
        with open(path, 'wb') as file:
            file.write(b'Subject: great\r\n\r\n' + (b'y' * 76 + b'\r\n') * 1000)
        self.assertEqual(len(self.lines('append', self.to, path, '')), 1)
        for command in (['append', self.to, path, ''], ['appends', self.to, '', path, path],
                        ['copy', self.to, '0', '1', self.folder]):
            self.assertTrue(self.lines(*command, '--', 'noop')[-1].startswith('error EDQUOT'), command)
        self.assertEqual(list(self.server.messages(self.to)), [1])
        self.assert_only({})
        line = self.lines('move', self.to, '0', '1', self.folder)[-1]
        self.assertTrue(line.startswith('copied done=1'), line)


class Shared(Server):

    settings = {'acl': True}

    def errors(self, rights, *calls):
        """What bob, who has these rights only, is told."""
        self.server.doveadm('acl', 'set', '-u', 'alice', self.folder, 'user=bob', *rights)
        shared = f'shared/alice/{self.folder}'
        words = [word for name, *arguments in calls for word in (name, shared, '0', '1', *arguments, '--')]
        command = [CLIENT, '-c', self.server.ca_file, f'imaps://bob@localhost:{self.server.imaps_port}', 'secret', *words[:-1]]
        process = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
        return [line.split()[1] for line in process.stdout.splitlines() if line.startswith('error')]

    def test_a_folder_that_can_only_be_read_is_erofs(self):
        calls = (['store', r'\Seen', ''], ['expunge'], ['move', 'INBOX'])
        self.assertEqual(self.errors(['lookup', 'read'], *calls), ['EROFS'] * 3)
        self.assert_only({})
        self.assertEqual(self.errors(['lookup', 'read'], ['copy', 'INBOX']), [])

    def test_flags_that_are_not_permitted_there_are_refused_and_others_are_not(self):
        rights = ['lookup', 'read', 'write-seen']
        self.assertEqual(self.errors(rights, ['store', r'\Flagged', ''], ['store', '$x', ''], ['expunge'], ['store', r'\Seen', '']),
                         ['EOPNOTSUPP', 'EOPNOTSUPP', 'EACCES'])
        self.assert_only({})


if __name__ == '__main__':
    mailtest.main()
