#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Flags changed by setfattr, mailfsctl flag and .flags/: at once in the tree, soon on the server, and only what differs."""

import errno
import os
import subprocess
import time

import mailtest
from mailtest.changing import ChangeTestCase, letter, set_flags, sync
from mailtest.scripted_imap import answer, one_folder, send

STORE = r'UID STORE '


class FlagChanges:
    """What holds with every server; test_change_capabilities.py runs it with worse ones."""

    def test_flags_are_added_taken_away_and_replaced(self):
        self.run_quietly('setfattr', '-n', 'user.mail.flags', '-v', r'+\Flagged', self.path(3))      # it had none
        self.run_quietly('setfattr', '-n', 'user.mail.flags', '-v', r'-\Flagged', self.path(2))      # \Seen \Flagged
        self.run_quietly('setfattr', '-n', 'user.mail.flags', '-v', r'\Answered', self.path(5))      # \Seen \Flagged
        self.run_quietly('setfattr', '-n', 'user.mail.flags', '-v', r'+\Answered \Draft', self.path(4))   # \Seen
        self.check({'INBOX': {'changed': {3: r'\Flagged', 2: r'\Seen', 5: r'\Answered', 4: r'\Seen \Answered \Draft'}}})

    def test_a_change_shows_at_once(self):
        path = self.path(3)
        for words, shown in ((r'+\Flagged', {'\\Flagged'}), (r'+\Seen project', {'\\Flagged', '\\Seen', 'project'}), (r'-\Flagged', {'\\Seen', 'project'}),
                             (r'\Answered', {'\\Answered'}), ('', set())):
            set_flags(path, words)
            self.assertEqual(self.flags(path), shown)
        sync(path)
        self.check_now()

    def test_fsync_of_the_file_or_its_folder_waits_for_the_server(self):
        set_flags(self.path(1), r'+\Flagged')
        sync(self.path(1))
        self.check_now({'INBOX': {'changed': {1: r'\Seen \Flagged'}}})
        set_flags(self.path(3), r'+\Flagged')
        self.sync('INBOX')
        self.check_now({'INBOX': {'changed': {1: r'\Seen \Flagged', 3: r'\Flagged'}}})

    def test_a_change_shows_with_what_was_confirmed_before_it(self):
        path = self.path(1)
        for words, shown in ((r'+\Flagged', {'\\Seen', '\\Flagged'}), (r'-\Seen', {'\\Flagged'}), ('+one', {'\\Flagged', 'one'})):
            set_flags(path, words)
            sync(path)
            self.assertEqual(self.flags(path), shown)
        self.check_now({'INBOX': {'changed': {1: r'\Flagged one'}}})

    def test_keywords(self):
        set_flags(self.path(1), '+$Forwarded project-x')
        set_flags(self.path(3), 'one two')
        self.check({'INBOX': {'changed': {1: r'\Seen $Forwarded project-x', 3: 'one two'}}})
        set_flags(self.path(3), '-one')
        self.check({'INBOX': {'changed': {1: r'\Seen $Forwarded project-x', 3: 'two'}}})

    def test_a_message_marked_deleted_by_its_flag_is_not_removed(self):
        set_flags(self.path(1), r'+\Deleted')
        self.check({'INBOX': {'changed': {1: r'\Seen \Deleted'}}})
        self.assertEqual(self.mount.read(self.path(1)), self.data(1))
        set_flags(self.path(8), r'-\Deleted')
        self.check({'INBOX': {'changed': {1: r'\Seen \Deleted', 8: r'\Seen \Flagged'}}})
        self.assertEqual(self.said('EXPUNGE|UID EXPUNGE|CLOSE'), [])

    def test_what_another_client_changes_meanwhile_stays(self):
        paths = {uid: self.path(uid) for uid in range(1, 7)}
        with mailtest.OtherClient(self.server) as other:
            for uid in paths:
                other.store([uid], '+FLAGS', 'theirs')
                set_flags(paths[uid], r'+\Answered mine')
            other.store([4], '-FLAGS', '\\Seen')
            set_flags(paths[4], r'+\Flagged')
        own = r'\Answered mine theirs '
        self.check({'INBOX': {'changed': {1: own + r'\Seen', 2: own + r'\Seen \Flagged', 3: own, 4: own + r'\Flagged', 5: own + r'\Seen \Flagged', 6: own}}})

    def test_flags_survive_a_remount(self):
        set_flags(self.path(3), r'+\Flagged keyword')
        self.mount.remount()
        self.assertEqual(self.flags(self.path(3)), {'\\Flagged', 'keyword'})
        self.check({'INBOX': {'changed': {3: r'\Flagged keyword'}}})


