#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""rm: into the trash, for good, or marked; what is in the trash already; and never a message of somebody else's choice."""

import errno
import os
import shutil
import subprocess
import time

import mailtest
from mailtest import messages, observer, wait_for
from mailtest.changing import NO_EXPUNGE, ChangeTestCase

WHATEVER = r'UID (STORE|COPY|MOVE|EXPUNGE) '


class LargeFolder:
    """`self.becomes`: what the other folders get, given the bytes of all that it held."""

    def test_rm_r_of_a_large_folder_is_few_commands(self):
        self.server.fill(2000, ('Lists', 'large'), small=True)
        self.before = observer.snapshots(self.server)
        self.mount.remount()
        start = time.monotonic()
        self.run_quietly('rm', '-r', 'Lists/large')
        took = time.monotonic() - start
        self.assertNotIn('large', self.names('Lists'))
        self.sync('Lists')
        self.check({'Lists/large': None, **self.becomes([message.data for message in self.before['Lists/large'].values()])})
        self.assert_few_said(WHATEVER, 48, took, each=2)
        self.assertEqual(self.said(NO_EXPUNGE), [])


class Removals:
    """What holds with every server; test_change_capabilities.py runs it with worse ones."""

    def gone(self, *uids):
        """Of INBOX; without UIDPLUS and MOVE they stay there, marked."""
        if {'UIDPLUS', 'MOVE'} <= self.proxy.hidden():
            return {'changed': {uid: ' '.join(self.before['INBOX'][uid].flags | {'\\Deleted'}) for uid in uids}}
        return {'gone': uids}

    def test_rm_moves_to_the_trash_with_bytes_flags_and_date(self):
        os.unlink(self.path(2))
        self.assertEqual(len(self.mount.files()), 7)
        added = self.check({'INBOX': self.gone(2), 'Trash': {'added': 1}})
        self.assertEqual(list(added['Trash'].values()), [self.before['INBOX'][2]])
        self.assertEqual(self.said(r'EXPUNGE|CLOSE'), [])

    def test_fsync_of_the_folder_waits_for_the_server(self):
        self.run_quietly('rm', self.path(1), self.path(3))
        self.sync('INBOX')
        self.check_now({'INBOX': self.gone(1, 3), 'Trash': {'added': [self.data(1), self.data(3)]}})

    def test_what_was_removed_stays_removed_after_a_remount(self):
        os.unlink(self.path(2))
        self.mount.remount()
        self.assertEqual(len(self.mount.files()), 7)
        self.check({'INBOX': self.gone(2), 'Trash': {'added': [self.data(2)]}})
        self.mount.remount()
        self.assertEqual(len(self.mount.files()), 7)

    def test_rm_of_a_message_that_is_gone_already_is_quiet(self):
        path = self.path(2)
        with mailtest.OtherClient(self.server) as other:
            other.expunge([2])
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass        # it knew
        self.sync('INBOX')
        self.check({'INBOX': {'gone': [2]}})
        self.assertEqual(len(self.mount.files()), 7)


class ToTheTrash(Removals, LargeFolder, ChangeTestCase):
    def test_an_open_message_can_still_be_read(self):
        with open(self.path(2), 'rb') as file:
            os.unlink(file.name)
            self.sync('INBOX')
            self.assertEqual(file.read(), self.data(2))
        self.check({'INBOX': {'gone': [2]}, 'Trash': {'added': 1}})

    def test_hundreds_are_few_commands(self):
        self.server.fill(500, ('Lists',), small=True)
        self.before = observer.snapshots(self.server)
        start = time.monotonic()
        self.run_quietly('sh', '-c', 'rm Lists/*')
        took = time.monotonic() - start
        self.assertEqual(self.names('Lists'), set())
        self.sync('Lists')
        lists = self.before['Lists']
        self.check_now({'Lists': {'gone': set(lists)}, 'Trash': {'added': [message.data for message in lists.values()]}})
        self.assert_few_said(WHATEVER, 25, took)

    def test_rm_r_of_a_folder_brings_all_its_messages_to_the_trash(self):
        self.server.create(('Lists', 'below'))
        self.server.deliver(messages.letter(subject='deep'), ('Lists', 'below'))
        self.before = observer.snapshots(self.server)
        self.mount.remount()
        self.run_quietly('rm', '-r', 'Lists')
        self.assertNotIn('Lists', self.names(''))
        removed = [message.data for folder in ('Lists', 'Lists/below') for message in self.before[folder].values()]
        self.check({'Lists': None, 'Lists/below': None, 'Trash': {'added': removed}})

    @staticmethod
    def becomes(held):
        return {'Trash': {'added': held}}

    def test_rm_rf_of_the_mount_destroys_nothing(self):
        for _ in range(2):
            subprocess.run(['sh', '-c', 'rm -rf ./*'], cwd=self.mount.path, capture_output=True, timeout=60, check=False)
            self.sync('INBOX', 'Trash')
        total = sum(map(len, self.before.values()))
        wait_for(lambda: len(observer.snapshot(self.server, 'Trash')) >= total, 10, 'all of it in the trash')
        observer.assert_each_once(self.before, observer.snapshots(self.server))
        self.assertEqual(len(self.mount.files('Trash')), total)

    def test_a_young_message_in_the_trash_is_eperm(self):
        with self.fails_with(errno.EPERM):
            os.unlink(self.path(1, 'Trash'))        # its date is of years ago, but it came just now
        os.unlink(self.path(2))
        self.sync('INBOX')
        wait_for(lambda: len(self.mount.files('Trash')) == 3, 10, 'it in the trash')
        for path in self.mount.files('Trash'):
            with self.fails_with(errno.EPERM):
                os.unlink(path)
        self.check({'INBOX': {'gone': [2]}, 'Trash': {'added': 1}})

    def test_what_the_user_moves_out_of_the_trash_is_no_removal(self):
        os.rename(self.path(1, 'Trash'), self.mount / 'INBOX/saved.eml')
        self.check({'Trash': {'gone': [1]}, 'INBOX': {'added': [self.data(1, 'Trash')]}})


