#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""mkdir, rmdir and mv of folders: made, subscribed, renamed with all below them, and never removed with a message in them."""

import contextlib
import errno
import os
import shutil

import mailtest
from mailtest import messages, observer, wait_for
from mailtest.changing import ChangeTestCase, error_of, letter

ODD_NAMES = ['with blank', 'Größe & Maß', '发票', 'फ़ाइल', '"quoted"', 'back\\slash', '100%', '*', '%', '&', '~tilde', '{5}', '(paren)', 'plus+', "it's", '📎',
             'INBOX2', 'Inbox.old', 'trailing ', 'x' * 100]


class Folders(ChangeTestCase):
    server_options = {'plugins': ('listescape',)}       # without it Dovecot takes no dot and no leading tilde

    def test_mkdir_creates_and_subscribes(self):
        os.mkdir(self.mount / 'New')
        self.assertIn('New', self.names(''))
        self.assertEqual(self.names('New'), set())
        self.check({'New': {}})
        wait_for(lambda: 'New' in observer.subscribed(self.server), 5, 'the subscription')
        self.mount.remount()
        self.assertIn('New', self.names(''))

    def test_fsync_of_the_parent_waits_for_the_server(self):
        os.mkdir(self.mount / 'New')
        self.sync('')
        self.check_now({'New': {}})
        os.rename(self.mount / 'New', self.mount / 'Other')
        self.sync('')
        self.check_now({'Other': {}})
        os.rmdir(self.mount / 'Other')
        self.sync('')
        self.check_now()

    def test_mkdir_p_and_a_message_at_once(self):
        self.run_quietly('sh', '-c', 'mkdir -p a/b/c && mv "$0" a/b/c && cp "$1" a/', self.path(2), self.path(3))
        self.sync('a')
        self.check({'INBOX': {'gone': [2]}, 'a': {'added': [self.data(3)]}, 'a/b': {}, 'a/b/c': {'added': [self.data(2)]}})

    def test_below_inbox(self):
        os.mkdir(self.mount / 'INBOX/below')
        self.assertIn('below', self.names())
        self.check({'INBOX/below': {}})

    def test_what_is_there_already_is_eexist(self):
        for name in ('INBOX', 'Archive', '.mailfs', os.path.relpath(self.path(1), self.mount.path)):
            with self.fails_with(errno.EEXIST):
                os.mkdir(self.mount / name)
        self.check_now()

    def test_rmdir_deletes_an_empty_folder(self):
        self.server.create(('Empty',))
        self.before = observer.snapshots(self.server)
        self.mount.remount()
        os.rmdir(self.mount / 'Empty')
        self.assertNotIn('Empty', self.names(''))
        self.check({'Empty': None})
        self.mount.remount()
        self.assertNotIn('Empty', self.names(''))
        self.assertNotIn('Empty', observer.subscribed(self.server))

    def test_rmdir_with_a_message_or_a_folder_is_enotempty(self):
        self.server.create(('Parent', 'Child'))
        self.before = observer.snapshots(self.server)
        self.mount.remount()
        for folder in ('Lists', 'Parent'):
            with self.fails_with(errno.ENOTEMPTY):
                os.rmdir(self.mount / folder)
        self.check_now()
        self.assertEqual(self.said('DELETE'), [])

    def test_rmdir_of_a_folder_whose_last_message_came_unseen_keeps_it(self):
        self.server.create(('Empty',))
        self.mount.remount()
        self.assertEqual(self.names('Empty'), set())
        self.server.deliver(letter('just come'), ('Empty',))
        self.before = observer.snapshots(self.server)
        self.assertIn(error_of(os.rmdir, self.mount / 'Empty'), (0, errno.ENOTEMPTY))
        with contextlib.suppress(OSError):      # fsync may tell that the server did not do it
            self.sync('')
        wait_for(lambda: error_of(os.listdir, self.mount / 'Empty') == 0 and len(self.names('Empty')) == 1, 10, 'the folder with its message')
        self.check_now()

    def test_rmdir_of_a_folder_with_only_scratch_files_is_enotempty(self):
        os.mkdir(self.mount / 'New')
        with open(self.mount / 'New/.scratch', 'w', encoding='ascii') as file:
            file.write('x')
        with self.fails_with(errno.ENOTEMPTY):
            os.rmdir(self.mount / 'New')
        self.check({'New': {}})

    def test_inbox_is_busy(self):
        with self.fails_with(errno.EBUSY):
            os.rmdir(self.mount / 'INBOX')
        with self.fails_with(errno.EBUSY):
            os.rename(self.mount / 'INBOX', self.mount / 'Other')
        with self.fails_with(errno.EBUSY, errno.ENOTEMPTY, errno.EEXIST):
            os.rename(self.mount / 'Lists', self.mount / 'INBOX')
        self.check_now()
        self.assertEqual(self.said('RENAME|DELETE'), [])

    def test_mv_renames_with_all_that_is_below(self):
        for path in (('Tree',), ('Tree', 'one'), ('Tree', 'one', 'two')):
            self.server.create(path)
            self.server.deliver(letter(path[-1]), path)
        self.before = observer.snapshots(self.server)
        self.mount.remount()
        name, = self.names('Tree/one/two')
        inode = os.stat(self.mount / f'Tree/one/two/{name}').st_ino
        self.run_quietly('mv', 'Tree', 'Wood')
        self.assertEqual(self.names('Wood/one/two'), {name})
        self.assertEqual(os.stat(self.mount / f'Wood/one/two/{name}').st_ino, inode)
        self.assertEqual(observer.title(self.mount.read(f'Wood/one/two/{name}')), 'two')
        moved = {folder: [message.data for message in self.before[folder].values()] for folder in ('Tree', 'Tree/one', 'Tree/one/two')}
        self.check({**{folder: None for folder in moved}, **{folder.replace('Tree', 'Wood'): {'added': data} for folder, data in moved.items()}})
        wait_for(lambda: {'Wood', 'Wood/one', 'Wood/one/two'} <= observer.subscribed(self.server), 5, 'the subscriptions')
        self.assertFalse({'Tree', 'Tree/one', 'Tree/one/two'} & observer.subscribed(self.server))
        self.mount.remount()
        self.assertEqual(self.names('Wood/one/two'), {name})
        self.assertEqual(self.said('UID (COPY|MOVE)|APPEND'), [])

    def test_mv_into_another_folder_and_out_again(self):
        lists = {'added': [message.data for message in self.before['Lists'].values()]}
        self.run_quietly('mv', 'Lists', 'Archive')
        self.check({'Lists': None, 'Archive/Lists': lists})
        self.run_quietly('mv', 'Archive/Lists', 'INBOX')
        self.check({'Lists': None, 'INBOX/Lists': lists})
        self.assertEqual(len(self.mount.files('INBOX/Lists')), 3)

    def test_given_names_of_messages_stay_when_their_folder_is_renamed(self):
        os.rename(self.path(1, 'Lists'), self.mount / 'Lists/given.eml')
        os.rename(self.mount / 'Lists', self.mount / 'Other')
        self.mount.remount()
        self.assertEqual(self.mount.read('Other/given.eml'), self.data(1, 'Lists'))
        self.check({'Lists': None, 'Other': {'added': 3}})

    def test_mv_over_a_folder_with_messages_is_refused(self):
        with self.fails_with(errno.ENOTEMPTY, errno.EEXIST):
            os.rename(self.mount / 'Lists', self.mount / 'Archive')
        with self.fails_with(errno.ENOTDIR, errno.EEXIST):
            os.rename(self.mount / 'Lists', self.path(1))
        with self.fails_with(errno.EISDIR, errno.EEXIST):
            os.rename(self.path(1), self.mount / 'Lists')
        with self.fails_with(errno.EINVAL):
            os.rename(self.mount / 'Lists', self.mount / 'Lists/below')
        self.check_now()

    def test_a_change_of_mind_ends_as_it_was_said_last(self):
        for _ in range(5):
            os.mkdir(self.mount / 'New')
            os.rename(self.mount / 'New', self.mount / 'Newer')
            os.rmdir(self.mount / 'Newer')
        os.mkdir(self.mount / 'New')
        self.check({'New': {}})
        self.assertNotIn('Newer', self.names(''))

    def test_odd_names_arrive_as_they_are(self):
        for name in ODD_NAMES:
            os.mkdir(self.mount / name)
        self.sync('')
        self.assertEqual(self.names('') & set(ODD_NAMES), set(ODD_NAMES))
        self.check_now({name: {} for name in ODD_NAMES})
        for name in ODD_NAMES:
            os.rename(self.mount / name, self.mount / f'Archive/{name}')
        self.sync('', 'Archive')
        self.check_now({f'Archive/{name}': {} for name in ODD_NAMES})
        self.run_quietly('sh', '-c', 'rmdir Archive/*/')
        self.sync('Archive')
        self.check_now()

    def test_names_that_cannot_be_are_refused(self):
        for name in ('New\nline', 'tab\t', 'outbox', 'OutBox', 'n' * 256, b'\xff\xfe'.decode(errors='surrogateescape')):
            self.assertIn(error_of(os.mkdir, self.mount / name), (errno.EINVAL, errno.EEXIST, errno.EPERM, errno.EACCES, errno.ENAMETOOLONG, errno.EILSEQ), name)
        self.check_now()
        self.assertEqual(self.said('CREATE'), [])

    def test_hundred_at_once(self):
        self.run_quietly('sh', '-c', 'mkdir Lists/$(seq -s " Lists/" 100)')
        self.check({f'Lists/{number}': {} for number in range(1, 101)})
        self.run_quietly('sh', '-c', 'rmdir Lists/*/')
        self.check()

    def test_rm_r_of_a_tree_that_was_just_made(self):
        self.run_quietly('sh', '-c', 'mkdir -p t/u/v && cp "$0" t/u && cp "$0" t/u/v && rm -r t', self.path(2))
        self.check({'Trash': {'added': [self.data(2)] * 2}})


