#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A backup is restored by rsync, which is interrupted again and again: every message arrives once, whole, with its date and flags."""

import contextlib
import errno
import os
import re
import signal
import subprocess

import mailtest
from mailtest import messages, mount as mounting, wait_for
from mailtest.changing import ChangeTestCase, error_of, letter, write

THEN = 1500000001       # a time that is not now
RESTORED = 200
INTERRUPTED_AT = (3, 50, 100, 150, 190)      # messages in the folder when rsync, or mailfs, is killed
FLAGS = ('', r'\Seen', r'\Seen \Flagged', r'\Answered $Forwarded')
LARGE, SMALL = messages.large(3 << 20), letter('small')


class RestoreTestCase(ChangeTestCase):
    folders = {'INBOX': 2, 'Archive': 2}

    def fill(self):
        super().fill()
        self.server.create(('Lists',))

    def setUp(self):
        super().setUp()
        self.backup = os.path.join(self.mount.directory, 'backup')
        os.mkdir(self.backup)

    def rsync(self, *options):
        return ['rsync', *options, self.backup + '/', self.mount / 'Lists/']

    def start(self, *options):
        return self.enterContext(subprocess.Popen(self.rsync(*options), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True))

    @staticmethod
    def interrupt(running, number=signal.SIGINT):
        """All of its processes; it may have ended meanwhile."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, number)
        return running.wait(20) != 0

    def transferred(self, *options):
        """What rsync says of messages; the folder's own time is the server's."""
        return re.sub(r'(?m)^\.d\S* \./\n', '', self.run_quietly(*self.rsync('-a', '--itemize-changes', *options)))


class Interrupted(RestoreTestCase):
    def make_backup(self, with_flags):
        """{bytes: (date, flags)} of its messages."""
        made = {}
        for number in range(RESTORED):
            data, date, flags = letter(f'backup {number}'), THEN + number, FLAGS[number % len(FLAGS)] if with_flags else None
            status = error_of(write, os.path.join(self.backup, f'{number:03}.eml'), data, date, flags)
            if status == errno.ENOTSUP:
                self.skipTest('no extended attributes where the backup would be')
            self.assertEqual(status, 0)
            made[data] = (date, frozenset((flags or '').split()))
        return made

    def restored(self):
        return {name for name in self.names('Lists') if not name.startswith('.')}

    def check_restored(self, made):
        self.sync('Lists')
        added = self.check_now({'Lists': {'added': list(made)}})['Lists']
        self.assertEqual({message.data: (message.date, message.flags) for message in added.values()}, made)
        self.assertEqual(self.restored(), set(os.listdir(self.backup)))

    def restore(self, option, end):
        made = self.make_backup('X' in option)
        interrupted = 0
        for count in INTERRUPTED_AT:
            running = self.start(option)
            wait_for(lambda count=count: len(self.restored()) >= count or running.poll() is not None, 60, 'rsync to bring them', 0.002)
            interrupted += end(running)
        self.assertGreater(interrupted, 0)
        self.run_quietly(*self.rsync(option))
        self.check_restored(made)
        for step in (lambda: None, self.mount.remount):
            step()
            self.assertEqual(self.transferred(), '')
        self.check_restored(made)

    def kill(self, running):
        return self.interrupt(running, signal.SIGKILL)

    def crash(self, running):
        """mailfs is killed, and mounted again once rsync has failed: else it might write below the mountpoint."""
        self.mount.kill9(unmount=False)
        status = running.wait(20)
        mounting.lazily_unmount(self.mount.path)
        self.mount.start()
        return status != 0

    def test_rsync_is_interrupted(self):
        self.restore('-a', self.interrupt)

    def test_rsync_is_killed(self):
        self.restore('-a', self.kill)

    def test_mailfs_is_killed(self):
        self.restore('-a', self.crash)

    def test_rsync_that_brings_flags_is_interrupted(self):
        self.restore('-aX', self.interrupt)

    def test_rsync_that_brings_flags_is_killed(self):
        self.restore('-aX', self.kill)

    def test_mailfs_is_killed_while_rsync_brings_flags(self):
        self.restore('-aX', self.crash)


class WithinOneMessage(RestoreTestCase):
    """rsync is stopped when half of a large message is there, in one way of keeping that half or the other."""

    def restore(self, signals, half, *options):
        write(os.path.join(self.backup, 'large.eml'), LARGE, THEN)
        write(os.path.join(self.backup, 'small.eml'), SMALL, THEN)
        for number in signals:
            running = self.start('-a', '--bwlimit=1000', *options)
            wait_for(lambda: len(LARGE) // 4 < sum(map(self.size, half())) or running.poll() is not None, 20, 'a half of it', 0.01)
            self.assertTrue(self.interrupt(running, number))
            self.sync('Lists')
            self.check_now()
        self.run_quietly(*self.rsync('-a', *options))
        self.sync('Lists')
        self.check_now({'Lists': {'added': [LARGE, SMALL]}})
        self.assertEqual(self.mount.read('Lists/large.eml'), LARGE)
        self.assertEqual(self.transferred(*options), '')
        self.check_now({'Lists': {'added': [LARGE, SMALL]}})

    @staticmethod
    def size(path):
        with contextlib.suppress(FileNotFoundError):
            return os.stat(path).st_size
        return 0

    def test_partial_dir(self):
        def temporary():
            return [self.mount / f'Lists/{name}' for name in self.names('Lists') if name.startswith('.large.eml')]
        self.restore((signal.SIGKILL, signal.SIGINT), temporary, '--partial-dir=.rsync-partial')

    def test_inplace(self):
        """Killed: where it is interrupted, rsync closes the half as it closes a whole."""
        self.restore((signal.SIGKILL,), lambda: [self.mount / 'Lists/large.eml'], '--inplace')


if __name__ == '__main__':
    mailtest.main()
