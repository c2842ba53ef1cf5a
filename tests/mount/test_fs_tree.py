#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the kernel is shown of folders and messages: names, attributes, listings; on a made-up mailbox."""

import contextlib
import errno
import os
import shutil
import signal
import stat
import subprocess
import threading
import time

import mailtest
from fakefs import CHANGE_FOLDER_GONE, CHANGE_LISTING, CHANGE_MESSAGE_ADDED, CHANGE_MESSAGE_ATTRIBUTES, CHANGE_MESSAGE_GONE, ROOT, FakeTestCase
from mailtest import wait_for


class Attributes(FakeTestCase):
    def test_a_message_shows_size_blocks_dates_mode_and_a_stable_number(self):
        row = self.mount.message(self.inbox, 'a.eml', 1234)
        st = os.stat(self.mount / 'INBOX/a.eml')
        self.assertEqual((st.st_size, st.st_blocks, st.st_nlink), (1234, 3, 1))
        self.assertEqual(stat.filemode(st.st_mode), '-rw-------')
        self.assertEqual((st.st_uid, st.st_gid), (os.getuid(), os.getgid()))
        self.assertEqual(st.st_mtime, 1776151800 + row)
        self.assertEqual(st.st_ino & 0xffffffff, row)

    def test_a_folder_counts_its_folders_as_links(self):
        self.mount.folder('one', self.inbox)
        self.mount.folder('two', self.inbox)
        st = os.stat(self.mount / 'INBOX')
        self.assertEqual((stat.filemode(st.st_mode), st.st_nlink), ('drwx------', 4))

    def test_df_shows_the_quota_where_there_is_one_and_much_room_where_not(self):
        self.assertGreater(os.statvfs(self.mount.path).f_bavail, 1 << 20)
        self.mount.tell('quota', 1 << 20, 10 << 20)
        st = os.statvfs(self.mount.path)
        self.assertEqual((st.f_blocks * st.f_frsize, st.f_bavail * st.f_frsize), (10 << 20, 9 << 20))

    def test_names_of_any_script_come_back_as_they_are(self):
        names = ['发票 2026.eml', 'Ελληνικά.eml', 'a"b\'c\\d%e&f~.eml', ' leading and trailing ', 'x' * 255, '\u202eright-to-left', '-n', 'é', 'é']
        for name in names:
            self.mount.message(self.inbox, name, 10)
        self.assertEqual(sorted(os.listdir(self.mount / 'INBOX')), sorted(names))
        for name in names:
            self.assertEqual(os.stat(os.path.join(self.mount / 'INBOX', name)).st_size, 10)

    def test_a_message_that_went_while_open_is_still_read_and_has_no_link(self):
        row = self.mount.message(self.inbox, 'a.eml', 5000)
        with open(self.mount / 'INBOX/a.eml', 'rb') as file:
            self.mount.tell('remove', row)
            self.mount.tell('changed', CHANGE_MESSAGE_GONE, self.inbox, row, 'a.eml')
            wait_for(lambda: os.fstat(file.fileno()).st_nlink == 0, 5, 'the link count')
            self.assertEqual(len(file.read()), 5000)
        self.assertFalse(os.path.exists(self.mount / 'INBOX/a.eml'))

    def test_what_the_tree_adds_is_there_by_name(self):
        self.assertEqual(sorted(os.listdir(self.mount.path)), ['INBOX', 'outbox'])
        self.assertEqual(self.mount.status(), {'state': 'online'})
        self.assertEqual(sorted(os.listdir(self.mount / '.mailfs')), ['special', 'status'])
        self.assertEqual(os.readlink(self.mount / '.mailfs/special/trash'), '../../Archive/Trash')
        self.mount.folder('Sent')
        self.assertTrue(os.path.samefile(self.mount / '.mailfs/special/sent', self.mount / 'Sent'))
        self.assertErrno(errno.ENOENT, os.stat, self.mount / '.mailfs/special/drafts')
        self.assertErrno(errno.EACCES, open, self.mount / '.mailfs/status', 'w')