class Noselect(ChangeTestCase):
    """A name that holds folders and no messages."""

    def fill(self):
        super().fill()
        with self.server.imap() as client:
            client.create('above/below')
        self.server.deliver(letter('below'), ('above', 'below'))

    def test_it_can_be_renamed_with_what_it_holds(self):
        below = self.before['above/below']
        os.rename(self.mount / 'above', self.mount / 'over')
        self.assertEqual(len(self.mount.files('over/below')), 1)
        self.check({'above/below': None, 'over/below': {'added': [message.data for message in below.values()]}})

    def test_it_goes_when_it_is_empty_and_not_before(self):
        with self.fails_with(errno.ENOTEMPTY):
            os.rmdir(self.mount / 'above')
        self.run_quietly('mv', *self.mount.files('above/below'), 'Archive')
        os.rmdir(self.mount / 'above/below')
        if os.path.isdir(self.mount / 'above'):
            os.rmdir(self.mount / 'above')
        self.check({'above/below': None, 'Archive': {'added': 1}})
        self.mount.remount()
        self.assertNotIn('above', self.names(''))

    def test_a_message_cannot_be_put_into_it(self):
        for change in (lambda: os.rename(self.path(1), self.mount / 'above/x.eml'), lambda: shutil.copy(self.path(1), self.mount / 'above/x.eml')):
            self.assertIn(error_of(change), (errno.EACCES, errno.EPERM))
        self.check()

    def test_mkdir_of_it_is_eexist_and_mkdir_in_it_works(self):
        with self.fails_with(errno.EEXIST):
            os.mkdir(self.mount / 'above')
        os.mkdir(self.mount / 'above/second')
        self.check({'above/second': {}})


