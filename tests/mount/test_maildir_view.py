#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
""".maildir/ is a Maildir to mutt, notmuch and mblaze: they list, read, flag, file and deliver, and the server has it.

Each program is first run on a Maildir on the disk, with the same helpers, so that a failure is the mount's.
"""

import contextlib
import errno
import os
import pty
import re
import select
import signal
import subprocess
import time
import unittest

import mailtest
from mailtest import maildir, observer, wait_for
from mailtest.changing import ChangeTestCase, letter

LETTERS = {'\\Draft': 'D', '\\Flagged': 'F', '\\Answered': 'R', '\\Seen': 'S', '\\Deleted': 'T'}
PROGRAM_S = 20


def letters(flags):
    return ''.join(sorted(LETTERS[flag] for flag in flags if flag in LETTERS))


def run(command, environment=None, directory=None, text=''):
    result = subprocess.run(command, input=text, env=dict(os.environ, LC_ALL='C.UTF-8', **(environment or {})), cwd=directory, capture_output=True, text=True,
                            timeout=PROGRAM_S, check=False)
    if result.returncode != 0:
        raise AssertionError(f'{command}: {result.returncode}\n{result.stdout}{result.stderr}')
    return result.stdout


def mutt(folder, keys, home, **settings):
    """Opens a Maildir, types `keys` (mutt's notation) on a terminal, and quits.  AssertionError if mutt does not end by itself."""
    lines = {'mbox_type': 'Maildir', 'folder': os.path.dirname(folder), 'maildir_trash': 'no', 'delete': 'yes', 'move': 'no', 'confirmappend': 'no',
             'confirmcreate': 'no', 'mark_old': 'no', 'resolve': 'no', 'quit': 'yes', 'wait_key': 'no', 'spoolfile': folder, 'record': '', 'header_cache': '', **settings}
    path = os.path.join(home, 'muttrc')
    with open(path, 'w', encoding='utf-8') as file:
        file.writelines(f'set {name}="{value}"\n' for name, value in lines.items())
    command = ['mutt', '-n', '-F', path, '-f', folder, '-e', f'push "{keys}<quit>"']
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(command[0], command, dict(os.environ, HOME=home, TERM='vt100', LC_ALL='C.UTF-8'))
    said = _read_all(terminal, time.monotonic() + PROGRAM_S)
    os.close(terminal)
    if said is None:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise AssertionError('mutt does not end')
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status != 0:
        raise AssertionError(f'mutt ended with {status}:\n{said!r}')


def _read_all(terminal, deadline):
    """What comes until the other side ends; None at the deadline."""
    said = b''
    with contextlib.suppress(OSError):
        while True:
            if not select.select([terminal], [], [], max(0, deadline - time.monotonic()))[0]:
                return None
            data = os.read(terminal, 65536)
            if not data:
                break
            said += data
    return said


class Notmuch:
    """With its database apart from the mail."""

    def __init__(self, root):
        self.home = mailtest.temporary_directory()
        database = os.path.join(self.home, 'database')
        os.mkdir(database)
        path = os.path.join(self.home, 'config')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(f'[database]\npath={database}\nmail_root={root}\n[user]\nname=Alice\nprimary_email=alice@example.com\n'
                       '[new]\ntags=inbox\nignore=\n[search]\nexclude_tags=\n[maildir]\nsynchronize_flags=true\n')
        self.environment = {'NOTMUCH_CONFIG': path, 'HOME': self.home}

    def __call__(self, *arguments):
        return run(['notmuch', *arguments], self.environment)

    def count(self, query):
        return int(self('count', query))


class Mblaze:
    def __init__(self):
        self.environment = {'HOME': mailtest.temporary_directory(), 'MBLAZE_PAGER': 'cat', 'COLUMNS': '200'}
        self.environment['MAILSEQ'] = os.path.join(self.environment['HOME'], 'seq')

    def __call__(self, script, *arguments):
        return run(['sh', '-c', script, 'sh', *arguments], self.environment)


def without_mutts_lines(data):
    """mutt writes a message that it copies anew, with these in its header; on a disk as well."""
    return re.sub(rb'(?m)^(Content-Length|Lines): [0-9]+\r?\n', b'', data)


