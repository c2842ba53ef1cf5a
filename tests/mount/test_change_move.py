#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""mv and cp inside the mount: the server moves and copies, names stay, nothing is lost, doubled or sent over the wire."""

import collections
import ctypes
import errno
import os
import shutil
import subprocess
import time

import mailtest
from mailtest import messages, observer, wait_for
from mailtest.changing import ChangeTestCase, set_flags

RENAME_EXCHANGE = 2
AT_FDCWD = -100


def exchange(one, other):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) != 0:
        raise OSError(ctypes.get_errno(), 'renameat2')


class Moves:
    """What holds with every server; test_change_capabilities.py runs it with worse ones."""

    def gone(self, *uids):
        """Of INBOX; without UIDPLUS and MOVE they stay there, marked."""
        if {'UIDPLUS', 'MOVE'} <= self.proxy.hidden():
            return {'changed': {uid: ' '.join(self.before['INBOX'][uid].flags | {'\\Deleted'}) for uid in uids}}
        return {'gone': uids}

    def test_mv_keeps_name_bytes_flags_and_date(self):
        source = self.path(2)
        name, before = os.path.basename(source), os.stat(source)
        self.run_quietly('mv', source, 'Archive')
        self.assertNotIn(name, self.names())
        self.assertIn(name, self.names('Archive'))
        added = self.check({'INBOX': self.gone(2), 'Archive': {'added': 1}})
        self.assertEqual(list(added['Archive'].values()), [self.before['INBOX'][2]])
        after = os.stat(self.mount / f'Archive/{name}')
        self.assertEqual((after.st_size, after.st_mtime_ns, after.st_ino), (before.st_size, before.st_mtime_ns, before.st_ino))
        self.assertEqual(self.mount.read(f'Archive/{name}'), self.data(2))
        self.mount.remount()
        self.assertIn(name, self.names('Archive'))
        self.assertEqual((len(self.names()), len(self.names('Archive'))), (7, 5))
        self.assertEqual(self.said('EXPUNGE|CLOSE|APPEND'), [])

    def test_fsync_of_either_folder_waits_for_the_server(self):
        for uid, folder in ((2, 'INBOX'), (3, 'Archive')):
            os.rename(self.path(uid), self.mount / f'Archive/{uid}.eml')
            self.sync(folder)
            done = range(2, uid + 1)
            self.check_now({'INBOX': self.gone(*done), 'Archive': {'added': [self.data(each) for each in done]}})

    def test_there_and_back_and_on_at_once(self):
        source = self.path(2)
        name = os.path.basename(source)
        os.rename(source, self.mount / f'Archive/{name}')
        os.rename(self.mount / f'Archive/{name}', self.mount / f'Lists/{name}')
        set_flags(self.mount / f'Lists/{name}', r'\Answered')
        self.sync('INBOX', 'Archive', 'Lists')
        now = observer.snapshots(self.server)
        found = [message for message in now['Lists'].values() if message.data == self.data(2)]
        self.assertEqual([message.flags for message in found], [{'\\Answered'}])
        for folder in ('INBOX', 'Archive'):
            self.assertEqual([message for message in now[folder].values() if message.data == self.data(2) and '\\Deleted' not in message.flags], [])
            self.assertNotIn(name, self.names(folder))
        for folder in self.before:
            for uid, message in self.before[folder].items():
                if (folder, uid) != ('INBOX', 2):
                    self.assertEqual(now[folder].get(uid), message)

    def test_cp_is_done_by_the_server(self):
        name = os.path.basename(self.path(2))
        self.run_quietly('cp', '-a', self.path(2), 'Archive')
        added = self.check({'Archive': {'added': 1}})
        self.assertEqual(list(added['Archive'].values()), [self.before['INBOX'][2]])
        self.assertEqual(self.mount.read(f'Archive/{name}'), self.data(2))
        self.assertEqual(len(self.said('UID COPY 2 ')), 1)
        self.assertEqual(self.said('APPEND|UID STORE'), [])


