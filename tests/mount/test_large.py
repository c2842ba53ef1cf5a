#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Large messages come by ranges, and only as far as they are read; however many readers, one fetch."""

import concurrent.futures
import hashlib
import os
import random
import re
import subprocess
import sys
import time

import mailtest

MIB = 1 << 20
SIZE = 50 * MIB


def pread(path, length, offset):
    """Unlike a buffered read, no more than that."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.pread(descriptor, length, offset)
    finally:
        os.close(descriptor)


def md5sum(path):
    """By a program of its own, so that several run at once."""
    return subprocess.run(['md5sum', path], capture_output=True, check=True, timeout=60).stdout[:32].decode()


class LargeMessage(mailtest.MountTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = mailtest.Dovecot().start()
        cls.server.deliver(mailtest.messages.large(SIZE))
        cls.small = mailtest.messages.letter()
        cls.server.deliver(cls.small, ('Archive',))
        cls.data = cls.server.messages()[1][1]
        cls.digest = hashlib.md5(cls.data).hexdigest()
        assert len(cls.data) > 49 * MIB

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    def setUp(self):
        self.proxy = mailtest.Proxy(self.server.imap_port).start()
        self.addCleanup(self.proxy.stop)
        section = mailtest.account(self.server, imap=f'imap+insecure://alice@localhost:{self.proxy.port}')
        self.mount = mailtest.Mount(section).start()
        self.addCleanup(self.mount.unmount)
        self.path, = self.mount.files()
        self.proxy.reset_counters()

    def settled(self):
        """Bytes that came, once nothing comes any more."""
        seen = -1
        while seen != self.proxy.from_server:
            seen = self.proxy.from_server
            time.sleep(0.3)
        return seen

    def test_first_block_arrives_without_the_rest(self):
        self.assertEqual(pread(self.path, 4096, 0), self.data[:4096])
        self.assertLess(self.settled(), MIB)

    def test_last_block_arrives_without_the_rest(self):
        self.assertEqual(pread(self.path, 4096, len(self.data) - 1000), self.data[-1000:])
        self.assertLess(self.settled(), MIB)

    def test_sequential_read_is_right_and_comes_once(self):
        with open(self.path, 'rb') as file:
            self.assertEqual(hashlib.md5(file.read()).hexdigest(), self.digest)
        self.assertLess(self.settled(), 1.05 * SIZE)
        self.proxy.reset_counters()
        self.mount.remount()
        self.assertEqual(md5sum(self.path), self.digest)
        self.assertLess(self.settled(), MIB)

    def test_two_readers_one_fetch(self):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            self.assertEqual(list(pool.map(md5sum, [self.path] * 2)), [self.digest] * 2)
        self.assertLess(self.settled(), 1.05 * SIZE)

    def test_readers_in_many_places(self):
        chooser = random.Random(1)

        def read_somewhere(_):
            offset, length = chooser.randrange(len(self.data)), chooser.randrange(1, 300000)
            return pread(self.path, length, offset) == self.data[offset:offset + length]
        with open(self.path, 'rb'):     # while anybody has it open, what came is kept
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                self.assertTrue(all(pool.map(read_somewhere, range(100))))
            self.assertEqual(md5sum(self.path), self.digest)
        self.assertLess(self.settled(), 1.2 * SIZE)

    def test_mapped_into_memory(self):
        code = ('import hashlib, mmap, sys\nwith open(sys.argv[1], "rb") as file:\n mapped = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)\n'
                'print(hashlib.md5(mapped[30 << 20:31 << 20]).hexdigest(), hashlib.md5(mapped).hexdigest())')
        # In a process of its own: a page fault stops the whole interpreter, and the proxy is in this one.
        output = subprocess.run([sys.executable, '-c', code, self.path], capture_output=True, text=True, check=True, timeout=60).stdout
        self.assertEqual(output.split(), [hashlib.md5(self.data[30 * MIB:31 * MIB]).hexdigest(), self.digest])

    def test_daemon_holds_no_message_in_memory(self):
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            self.assertEqual(list(pool.map(md5sum, [self.path] * 3)), [self.digest] * 3)
        self.assert_peak_memory_below(self.mount, 32)

    def test_other_messages_do_not_wait_for_it(self):
        self.proxy.bytes_per_second = 2 * MIB       # the whole takes 25 s
        program = subprocess.Popen(['md5sum', self.path], stdout=subprocess.PIPE)
        with program:
            try:
                mailtest.wait_for(lambda: self.proxy.from_server > MIB, 10, 'the large message to be on its way')
                small, = self.mount.files('Archive')
                self.assertEqual(self.mount.read(small), self.small)
                self.assertIsNone(program.poll())
            finally:
                program.kill()


class ManyReaders(mailtest.MountTestCase):
    def test_sixteen_readers_of_one_message_are_one_fetch(self):
        with mailtest.Dovecot() as server, mailtest.Proxy(server.imap_port, latency=0.2, record=True) as proxy:
            data = mailtest.messages.letter(body=('x' * 70 + '\r\n') * 1000)
            server.deliver(data)
            section = mailtest.account(server, imap=f'imap+insecure://alice@localhost:{proxy.port}')
            with mailtest.Mount(section) as mount:
                path, = mount.files()
                programs = [subprocess.Popen(['cat', path], stdout=subprocess.PIPE) for _ in range(16)]
                self.assertEqual([program.communicate(timeout=20)[0] for program in programs], [data] * 16)
            self.assertEqual(len(re.findall(rb'UID FETCH \S+ [^\r]*BODY\.PEEK\[\]', bytes(proxy.sent))), 1)


if __name__ == '__main__':
    mailtest.main()