def by_subject(folder):
    """{subject: (flags' letters, path)} of a Maildir, read as any program would."""
    found = {}
    for part in ('cur', 'new'):
        for entry in os.scandir(os.path.join(folder, part)):
            with open(entry.path, 'rb') as file:
                found[observer.title(file.read())] = (entry.name.partition(':2,')[2], entry.path)
    return found


class Programs:
    """What each does to the Maildirs `self.inbox` and `self.archive`; the letters are `INBOX n`, see ChangeTestCase. Then `self.assert_letters`."""

    def test_mutt_changes_flags(self):
        mutt(self.inbox, '<first-entry><set-flag>!<next-entry><clear-flag>!<next-entry><set-flag>r<next-entry><toggle-new>', self.home)
        self.assert_letters('INBOX', {1: 'FS', 2: 'S', 3: 'RS', 4: ''})

    def test_mutt_saves_into_another_folder(self):
        mutt(self.inbox, f'<first-entry><save-message>{self.archive}<enter><sync-mailbox>', self.home)
        self.assert_moved('INBOX 1', 'S', without_mutts_lines)

    def test_mutt_copies_into_another_folder(self):
        mutt(self.inbox, f'<first-entry><copy-message>{self.archive}<enter>', self.home)
        self.assert_copied('INBOX 1', 'S', without_mutts_lines)

    def test_mutt_postpones_a_message_and_recalls_it(self):
        """Twice over: the draft that is recalled, edited and postponed again is one draft. Of a file that is younger than its template mutt would ask what to do."""
        settings = {'postponed': self.drafts, 'postpone': 'yes', 'recall': 'yes', 'realname': 'Alice', 'from': 'alice@example.com', 'abort_unmodified': 'no',
                    'editor': "sh -c 'echo more >> $0; touch -d @0 $0'"}
        mutt(self.inbox, '<mail>bob@example.com<enter>later<enter><postpone-message>', self.home, **settings)
        self.assert_postponed('later', 1)
        for number in (2, 3):
            mutt(self.inbox, '<recall-message><postpone-message>', self.home, **settings)
            self.assert_postponed('later', number)

    def test_notmuch_tags_become_flags_and_flags_tags(self):
        notmuch = Notmuch(self.root)
        notmuch('new')
        self.assertEqual(notmuch.count('folder:INBOX'), 8)
        self.assertEqual({tag: notmuch.count(f'folder:INBOX and tag:{tag}') for tag in ('unread', 'flagged')}, {'unread': 2, 'flagged': 3})
        notmuch('tag', '+flagged', '-unread', '--', 'folder:INBOX and subject:"INBOX 3"')
        notmuch('tag', '+replied', '+unread', '--', 'folder:INBOX and subject:"INBOX 1"')
        self.assert_letters('INBOX', {1: 'R', 3: 'FS'})
        notmuch('new')
        self.assertEqual(notmuch.count('folder:INBOX'), 8)
        self.assertEqual(notmuch.count('folder:INBOX and tag:flagged'), 4)

    def test_notmuch_new_the_second_time_finds_what_changed(self):
        notmuch = Notmuch(self.root)
        notmuch('new')
        self.assertIn('No new mail', notmuch('new'))
        self.bring(letter('later'))
        wait_for(lambda: 'Added 1 new message' in notmuch('new'), 30, 'notmuch to find it', 0.2)

    def test_notmuch_inserts_once(self):
        notmuch = Notmuch(self.root)
        notmuch('new')
        run(['notmuch', 'insert', '--folder=Archive', '+flagged', '-inbox', '-unread'], notmuch.environment, text=letter('delivered').decode())
        self.assert_delivered('delivered', 'FS')
        notmuch('new')
        self.assertEqual(notmuch.count('subject:delivered and tag:flagged and not tag:unread'), 1)
        wait_for(lambda: notmuch('new') and len(notmuch('search', '--output=files', 'subject:delivered').splitlines()) == 1, 10, 'one file', 0.2)
        self.assertEqual(list(by_subject(self.archive)).count('delivered'), 1)

    def test_mblaze_lists_and_flags(self):
        mblaze = Mblaze()
        said = mblaze('mlist "$1" | sort | mseq -S; mscan :', self.inbox)
        self.assertEqual(re.findall(r'INBOX \d', said), [f'INBOX {number}' for number in range(1, 9)])
        mblaze('mflag -F 1 3; mlist "$1" | sort | mseq -S; mflag -sR 1', self.inbox)
        self.assert_letters('INBOX', {1: 'FR', 3: 'F'})

    def test_mblaze_files_into_another_folder(self):
        Mblaze()('mlist "$1" | sort | mseq -S; mrefile 1 "$2"', self.inbox, self.archive)
        self.assert_moved('INBOX 1', 'S')

    def test_mblaze_delivers(self):
        path = os.path.join(mailtest.temporary_directory(), 'letter')
        with open(path, 'wb') as file:
            file.write(letter('delivered'))
        Mblaze()('mdeliver "$1" < "$2"', self.archive, path)
        self.assert_delivered('delivered')