class Flags(FlagChanges, ChangeTestCase):
    def test_only_the_difference_goes_to_the_server(self):
        for uid, words in ((2, r'\Seen \Answered'), (5, r'\Seen \Flagged'), (3, ''), (1, r'+\Seen'), (4, r'-\Flagged')):
            set_flags(self.path(uid), words)
        self.sync('INBOX')
        self.check_now({'INBOX': {'changed': {2: r'\Seen \Answered'}}})
        stores = self.said(STORE)
        self.assertEqual({command.split(' ', 3)[3].upper() for command in stores}, {r'+FLAGS.SILENT (\ANSWERED)', r'-FLAGS.SILENT (\FLAGGED)'})
        self.assertEqual({command.split(' ')[2] for command in stores}, {'2'})

    def test_hundreds_at_once_are_few_commands(self):
        self.server.fill(500, ('Lists',), small=True, seed=7)
        self.before = mailtest.observer.snapshots(self.server)
        paths = {path for path in self.mount.files('Lists') if '\\Flagged' not in self.flags(path)}
        self.assertGreater(len(paths), 300)
        start = time.monotonic()
        for path in paths:
            set_flags(path, r'+\Flagged')
        took = time.monotonic() - start
        self.sync('Lists')
        changed = {uid: ' '.join(message.flags | {'\\Flagged'}) for uid, message in self.before['Lists'].items()
                   if '\\Flagged' not in message.flags}
        self.check_now({'Lists': {'changed': changed}})
        self.assert_few_said(STORE, 25, took)

    def test_a_flag_that_goes_to_and_fro_ends_as_it_was_set_last(self):
        path = self.path(3)
        for number in range(50):
            set_flags(path, r'+\Flagged' if number % 2 == 0 else r'-\Flagged')
        set_flags(path, r'+\Answered')
        self.check({'INBOX': {'changed': {3: r'\Answered'}}})
        self.assertEqual(self.flags(path), {'\\Answered'})

    def test_what_is_no_flag_is_refused_and_nothing_is_sent(self):
        path = self.path(1)
        for words in ('a(b', '+"x"', r'+\Recent', '+\\', '*', 'new\nline', '%'):
            with self.subTest(words), self.fails_with(errno.EINVAL):
                set_flags(path, words)
        self.assertEqual(self.flags(path), {'\\Seen'})
        with self.fails_with(errno.EPERM, errno.EACCES, errno.EOPNOTSUPP):
            os.setxattr(path, 'user.mail.uid', b'17')
        self.sync('INBOX')
        self.check_now()
        self.assertEqual(self.said(STORE), [])

    def test_a_keyword_that_the_server_refuses_is_enotsup(self):
        with self.fails_with(errno.ENOTSUP):
            set_flags(self.path(1), '+' + 'k' * 60)
        self.assertEqual(self.flags(self.path(1)), {'\\Seen'})
        set_flags(self.path(1), '+keyword')
        self.check({'INBOX': {'changed': {1: r'\Seen keyword'}}})

    def test_ctime_changes_and_mtime_does_not(self):
        before = os.stat(self.path(3))
        set_flags(self.path(3), r'+\Flagged')
        after = os.stat(self.path(3))
        self.assertGreater(after.st_ctime_ns, before.st_ctime_ns)
        self.assertEqual((after.st_mtime_ns, after.st_ino, after.st_size), (before.st_mtime_ns, before.st_ino, before.st_size))
        self.check({'INBOX': {'changed': {3: r'\Flagged'}}})

    def test_flags_of_a_folder_cannot_be_set(self):
        with self.fails_with(errno.EPERM, errno.EOPNOTSUPP, errno.EINVAL, errno.EACCES):
            set_flags(self.mount / 'INBOX', r'+\Seen')
        self.check_now()