class ReadOnly(FakeTestCase):
    options = ('ro', 'no_outbox')

    def test_a_read_only_mount_shows_and_says_so(self):
        self.mount.message(self.inbox, 'a.eml')
        self.assertEqual(stat.filemode(os.stat(self.mount / 'INBOX/a.eml').st_mode), '-r--------')
        self.assertEqual(stat.filemode(os.stat(self.mount / 'INBOX').st_mode), 'dr-x------')
        self.assertEqual(os.listdir(self.mount.path), ['INBOX'])
        self.assertErrno(errno.EROFS, os.unlink, self.mount / 'INBOX/a.eml')
        self.assertErrno(errno.EROFS, open, self.mount / 'INBOX/a.eml', 'r+b')
        self.assertErrno(errno.ENOENT, os.stat, self.mount / 'outbox')


class Owners(FakeTestCase):
    options = ('uid=1234', 'gid=2345', 'umask=027')

    def test_owner_and_permissions_are_as_the_options_say(self):
        self.mount.message(self.inbox, 'a.eml')
        st = os.stat(self.mount / 'INBOX/a.eml')
        self.assertEqual((st.st_uid, st.st_gid, stat.filemode(st.st_mode)), (1234, 2345, '-rw-r-----'))
        self.assertEqual(stat.filemode(os.stat(self.mount / 'INBOX').st_mode), 'drwxr-x---')