class OtherDelimiter(ChangeTestCase):
    """Courier's way: a prefix before all folders, and a dot between them."""

    server_options = {'separator': '.', 'prefix': 'INBOX.'}

    def fill(self):
        for name in ('Lists', 'Lists.below'):
            self.server.create('INBOX.' + name)
            self.server.deliver(messages.letter(subject=name), 'INBOX.' + name)

    def test_folders_go_below_the_prefix(self):
        self.run_quietly('sh', '-c', 'mkdir New && mkdir New/deep && mv Lists New')
        self.assertEqual(len(self.mount.files('New/Lists/below')), 1)
        self.check({'INBOX.New': {}, 'INBOX.New.deep': {}, 'INBOX.Lists': None, 'INBOX.Lists.below': None,
                    'INBOX.New.Lists': {'added': 1}, 'INBOX.New.Lists.below': {'added': 1}})

    def test_the_delimiter_in_a_name_makes_no_tree(self):
        status = error_of(os.mkdir, self.mount / 'a.b')
        self.assertIn(status, (0, errno.EINVAL, errno.EPERM))
        self.sync('')
        self.assertNotIn('a', self.names(''))
        self.assertNotIn('INBOX.a.b', observer.folders(self.server))


class NotAllowed(ChangeTestCase):
    server_options = {'acl': True}

    def fill(self):
        super().fill()
        self.server.set_rights(('Lists',), 'lrswi')

    def test_where_the_rights_do_not_allow_it_it_is_eacces_or_taken_back(self):
        """Whether a folder may be made or removed not every server tells beforehand."""
        status = error_of(os.mkdir, self.mount / 'Lists/below')
        self.assertIn(status, (0, errno.EACCES))
        wait_for(lambda: not os.path.exists(self.mount / 'Lists/below'), 5, 'it to be taken back')
        self.check()

    def test_a_name_that_the_server_refuses_is_taken_back(self):
        self.assertIn(error_of(os.mkdir, self.mount / 'dot.ted'), (0, errno.EINVAL, errno.EPERM))
        wait_for(lambda: 'dot.ted' not in self.names(''), 5, 'it to be taken back')
        self.check()


class ReadOnly(ChangeTestCase):
    options = ('ro',)

    def test_no_folder_can_be_changed(self):
        for change in (lambda: os.mkdir(self.mount / 'New'), lambda: os.rmdir(self.mount / 'Lists'), lambda: os.rename(self.mount / 'Lists', self.mount / 'Other')):
            with self.fails_with(errno.EROFS):
                change()
        self.check_now()


if __name__ == '__main__':
    mailtest.main()