class KeywordsNotAllowed(mailtest.MountTestCase):
    def test_a_new_keyword_where_permanentflags_allows_none_is_enotsup(self):
        selected = (b'* FLAGS (\\Seen \\Flagged known)\r\n* OK [PERMANENTFLAGS (\\Seen \\Flagged known)] ok\r\n* 1 EXISTS\r\n* 0 RECENT\r\n'
                    b'* OK [UIDVALIDITY 1] ok\r\n* OK [UIDNEXT 2] ok\r\n{tag} OK [READ-WRITE] done\r\n')
        rules = [(rb'SELECT', selected), (rb'UID STORE', b'{tag} OK done\r\n')] + one_folder()
        with mailtest.ScriptedImap([send(b'* OK hi\r\n'), answer(rules)]) as server:
            section = mailtest.account(imap=f'imap+insecure://alice@localhost:{server.port}', password='secret')
            with mailtest.Mount(section) as mount:
                path, = mount.files()
                self.assertRaisesErrno(errno.ENOTSUP, set_flags, path, '+unknown')
                self.assertRaisesErrno(errno.ENOTSUP, os.mkdir, mount / 'INBOX/.flags/unknown')
                os.mkdir(mount / 'INBOX/.flags/known')
                set_flags(path, r'+\Flagged known')
                sync(path)
            server.check()
        stores = [command for command in server.commands if b'UID STORE' in command]
        self.assertTrue(stores)
        self.assertNotIn(b'unknown', b''.join(stores))

    def assertRaisesErrno(self, number, function, *arguments):
        with self.assertRaises(OSError) as refused:
            function(*arguments)
        self.assertEqual(refused.exception.errno, number)


class NotAllowed(ChangeTestCase):
    server_options = {'acl': True}

    def fill(self):
        super().fill()
        self.server.set_rights(('Archive',), 'lr')
        self.server.set_rights(('Lists',), 'lrs')

    def test_flags_in_a_folder_that_may_only_be_read(self):
        with self.fails_with(errno.EACCES):
            set_flags(self.path(1, 'Archive'), r'+\Flagged')
        with self.fails_with(errno.EACCES):
            os.mkdir(self.mount / 'Archive/.flags/keyword')
        self.assertEqual(self.flags(self.path(1, 'Archive')), {'\\Seen'})
        self.sync('Archive')
        self.check_now()

    def test_flags_that_the_rights_of_the_folder_leave_out(self):
        set_flags(self.path(1, 'Lists'), r'-\Seen')
        with self.fails_with(errno.EACCES, errno.ENOTSUP):
            set_flags(self.path(1, 'Lists'), r'+\Flagged')
        self.check({'Lists': {'changed': {1: ''}}})
        self.assertEqual(self.flags(self.path(1, 'Lists')), set())


class ReadOnly(ChangeTestCase):
    options = ('ro',)

    def test_nothing_can_be_changed(self):
        with self.fails_with(errno.EROFS):
            set_flags(self.path(1), r'+\Flagged')
        self.assertNotEqual(self.mount.ctl('flag', '+flagged', self.path(1), check=False).returncode, 0)
        self.check_now()
        self.assertEqual(self.said('SELECT|UID STORE'), [])


