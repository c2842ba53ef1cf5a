#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Reading messages whose bytes come late, never, not at all, or more or fewer than was said; on a made-up mailbox."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
import threading
import time

import mailtest
from fakefs import CHANGE_MESSAGE_ATTRIBUTES, FakeTestCase
from mailtest import wait_for


def start(*arguments, **keywords):
    return subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **keywords)


class ReadingTestCase(FakeTestCase):
    size = 300000

    def setUp(self):
        super().setUp()
        self.row = self.mount.message(self.inbox, 'a.eml', self.size)
        self.path = self.mount / 'INBOX/a.eml'

    def body(self, row=None):
        with open(os.path.join(self.mount.directory, f'body-{row or self.row}'), 'rb') as file:
            return file.read()

    def start(self, *arguments, **keywords):
        process = start(*arguments, **keywords)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def assertAllClosed(self):
        """Every open has its close: no request was lost, none answered twice."""
        wait_for(lambda: self.mount.counts()['opens'] == self.mount.counts()['closes'], 5, 'every open to be closed')
        self.assertEqual(self.mount.counts()['waiting'], 0)


class Bytes(ReadingTestCase):
    def test_bytes_are_what_the_mailbox_holds_whole_and_in_pieces(self):
        self.assertEqual(self.mount.read('INBOX/a.eml'), self.body())
        with open(self.path, 'rb') as file:
            for offset in (0, 1, 4095, 65536, 131071, self.size - 1, self.size, self.size + 10):
                self.assertEqual(os.pread(file.fileno(), 5000, offset), self.body()[offset:offset + 5000])
        self.assertAllClosed()

    def test_a_second_read_comes_from_the_kernel(self):
        self.mount.read('INBOX/a.eml')
        reads = self.mount.counts()['reads']
        self.mount.read('INBOX/a.eml')
        self.assertEqual(self.mount.counts()['reads'], reads)

    def test_late_bytes_are_waited_for_while_others_go_on(self):
        self.mount.behave('open', 30)
        self.mount.behave('read', 30)
        threads = [threading.Thread(target=self.mount.read, args=['INBOX/a.eml']) for _ in range(16)]
        for thread in threads:
            thread.start()
        os.listdir(self.mount / 'INBOX')
        self.assertEqual(self.mount.read('INBOX/a.eml'), self.body())
        for thread in threads:
            thread.join()
        self.assertAllClosed()

    def test_stalled_readers_do_not_stop_others(self):
        other = self.mount.message(self.inbox, 'b.eml', 100000)
        rows = [self.mount.message(self.inbox, f'stalled-{i}.eml', 200000) for i in range(40)]
        self.assertEqual(len(rows), 40)
        self.mount.behave('read', -1)
        stalled = [self.start('cat', self.mount / f'INBOX/stalled-{i}.eml') for i in range(40)]
        wait_for(lambda: self.mount.counts()['waiting'] >= 40, 5, 'all readers to wait')
        self.mount.behave('read')
        begin = time.monotonic()
        self.assertEqual(self.mount.read('INBOX/b.eml'), self.body(other))
        self.assertLess(time.monotonic() - begin, 1)
        self.mount.release()
        for reader in stalled:
            self.assertEqual(len(reader.communicate(timeout=10)[0]), 200000)

    def test_an_error_is_the_reader_s_errno(self):
        self.mount.behave('open', 10, errno.EHOSTUNREACH)
        self.assertErrno(errno.EHOSTUNREACH, open, self.path, 'rb')
        self.mount.behave('open')
        self.mount.behave('read', 10, errno.ETIMEDOUT)
        self.assertErrno(errno.ETIMEDOUT, self.mount.read, 'INBOX/a.eml')
        self.assertAllClosed()

    def test_a_failed_read_is_not_repeated_page_by_page(self):
        self.mount.behave('read', 200, errno.ETIMEDOUT)
        begin = time.monotonic()
        self.assertErrno(errno.ETIMEDOUT, self.mount.read, 'INBOX/a.eml')
        self.assertLess(time.monotonic() - begin, 1)
        self.assertLess(self.mount.counts()['reads'], 8)

    def test_after_an_error_an_open_tries_anew(self):
        self.mount.behave('read', 10, errno.ETIMEDOUT)
        self.assertErrno(errno.ETIMEDOUT, self.mount.read, 'INBOX/a.eml')
        self.mount.behave('read')
        self.assertEqual(self.mount.read('INBOX/a.eml'), self.body())

    def test_an_empty_message_is_empty(self):
        self.mount.tell('message', self.inbox, 'empty.eml', 0)
        self.assertEqual(self.mount.read('INBOX/empty.eml'), b'')