class OnTheDisk(Programs, unittest.TestCase):
    def setUp(self):
        self.home = mailtest.temporary_directory()
        self.root = os.path.join(self.home, 'mail')
        self.inbox, self.archive, self.drafts = (maildir.make(os.path.join(self.root, name)) for name in ('INBOX', 'Archive', 'Drafts'))
        for number in range(1, 9):
            flags = ('', 'S', 'FS')[number % 3]
            maildir.deliver(self.inbox, letter(f'INBOX {number}', Date=f'{number} Aug 2023 00:00:00 +0000'), flags, 1690000000 + number * 86400)

    def bring(self, data):
        maildir.deliver(self.inbox, data)

    def found(self, folder):
        return {subject: flags for subject, (flags, _) in by_subject(folder).items()}

    def assert_letters(self, _folder, expected):
        found = self.found(self.inbox)
        self.assertEqual({number: found[f'INBOX {number}'] for number in expected}, expected)

    def assert_moved(self, subject, flags, _seen_by=None):
        self.assertNotIn(subject, self.found(self.inbox))
        self.assertEqual(self.found(self.archive), {subject: flags})

    def assert_copied(self, subject, flags, _seen_by=None):
        self.assertIn(subject, self.found(self.inbox))
        self.assertEqual(self.found(self.archive), {subject: flags})

    def assert_delivered(self, subject, flags=''):
        self.assertEqual(self.found(self.archive), {subject: flags})

    def assert_postponed(self, subject, times):
        """One draft, with a line for each time that it was edited."""
        found = by_subject(self.drafts)
        self.assertEqual(set(found), {subject})
        with open(found[subject][1], 'rb') as file:
            self.assertEqual(file.read().count(b'more\n'), times)


class InTheMount(Programs, ChangeTestCase):
    """The same against the server."""

    keys = {'trash-keep': '0'}

    def setUp(self):
        super().setUp()
        self.home = self.mount.directory
        self.root = self.mount / '.maildir'
        self.inbox, self.archive, self.drafts = (os.path.join(self.root, name) for name in ('INBOX', 'Archive', 'Drafts'))

    def fill(self):
        super().fill()
        # With dates that sort them, and none marked \Deleted where mutt works: it would remove it, as it does elsewhere.
        with mailtest.OtherClient(self.server) as other, self.server.imap() as client:
            for folder in ('INBOX', 'Drafts'):
                client.select(folder)
                client.store('1:*', '+FLAGS', '\\Deleted')
                client.expunge()
            for number in range(1, 9):
                flags = ('', '\\Seen', '\\Seen \\Flagged')[number % 3]
                other.append(letter(f'INBOX {number}', Date=f'{number} Aug 2023 00:00:00 +0000'), flags=flags, date=1690000000 + number * 86400)

    def bring(self, data):
        self.server.deliver(data)

    def uid(self, subject, folder='INBOX'):
        return next(uid for uid, message in self.before[folder].items() if observer.title(message.data) == subject)

    def assert_letters(self, folder, expected):
        words = {letter: word for word, letter in LETTERS.items()}
        changed = {self.uid(f'INBOX {number}'): ' '.join(words[each] for each in flags) for number, flags in expected.items()}
        self.check({folder: {'changed': changed}})

    def assert_moved(self, subject, flags, seen_by=bytes):
        uid = self.uid(subject)
        wait_for(lambda: uid not in observer.snapshot(self.server), 10, 'it to go')
        now = observer.snapshots(self.server)
        found = [message for message in now['Archive'].values() if observer.title(message.data) == subject]
        self.assertEqual([(letters(message.flags), seen_by(message.data)) for message in found], [(flags, self.before['INBOX'][uid].data)])
        self.assertEqual(set(self.before['INBOX']) - set(now['INBOX']), {uid})

    def assert_copied(self, subject, flags, seen_by=bytes):
        message, = self.check({'Archive': {'added': 1}})['Archive'].values()
        self.assertEqual((letters(message.flags), seen_by(message.data)), (flags, self.before['INBOX'][self.uid(subject)].data))

    def assert_delivered(self, subject, flags=''):
        wait_for(lambda: len(observer.snapshot(self.server, 'Archive')) > len(self.before['Archive']), 10, 'it to come')
        self.sync('Archive')
        message, = self.check({'Archive': {'added': 1}})['Archive'].values()
        self.assertEqual((observer.title(message.data), letters(message.flags)), (subject, flags))

    def assert_postponed(self, subject, times):
        """What mutt removes when it recalls it is in the trash, as what anybody removes."""
        self.sync('Drafts')
        message, = self.check({'Drafts': {'added': 1}, 'Trash': {'added': times - 1}})['Drafts'].values()
        self.assertEqual((observer.title(message.data), message.data.count(b'more\r\n')), (subject, times))