class TrashKept(ChangeTestCase):
    keys = {'trash-keep': '2s'}

    def test_after_its_time_it_is_expunged_and_no_other(self):
        os.unlink(self.path(2))
        self.sync('INBOX')
        name = os.path.basename(next(path for path in self.mount.files('Trash') if 'INBOX' in path.rpartition('/')[2]))
        with self.fails_with(errno.EPERM):
            os.unlink(self.mount / f'Trash/{name}')

        def removed():
            try:
                os.unlink(self.mount / f'Trash/{name}')
                return True
            except PermissionError:
                return False
        wait_for(removed, 10, 'the trash to let go of it', 0.2)
        self.check({'INBOX': {'gone': [2]}})
        self.assertEqual(self.said(NO_EXPUNGE), [])


class TrashNotKept(ChangeTestCase):
    keys = {'trash-keep': '0'}

    def test_rm_in_the_trash_expunges_at_once(self):
        os.unlink(self.path(1, 'Trash'))
        self.sync('Trash')
        self.check_now({'Trash': {'gone': [1]}})
        self.assertEqual(self.said(NO_EXPUNGE), [])


class TrashNotKeptWithoutUidplus(ChangeTestCase):
    keys = {'trash-keep': '0'}
    hidden = ('UIDPLUS',)

    def test_rm_in_the_trash_marks_and_hides(self):
        os.unlink(self.path(1, 'Trash'))
        self.check({'Trash': {'changed': {1: ' '.join(self.before['Trash'][1].flags | {'\\Deleted'})}}})
        self.assertEqual(len(self.mount.files('Trash')), 1)
        self.assertEqual(self.said('EXPUNGE|CLOSE|UID EXPUNGE'), [])


class WhichTrash(ChangeTestCase):
    """Another one in each test."""

    def setUp(self):
        pass

    def rm(self, special_use, folders, trash, hidden=(), then=None):
        self.server_options = {'special_use': special_use}
        self.folders = dict({'INBOX': 4}, **folders)
        self.hidden = hidden
        super().setUp()
        os.unlink(self.path(2))
        self.check({'INBOX': {'gone': [2]}, trash: {'added': [self.data(2)]}})
        self.assertIn(trash, os.listdir(self.mount.path))
        self.assertEqual(len(self.mount.files(trash)), 1 + folders.get(trash, 0))
        if then:
            then()

    def test_the_one_of_that_special_use(self):
        self.rm({'Papierkorb': '\\Trash'}, {'Trash': 2}, 'Papierkorb')

    def test_one_of_that_name(self):
        self.rm({}, {'Trash': 2}, 'Trash')

    def test_one_of_that_name_where_special_use_is_not_told(self):
        self.rm({'Trash': '\\Trash', 'Junk': '\\Junk'}, {}, 'Trash', hidden=('SPECIAL-USE',))

    def test_one_that_is_made(self):
        self.rm({}, {}, 'Trash', then=lambda: self.assertIn('Trash', observer.subscribed(self.server)))


class ForGood(LargeFolder, ChangeTestCase):
    keys = {'delete': 'expunge'}

    def test_only_what_was_removed_is_expunged(self):
        self.run_quietly('rm', self.path(2), self.path(3), self.path(1, 'Archive'))
        self.assertEqual(len(self.mount.files()), 6)
        self.check({'INBOX': {'gone': [2, 3]}, 'Archive': {'gone': [1]}})
        self.assertEqual(self.said(NO_EXPUNGE), [])

    def test_a_message_that_another_client_marked_can_be_removed_alone(self):
        with mailtest.OtherClient(self.server) as other:
            other.mark_deleted([7])
        os.unlink(self.path(8))
        self.check({'INBOX': {'gone': [8], 'changed': {7: r'\Seen \Deleted'}}})

    def test_hundreds_are_few_commands(self):
        self.server.fill(500, ('Lists',), small=True)
        self.before = observer.snapshots(self.server)
        with mailtest.OtherClient(self.server) as other:
            other.mark_deleted([100, 200], 'Lists')
        kept = {path for path in self.mount.files('Lists') if os.getxattr(path, 'user.mail.uid') in (b'100', b'200')}
        start = time.monotonic()
        for path in set(self.mount.files('Lists')) - kept:
            os.unlink(path)
        took = time.monotonic() - start
        self.sync('Lists')
        lists = self.before['Lists']
        self.check_now({'Lists': {'gone': set(lists) - {100, 200}, 'changed': {uid: ' '.join(lists[uid].flags | {'\\Deleted'}) for uid in (100, 200)}}})
        self.assert_few_said(WHATEVER, 30, took, each=2)

    @staticmethod
    def becomes(_held):
        return {}


