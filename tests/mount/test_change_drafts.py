#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A draft that is saved again and again, in the ways of Emacs, vim and sed, is one message with the newest text; its backup is scratch.

Each way is first gone on the disk, with the same helpers, so that a failure is the mount's.
"""

import contextlib
import os
import shutil
import subprocess
import unittest

import mailtest
from mailtest.changing import ChangeTestCase, write

THEN = 1500000001       # a time that is not now
ONCE_A_SESSION = (True, False, False, True, False)      # whether Emacs makes a backup when it saves; two sessions


def text(number):
    return b'Subject: draft\r\nFrom: alice@example.com\r\n\r\nsaved %d times\r\n' % number + b'text\r\n' * number


def write_out(path, data, flags):
    """As Emacs writes a buffer."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o666)
    try:
        os.write(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def copy(source, target):
    """As Emacs copies a file, times and mode last."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(target)
    with open(source, 'rb') as reader:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            while os.copy_file_range(reader.fileno(), descriptor, 1 << 20):
                pass
            shutil.copystat(reader.fileno(), descriptor)
        finally:
            os.close(descriptor)


def run_editor(*command):
    subprocess.run(command, check=True, timeout=20, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def run_vim(path, number, backupcopy):
    """The text before `number` becomes that one.  For files in /tmp it makes no backup by itself."""
    run_editor('vim.tiny', '-es', '-u', 'NONE', '-c', f'set nocompatible backup backupskip= backupcopy={backupcopy}',
               '-c', rf'%s/saved {number - 1}/saved {number}/|$copy $|s/[^\r]*/text/|wq', path)


class Ways:
    """Of saving `self.draft`; `self.assert_saved` after each."""

    def emacs(self, make_backup, save):
        before = text(0)
        for number, is_first in enumerate(ONCE_A_SESSION, 1):
            lock, autosaved = (os.path.join(self.folder, name) for name in ('.#draft.eml', '#draft.eml#'))
            write_out(lock, b'alice@localhost.1:1', os.O_EXCL)      # where a symbolic link is not to be had
            for half in (20, 40):
                write_out(autosaved, text(number)[:half], os.O_TRUNC)
            if is_first:
                before = text(number - 1)
                make_backup(self.draft, self.draft + '~')
            save(text(number))
            os.chmod(self.draft, 0o600)
            os.unlink(autosaved)
            os.unlink(lock)
            self.assert_saved(text(number), {'draft.eml~': before})

    def save_in_place(self, data):
        write_out(self.draft, data, os.O_TRUNC)

    def save_by_renaming(self, data):
        temporary = os.path.join(self.folder, 'tmpXq3a9Z')
        write_out(temporary, data, os.O_EXCL)
        os.rename(temporary, self.draft)

    def test_emacs_with_a_backup_by_renaming(self):
        self.emacs(os.rename, self.save_in_place)

    def test_emacs_with_a_backup_by_copying(self):
        self.emacs(copy, self.save_in_place)

    def test_emacs_with_file_precious_flag(self):
        self.emacs(copy, self.save_by_renaming)

    def vim(self, backupcopy):
        for number in range(1, 4):
            run_vim(self.draft, number, backupcopy)
            self.assert_saved(text(number), {'draft.eml~': text(number - 1)})

    def test_vim_with_a_backup_by_renaming(self):
        self.vim('no')

    def test_vim_with_a_backup_by_copying(self):
        self.vim('yes')

    def test_written_to_again_at_once(self):
        """Before the server can have what was saved."""
        self.save_by_renaming(text(1))
        for _ in range(3):
            with open(self.draft, 'ab') as file:
                file.write(b'more\r\n')
        self.assert_saved(text(1) + b'more\r\n' * 3, {})

    def sed(self, option, backup):
        for number in range(1, 4):
            run_editor('sed', option, f's/saved {number - 1}/saved {number}/; $a text\r', self.draft)
            self.assert_saved(text(number), {backup: text(number - 1)} if backup else {})

    def test_sed_i(self):
        self.sed('-i', None)

    def test_sed_i_with_a_backup_that_is_scratch(self):
        self.sed('-i~', 'draft.eml~')

    def test_sed_i_with_a_backup_that_is_a_message(self):
        self.sed('-i.bak', 'draft.eml.bak')


class OnTheDisk(Ways, unittest.TestCase):
    def setUp(self):
        self.folder = mailtest.temporary_directory()
        self.draft = os.path.join(self.folder, 'draft.eml')
        write(self.draft, text(0), THEN)

    def assert_saved(self, data, others):
        held = {}
        for entry in os.scandir(self.folder):
            with open(entry.path, 'rb') as file:
                held[entry.name] = file.read()
        self.assertEqual(held, {'draft.eml': data, **others})


class DraftTestCase(ChangeTestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.mount / 'Drafts'
        self.draft = self.mount / 'Drafts/draft.eml'
        self.others = self.names('Drafts')
        write(self.draft, text(0), THEN, r'\Draft \Seen')
        self.check_now({'Drafts': {'added': [text(0)]}})

    def held(self):
        """What stands there beside the letters that nobody touches."""
        return {name: self.mount.read(f'Drafts/{name}') for name in self.names('Drafts') - self.others}


class InTheMount(Ways, DraftTestCase):
    """The same against the server."""

    def assert_saved(self, data, others):
        self.sync('Drafts')
        on_the_server = [data] + [held for name, held in others.items() if not name.endswith('~')]
        added = self.check_now({'Drafts': {'added': on_the_server}})['Drafts']
        newest = next(message for message in added.values() if message.data == data)
        if len(added) == 1:     # it replaces the one that had these flags
            self.assertIn('\\Draft', newest.flags)
        self.assertEqual(self.held(), {'draft.eml': data, **others})


class OnItsWay(DraftTestCase):
    """Saved again before the server has what was saved before."""

    def kill_and_start(self):
        self.mount.kill9()
        self.mount.start()

    def check_backup_by_renaming(self, save):
        """`save` three times offline: the server gets the newest once, with the flags of the first, and the backup is scratch."""
        self.proxy.down()
        for number in range(1, 4):
            save(number)
            self.assertEqual(self.held(), {'draft.eml': text(number), 'draft.eml~': text(number - 1)})
        self.proxy.up()
        added = self.check({'Drafts': {'added': [text(3)]}}, timeout=30)
        self.assertEqual(next(iter(added['Drafts'].values())).flags, {'\\Draft', '\\Seen'})
        self.sync('Drafts')
        self.assertEqual(self.held(), {'draft.eml': text(3), 'draft.eml~': text(2)})

    def test_vim_offline(self):
        self.check_backup_by_renaming(lambda number: run_vim(self.draft, number, 'no'))

    def test_killed_between_any_two_steps(self):
        def save(number):
            os.rename(self.draft, self.draft + '~')
            self.kill_and_start()
            write(self.draft, text(number))
            self.kill_and_start()
        self.check_backup_by_renaming(save)


class Arriving(ChangeTestCase):
    """Whoever writes into what is moved or copied to the drafts waits for the server to say that it is there, and nobody else does."""

    def port(self):
        self.network = self.enterContext(mailtest.HoldingProxy(self.proxy.port))
        return self.network.port

    def start(self, command):
        process = subprocess.Popen(['sh', '-c', command], cwd=self.mount.path, stdin=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def check_written_after(self, command, change):
        """`command` brings INBOX 1 there as draft.eml by this `change`; returns what has become of the drafts."""
        self.names('Drafts')
        self.network.hold(command, answer=True)
        bringing = change()
        self.assertTrue(self.network.held.wait(10), f'no {command}')
        writing = self.start('echo more >> Drafts/draft.eml')
        with self.assertRaises(subprocess.TimeoutExpired):
            writing.wait(0.5)
        self.assertEqual(self.mount.read(self.path(2)), self.data(2))
        self.assertEqual(len(self.names('Drafts')), 3)
        self.network.release()
        self.assertEqual([process.wait(20) for process in [writing, *bringing]], [0] * (1 + len(bringing)))
        self.sync('Drafts')
        return {'added': [self.data(1) + b'more\r\n']}

    def test_moved(self):
        def move():
            os.rename(self.path(1), self.mount / 'Drafts/draft.eml')
            return []
        self.check({'Drafts': self.check_written_after(b'UID MOVE', move), 'INBOX': {'gone': [1]}})

    def test_copied(self):
        self.check({'Drafts': self.check_written_after(b'UID COPY', lambda: [self.start(f'cp {self.path(1)} Drafts/draft.eml')])})


if __name__ == '__main__':
    mailtest.main()