class Listings(FakeTestCase):
    def test_a_listing_goes_on_at_its_place_whatever_is_removed_meanwhile(self):
        rows = [self.mount.message(self.inbox, f'{i:04}.eml', 10) for i in range(1000)]
        with os.scandir(self.mount / 'INBOX') as entries:
            seen = [next(entries).name for _ in range(10)]
            for row in rows[:500]:
                self.mount.tell('remove', row)
            seen += [entry.name for entry in entries]
        self.assertEqual(len(seen), len(set(seen)))
        self.assertEqual(seen[-500:], [f'{i:04}.eml' for i in range(500, 1000)])

    def test_folders_come_with_messages_and_the_tree_s_own_once(self):
        for i in range(300):
            self.mount.folder(f'folder {i}')
            self.mount.message(ROOT, f'message {i}', 1)
        self.assertEqual(len(os.listdir(self.mount.path)), 602)
        self.assertEqual(len(set(os.listdir(self.mount.path))), 602)

    def test_a_folder_never_looked_at_makes_opendir_and_lookup_wait(self):
        self.mount.message(self.inbox, 'a.eml', 10)
        for look, expected in ((lambda: os.listdir(self.mount / 'INBOX'), ['a.eml']),
                               (lambda: os.stat(self.mount / 'INBOX/a.eml').st_size, 10)):
            self.mount.tell('hide', self.inbox)
            self.mount.behave('look', -1)
            found = []
            thread = threading.Thread(target=lambda: found.append(look()))
            thread.start()
            self.mount.wait_for_waiting(1)
            os.listdir(self.mount.path)     # others go on
            self.mount.behave('look')
            self.mount.release()
            thread.join()
            self.assertEqual(found, [expected])
            self.mount.tell('changed', CHANGE_LISTING, self.inbox, 0)
            time.sleep(0.1)

    def test_a_listing_that_cannot_be_had_is_an_error_not_an_empty_folder(self):
        self.mount.tell('hide', self.inbox)
        self.mount.behave('look', 1, errno.EHOSTUNREACH)
        self.assertErrno(errno.EHOSTUNREACH, os.listdir, self.mount / 'INBOX')
        self.assertErrno(errno.EHOSTUNREACH, os.stat, self.mount / 'INBOX/nothing')

    def test_large_listings_give_names_and_then_attributes_to_who_asks(self):
        self.mount.tell('bulk', self.inbox, 60000, 0)
        self.assertEqual(len(os.listdir(self.mount / 'INBOX')), 60000)
        with os.scandir(self.mount / 'INBOX') as entries:
            self.assertEqual(sum(1 for entry in entries if entry.stat().st_size == 0), 60000)

    def test_a_long_listing_that_is_repeated_shows_what_is_new_and_what_changed(self):
        """Its attributes are left out the second time, since the kernel has them."""
        self.mount.tell('bulk', self.inbox, 3000, 0)
        for size in (11, 22):
            self.assertEqual(len(os.listdir(self.mount / 'INBOX')), 3000 + size // 22)
            with os.scandir(self.mount / 'INBOX') as entries:
                self.assertEqual({entry.stat().st_size for entry in entries}, {0, 11} if size == 22 else {0})
            row = self.mount.message(self.inbox, f'new {size}.eml', size)
            self.mount.tell('changed', CHANGE_MESSAGE_ADDED, self.inbox, row, f'new {size}.eml')
            wait_for(lambda size=size: f'new {size}.eml' in os.listdir(self.mount / 'INBOX'), 5, 'the new one')

    def test_a_long_listing_whose_names_the_kernel_forgot_is_as_it_was(self):
        self.mount.tell('bulk', self.inbox, 3000, 7)
        for _ in range(3):
            with os.scandir(self.mount / 'INBOX') as entries:
                self.assertEqual([entry.stat().st_size for entry in entries], [7] * 3000)
            with contextlib.suppress(PermissionError), open('/proc/sys/vm/drop_caches', 'w', encoding='ascii') as file:
                file.write('2')

    def test_a_large_listing_does_not_show_what_went_while_it_was_read(self):
        self.mount.tell('bulk', self.inbox, 60000, 0)
        with os.scandir(self.mount / 'INBOX') as entries:
            seen = [next(entries).name for _ in range(100)]
            time.sleep(0.1)     # the next piece, of some 570 names since Linux 6.16, has been made
            gone = [f'2026-04-14_0930_Alice-Example_Re-quarterly-report.{i}.eml' for i in range(700, 1000, 10)]
            for name in gone:
                os.unlink(os.path.join(self.mount / 'INBOX', name))
            seen += [entry.name for entry in entries]
        self.assertEqual(len(seen), 60000 - len(gone))
        self.assertFalse(set(seen) & set(gone))


class News(FakeTestCase):
    def test_a_new_message_is_seen_and_changes_the_folder_s_time(self):
        before = os.stat(self.mount / 'INBOX').st_mtime_ns
        row = self.mount.message(self.inbox, 'a.eml')
        self.assertEqual(os.stat(self.mount / 'INBOX').st_mtime_ns, before, 'the kernel keeps attributes until told')
        self.mount.tell('changed', CHANGE_MESSAGE_ADDED, self.inbox, row, 'a.eml')
        wait_for(lambda: os.stat(self.mount / 'INBOX').st_mtime_ns > before, 5, 'the new time')
        self.assertTrue(os.path.exists(self.mount / 'INBOX/a.eml'))

    def test_a_name_that_was_not_there_is_asked_again(self):
        self.assertFalse(os.path.exists(self.mount / 'INBOX/a.eml'))
        self.mount.message(self.inbox, 'a.eml')
        self.assertTrue(os.path.exists(self.mount / 'INBOX/a.eml'))

    def test_a_removed_folder_goes_even_while_somebody_stands_in_it(self):
        row = self.mount.folder('Projects')
        self.mount.message(row, 'a.eml')
        os.listdir(self.mount / 'Projects')
        inside = subprocess.Popen(['sleep', '60'], cwd=self.mount / 'Projects')
        self.addCleanup(inside.wait)
        self.addCleanup(inside.kill)
        self.mount.tell('remove', row)
        self.mount.tell('changed', CHANGE_FOLDER_GONE, ROOT, row, 'Projects')
        wait_for(lambda: not os.path.exists(self.mount / 'Projects'), 5, 'the folder to go')

    def test_many_changes_at_once_make_every_name_of_the_folder_asked_again(self):
        rows = [self.mount.message(self.inbox, f'{i}.eml', 10) for i in range(50)]
        names = os.listdir(self.mount / 'INBOX')
        self.assertTrue(all(os.path.exists(os.path.join(self.mount / 'INBOX', name)) for name in names))
        for row in rows:
            self.mount.tell('remove', row)
        self.mount.tell('changed', CHANGE_LISTING, self.inbox, 0)
        wait_for(lambda: not any(os.path.exists(os.path.join(self.mount / 'INBOX', name)) for name in names), 5, 'the names to go')

    def test_standing_in_a_folder_survives_that(self):
        self.mount.message(self.inbox, 'a.eml')
        before = os.getcwd()
        os.chdir(self.mount / 'INBOX')
        self.addCleanup(os.chdir, before)
        self.mount.tell('changed', CHANGE_LISTING, self.inbox, 0)
        time.sleep(0.1)
        os.stat(self.mount / 'INBOX')
        self.assertEqual((os.getcwd(), os.listdir('.')), (self.mount / 'INBOX', ['a.eml']))
        os.chdir(before)

    def test_changed_flags_change_the_ctime(self):
        row = self.mount.message(self.inbox, 'a.eml')
        before = os.stat(self.mount / 'INBOX/a.eml').st_ctime_ns
        self.mount.tell('flags', row, '\\Flagged')
        self.mount.tell('changed', CHANGE_MESSAGE_ATTRIBUTES, 0, row)
        wait_for(lambda: os.stat(self.mount / 'INBOX/a.eml').st_ctime_ns > before, 5, 'the new time')

    def test_a_burst_beyond_all_bounds_ends_well(self):
        self.mount.tell('bulk', self.inbox, 20000, 0)
        names = os.listdir(self.mount / 'INBOX')
        self.mount.tell('vanish', self.inbox)      # a change for each
        wait_for(lambda: not os.path.exists(os.path.join(self.mount / 'INBOX', names[-1])), 5, 'the names to go')
        self.assertEqual(os.listdir(self.mount / 'INBOX'), [])
        self.assertFalse(any(os.path.exists(os.path.join(self.mount / 'INBOX', name)) for name in names))


class FlagsOfTheTree(FakeTestCase):
    """.flags in the root."""

    def setUp(self):
        super().setUp()
        self.rows = {}
        self.projects = self.mount.folder('Projects')
        self.year = self.mount.folder('2026', self.projects)
        for folder, name, flags in ((self.inbox, 'a.eml', '\\Answered'), (self.inbox, 'b.eml', '\\Seen'), (self.projects, 'c.eml', '\\Flagged'),
                                    (self.year, 'd.eml', 'todo'), (self.year, 'e.eml', '\\Seen')):
            self.rows[name] = self.mount.message(folder, name, 100)
            self.mount.tell('flags', self.rows[name], flags)

    def view(self, path=''):
        return os.path.join(self.mount.path, '.flags', path)

    def shown(self, flag):
        """Everything below, walked as find and grep do."""
        walk = os.walk(self.view(flag), onerror=self.fail)
        return sorted(os.path.relpath(os.path.join(path, name), self.view(flag)) for path, folders, names in walk for name in folders + names)

    def test_each_flag_has_all_folders_and_their_messages_with_it(self):
        folders = ['INBOX', 'Projects', 'Projects/2026']
        for flag, messages in (('unseen', ['INBOX/a.eml', 'Projects/c.eml', 'Projects/2026/d.eml']), ('seen', ['INBOX/b.eml', 'Projects/2026/e.eml']),
                               ('answered', ['INBOX/a.eml']), ('draft', []), ('todo', ['Projects/2026/d.eml'])):
            self.assertEqual(self.shown(flag), sorted(folders + messages), flag)
        self.assertEqual(sorted(os.listdir(self.view())), sorted(['seen', 'unseen', 'flagged', 'answered', 'draft', 'deleted', 'todo']))

    def test_messages_are_the_same_files_and_directories_others_than_the_folder_s_own(self):
        for path in ('INBOX/a.eml', 'Projects/2026/d.eml'):
            self.assertTrue(os.path.samefile(self.mount / path, self.view(f'unseen/{path}')))
        directories = [self.mount / path for path in ('.flags', '.flags/unseen', '.flags/seen', '.flags/unseen/INBOX', '.flags/seen/INBOX', 'INBOX',
                                                      'INBOX/.flags', 'INBOX/.flags/unseen', 'INBOX/.flags/seen', '.maildir', '.maildir/INBOX', '')]
        self.assertEqual(len({os.stat(path).st_ino for path in directories}), len(directories))

    def test_one_finds_back_from_every_directory(self):
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        for path in ('.flags/unseen/Projects/2026', 'Projects/2026/.flags/unseen', '.flags/todo/Projects/2026', '.flags/unseen/Projects/2026'):
            for _ in range(2):
                os.chdir(self.mount / path)
                self.assertEqual(os.getcwd(), self.mount / path)
                with os.scandir('.') as entries:
                    self.assertEqual([(entry.name, entry.inode()) for entry in entries], [('d.eml', os.stat(self.mount / 'Projects/2026/d.eml').st_ino)])
                listed = subprocess.run(['ls', '-aiU', '.'], capture_output=True, text=True, check=True).stdout.split()
                self.assertEqual(int(listed[listed.index('..') - 1]), os.stat(os.path.dirname(self.mount / path)).st_ino)

    def test_no_walk_of_the_tree_meets_it(self):
        found = self.shell('find . -name ".*" -path "./*"; grep -rl Alice . | sort')
        self.assertEqual((found.returncode, found.stderr), (0, ''))
        self.assertEqual(found.stdout.split(), ['./INBOX/a.eml', './INBOX/b.eml', './Projects/2026/d.eml', './Projects/2026/e.eml', './Projects/c.eml'])
        for path in ('.flags/unseen/.flags', '.flags/unseen/INBOX/.flags', '.flags/.flags', '.flags/unseen/.maildir', '.flags/unseen/.mailfs', '.flags/unseen/outbox'):
            self.assertErrno(errno.ENOENT, os.stat, self.mount / path)

    def test_folders_cannot_be_made_removed_or_renamed_in_it(self):
        self.assertErrno(errno.EPERM, os.mkdir, self.view('unseen/new'))
        self.assertErrno(errno.EPERM, os.mkdir, self.view('unseen/INBOX/new'))
        for path in ('draft/INBOX', 'draft/Projects/2026'):
            self.assertErrno(errno.EPERM, os.rmdir, self.view(path))
            self.assertErrno(errno.EPERM, os.rename, self.view(path), self.view('draft/other'))
            self.assertErrno(errno.EPERM, os.rename, self.view(path), self.mount / 'other')
        self.assertErrno(errno.EPERM, os.rename, self.mount / 'Projects', self.view('draft/Projects/new'))
        self.assertErrno(errno.EPERM, os.rename, self.view('unseen/INBOX/a.eml'), self.mount / 'Projects/a.eml')
        self.assertErrno(errno.EPERM, os.link, self.mount / 'INBOX/a.eml', self.view('a.eml'))
        self.assertErrno(errno.EPERM, open, self.view('unseen/INBOX/new.eml'), 'x')
        self.assertErrno(errno.EEXIST, os.mkdir, self.mount / '.flags')
        self.assertErrno(errno.EBUSY, os.rmdir, self.mount / '.flags')
        self.assertErrno(errno.EBUSY, os.rmdir, self.view('draft'))
        self.assertErrno(errno.ENOTEMPTY, os.rmdir, self.view('todo'))

    def test_a_keyword_that_was_made_stays_until_it_is_removed_in_the_view_where_it_was_made(self):
        os.mkdir(self.view('later'))
        self.assertEqual(self.shown('later'), ['INBOX', 'Projects', 'Projects/2026'])
        self.assertIn('later', os.listdir(self.view()))
        self.assertNotIn('later', os.listdir(self.mount / 'INBOX/.flags'))
        os.rmdir(self.view('later'))
        self.assertFalse(os.path.exists(self.view('later')))
        self.assertNotIn('later', os.listdir(self.view()))

    def test_a_keyword_that_the_folder_does_not_take_is_not_made_and_who_waits_for_that_can_be_interrupted(self):
        self.assertErrno(errno.ENOTSUP, os.mkdir, self.mount / 'INBOX/.flags/refused')
        self.mount.behave('settle', -1)
        with self.background('mkdir', 'INBOX/.flags/asked', stderr=subprocess.PIPE) as mkdir:
            self.mount.wait_for_waiting(1)
            os.listdir(self.mount / 'INBOX')
            mkdir.send_signal(signal.SIGINT)
            self.assertEqual(mkdir.wait(5), -signal.SIGINT)
        self.mount.release()
        self.mount.wait_for_waiting(0)
        self.mount.behave('settle')
        self.assertFalse(os.path.exists(self.mount / 'INBOX/.flags/asked'))
        os.mkdir(self.mount / 'INBOX/.flags/asked')

    def test_a_keyword_of_one_folder_is_not_in_the_view_of_another(self):
        self.assertIn('todo', os.listdir(self.mount / 'Projects/2026/.flags'))
        self.assertNotIn('todo', os.listdir(self.mount / 'INBOX/.flags'))
        self.assertErrno(errno.ENOENT, os.stat, self.mount / 'INBOX/.flags/todo')

    def test_a_listing_of_many_goes_on_at_its_place(self):
        for i in range(300):
            self.mount.folder(f'a folder of some length, number {i}', self.inbox)
            self.mount.message(self.inbox, f'{i}', 10)
            self.mount.tell('flags', self.mount.message(self.inbox, f'flagged {i}', 10), '\\Flagged')
        found = os.listdir(self.view('flagged/INBOX'))
        self.assertEqual((len(found), len(set(found))), (600, 600))

    def test_a_folder_never_looked_at_makes_opendir_and_lookup_wait(self):
        for look, expected in ((lambda: os.listdir(self.view('unseen/Projects')), ['2026', 'c.eml']),
                               (lambda: os.stat(self.view('unseen/Projects/c.eml')).st_size, 100)):
            self.mount.tell('hide', self.projects)
            self.mount.behave('look', -1)
            found = []
            thread = threading.Thread(target=lambda: found.append(look()))
            thread.start()
            self.mount.wait_for_waiting(1)
            os.listdir(self.view('unseen/INBOX'))     # others go on
            self.mount.release()
            thread.join()
            self.assertEqual(found, [expected])

    def test_a_folder_that_went_is_gone_from_it(self):
        os.stat(self.view('unseen/Projects/2026/d.eml'))
        self.mount.tell('remove', self.year)
        wait_for(lambda: not os.path.exists(self.view('unseen/Projects/2026')), 5, 'the folder to go')

    def test_scratch_directories_are_not_in_it(self):
        os.mkdir(self.mount / 'INBOX/.scratch')
        self.assertEqual(os.listdir(self.view('draft/INBOX')), [])
        self.assertErrno(errno.ENOENT, os.stat, self.view('draft/INBOX/.scratch'))


class Attributed(FakeTestCase):
    def setUp(self):
        super().setUp()
        self.row = self.mount.message(self.inbox, 'a.eml')
        self.path = self.mount / 'INBOX/a.eml'

    def test_flags_are_listed_and_read_and_the_rest_is_found_by_name(self):
        self.assertEqual(os.listxattr(self.path), ['user.mail.flags'])
        self.assertEqual(os.getxattr(self.path, 'user.mail.flags'), b'\\Seen')
        expected = {'uid': f'{self.row}', 'uidvalidity': '7', 'subject': f'number {self.row}', 'from': 'Alice <alice@example.com>',
                    'to': 'bob@example.com', 'message-id': f'<{self.row}@example.com>', 'date': 'Tue, 14 Apr 2026 09:30:00 +0200', 'cached': '1'}
        self.assertEqual({name: os.getxattr(self.path, 'user.mail.' + name).decode() for name in expected}, expected)
        self.assertErrno(errno.ENODATA, os.getxattr, self.path, 'user.mail.nonsense')
        self.assertErrno(errno.ENODATA, os.getxattr, self.path, 'user.other')

    def test_header_fields_come_when_the_bytes_do(self):
        self.mount.behave('open', 20)
        self.mount.behave('read', 20)
        self.assertEqual(os.getxattr(self.path, 'user.mail.cached'), b'0')
        self.assertEqual(os.getxattr(self.path, 'user.mail.subject'), f'number {self.row}'.encode())
        self.mount.behave('open', 20, errno.EHOSTUNREACH)
        self.assertErrno(errno.EHOSTUNREACH, os.getxattr, self.path, 'user.mail.subject')
        wait_for(lambda: self.mount.counts()['opens'] == self.mount.counts()['closes'], 5, 'every open to be closed')

    def test_other_namespaces_are_not_supported(self):
        for name in ('security.selinux', 'trusted.x', 'system.posix_acl_access'):
            self.assertErrno(errno.EOPNOTSUPP, os.getxattr, self.path, name)

    def test_folders_have_theirs(self):
        self.assertEqual(os.getxattr(self.mount / 'INBOX', 'user.mail.messages'), b'1')
        self.assertEqual(os.listxattr(self.mount / 'INBOX'), [])

    def test_rsync_with_attributes_is_quiet(self):
        if not shutil.which('rsync'):
            self.skipTest('no rsync')
        copy = os.path.join(self.mount.directory, 'copy')
        result = subprocess.run(['rsync', '-aX', self.mount / 'INBOX/', copy], capture_output=True, text=True, check=False)
        self.assertEqual((result.returncode, result.stderr), (0, ''))
        again = subprocess.run(['rsync', '-aXi', self.mount / 'INBOX/', copy], capture_output=True, text=True, check=False)
        self.assertEqual(again.stdout, '')


class Mounting(FakeTestCase):
    def test_it_ends_cleanly_on_sigterm(self):
        self.mount.message(self.inbox, 'a.eml')
        os.listdir(self.mount / 'INBOX')
        self.assertEqual(self.mount.terminate(), 0)
        self.assertFalse(mailtest.is_mounted(self.mount.path))

    def test_it_ends_while_requests_wait_and_files_are_open(self):
        self.mount.message(self.inbox, 'a.eml', 100000)
        self.mount.behave('read', -1)
        with subprocess.Popen(['cat', self.mount / 'INBOX/a.eml'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as cat:
            self.mount.wait_for_waiting(1)
            self.assertEqual(self.mount.terminate(), 0, self.mount.log())
            self.assertNotEqual(cat.wait(5), 0)

    def test_a_killed_daemon_s_place_can_be_mounted_again(self):
        self.mount.message(self.inbox, 'a.eml', 100)
        os.listdir(self.mount / 'INBOX')
        self.addCleanup(mailtest.mount.lazily_unmount, self.mount.path)
        self.mount.kill9(unmount=False)
        self.assertErrno(errno.ENOTCONN, os.listdir, self.mount.path)
        status, text = self.mount.start_expect_failure()
        self.assertEqual(status, 1)
        self.assertIn('fusermount3 -u', text)
        mailtest.mount.lazily_unmount(self.mount.path)
        self.mount.start()
        self.assertEqual(os.listdir(self.mount.path), ['outbox'])

    def test_bad_mountpoints_are_refused_with_a_line(self):
        self.mount.unmount()
        with open(self.mount / 'file', 'w', encoding='ascii'):
            pass
        status, text = self.mount.start_expect_failure()
        self.assertEqual((status, 'not empty' in text), (1, True))
        os.unlink(self.mount / 'file')
        os.rmdir(self.mount.path)
        status, text = self.mount.start_expect_failure()
        self.assertEqual((status, 'No such file' in text), (1, True))
        os.mkdir(self.mount.path)


if __name__ == '__main__':
    mailtest.main()
