#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Ten thousand messages of every kind: each program finds, byte for byte, what the server's BODY[] gives.

On a cold cache, on a warm one, and after a remount.
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
import tarfile

import mailtest

COUNT = 10000
PATTERN = b'Quarterly report'
LARGE = 100000


def digest(data):
    return hashlib.md5(data).digest()


def uid_of(name):
    return int(name.rsplit('.', 2)[-2])


def run(*command):
    """A program's output; it must succeed without a word of complaint."""
    result = subprocess.run(command, capture_output=True, timeout=100, check=False, env=dict(os.environ, LC_ALL='C'))
    if result.returncode != 0 or result.stderr:
        raise AssertionError(f'{command}: {result.returncode}\n{result.stderr[:2000]!r}')
    return result.stdout


def digests_below(directory):
    """{uid: digest} of the files in a directory, with none that the server does not know."""
    found = {}
    for entry in os.scandir(directory):
        with open(entry.path, 'rb') as file:
            found[uid_of(entry.name)] = digest(file.read())
    return found


class TenThousandMessages(mailtest.MountTestCase):
    limit_s = 150

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = mailtest.Dovecot().start()
        cls.server.fill(COUNT)
        held = cls.server.messages()
        cls.flags = {uid: flags for uid, (flags, _) in held.items()}
        cls.sizes = {uid: len(data) for uid, (_, data) in held.items()}
        cls.digests = {uid: digest(data) for uid, (_, data) in held.items()}
        cls.matching = {uid for uid, (_, data) in held.items() if PATTERN in data}
        assert len(held) == COUNT and cls.matching

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    @contextlib.contextmanager
    def mount(self):
        mount = mailtest.Mount(mailtest.account(self.server))
        with mount:
            yield mount
        shutil.rmtree(mount.directory)

    def in_each_state_of_the_cache(self, check):
        """`check(inbox, state)` on a cache of its own: cold, warm, and after a remount."""
        with self.mount() as mount:
            check(mount / 'INBOX', 'cold')
            check(mount / 'INBOX', 'warm')
            self.assert_peak_memory_below(mount, 64)
            mount.remount()
            check(mount / 'INBOX', 'remounted')
            self.assert_peak_memory_below(mount, 64)

    def assert_all_there(self, found, state):
        """{uid: digest} is the whole folder."""
        wrong = [uid for uid, value in found.items() if self.digests.get(uid) != value]
        missing = sorted(set(self.digests) - set(found))
        self.assertFalse(wrong or missing, f'{state}: {len(wrong)} messages differ: {wrong[:10]}, {len(missing)} missing: {missing[:10]}')

    def test_listed_size_stat_size_and_bytes_read_agree(self):
        def check(inbox, state):
            found = {}
            with os.scandir(inbox) as entries:
                listed = [(entry.path, entry.stat()) for entry in entries]
            for path, status in listed:
                uid = uid_of(path)
                with open(path, 'rb') as file:
                    data = file.read()
                    opened = os.fstat(file.fileno())
                self.assertEqual({status.st_size, opened.st_size, len(data)}, {self.sizes[uid]}, (state, path))
                self.assertEqual(opened.st_blocks, -(-len(data) // 512), (state, path))
                found[uid] = digest(data)
            self.assert_all_there(found, state)
        self.in_each_state_of_the_cache(check)

    def test_grep_finds_every_match_and_changes_no_flag(self):
        def check(inbox, state):
            found = {uid_of(line) for line in run('grep', '-rlF', PATTERN, inbox).decode().splitlines()}
            self.assertEqual(found, self.matching, state)
        self.in_each_state_of_the_cache(check)
        self.assertEqual({uid: flags for uid, (flags, _) in self.server.messages().items()}, self.flags)

    def test_find_by_size(self):
        expected = {uid: size for uid, size in self.sizes.items() if size > LARGE}

        def check(inbox, state):
            lines = run('find', inbox, '-type', 'f', '-size', f'+{LARGE}c', '-printf', '%s %f\\n').decode().splitlines()
            found = {uid_of(name): int(size) for size, name in (line.split(' ', 1) for line in lines)}
            self.assertEqual(found, expected, state)
        self.in_each_state_of_the_cache(check)

    def test_tar(self):
        def check(inbox, state):
            found = {}
            with subprocess.Popen(['tar', '-C', inbox, '-cf', '-', '.'], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
                with tarfile.open(fileobj=program.stdout, mode='r|') as archive:
                    for member in archive:
                        if member.isfile():
                            found[uid_of(member.name)] = digest(archive.extractfile(member).read())
                self.assertEqual(program.stderr.read(), b'', state)
            self.assertEqual(program.returncode, 0, state)
            self.assert_all_there(found, state)
        self.in_each_state_of_the_cache(check)

    def test_second_rsync_transfers_nothing_also_after_a_remount(self):
        target = mailtest.temporary_directory()

        def check(inbox, state):
            first = run('rsync', '-a', '--itemize-changes', inbox + '/', target)
            self.assertEqual(bool(first), state == 'cold', first[:1000])
            self.assertEqual(run('rsync', '-a', '--itemize-changes', inbox + '/', target), b'', state)
            self.assertEqual(run('rsync', '-a', '--checksum', '--itemize-changes', inbox + '/', target), b'', state)
        self.in_each_state_of_the_cache(check)
        self.assert_all_there(digests_below(target), 'copied')
        shutil.rmtree(target)

    def test_cp_of_the_folder(self):
        def check(inbox, state):
            target = os.path.join(mailtest.temporary_directory(), 'copy')
            run('cp', '-r', inbox, target)
            self.assert_all_there(digests_below(target), state)
            shutil.rmtree(target)
        self.in_each_state_of_the_cache(check)

    def test_md5sum_from_sixteen_processes(self):
        def check(inbox, state):
            output = run('sh', '-c', 'find "$1" -type f -print0 | xargs -0 -P16 -n40 md5sum', 'sh', inbox).decode()
            self.assert_all_there({uid_of(line): bytes.fromhex(line[:32]) for line in output.splitlines()}, state)
        self.in_each_state_of_the_cache(check)


if __name__ == '__main__':
    mailtest.main()