class ForGoodWithoutUidplus(ChangeTestCase):
    keys = {'delete': 'expunge'}
    hidden = ('MOVE', 'UIDPLUS')

    def test_it_stays_marked_and_hidden_also_after_a_remount_and_without_the_cache(self):
        name = os.path.basename(self.path(2))
        os.unlink(self.path(2))
        self.check({'INBOX': {'changed': {2: r'\Seen \Flagged \Deleted'}}})
        for step in (lambda: None, self.mount.remount, self.remount_without_cache):
            step()
            self.assertNotIn(name, self.names())
            self.assertEqual(len(self.names()), 7)       # that of another client, marked as well, is shown
        self.assertEqual(self.said('EXPUNGE|CLOSE|UID EXPUNGE'), [])

    def remount_without_cache(self):
        self.mount.unmount()
        shutil.rmtree(self.mount.cache)
        self.mount.start()

    def test_one_that_another_client_unmarks_is_shown_again(self):
        os.unlink(self.path(2))
        self.check({'INBOX': {'changed': {2: r'\Seen \Flagged \Deleted'}}})
        with mailtest.OtherClient(self.server) as other:
            other.store([2], '-FLAGS', '\\Deleted')
        wait_for(lambda: len(self.mount.files()) == 8, 30, 'it to be shown again', 0.2)
        self.check()


class Marked(ChangeTestCase):
    keys = {'delete': 'mark'}

    def test_it_is_marked_and_hidden_also_after_a_remount(self):
        os.unlink(self.path(2))
        self.assertEqual(len(self.mount.files()), 7)
        self.check({'INBOX': {'changed': {2: r'\Seen \Flagged \Deleted'}}})
        self.mount.remount()
        self.assertEqual(len(self.mount.files()), 7)
        self.assertIn('\\Deleted', self.flags(self.path(8)))
        self.assertEqual(self.said('EXPUNGE|CLOSE|UID (EXPUNGE|MOVE|COPY)'), [])

    def test_a_folder_with_hidden_messages_is_not_removed(self):
        for path in self.mount.files('Lists'):
            os.unlink(path)
        with self.fails_with(errno.ENOTEMPTY):
            os.rmdir(self.mount / 'Lists')
        self.check({'Lists': {'changed': {uid: ' '.join(message.flags | {'\\Deleted'}) for uid, message in self.before['Lists'].items()}}})


class NotAllowed(ChangeTestCase):
    server_options = {'acl': True}

    def fill(self):
        super().fill()
        self.server.set_rights(('Archive',), 'lr')
        self.server.set_rights(('Lists',), 'lrswi')

    def test_rm_where_the_rights_do_not_allow_it_is_eacces(self):
        for folder in ('Archive', 'Lists'):
            with self.fails_with(errno.EACCES):
                os.unlink(self.path(1, folder))
            self.assertTrue(self.path(1, folder))
        self.check()


class ReadOnly(ChangeTestCase):
    options = ('ro',)

    def test_nothing_can_be_removed(self):
        with self.fails_with(errno.EROFS):
            os.unlink(self.path(1))
        self.check_now()


class OnlyTheTrashForgets(ChangeTestCase):
    """Gmail keeps what is expunged elsewhere among all mail."""

    keys = {'delete': 'expunge'}
    offered = ('X-GM-EXT-1',)

    def test_rm_is_by_way_of_the_trash_and_takes_nothing_else(self):
        self.names('Trash')
        self.run_quietly('rm', self.path(2), self.path(5))
        self.sync('INBOX')
        self.check_now({'INBOX': {'gone': [2, 5]}})
        self.assertEqual(self.said(r'UID MOVE'), ['UID MOVE 2,5 "Trash"'])
        self.assertEqual(len(self.said(r'UID EXPUNGE')), 1)
        self.assertEqual(self.said(NO_EXPUNGE), [])
        self.assertEqual(len(self.mount.files()), 6)
        self.assertEqual(len(self.mount.files('Trash')), 2)

    def test_rm_in_the_trash_expunges(self):
        os.unlink(self.path(1, 'Trash'))
        self.sync('Trash')
        self.check_now({'Trash': {'gone': [1]}})
        self.assertEqual(self.said(r'UID MOVE'), [])


if __name__ == '__main__':
    mailtest.main()
