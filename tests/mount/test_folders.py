#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every folder of a server is a directory: nested, in any script, with any delimiter, prefix and right.

`user.mail.name` of a directory leads back to the name on the wire.
"""

import errno
import os

import mailtest
from mailtest import folders, messages, utf7

SPECIAL = {'Drafts', 'Sent', 'Trash', 'Junk', 'Archive'}


def wire_name(path):
    return os.getxattr(path, 'user.mail.name').decode()


def directories(mount):
    """Paths of all directories of the mount, relative to it."""
    return sorted(os.path.relpath(os.path.join(path, name), mount.path) for path, names, _ in os.walk(mount.path, onerror=_raise)
                  for name in names)


def _raise(error):
    raise error


class OddNames(mailtest.MountTestCase):
    def test_five_hundred_folders_are_listed_reversible_and_readable(self):
        names = folders.names(500, 12)
        self.assertEqual(max(map(len, names)), 12)
        with mailtest.Dovecot(**folders.SERVER) as server:
            contents = folders.create(server, names)
            with mailtest.Mount(mailtest.account(server)) as mount:
                found = {}
                for path in directories(mount):
                    parts = tuple(utf7.decode(wire_name(mount / path)).split('^'))
                    self.assertNotIn(parts, found)
                    self.assertEqual(path.count('/'), len(parts) - 1, (path, parts))
                    found[parts] = [mount.read(file) for file in mount.files(path)]
                shown = {(name,) for name in SPECIAL | {'INBOX'}}
                self.assertEqual(set(found) - shown, set(names))
                for name, message in contents.items():
                    self.assertEqual(found[name], [message], name)

    def test_names_come_back_the_same_after_a_remount(self):
        names = folders.names(60, 5)
        with mailtest.Dovecot(**folders.SERVER) as server:
            folders.create(server, names)
            with mailtest.Mount(mailtest.account(server)) as mount:
                before = {path: os.stat(mount / path).st_ino for path in directories(mount)}
                mount.remount()
                self.assertEqual({path: os.stat(mount / path).st_ino for path in directories(mount)}, before)

    def test_what_the_tree_uses_itself_is_escaped(self):
        names = [('outbox',), ('OutBox',), ('.mailfs',), ('.text',), ('a/b',), ('..',), ('50%25',), ('100%',)]
        with mailtest.Dovecot(**folders.SERVER) as server:
            folders.create(server, names)
            with mailtest.Mount(mailtest.account(server)) as mount:
                listed = set(os.listdir(mount.path)) - SPECIAL - {'INBOX'}
                self.assertEqual(listed, {'%6Futbox', '%4FutBox', '%2Emailfs', '%2Etext', 'a%2Fb', '%2E.', '50%2525', '100%'})


class Shapes(mailtest.MountTestCase):
    def make(self, server, paths):
        for path in paths:
            server.deliver(messages.letter(subject=path), tuple(path.split('|')))

    def subjects(self, mount, folder):
        return [data.split(b'Subject: ')[1].split(b'\r\n')[0].decode() for data in map(mount.read, mount.files(folder))]

    def test_nested_folders_with_each_delimiter(self):
        for separator in '/.^~':
            with self.subTest(separator), mailtest.Dovecot(separator=separator, layout='fs') as server:
                self.make(server, ['Projects', 'Projects|2026', 'Projects|2026|Ünïcode', 'Projects|发票'])
                with mailtest.Mount(mailtest.account(server)) as mount:
                    self.assertEqual(set(directories(mount)) - SPECIAL,
                                     {'INBOX', 'Projects', 'Projects/2026', 'Projects/2026/Ünïcode', 'Projects/发票'})
                    self.assertEqual(self.subjects(mount, 'Projects/2026/Ünïcode'), ['Projects|2026|Ünïcode'])
                    self.assertEqual(wire_name(mount / 'Projects/发票'), utf7.encode(f'Projects{separator}发票'))

    def test_folder_that_only_holds_folders(self):
        with mailtest.Dovecot() as server:
            self.make(server, ['Lists|users'])
            with mailtest.Mount(mailtest.account(server)) as mount:
                self.assertEqual(os.listdir(mount / 'Lists'), ['users'])
                self.assertEqual(self.subjects(mount, 'Lists/users'), ['Lists|users'])

    def test_folders_below_inbox(self):
        with mailtest.Dovecot(layout='fs') as server:
            server.deliver(messages.letter())
            self.make(server, ['INBOX|Projects'])
            with mailtest.Mount(mailtest.account(server)) as mount:
                self.assertEqual(len(mount.files('INBOX')), 1)
                self.assertEqual(self.subjects(mount, 'INBOX/Projects'), ['INBOX|Projects'])

    def test_number_of_links_counts_the_folders_in_it(self):
        with mailtest.Dovecot() as server:
            self.make(server, ['Lists|users', 'Lists|developers'])
            with mailtest.Mount(mailtest.account(server)) as mount:
                self.assertEqual(os.stat(mount / 'Lists').st_nlink, 4)
                self.assertEqual(os.stat(mount / 'Lists/users').st_nlink, 2)

    def test_prefix_of_the_personal_namespace_is_left_out(self):
        with mailtest.Dovecot(separator='.', prefix='INBOX.') as server:
            server.deliver(messages.letter())
            self.make(server, ['Lists|users'])
            with mailtest.Mount(mailtest.account(server)) as mount:
                self.assertEqual(set(directories(mount)) - SPECIAL, {'INBOX', 'Lists', 'Lists/users'})
                self.assertEqual(wire_name(mount / 'Lists/users'), 'INBOX.Lists.users')
                self.assertEqual(self.subjects(mount, 'Lists/users'), ['Lists|users'])
                self.assertEqual(len(mount.files('INBOX')), 1)

    def test_folder_that_goes_away_and_comes_anew_is_another(self):
        with mailtest.Dovecot() as server:
            self.make(server, ['Lists'])
            with mailtest.Mount(mailtest.account(server)) as mount:
                self.assertEqual(self.subjects(mount, 'Lists'), ['Lists'])
                mount.unmount()
                with server.imap() as client:
                    client.delete('Lists')
                server.deliver(messages.letter(subject='another'), ('Lists',))
                mount.start()
                self.assertEqual(self.subjects(mount, 'Lists'), ['another'])


class Choice(mailtest.MountTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = mailtest.Dovecot(special_use={}).start()
        for folder in (('Projects',), ('Projects', '2026'), ('Projects', '2026', 'Q1'), ('Projects', 'Secret'), ('My Lists',), ('发票',)):
            cls.server.create(folder)
        with cls.server.imap() as client:
            client.unsubscribe('Projects/Secret')
            client.unsubscribe(utf7.quote('My Lists'))

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    def shown(self, **keys):
        with mailtest.Mount(mailtest.account(self.server, **keys)) as mount:
            return set(directories(mount))

    def test_all_of_them(self):
        everything = {'INBOX', 'Projects', 'Projects/2026', 'Projects/2026/Q1', 'Projects/Secret', 'My Lists', '发票'}
        self.assertEqual(self.shown(), everything)
        self.assertEqual(self.shown(folders='*'), everything)

    def test_patterns(self):
        self.assertEqual(self.shown(folders='INBOX 发票'), {'INBOX', '发票'})
        self.assertEqual(self.shown(folders='%'), {'INBOX', 'Projects', 'My Lists', '发票'})
        self.assertEqual(self.shown(folders='"My Lists" Projects/%'), {'My Lists', 'Projects', 'Projects/2026', 'Projects/Secret'})
        self.assertEqual(self.shown(folders='* !Projects/Secret !发票'),
                         {'INBOX', 'Projects', 'Projects/2026', 'Projects/2026/Q1', 'My Lists'})

    def test_folder_above_a_chosen_one_is_shown_empty_of_messages(self):
        self.server.deliver(messages.letter(), ('Projects',))
        with mailtest.Mount(mailtest.account(self.server, folders='Projects/2026/Q1')) as mount:
            self.assertEqual(directories(mount), ['Projects', 'Projects/2026', 'Projects/2026/Q1'])
            self.assertEqual(mount.files('Projects'), [])

    def test_subscribed(self):
        self.assertEqual(self.shown(subscribed='yes') - {'INBOX'}, {'Projects', 'Projects/2026', 'Projects/2026/Q1', '发票'})

    def test_another_choice_at_the_next_mount(self):
        with mailtest.Mount(mailtest.account(self.server, folders='INBOX')) as mount:
            self.assertEqual(directories(mount), ['INBOX'])
            mount.unmount()
            mount.configure(mailtest.account(self.server, folders='* !Projects*'))
            mount.start()
            self.assertEqual(directories(mount), ['INBOX', 'My Lists', '发票'])


class Shared(mailtest.MountTestCase):
    def mode(self, path, wanted):
        """Permissions of a directory, told to the kernel in the background."""
        mailtest.wait_for(lambda: os.stat(path).st_mode & 0o777 == wanted, 5, f'mode {wanted:o} of {path}, not {os.stat(path).st_mode:o}')

    def test_folders_of_others_stand_below_their_namespace_with_my_rights_as_mode(self):
        with mailtest.Dovecot(acl=True) as server:
            server.deliver(messages.letter(subject='read this'), ('Team',))
            server.deliver(messages.letter(subject='and write here'), ('Drafts',))
            server.deliver(messages.letter(subject='not for you'), ('Private',))
            with server.imap() as client:
                self.assertEqual(client.setacl('Team', 'bob', 'lr')[0], 'OK')
                self.assertEqual(client.setacl('Drafts', 'bob', 'lrswipkxte')[0], 'OK')
            with mailtest.Mount(mailtest.account(server, user='bob')) as mount:
                self.assertEqual(sorted(os.listdir(mount / 'shared/alice')), ['Drafts', 'Team'])
                self.assertEqual(wire_name(mount / 'shared/alice/Team'), 'shared/alice/Team')
                path, = mount.files('shared/alice/Team')
                self.assertIn(b'read this', mount.read(path))
                self.assertEqual(len(mount.files('shared/alice/Drafts')), 1)
                os.listdir(mount / 'INBOX')
                self.mode(mount / 'shared/alice/Team', 0o500)
                self.mode(mount / 'shared/alice/Drafts', 0o700)
                self.mode(mount / 'INBOX', 0o700)

    def test_folder_without_the_right_to_read_fails_and_harms_no_other(self):
        with mailtest.Dovecot(acl=True) as server:
            server.deliver(messages.letter(), ('Team',))
            server.deliver(messages.letter(), ('Listed',))
            with server.imap() as client:
                client.setacl('Team', 'bob', 'lr')
                client.setacl('Listed', 'bob', 'l')
            with mailtest.Mount(mailtest.account(server, user='bob')) as mount:
                with self.assertRaises(OSError) as refused:
                    os.listdir(mount / 'shared/alice/Listed')
                self.assertEqual(refused.exception.errno, errno.EACCES)
                self.assertEqual(len(mount.files('shared/alice/Team')), 1)


if __name__ == '__main__':
    mailtest.main()