class TheMaildir(ChangeTestCase):
    """Its names and what renaming does, without any program."""

    def view(self, name, folder='INBOX'):
        return os.path.join(self.mount / '.maildir', folder, name)

    def entries(self, folder='INBOX'):
        """{uid: name in cur or new}"""
        return {int(re.search(r'U(\d+)\.mailfs', name).group(1)): f'{part}/{name}' for part in ('cur', 'new') for name in os.listdir(self.view(part, folder))}

    def test_names_are_of_date_uidvalidity_uid_and_flags(self):
        uidvalidity = os.getxattr(self.mount / 'INBOX', 'user.mail.uidvalidity').decode()
        for uid, name in self.entries().items():
            message = self.before['INBOX'][uid]
            self.assertEqual(name.partition('/')[2], f'{message.date}.V{uidvalidity}U{uid}.mailfs:2,{letters(message.flags)}')
            self.assertEqual(self.mount.read(self.view(name)), message.data)
        self.assertEqual(len(self.entries()), 8)
        self.assertEqual(os.listdir(self.view('tmp')), [])

    def test_it_mirrors_the_tree_and_is_not_listed(self):
        self.assertNotIn('.maildir', self.names(''))
        self.assertLessEqual({'INBOX', 'Archive', 'Lists'}, set(os.listdir(self.mount / '.maildir')))
        self.assertEqual(set(self.entries('Lists')), {1, 2, 3})

    def test_renaming_the_suffix_sets_flags(self):
        for uid, flags in ((3, 'FS'), (2, ''), (1, 'RST')):
            name = self.view(self.entries()[uid])
            os.rename(name, re.sub('/(new|cur)/', '/cur/', name).partition(':2,')[0] + ':2,' + flags)
        self.check({'INBOX': {'changed': {3: r'\Flagged \Seen', 2: '', 1: r'\Answered \Seen \Deleted'}}})
        self.assertEqual({uid: name.partition(':2,')[2] for uid, name in self.entries().items() if uid < 4}, {1: 'RST', 2: '', 3: 'FS'})

    def test_keywords_are_not_lost_by_a_rename(self):
        with mailtest.OtherClient(self.server) as other:
            other.store([3], '+FLAGS', '$Forwarded keyword')
        self.before = observer.snapshots(self.server)
        name = self.view(self.entries()[3])
        os.rename(name, re.sub('/(new|cur)/', '/cur/', name).partition(':2,')[0] + ':2,S')
        self.check({'INBOX': {'changed': {3: r'$Forwarded keyword \Seen'}}})

    def test_unlink_removes_as_rm_does(self):
        os.unlink(self.view(self.entries()[2]))
        self.check({'INBOX': {'gone': [2]}, 'Trash': {'added': [self.data(2)]}})

    def test_a_message_delivered_by_the_rules_of_maildir(self):
        data = letter('delivered')
        temporary = self.view('tmp/1690000000.M1P1.localhost')
        with open(temporary, 'xb') as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        self.check_now()
        os.rename(temporary, self.view('cur/1690000000.M1P1.localhost:2,FS'))
        added = self.check({'INBOX': {'added': [data]}})
        self.assertEqual([message.flags for message in added['INBOX'].values()], [{'\\Flagged', '\\Seen'}])

    def deliver(self, data, name='1690000000.M1P1.localhost', to='new', folder='INBOX'):
        temporary = self.view('tmp/' + name.partition(':')[0], folder)
        with open(temporary, 'xb') as file:
            file.write(data)
        os.rename(temporary, self.view(f'{to}/{name}', folder))

    def test_a_delivered_message_is_found_under_the_name_it_was_given_and_listed_once(self):
        data = letter('delivered')
        self.deliver(data, '1690000000.M1P1.localhost:2,S', 'cur')
        self.assertEqual(self.mount.read(self.view('cur/1690000000.M1P1.localhost:2,S')), data)
        self.assertEqual(len(os.listdir(self.view('cur'))), 9)
        self.sync('INBOX')
        self.check_now({'INBOX': {'added': [data]}})
        uid, = set(self.entries()) - set(self.before['INBOX'])
        self.assertEqual(self.mount.read(self.view('cur/1690000000.M1P1.localhost:2,S')), data)
        self.assertTrue(self.entries()[uid].endswith('.mailfs:2,S'))
        self.assertIn('1690000000.M1P1.localhost.eml', self.names())
        self.assertEqual(os.listdir(self.view('tmp')), [])
        os.rename(self.view('cur/1690000000.M1P1.localhost:2,S'), self.view('cur/1690000000.M1P1.localhost:2,FS'))
        self.assertTrue(self.entries()[uid].endswith('.mailfs:2,FS'))
        self.assertFalse(os.path.exists(self.view('cur/1690000000.M1P1.localhost:2,S')))
        self.sync('INBOX')
        added = self.check_now({'INBOX': {'added': [data]}})
        self.assertEqual(added['INBOX'][uid].flags, {'\\Seen', '\\Flagged'})

    def test_what_is_in_tmp_is_no_message_and_what_is_none_stays_there(self):
        with open(self.view('tmp/junk'), 'xb') as file:
            file.write(b'\x00 no message\n')
        self.assertEqual((os.listdir(self.view('tmp')), len(os.listdir(self.view('cur')))), (['junk'], 8))
        with self.fails_with(errno.EINVAL):
            os.rename(self.view('tmp/junk'), self.view('new/junk'))
        with self.fails_with(errno.EINVAL):
            os.rename(self.view('tmp/junk'), self.view('new/.junk'))
        self.assertEqual(os.listdir(self.view('tmp')), ['junk'])
        self.mount.remount()
        self.assertEqual(self.mount.read(self.view('tmp/junk')), b'\x00 no message\n')
        os.rename(self.view('tmp/junk'), self.view('tmp/junk2'))
        os.unlink(self.view('tmp/junk2'))
        self.assertEqual(os.listdir(self.view('tmp')), [])
        self.assertFalse([name for name in self.names() if name.startswith('.')])
        self.check()

    def test_what_a_maildir_does_not_allow(self):
        first, second = (self.view(self.entries()[uid]) for uid in (1, 2))
        with self.fails_with(errno.EPERM):
            os.link(first, self.view('new/x'))
        for path in (self.view('cur/x'), self.view('new/x'), self.view('x')):
            with self.subTest(path), self.fails_with(errno.EPERM):
                with open(path, 'xb'):
                    pass
        for path in (self.view('x'), self.view('cur/x'), self.mount / '.maildir/x'):
            with self.subTest(path), self.fails_with(errno.EPERM):
                os.mkdir(path)
        with self.fails_with(errno.EEXIST):
            os.rename(first, second)
        with self.fails_with(errno.EPERM):
            os.rename(first, self.view('tmp/x'))
        with self.fails_with(errno.EPERM):
            os.rename(self.view('cur'), self.view('old'))
        with self.fails_with(errno.EXDEV):
            os.rename(first, self.mount / 'Archive/x.eml')
        self.sync('INBOX', 'Archive')
        self.check_now()

    def test_they_are_the_same_files_and_the_folder_follows(self):
        paths = {uid: self.path(uid) for uid in (1, 2)}
        for uid, path in paths.items():
            here = os.stat(self.view(self.entries()[uid]))
            self.assertEqual((here.st_ino, here.st_nlink, here.st_size), (os.stat(path).st_ino, 1, len(self.data(uid))))
        with open(paths[1], 'rb') as file:
            os.unlink(self.view(self.entries()[1]))
            wait_for(lambda: not os.path.exists(paths[1]), 5, 'the folder to know')
            self.assertEqual(file.read(), self.data(1))
        trashed = os.path.join(self.mount / 'Trash', os.path.basename(paths[1]))
        wait_for(lambda: os.stat(trashed).st_nlink == 1, 5, 'its link count')
        self.assertEqual(self.mount.read(trashed), self.data(1))
        name = os.path.basename(self.entries()[2])
        os.rename(self.view(self.entries()[2]), self.view(f'cur/{name.partition(":")[0]}:2,RS', 'Archive'))
        wait_for(lambda: not os.path.exists(paths[2]), 5, 'the folder to know')
        self.sync('Archive')
        self.assertEqual(self.mount.read(self.mount / f'Archive/{os.path.basename(paths[2])}'), self.data(2))
        added = self.check({'INBOX': {'gone': [1, 2]}, 'Trash': {'added': [self.data(1)]}, 'Archive': {'added': [self.data(2)]}})
        self.assertEqual([message.flags for message in added['Archive'].values()], [{'\\Answered', '\\Seen'}])

    def test_a_rename_changes_what_it_says_and_keeps_what_others_changed(self):
        name = self.view(self.entries()[3])
        with mailtest.OtherClient(self.server) as other:
            other.store([3], '+FLAGS', '\\Flagged')
            os.rename(name, name + 'S')
        self.check({'INBOX': {'changed': {3: r'\Flagged \Seen'}}})

    def test_its_time_changes_with_every_flag(self):
        os.listdir(self.view('cur'))
        before = os.stat(self.view('cur')).st_mtime_ns
        name = self.view(self.entries()[3])
        os.rename(name, name + 'F')
        self.assertGreater(os.stat(self.view('cur')).st_mtime_ns, before)
        self.check({'INBOX': {'changed': {3: r'\Flagged'}}})

    def test_folders_in_folders_also_those_that_are_called_like_parts(self):
        for name in ('cur', 'deep'):
            self.server.deliver(letter(f'in {name}'), ('Lists', name))
        self.before = observer.snapshots(self.server)
        self.mount.remount()
        self.assertEqual(set(os.listdir(self.mount / '.maildir/Lists')), {'cur', 'new', 'tmp', '%63ur', 'deep'})
        for folder in ('Lists/%63ur', 'Lists/deep'):
            self.assertEqual(len(os.listdir(self.view('cur', folder))), 1)
        self.assertEqual(len(os.listdir(self.view('cur', 'Lists'))), 3)
        self.check_now()

    def test_offline_a_delivered_message_keeps_its_name_until_the_server_has_it(self):
        data = letter('delivered')
        self.entries()
        self.proxy.down()
        self.deliver(data, '1690000000.M1P1.localhost:2,F', 'cur')
        self.assertIn('1690000000.M1P1.localhost:2,F', os.listdir(self.view('cur')))
        self.assertEqual(self.mount.read(self.view('cur/1690000000.M1P1.localhost:2,F')), data)
        self.mount.remount()
        self.assertEqual(self.mount.read(self.view('cur/1690000000.M1P1.localhost:2,F')), data)
        self.proxy.up()
        self.check({'INBOX': {'added': [data]}}, timeout=60)
        wait_for(lambda: len(self.entries()) == 9, 30, 'its name', 0.1)

    def test_flags_of_another_client_show_in_the_names(self):
        self.entries()
        with mailtest.OtherClient(self.server) as other:
            other.store([3], '+FLAGS', '\\Answered')
        wait_for(lambda: self.entries()[3].endswith(':2,R'), 30, 'the flag in the name', 0.1)


class ReadOnly(ChangeTestCase):
    options = ('ro',)

    def test_it_can_be_read_and_not_changed(self):
        directory = self.mount / '.maildir/INBOX/cur'
        name = os.path.join(directory, sorted(os.listdir(directory))[0])
        with self.fails_with(errno.EROFS):
            os.rename(name, name.partition(':2,')[0] + ':2,F')
        self.check_now()


if __name__ == '__main__':
    mailtest.main()