class InTheMount(Moves, ChangeTestCase):
    def test_move_is_one_command_where_the_server_has_it(self):
        os.rename(self.path(2), self.mount / 'Archive/x.eml')
        self.sync('INBOX')
        self.assertEqual(len(self.said('UID MOVE 2 ')), 1)
        self.assertEqual(self.said('UID (COPY|STORE|EXPUNGE)'), [])
        self.check_now({'INBOX': {'gone': [2]}, 'Archive': {'added': [self.data(2)]}})

    def test_hundreds_are_few_commands(self):
        self.server.fill(400, ('Lists',), small=True)
        self.before = observer.snapshots(self.server)
        names = self.names('Lists')
        start = time.monotonic()
        self.run_quietly('sh', '-c', 'mv Lists/* Archive')
        took = time.monotonic() - start
        self.assertEqual((self.names('Lists'), self.names('Archive') & names), (set(), names))
        self.sync('Lists')
        lists = self.before['Lists']
        added = self.check_now({'Lists': {'gone': set(lists)}, 'Archive': {'added': [message.data for message in lists.values()]}})
        self.assertEqual(collections.Counter(added['Archive'].values()), collections.Counter(lists.values()))
        self.assert_few_said('UID MOVE', 25, took)
        for path in self.mount.files('Archive'):
            if os.path.basename(path) in names:
                self.assertEqual(self.mount.read(path), added['Archive'][int(os.getxattr(path, 'user.mail.uid'))].data)

    def test_mv_n_over_a_name_that_is_there_does_nothing(self):
        self.run_quietly('mv', self.path(2), 'Archive/taken.eml')
        self.sync('INBOX')
        self.run_quietly('mv', '-n', self.path(3), 'Archive/taken.eml')
        self.assertEqual(len(self.mount.files()), 7)
        self.check({'INBOX': {'gone': [2]}, 'Archive': {'added': [self.data(2)]}})

    def test_rename_over_another_message_is_eexist(self):
        for target in (self.path(3), self.path(1, 'Archive')):
            with self.fails_with(errno.EEXIST):
                os.rename(self.path(2), target)
        self.assertEqual(len(self.names()), 8)
        self.sync('INBOX')
        self.check_now()
        self.assertEqual(self.said('UID (COPY|MOVE|STORE|EXPUNGE)'), [])

    def test_exchange_is_refused(self):
        with self.fails_with(errno.EINVAL):
            exchange(self.path(2), self.path(3))
        with self.fails_with(errno.EINVAL):
            exchange(self.path(2), self.path(1, 'Archive'))
        self.check_now()

    def test_a_given_name_stays_over_remounts_and_without_the_cache(self):
        os.rename(self.path(2), self.mount / 'INBOX/my name.eml')
        os.rename(self.path(3), self.mount / 'Archive/Größe 发票')
        self.check({'INBOX': {'gone': [3]}, 'Archive': {'added': [self.data(3)]}})
        self.assertEqual(self.said('UID (COPY|STORE|EXPUNGE) '), [])
        for step in (lambda: None, self.mount.remount, self.remount_without_cache):
            step()
            self.assertEqual(self.mount.read('INBOX/my name.eml'), self.data(2))
            self.assertEqual(self.mount.read('Archive/Größe 发票'), self.data(3))
            self.assertEqual((len(self.names()), len(self.names('Archive'))), (7, 5))

    def remount_without_cache(self):
        self.mount.unmount()
        shutil.rmtree(self.mount.cache)
        self.mount.start()

    def test_rename_within_a_folder_says_nothing_to_the_server(self):
        os.rename(self.path(2), self.mount / 'INBOX/renamed.eml')
        os.rename(self.mount / 'INBOX/renamed.eml', self.mount / 'INBOX/again.eml')
        self.sync('INBOX')
        self.check_now()
        self.assertEqual(self.said('UID (COPY|MOVE|STORE|EXPUNGE)|APPEND'), [])
        self.assertEqual(self.mount.read('INBOX/again.eml'), self.data(2))

    def test_a_name_that_became_free_can_be_used_again(self):
        name = os.path.basename(self.path(2))
        os.rename(self.path(2), self.mount / 'Archive/moved.eml')
        os.rename(self.path(3), self.mount / f'INBOX/{name}')
        self.check({'INBOX': {'gone': [2]}, 'Archive': {'added': [self.data(2)]}})
        self.assertEqual(self.mount.read(f'INBOX/{name}'), self.data(3))

    def test_mv_out_of_the_mount_is_a_copy_and_a_removal(self):
        self.run_quietly('mv', self.path(2), self.outside('d', b'') + '.eml')
        with open(os.path.join(self.mount.directory, 'd.eml'), 'rb') as file:
            self.assertEqual(file.read(), self.data(2))
        self.check({'INBOX': {'gone': [2]}, 'Trash': {'added': [self.data(2)]}})

    def test_cp_in_its_forms_copies_on_the_server(self):
        for number, command in enumerate((['cp'], ['cp', '--reflink=auto'], ['cp', '-p'], ['cp', '-a'], ['cp', '--preserve=all']), 1):
            with self.subTest(command):
                self.proxy.commands.clear()
                self.run_quietly(*command, self.path(2), f'Archive/copy {number}.eml')
                added = self.check_now({'Archive': {'added': [self.data(2)] * number}})     # its close has waited
                self.assertEqual(set(added['Archive'].values()), {self.before['INBOX'][2]})
                self.assertEqual(len(self.said('UID COPY 2 ')), 1)
                self.assertEqual(self.said('APPEND'), [])
                self.assertEqual(self.mount.read(f'Archive/copy {number}.eml'), self.data(2))
                self.assertEqual(self.flags(self.mount / f'Archive/copy {number}.eml'), self.before['INBOX'][2].flags)
                self.assertEqual(os.stat(self.mount / f'Archive/copy {number}.eml').st_mtime, self.before['INBOX'][2].date)

    def test_cp_in_the_same_folder_is_a_second_message(self):
        self.run_quietly('cp', self.path(2), 'INBOX/second.eml')
        added = self.check_now({'INBOX': {'added': [self.data(2)]}})
        uid, = added['INBOX']
        self.assertEqual(self.path(uid), self.mount / 'INBOX/second.eml')
        self.assertEqual(self.said('APPEND'), [])
        os.unlink(self.mount / 'INBOX/second.eml')
        self.check({'Trash': {'added': [self.data(2)]}})

    def test_cp_of_a_message_that_was_just_moved(self):
        os.rename(self.path(2), self.mount / 'Archive/moved.eml')
        self.run_quietly('cp', 'Archive/moved.eml', 'Lists/copied.eml')
        self.check({'INBOX': {'gone': [2]}, 'Archive': {'added': [self.data(2)]}, 'Lists': {'added': [self.data(2)]}})

    def test_a_copy_of_what_has_gone_meanwhile_leaves_nothing(self):
        source = os.open(self.path(2), os.O_RDONLY)
        copy = os.open(self.mount / 'Archive/copied.eml', os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        self.assertGreater(os.copy_file_range(source, copy, 1 << 20), 0)
        with mailtest.OtherClient(self.server) as other:
            other.expunge([2])
        wait_for(lambda: len(self.names()) == 7, 30, 'it to be gone here, too', 0.05)
        with self.fails_with(errno.ENOENT):
            os.fsync(copy)
        with self.fails_with(errno.ENOENT):
            os.close(copy)
        os.close(source)
        self.assertEqual(len(self.names('Archive')), 4)
        self.check({'INBOX': {'gone': [2]}})

    def test_cp_r_of_a_folder(self):
        self.run_quietly('cp', '-r', 'Lists', 'Copy')
        self.check({'Copy': {'added': [message.data for message in self.before['Lists'].values()]}})
        self.assertEqual(self.said('APPEND'), [])
        self.assertEqual(self.names('Copy'), self.names('Lists'))

    def test_into_a_folder_that_another_client_has_deleted(self):
        self.names('Lists')
        with self.server.imap() as client:
            client.delete('Lists')
        try:
            os.rename(self.path(2), self.mount / 'Lists/x.eml')
        except FileNotFoundError:
            pass        # it knew
        wait_for(lambda: len(self.mount.files()) == 8, 10, 'the message to come back', 0.05)
        self.check({'Lists': None})

    def test_folders_within_folders(self):
        os.mkdir(self.mount / 'INBOX/Projects')
        self.run_quietly('mv', self.path(2), self.path(3), 'INBOX/Projects')
        self.check({'INBOX': {'gone': [2, 3]}, 'INBOX/Projects': {'added': [self.data(2), self.data(3)]}})
        self.run_quietly('sh', '-c', 'mv INBOX/Projects/*.eml INBOX')
        self.check({'INBOX': {'gone': [2, 3], 'added': [self.data(2), self.data(3)]}, 'INBOX/Projects': {}})


class WithoutMove(ChangeTestCase):
    hidden = ('MOVE',)

    def test_copy_then_mark_then_expunge_of_these_only(self):
        os.rename(self.path(2), self.mount / 'Archive/x.eml')
        self.sync('INBOX')
        self.check_now({'INBOX': {'gone': [2]}, 'Archive': {'added': [self.data(2)]}})
        self.assertEqual([command.split(' ')[1:3] for command in self.said('UID (COPY|STORE|EXPUNGE)')], [['COPY', '2'], ['STORE', '2'], ['EXPUNGE', '2']])
        self.assertEqual(list(observer.snapshot(self.server, 'Archive').values())[-1].flags, {'\\Seen', '\\Flagged'})

    def test_hundreds_are_few_commands(self):
        self.server.fill(300, ('Lists',), small=True)
        self.before = observer.snapshots(self.server)
        start = time.monotonic()
        self.run_quietly('sh', '-c', 'mv Lists/* Archive')
        took = time.monotonic() - start
        self.sync('Lists')
        self.check_now({'Lists': {'gone': set(self.before['Lists'])}, 'Archive': {'added': [message.data for message in self.before['Lists'].values()]}})
        self.assert_few_said('UID (COPY|STORE|EXPUNGE)', 60, took, each=3)


class WithoutUids(ChangeTestCase):
    """A server that does not say which UIDs the copies got, as Exchange sometimes."""

    hidden = ('COPYUID',)

    def test_names_stay_nevertheless(self):
        names = [os.path.basename(self.path(uid)) for uid in (2, 3)]
        self.run_quietly('mv', self.path(2), self.path(3), 'Archive')
        self.run_quietly('cp', self.path(1), 'Archive/copy.eml')
        self.check({'INBOX': {'gone': [2, 3]}, 'Archive': {'added': [self.data(1), self.data(2), self.data(3)]}})
        for step in (lambda: None, self.mount.remount):
            step()
            self.assertEqual(len(self.names('Archive')), 7)
            self.assertEqual([self.mount.read(f'Archive/{name}') for name in (*names, 'copy.eml')], [self.data(2), self.data(3), self.data(1)])

    def test_messages_of_equal_bytes_each_keep_a_name(self):
        twin = messages.letter(subject='twin')
        for _ in range(3):
            self.server.deliver(twin, ('Lists',))
        self.before = observer.snapshots(self.server)
        self.mount.remount()
        names = [os.path.basename(self.path(uid, 'Lists')) for uid in (4, 5, 6)]
        self.run_quietly('mv', *(f'Lists/{name}' for name in names), 'Archive')
        self.check({'Lists': {'gone': [4, 5, 6]}, 'Archive': {'added': [twin] * 3}})
        self.assertLessEqual(set(names), self.names('Archive'))
        self.assertEqual(len(self.names('Archive')), 7)


class NotAllowed(ChangeTestCase):
    server_options = {'acl': True}

    def fill(self):
        super().fill()
        self.server.set_rights(('Archive',), 'lr')
        self.server.set_rights(('Lists',), 'lrswi')

    def test_into_and_out_of_where_the_rights_do_not_allow_it_is_eacces(self):
        with self.fails_with(errno.EACCES):
            os.rename(self.path(1), self.mount / 'Archive/x.eml')
        with self.fails_with(errno.EACCES):
            os.rename(self.path(1, 'Lists'), self.mount / 'INBOX/x.eml')
        self.assertEqual([len(self.names(folder)) for folder in ('INBOX', 'Archive', 'Lists')], [8, 4, 3])
        self.check()

    def test_out_of_a_folder_that_may_only_be_read_can_be_copied(self):
        self.run_quietly('cp', self.path(1, 'Archive'), 'INBOX/x.eml')
        self.check_now({'INBOX': {'added': [self.data(1, 'Archive')]}})


class OverQuota(ChangeTestCase):
    server_options = {'quota': 'messages=19'}       # as many as there are

    def test_a_copy_over_quota_is_edquot_and_leaves_nothing(self):
        result = subprocess.run(['cp', self.path(1), self.mount / 'Archive/x.eml'], capture_output=True, text=True, check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(os.strerror(errno.EDQUOT), result.stderr)
        self.check_now()

    def test_a_move_needs_no_quota(self):
        os.rename(self.path(1), self.mount / 'Archive/x.eml')
        self.check({'INBOX': {'gone': [1]}, 'Archive': {'added': [self.data(1)]}})


class ReadOnly(ChangeTestCase):
    options = ('ro',)

    def test_nothing_can_be_moved_or_copied(self):
        with self.fails_with(errno.EROFS):
            os.rename(self.path(1), self.mount / 'Archive/x.eml')
        with self.fails_with(errno.EROFS):
            shutil.copy(self.path(1), self.mount / 'Archive/x.eml')
        self.check_now()


if __name__ == '__main__':
    mailtest.main()