class Sizes(ReadingTestCase):
    def lie(self, size, trusted):
        os.listdir(self.mount / 'INBOX')
        self.mount.tell('lie', self.row, size, int(trusted))
        self.mount.tell('changed', CHANGE_MESSAGE_ATTRIBUTES, 0, self.row)
        wait_for(lambda: os.stat(self.path).st_size == size, 5, 'the wrong size')

    def test_a_size_too_small_is_right_once_open(self):
        for trusted in (True, False):
            self.lie(5000, trusted)
            with open(self.path, 'rb') as file:
                self.assertEqual(os.fstat(file.fileno()).st_size, self.size)
                self.assertEqual(file.read(), self.body())

    def test_a_size_too_large_is_right_once_open(self):
        for trusted in (True, False):
            self.lie(self.size + 5000, trusted)
            self.mount.behave('open', 10)
            with open(self.path, 'rb') as file:
                self.assertEqual(os.fstat(file.fileno()).st_size, self.size)
                self.assertEqual(file.read(), self.body())

    def test_tar_neither_cuts_nor_pads(self):
        for size in (10, self.size + 12345):
            self.lie(size, True)
            archive = subprocess.run(['tar', '-cf', '-', '-C', self.mount / 'INBOX', 'a.eml'], capture_output=True, check=False)
            contents = subprocess.run(['tar', '-xOf', '-'], input=archive.stdout, capture_output=True, check=True).stdout
            self.assertTrue(contents == self.body() or archive.returncode != 0, f'{len(contents)} bytes')


class Interrupts(ReadingTestCase):
    def test_ctrl_c_ends_a_program_that_waits_in_open(self):
        self.mount.behave('open', -1)
        cat = self.start('cat', self.path)
        self.mount.wait_for_waiting(1)
        cat.send_signal(signal.SIGINT)
        self.assertEqual(cat.wait(5), -signal.SIGINT)
        self.assertAllClosed()

    def test_ctrl_c_ends_a_program_that_waits_in_a_listing_or_lookup(self):
        self.mount.tell('hide', self.inbox)
        self.mount.behave('look', -1)
        for program in (['ls', self.mount / 'INBOX'], ['stat', self.mount / 'INBOX/nothing']):
            waiting = self.start(*program)
            self.mount.wait_for_waiting(1)
            waiting.send_signal(signal.SIGINT)
            self.assertEqual(waiting.wait(5), -signal.SIGINT)
        self.assertEqual(self.mount.counts()['waiting'], 0)

    def test_a_killed_reader_is_gone_at_once_and_its_job_with_it(self):
        for number in (signal.SIGKILL, signal.SIGINT, signal.SIGTERM):
            self.mount.behave('read', -1)
            cat = self.start('cat', self.path)
            wait_for(lambda: self.mount.counts()['waiting'] > 0, 5, 'a waiting read')
            cat.send_signal(number)
            self.assertEqual(cat.wait(5), -number)
            self.assertAllClosed()

    def test_a_caught_sigint_is_eintr_and_a_child_s_end_is_not(self):
        script = ('import signal, sys, os\n'
                  'def stop(*_): raise KeyboardInterrupt\n'
                  'signal.signal(signal.SIGINT, stop); signal.signal(signal.SIGCHLD, lambda *_: None)\n'
                  'print("ready", flush=True)\n'
                  'try:\n  os.open(sys.argv[1], os.O_RDONLY)\n'
                  'except KeyboardInterrupt: print("interrupted")\n')
        self.mount.behave('open', -1)
        reader = self.start(sys.executable, '-c', script, self.path)
        self.mount.wait_for_waiting(1)
        for number in (signal.SIGCHLD, signal.SIGWINCH, signal.SIGCONT):
            reader.send_signal(number)
        time.sleep(0.3)
        self.assertEqual((reader.poll(), self.mount.counts()['waiting']), (None, 1))
        reader.send_signal(signal.SIGINT)   # the kernel sends no second INTERRUPT
        self.assertEqual(reader.communicate(timeout=5)[0], b'ready\ninterrupted\n')
        self.assertAllClosed()

    def test_sigkill_after_a_harmless_signal_still_ends_it(self):
        self.mount.behave('open', -1)
        reader = self.start(sys.executable, '-c', 'import signal, sys; signal.signal(signal.SIGUSR1, lambda *_: None); open(sys.argv[1])', self.path)
        self.mount.wait_for_waiting(1)
        reader.send_signal(signal.SIGUSR1)
        time.sleep(0.2)
        reader.kill()
        self.assertEqual(reader.wait(5), -signal.SIGKILL)
        self.assertAllClosed()

    def test_answers_and_signals_at_the_same_moment_make_one_reply(self):
        self.mount.behave('open', 3)
        for i in range(60):
            cat = self.start('cat', self.path)
            time.sleep(0.002 + i % 10 * 0.0005)
            with contextlib.suppress(ProcessLookupError):
                cat.send_signal(signal.SIGINT)
            cat.communicate()
        self.assertAllClosed()
        self.mount.behave('open')
        self.assertEqual(self.mount.read('INBOX/a.eml'), self.body())
        self.assertNotIn('fuse: writing device', self.mount.log())


if __name__ == '__main__':
    mailtest.main()
