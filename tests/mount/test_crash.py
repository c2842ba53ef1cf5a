#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""kill -9 at any moment: unmounted and mounted again it works, its databases are sound, and no half message is served."""

import contextlib
import errno
import glob
import os
import random
import shutil
import sqlite3
import subprocess
import threading
import time

import mailtest
from mailtest import mount as mounting

ROUNDS = 32
READERS = 4
LONGEST_S = (0.6, 1.6)  # from the first request to the kill, in turn: soon, and once a slow machine has read something, too


def uid_of(name):
    return int(name.rsplit('.', 2)[-2])


class Reader(threading.Thread):
    """Lists folders and reads what is in them until the daemon is dead; notes what is not as the server has it."""

    def __init__(self, mount, held, seed):
        super().__init__()
        self.mount, self.held, self.random = mount, held, random.Random(seed)
        self.wrong = []
        self.whole = 0

    def run(self):
        with contextlib.suppress(OSError):
            while not self.wrong:
                self.read_folder(self.random.choice(list(self.held)))

    def read_folder(self, folder):
        paths = [entry.path for entry in os.scandir(self.mount / folder) if entry.is_file()]
        if len(paths) != len(self.held[folder]):
            self.wrong.append(f'{folder} lists {len(paths)} messages')
        for path in self.random.sample(paths, min(len(paths), 100)):
            if self.mount.read(path) != self.held[folder][uid_of(path)]:
                self.wrong.append(path)
            self.whole += 1


class KilledAtAnyMoment(mailtest.MountTestCase):
    limit_s = 120

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = mailtest.Dovecot().start()
        cls.server.fill(600)
        cls.server.fill(5000, ('Archive',), seed=2, small=True)      # more than one command's worth
        cls.server.deliver(mailtest.messages.large(3 << 20), ('Junk',))
        cls.held = {folder: {uid: data for uid, (_, data) in cls.server.messages(folder).items()} for folder in ('INBOX', 'Archive', 'Junk')}
        cls.proxy = mailtest.Proxy(cls.server.imap_port).start()

    @classmethod
    def tearDownClass(cls):
        cls.proxy.stop()
        cls.server.__exit__()

    def work_until_killed(self, mount, seed, seconds):
        """Returns how many messages were read whole."""
        readers = [Reader(mount, self.held, seed * READERS + number) for number in range(READERS)]
        for reader in readers:
            reader.start()
        time.sleep(seconds)
        mount.kill9(unmount=False)
        for reader in readers:
            reader.join(20)
            self.assertFalse(reader.is_alive())
            self.assertEqual(reader.wrong, [])
        return sum(reader.whole for reader in readers)

    def unmount_dead(self, mount):
        """As a user must: the mountpoint says that nobody answers, and fusermount3 -u takes it away."""
        try:
            with self.assertRaises(OSError) as dead:
                os.listdir(mount.path)
            self.assertEqual(dead.exception.errno, errno.ENOTCONN)
            result = subprocess.run([mounting.FUSERMOUNT, '-u', mount.path], capture_output=True, text=True, check=False)
            self.assertEqual((result.returncode, result.stderr), (0, ''))
        finally:
            mounting.lazily_unmount(mount.path)

    def check_databases(self, mount):
        """On a copy: the daemon shall find them as they were left."""
        for directory, name in ((mount.cache, 'index.db'), (mount.state, 'state.db')):
            copy = mailtest.temporary_directory()
            for path in glob.glob(os.path.join(glob.escape(directory), name + '*')):
                shutil.copy(path, copy)
            self.assertTrue(os.path.exists(os.path.join(copy, name)), os.listdir(directory))
            with contextlib.closing(sqlite3.connect(os.path.join(copy, name))) as database:
                self.assertEqual(database.execute('PRAGMA integrity_check').fetchall(), [('ok',)])
                self.assertEqual(database.execute('PRAGMA foreign_key_check').fetchall(), [])
            shutil.rmtree(copy)

    def check_what_the_cache_serves(self, mount):
        """Without the server: what can be read is right, what was not fetched whole is an error."""
        self.proxy.down()
        cached = 0
        with mount:
            for folder, held in self.held.items():
                with contextlib.suppress(OSError):
                    paths = mount.files(folder)
                    self.assertEqual({uid_of(path) for path in paths}, set(held))
                    for path in paths:
                        with contextlib.suppress(OSError):
                            self.assertEqual(mount.read(path), held[uid_of(path)])
                            cached += 1
        self.proxy.up()
        return cached

    def test_cold_reads_and_syncs(self):
        chooser = random.Random(os.environ.get('MAILTEST_SEED', '1'))
        section = mailtest.account(self.server, imap=f'imap+insecure://alice@localhost:{self.proxy.port}', timeout=5)
        read = cached = 0
        mount = None
        for number in range(ROUNDS):
            if number % 4 == 0:
                mount = mailtest.Mount(section)
            mount.start()
            read += self.work_until_killed(mount, number, chooser.random() * LONGEST_S[number % 2])
            self.unmount_dead(mount)
            self.check_databases(mount)
            if number % 4 == 3:
                cached += self.check_what_the_cache_serves(mount)
                with mount:
                    self.assertEqual({folder: len(mount.files(folder)) for folder in self.held}, {folder: len(held) for folder, held in self.held.items()})
                    self.assertEqual(mount.by_uid('INBOX'), self.held['INBOX'])
                shutil.rmtree(mount.directory)
        self.assertGreater(read, 100)
        self.assertGreater(cached, 100)

    def test_while_it_mounts(self):
        """Before anything is asked of it, the databases just made or opened."""
        chooser = random.Random(os.environ.get('MAILTEST_SEED', '2'))
        mount = mailtest.Mount(mailtest.account(self.server))
        for _ in range(10):
            mount._run()
            time.sleep(chooser.random() * 0.15)
            mount.kill9()
        with mount:
            self.assertEqual(mount.by_uid('Archive'), self.held['Archive'])


if __name__ == '__main__':
    mailtest.main()