class Mailfsctl(ChangeTestCase):
    def test_words_add_and_take_away_of_many_files(self):
        start = time.monotonic()
        said = self.mount.ctl('flag', '+seen', '-flagged', *(self.path(uid) for uid in range(1, 7)), self.path(1, 'Archive'))
        took = time.monotonic() - start
        self.assertEqual(said.stderr, '')
        self.check({'INBOX': {'changed': {2: r'\Seen', 3: r'\Seen', 5: r'\Seen', 6: r'\Seen'}}})
        self.assert_few_said(STORE, 4, took)

    def test_every_system_flag_and_keywords_have_a_word(self):
        self.mount.ctl('flag', '+answered', '+draft', '+deleted', '+flagged', '+project-x', '-seen', self.path(1))
        self.check({'INBOX': {'changed': {1: r'\Answered \Draft \Deleted \Flagged project-x'}}})

    def test_when_it_returns_the_server_has_it(self):
        self.mount.ctl('flag', '+flagged', self.path(3))
        self.check_now({'INBOX': {'changed': {3: r'\Flagged'}}})

    def test_what_is_no_message_is_told_and_the_others_are_changed(self):
        result = self.mount.ctl('flag', '+flagged', self.path(3), self.mount / 'INBOX/missing.eml', self.outside('x', b'x'), self.path(6), check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn('missing.eml', result.stderr)
        self.check({'INBOX': {'changed': {3: r'\Flagged', 6: r'\Flagged'}}})

    def test_without_a_change_or_a_file_it_says_how(self):
        for arguments in ((), ('+seen',), (self.path(1),)):
            result = self.mount.ctl('flag', *arguments, check=False)
            self.assertNotEqual(result.returncode, 0)
            self.assertRegex(result.stderr, '(?i)usage')
        self.check_now()


class FlagDirectories(ChangeTestCase):
    """.flags/ of a folder."""

    def view(self, name='', folder='INBOX'):
        return os.path.join(self.mount / folder, '.flags', name)

    def shown(self, name):
        return {int(os.getxattr(os.path.join(self.view(name), entry), 'user.mail.uid')) for entry in os.listdir(self.view(name))}

    def test_it_is_there_and_not_listed(self):
        self.assertNotIn('.flags', self.names())
        self.assertLessEqual({'seen', 'unseen', 'flagged', 'answered', 'draft', 'deleted'}, set(os.listdir(self.view())))

    def test_messages_are_listed_by_flag(self):
        with mailtest.OtherClient(self.server) as other:
            other.store([3], '+FLAGS', 'project')
        for name, uids in (('seen', {1, 2, 4, 5, 7, 8}), ('unseen', {3, 6}), ('flagged', {2, 5, 8}), ('answered', set()), ('deleted', {8})):
            self.assertEqual(self.shown(name), uids, name)
        mailtest.wait_for(lambda: 'project' in os.listdir(self.view()), 30, 'the keyword', 0.1)
        self.assertEqual(self.shown('project'), {3})

    def test_they_are_the_same_files(self):
        for name in os.listdir(self.view('flagged')):
            here, there = os.path.join(self.view('flagged'), name), self.mount / f'INBOX/{name}'
            self.assertEqual(os.stat(here).st_ino, os.stat(there).st_ino)
            self.assertEqual(self.mount.read(here), self.mount.read(there))

    def test_ln_sets_and_rm_clears(self):
        name = os.path.basename(self.path(3))
        self.run_quietly('ln', self.path(3), self.view('flagged'))
        self.run_quietly('ln', self.path(3), self.view('answered'))
        self.assertEqual(self.flags(self.path(3)), {'\\Flagged', '\\Answered'})
        self.assertEqual(self.shown('flagged'), {2, 3, 5, 8})
        self.run_quietly('rm', os.path.join(self.view('answered'), name), os.path.join(self.view('seen'), os.path.basename(self.path(1))))
        self.assertEqual(self.shown('answered'), set())
        self.check({'INBOX': {'changed': {1: '', 3: r'\Flagged'}}})
        self.assertEqual(len(self.names()), 8)
        self.assertEqual(self.said('UID (MOVE|COPY|EXPUNGE)|EXPUNGE'), [])

    def test_rm_in_unseen_is_eperm_and_ln_into_it_marks_unseen(self):
        with self.fails_with(errno.EPERM):
            os.unlink(os.path.join(self.view('unseen'), os.path.basename(self.path(3))))
        self.run_quietly('ln', self.path(1), self.view('unseen'))
        self.assertEqual(self.shown('unseen'), {1, 3, 6})
        self.check({'INBOX': {'changed': {1: ''}}})

    def test_mkdir_makes_a_keyword_to_use(self):
        os.mkdir(self.view('project-x'))
        self.run_quietly('ln', self.path(3), self.path(4), self.view('project-x'))
        self.assertEqual(self.shown('project-x'), {3, 4})
        self.check({'INBOX': {'changed': {3: 'project-x', 4: r'\Seen project-x'}}})
        self.assertEqual(self.said('CREATE'), [])

    def test_rm_r_of_a_flag_takes_the_flag_away_and_no_message(self):
        subprocess.run(['rm', '-rf', self.view('flagged')], capture_output=True, check=False)
        self.check({'INBOX': {'changed': {2: r'\Seen', 5: r'\Seen', 8: r'\Seen \Deleted'}}})

    def test_ln_of_what_does_not_belong_there_is_refused(self):
        for source in (self.path(1, 'Archive'), self.outside('x', b'x')):
            with self.fails_with(errno.EXDEV, errno.EPERM):
                os.link(source, os.path.join(self.view('flagged'), 'x.eml'))
        with self.fails_with(errno.EPERM, errno.EACCES):
            with open(os.path.join(self.view('flagged'), 'new.eml'), 'xb'):
                pass
        with self.fails_with(errno.EEXIST):
            os.link(self.path(2), os.path.join(self.view('flagged'), os.path.basename(self.path(2))))
        self.sync('INBOX')
        self.check_now()

    def test_a_message_that_was_taken_out_is_whole_and_has_one_link(self):
        path, name = self.path(2), os.path.basename(self.path(2))
        with open(path, 'rb') as file, open(os.path.join(self.view('flagged'), name), 'rb') as there:
            for directory in ('flagged', 'seen'):
                os.unlink(os.path.join(self.view(directory), name))
                self.assertFalse(os.path.exists(os.path.join(self.view(directory), name)))
                for looks in range(100):
                    self.assertEqual([os.fstat(file.fileno()).st_nlink, os.fstat(there.fileno()).st_nlink, os.stat(path).st_nlink], [1, 1, 1], looks)
            os.link(path, os.path.join(self.view('answered'), name))
            self.assertEqual((os.stat(path).st_nlink, os.fstat(file.fileno()).st_nlink), (1, 1))
            self.assertEqual((file.read(), there.read()), (self.data(2), self.data(2)))
        self.assertEqual(self.mount.read(path), self.data(2))
        self.assertEqual(self.names(), {os.path.basename(path) for path in self.mount.files('INBOX')})
        self.check({'INBOX': {'changed': {2: '\\Answered'}}})

    def test_a_keyword_goes_with_its_last_message_or_as_an_empty_directory(self):
        set_flags(self.path(3), '+project projector')
        with self.fails_with(errno.ENOTEMPTY):
            os.rmdir(self.view('project'))
        self.assertEqual((self.shown('project'), self.shown('projector')), ({3}, {3}))
        self.run_quietly('rm', '-r', self.view('project'))
        self.assertNotIn('project', os.listdir(self.view()))
        self.assertFalse(os.path.exists(self.view('project')))
        os.mkdir(self.view('empty'))
        self.assertEqual(os.listdir(self.view('empty')), [])
        self.assertIn('empty', os.listdir(self.view()))
        self.assertFalse(os.path.exists(self.view('empty', 'Archive')))
        os.rmdir(self.view('empty'))
        self.assertNotIn('empty', os.listdir(self.view()))
        with self.fails_with(errno.EBUSY):
            os.rmdir(self.view('answered'))
        self.check({'INBOX': {'changed': {3: 'projector'}}})

    def test_keywords_that_would_be_no_name_are_escaped_and_what_is_none_is_refused(self):
        set_flags(self.path(3), '+a/b flagged ..')
        self.assertEqual([self.shown(name) for name in ('a%2Fb', '%66lagged', '%2E%2E')], [{3}, {3}, {3}])
        self.assertEqual(self.shown('flagged'), {2, 5, 8})
        self.assertLessEqual({'a%2Fb', '%66lagged', '%2E%2E'}, set(os.listdir(self.view())))
        for name in ('a b', '(x)', 'a%zz', '%61', '\\Junk'):
            with self.subTest(name), self.fails_with(errno.EINVAL):
                os.mkdir(self.view(name))
        self.assertFalse(os.path.exists(self.view('none')))
        self.check({'INBOX': {'changed': {3: 'a/b flagged ..'}}})

    def test_case_does_not_matter_to_a_keyword(self):
        set_flags(self.path(3), '+Project')
        self.assertEqual(self.shown('PROJECT'), {3})
        os.unlink(os.path.join(self.view('project'), os.path.basename(self.path(3))))
        self.assertEqual(self.flags(self.path(3)), set())
        self.check()

    def test_what_is_no_message_is_in_no_view(self):
        with open(self.mount / 'INBOX/.scratch', 'xb') as file:
            file.write(b'no message')
        self.assertEqual(self.shown('unseen'), {3, 6})
        with self.fails_with(errno.EPERM):
            os.link(self.mount / 'INBOX/.scratch', os.path.join(self.view('flagged'), '.scratch'))
        for view in ('.flags', 'Lists/.flags'):
            with self.fails_with(errno.EEXIST, errno.EBUSY):
                os.mkdir(self.mount / view)
        os.unlink(self.mount / 'INBOX/.scratch')
        self.check()

    def test_its_time_changes_with_flags(self):
        before = os.stat(self.view('flagged')).st_mtime_ns
        set_flags(self.path(3), r'+\Flagged')
        self.assertGreater(os.stat(self.view('flagged')).st_mtime_ns, before)
        self.check({'INBOX': {'changed': {3: r'\Flagged'}}})

    def test_hundreds_are_listed_and_cleared(self):
        self.server.fill(600, ('Lists',), small=True, seed=7)
        self.before = mailtest.observer.snapshots(self.server)
        uids = {uid for uid, message in self.before['Lists'].items() if '\\Seen' in message.flags}
        self.assertGreater(len(uids), 200)
        seen = self.view('seen', 'Lists')
        self.assertEqual({int(os.getxattr(os.path.join(seen, name), 'user.mail.uid')) for name in os.listdir(seen)}, uids)
        subprocess.run(['rm', '-rf', seen], capture_output=True, check=False)
        self.assertEqual(os.listdir(seen), [])
        self.sync('Lists')
        self.check_now({'Lists': {'changed': {uid: ' '.join(self.before['Lists'][uid].flags - {'\\Seen'}) for uid in uids}}})


class FlagDirectoriesOfTheTree(ChangeTestCase):
    """.flags/ of the mount."""

    def fill(self):
        super().fill()
        for number in (1, 2, 3):
            self.server.deliver(letter(f'Projects 2026 {number}'), ('Projects', '2026'), ('', '\\Seen', '\\Flagged')[number - 1])

    def view(self, path=''):
        return os.path.join(self.mount / '.flags', path)

    def shown(self, flag):
        """{folder: UIDs} of the folders that have such messages."""
        found = {}
        for path, _, names in os.walk(self.view(flag)):
            uids = {int(os.getxattr(os.path.join(path, name), 'user.mail.uid')) for name in names}
            if uids:
                found[os.path.relpath(path, self.view(flag))] = uids
        return found

    def test_it_shows_what_the_server_has_in_every_folder(self):
        for flag, word, is_set in (('seen', '\\Seen', True), ('unseen', '\\Seen', False), ('flagged', '\\Flagged', True), ('deleted', '\\Deleted', True)):
            expected = {folder: {uid for uid, message in messages.items() if (word in message.flags) == is_set} for folder, messages in self.before.items()}
            self.assertEqual(self.shown(flag), {folder: uids for folder, uids in expected.items() if uids}, flag)
        self.assertEqual(self.shown('answered'), {})
        self.assertNotIn('.flags', self.names(''))
        self.check_now()

    def test_grep_reads_all_that_is_unread(self):
        found = self.run_quietly('grep', '-rl', 'This is', '.flags/unseen').split()
        self.assertEqual({path.removeprefix('.flags/unseen/') for path in found},
                         {os.path.relpath(self.path(uid, folder), self.mount.path) for folder, uids in self.shown('unseen').items() for uid in uids})
        self.check_now()

    def test_ln_sets_and_rm_clears_in_each_folder(self):
        inbox, deep = self.path(3), self.path(2, 'Projects/2026')
        self.run_quietly('ln', inbox, self.view('flagged/INBOX'))
        self.run_quietly('ln', deep, self.view('flagged/Projects/2026/'))
        self.run_quietly('ln', deep, self.view('unseen/Projects/2026/other-name'))
        self.run_quietly('rm', self.view(f'seen/INBOX/{os.path.basename(self.path(1))}'))
        self.assertEqual(self.shown('flagged')['Projects/2026'], {2, 3})
        self.assertEqual(os.stat(inbox).st_nlink, 1)
        self.check({'INBOX': {'changed': {1: '', 3: r'\Flagged'}}, 'Projects/2026': {'changed': {2: r'\Flagged'}}})
        self.assertEqual(self.said('UID (MOVE|COPY|EXPUNGE)|EXPUNGE'), [])

    def test_what_does_not_belong_there_is_refused(self):
        name = os.path.basename(self.path(3))
        for directory in ('flagged/Archive', 'flagged'):
            with self.fails_with(errno.EXDEV):
                os.link(self.path(3), self.view(f'{directory}/{name}'))
        with self.fails_with(errno.EPERM):
            os.unlink(self.view(f'unseen/INBOX/{name}'))
        with self.fails_with(errno.EPERM):
            os.mkdir(self.view('flagged/Archive/New'))
        with self.fails_with(errno.EPERM):
            os.rmdir(self.view('answered/Lists'))
        with self.fails_with(errno.EPERM):
            os.rename(self.view('answered/Lists'), self.view('answered/Other'))
        self.sync('')
        self.check_now()
        self.assertEqual(self.said('CREATE|DELETE|RENAME'), [])

    def test_mkdir_makes_a_keyword_for_every_folder(self):
        os.mkdir(self.view('project-x'))
        self.run_quietly('ln', self.path(3), self.view('project-x/INBOX/'))
        self.run_quietly('ln', self.path(1, 'Archive'), self.view('project-x/Archive/'))
        self.assertEqual(self.shown('project-x'), {'INBOX': {3}, 'Archive': {1}})
        self.check({'INBOX': {'changed': {3: 'project-x'}}, 'Archive': {'changed': {1: r'\Seen project-x'}}})
        with self.fails_with(errno.ENOTEMPTY):
            os.rmdir(self.view('project-x'))

    def test_a_keyword_that_another_client_set_shows_once_its_folder_was_looked_at(self):
        with mailtest.OtherClient(self.server) as other:
            other.store([1], '+FLAGS', 'theirs', 'Lists')
        self.before = mailtest.observer.snapshots(self.server)
        os.listdir(self.mount / 'Lists')
        self.assertIn('theirs', os.listdir(self.view()))
        self.assertEqual(self.shown('theirs'), {'Lists': {1}})
        set_flags(self.path(1, 'Lists'), '-theirs')
        mailtest.wait_for(lambda: not os.path.exists(self.view('theirs')), 5, 'the keyword to go')
        self.check({'Lists': {'changed': {1: ' '.join(self.before['Lists'][1].flags - {'theirs'})}}})

    def test_rm_r_of_a_flag_takes_the_flag_away_and_no_message_and_no_folder(self):
        subprocess.run(['rm', '-rf', self.view('flagged')], capture_output=True, check=False)
        self.assertEqual(self.shown('flagged'), {})
        self.check({folder: {'changed': {uid: ' '.join(message.flags - {'\\Flagged'}) for uid, message in messages.items() if '\\Flagged' in message.flags}}
                    for folder, messages in self.before.items()})
        self.assertEqual(self.said('CREATE|DELETE|RENAME|UID (MOVE|COPY|EXPUNGE)|EXPUNGE'), [])


if __name__ == '__main__':
    mailtest.main()
