#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A server that falls silent, breaks off or is gone: errors in time, interruptible, and everything else goes on."""

import concurrent.futures
import contextlib
import errno
import os
import signal
import subprocess
import threading
import time

import mailtest
from mailtest import messages
from mailtest.scripted_imap import answer, close, endless_line, garbage, huge_literal, in_turn, one_folder, send

TIMEOUT_S = 3
SLACK_S = 2         # for a busy machine
AT_ONCE_S = 0.5
RECOVERY_S = 40
OUT_OF_REACH = (errno.ETIMEDOUT, errno.EHOSTUNREACH)


def uid_of(path):
    return int(path.rsplit('.', 2)[-2])


def took(call):
    """(errno or 0, seconds) of a call."""
    start = time.monotonic()
    try:
        call()
        number = 0
    except OSError as error:
        number = error.errno
    return number, time.monotonic() - start


def waits_in_kernel(program):
    """Whether the process waits for an answer of a FUSE daemon."""
    with contextlib.suppress(OSError), open(f'/proc/{program.pid}/wchan', encoding='ascii') as file:
        return file.read() in ('request_wait_answer', 'fuse_wait_on_page_writeback', 'folio_wait_bit_common')
    return False


class BehindAProxy(mailtest.MountTestCase):
    """INBOX with 30 letters, number 1 read; Archive listed with 5 of them unread; Junk never looked at."""

    timeout = TIMEOUT_S

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = mailtest.Dovecot().start()
        for folder, count in (('INBOX', 30), ('Archive', 5), ('Junk', 3)):
            for number in range(count):
                cls.server.deliver(messages.letter(subject=f'{folder} {number}', body='text\r\n' * 3000), folder)
        cls.held = {uid: data for uid, (_, data) in cls.server.messages().items()}

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    def setUp(self):
        self.proxy = mailtest.Proxy(self.server.imaps_port).start()
        self.addCleanup(self.proxy.stop)
        section = mailtest.account(self.server, imap=f'imaps://alice@localhost:{self.proxy.port}', timeout=self.timeout, read_ahead=0)
        self.mount = mailtest.Mount(section).start()
        self.addCleanup(self.mount.unmount)
        self.paths = sorted(self.mount.files(), key=uid_of)     # UID 1 first
        self.archive = self.mount.files('Archive')
        self.assertEqual(self.mount.read(self.paths[0]), self.held[1])

    def assert_cached_things_are_quick(self):
        self.assertEqual(self.mount.read(self.paths[0]), self.held[1])
        for call in (lambda: self.mount.read(self.paths[0]), lambda: [os.stat(path) for path in self.paths],
                     lambda: os.listdir(self.mount / 'INBOX'), lambda: os.listdir(self.mount / 'Archive'), lambda: os.listdir(self.mount.path),
                     lambda: os.getxattr(self.paths[0], 'user.mail.flags'), self.mount.status):
            number, seconds = took(call)
            self.assertEqual(number, 0)
            self.assertLess(seconds, AT_ONCE_S)

    def wait_until_it_reads(self, path, data):
        def reads():
            with contextlib.suppress(OSError):
                return self.mount.read(path) == data
        mailtest.wait_for(reads, RECOVERY_S, 'a message to be readable again', 0.1)


class Stall(BehindAProxy):
    def test_reader_gets_an_error_within_the_timeout_and_others_do_not_wait(self):
        self.proxy.stall()
        with concurrent.futures.ThreadPoolExecutor(25) as pool:       # more than the kernel keeps in its background queue by default
            stuck = [pool.submit(took, lambda path=path: self.mount.read(path)) for path in self.paths[5:30]]
            self.assert_cached_things_are_quick()
            self.assertFalse(stuck[0].done())
            self.assert_cached_things_are_quick()
            for reader in stuck:
                number, seconds = reader.result()
                self.assertIn(number, OUT_OF_REACH)
                self.assertLess(seconds, TIMEOUT_S + SLACK_S)
        self.assert_cached_things_are_quick()
        self.proxy.resume()
        self.wait_until_it_reads(self.paths[5], self.held[6])

    def test_folder_never_seen_fails_within_the_timeout_and_shows_no_part(self):
        self.proxy.stall()
        number, seconds = took(lambda: os.listdir(self.mount / 'Junk'))
        self.assertIn(number, OUT_OF_REACH)
        self.assertLess(seconds, TIMEOUT_S + SLACK_S)
        self.proxy.resume()

        def listed():
            with contextlib.suppress(OSError):
                return self.mount.files('Junk')
        self.assertEqual(len(mailtest.wait_for(listed, RECOVERY_S, 'the folder', 0.1)), 3)

    def test_once_known_to_be_offline_reads_fail_at_once(self):
        self.proxy.stall()
        took(lambda: self.mount.read(self.paths[5]))
        mailtest.wait_for(lambda: self.mount.status()['state'] == 'offline', TIMEOUT_S + SLACK_S, 'the offline state')
        for path in self.paths[10:14] + self.archive:
            number, seconds = took(lambda path=path: self.mount.read(path))
            self.assertIn(number, OUT_OF_REACH)
            self.assertLess(seconds, AT_ONCE_S)
        self.assert_cached_things_are_quick()


class Interrupt(BehindAProxy):
    timeout = 50

    def interrupted(self, command, number=signal.SIGINT):
        self.proxy.stall()
        program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with program:
            try:
                mailtest.wait_for(lambda: waits_in_kernel(program), 5, f'{command[0]} to wait')
                start = time.monotonic()
                program.send_signal(number)
                self.assertEqual(program.wait(5), -number)
                self.assertLess(time.monotonic() - start, 1)
            finally:
                program.kill()
        self.assert_cached_things_are_quick()

    def test_ctrl_c_ends_cat(self):
        self.interrupted(['cat', self.paths[5]])
        self.proxy.resume()
        self.wait_until_it_reads(self.paths[5], self.held[6])

    def test_kill_ends_cat(self):
        self.interrupted(['cat', self.paths[5]], signal.SIGKILL)

    def test_ctrl_c_ends_ls(self):
        self.interrupted(['ls', self.mount / 'Junk'])

    def test_a_stalled_mount_unmounts_quickly(self):
        self.proxy.stall()
        program = subprocess.Popen(['cat', self.paths[5]], stderr=subprocess.DEVNULL)
        with program:
            mailtest.wait_for(lambda: waits_in_kernel(program), 5, 'cat to wait')
            program.kill()
        _, seconds = took(self.mount.unmount)
        self.assertLess(seconds, 5)


class Large(mailtest.MountTestCase):
    """A message of which a part has come."""

    def setUp(self):
        self.server = mailtest.Dovecot().start()
        self.addCleanup(self.server.__exit__)
        self.proxy = mailtest.Proxy(self.server.imap_port).start()
        self.addCleanup(self.proxy.stop)

    def mount(self, size, timeout):
        self.server.deliver(messages.large(size))
        self.data = max(self.server.messages().items())[1][1]
        section = mailtest.account(self.server, imap=f'imap+insecure://alice@localhost:{self.proxy.port}', timeout=timeout)
        mount = mailtest.Mount(section).start()
        self.addCleanup(mount.unmount)
        return mount

    def test_ctrl_c_ends_cat_in_the_middle(self):
        mount = self.mount(20 << 20, 50)
        path, = mount.files()
        self.proxy.bytes_per_second = 2 << 20
        program = subprocess.Popen(['cat', path], stdout=subprocess.PIPE)
        with program:
            try:
                self.assertEqual(program.stdout.read(1 << 20), self.data[:1 << 20])
                self.proxy.stall()
                received = bytearray()
                reader = threading.Thread(target=lambda: received.extend(program.stdout.read()))
                reader.start()
                mailtest.wait_for(lambda: waits_in_kernel(program), 5, 'cat to wait')
                program.send_signal(signal.SIGINT)
                start = time.monotonic()
                self.assertEqual(program.wait(5), -signal.SIGINT)
                self.assertLess(time.monotonic() - start, 1)
                reader.join(5)
                self.assertEqual(bytes(received), self.data[1 << 20:][:len(received)])
            finally:
                program.kill()

    def test_rest_is_an_error_in_time_and_can_be_read_later(self):
        mount = self.mount(20 << 20, 2)
        path, = mount.files()
        with open(path, 'rb', buffering=0) as file:
            self.assertEqual(os.pread(file.fileno(), 4096, 0), self.data[:4096])
            self.proxy.stall()
            number, seconds = took(lambda: os.pread(file.fileno(), 4096, 15 << 20))
            self.assertIn(number, OUT_OF_REACH)
            self.assertLess(seconds, 2 + SLACK_S)
            self.proxy.resume()

            def reads():
                with contextlib.suppress(OSError):
                    return mount.read(path) == self.data
            mailtest.wait_for(reads, RECOVERY_S, 'the message', 0.1)

    def test_connection_lost_in_the_middle_is_made_again_unnoticed(self):
        for size in (900000, 4 << 20):
            with self.subTest(size):
                mount = self.mount(size, 5)
                self.proxy.bytes_per_second = 2 << 20
                path = max(mount.files(), key=uid_of)
                with concurrent.futures.ThreadPoolExecutor(1) as pool:
                    self.proxy.reset_counters()
                    reader = pool.submit(mount.read, path)
                    mailtest.wait_for(lambda: self.proxy.from_server > size // 2, 5, 'half of the message')
                    self.proxy.drop_connections()
                    self.assertEqual(reader.result(), self.data)
                self.proxy.bytes_per_second = None

    def test_slow_is_not_silent(self):
        mount = self.mount(900000, 2)
        path, = mount.files()
        self.proxy.bytes_per_second = 200000        # so it takes twice the timeout
        self.assertEqual(mount.read(path), self.data)


class Offline(BehindAProxy):
    def test_gone_server_and_back(self):
        self.proxy.down()
        number, seconds = took(lambda: self.mount.read(self.paths[5]))
        self.assertIn(number, OUT_OF_REACH)
        self.assertLess(seconds, TIMEOUT_S + SLACK_S)
        mailtest.wait_for(lambda: self.mount.status()['state'] == 'offline', TIMEOUT_S + SLACK_S, 'the offline state')
        for path in self.paths[10:20]:
            number, seconds = took(lambda path=path: self.mount.read(path))
            self.assertIn(number, OUT_OF_REACH)
            self.assertLess(seconds, AT_ONCE_S)
        self.assert_cached_things_are_quick()
        self.proxy.up()
        self.wait_until_it_reads(self.paths[5], self.held[6])
        self.assertEqual(self.mount.status()['state'], 'online')

    def test_connections_that_break_are_made_again_unnoticed(self):
        for number in range(5, 15):
            self.proxy.drop_connections()
            self.assertEqual(self.mount.read(self.paths[number]), self.held[number + 1])

    def test_mount_without_the_server_shows_what_the_cache_holds(self):
        self.mount.unmount()
        self.proxy.down()
        status, text = self.mount.start_in_background()
        self.assertEqual(status, 0, text)
        self.assertEqual(len(text.strip().splitlines()), 1, text)
        self.assertEqual(sorted(self.mount.files(), key=uid_of), self.paths)
        self.assert_cached_things_are_quick()
        for call in (lambda: self.mount.read(self.paths[5]), lambda: os.listdir(self.mount / 'Junk')):
            number, seconds = took(call)
            self.assertIn(number, OUT_OF_REACH)
            self.assertLess(seconds, AT_ONCE_S)
        self.proxy.up()
        self.wait_until_it_reads(self.paths[5], self.held[6])


class FewConnections(mailtest.MountTestCase):
    def read_all(self, server, **keys):
        held = {folder: {uid: data for uid, (_, data) in server.messages(folder).items()} for folder in ('INBOX', 'Archive')}
        with mailtest.Mount(mailtest.account(server, timeout=5, **keys)) as mount:
            paths = {folder: mount.files(folder) for folder in held}
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                for folder in held:
                    found = dict(zip(map(uid_of, paths[folder]), pool.map(mount.read, paths[folder])))
                    self.assertEqual(found, held[folder])

    def test_server_that_gives_fewer_connections_than_are_wanted(self):
        for limit in (1, 2):
            with mailtest.Dovecot(max_userip_connections=limit) as server:
                server.fill(150)
                server.fill(50, 'Archive')
                self.read_all(server, connections=8)

    def test_one_connection_is_enough(self):
        with mailtest.Dovecot() as server:
            server.fill(150)
            server.fill(50, 'Archive')
            self.read_all(server, connections=1)
            self.read_all(server, connections=1, read_ahead=0)


class BrokenOff(mailtest.MountTestCase):
    """Connections cut after so many bytes from the server."""

    def test_a_listing_is_whole_or_an_error(self):
        with mailtest.Dovecot() as server:
            server.fill(500, small=True)
            whole = set(server.messages())
            with mailtest.Proxy(server.imap_port) as proxy:
                section = mailtest.account(server, imap=f'imap+insecure://alice@localhost:{proxy.port}', timeout=2)
                outcomes = set()
                for cut, how in ((8000, 'close'), (20000, 'reset'), (60000, 'close'), (60001, 'stall'), (100000, 'reset')):
                    with self.subTest(f'{how} after {cut}'), mailtest.Mount(section) as mount:
                        proxy.cut_server, proxy.how = cut, how
                        proxy.drop_connections()
                        try:
                            listed = {uid_of(name) for name in os.listdir(mount / 'INBOX')}
                        except OSError as error:
                            listed = error.errno
                        outcomes.add(isinstance(listed, int))
                        if not isinstance(listed, int):
                            self.assertEqual(listed, whole)
                        proxy.cut_server = None
                        proxy.drop_connections()

                        def listed_whole():
                            with contextlib.suppress(OSError):
                                return {uid_of(name) for name in os.listdir(mount / 'INBOX')} == whole
                        mailtest.wait_for(listed_whole, RECOVERY_S, 'the whole listing', 0.1)

    def test_a_message_is_whole_or_an_error(self):
        with mailtest.Dovecot() as server:
            for number in range(6):
                server.deliver(messages.letter(subject=f'letter {number}', body='0123456789\r\n' * 20000))
            held = {uid: data for uid, (_, data) in server.messages().items()}
            with mailtest.Proxy(server.imap_port) as proxy:
                section = mailtest.account(server, imap=f'imap+insecure://alice@localhost:{proxy.port}', timeout=2)
                with mailtest.Mount(section) as mount:
                    paths = mount.files()
                    for path, (cut, how) in zip(paths, ((5000, 'close'), (100000, 'reset'), (150000, 'stall'), (200001, 'close'))):
                        proxy.cut_server, proxy.how = cut, how
                        proxy.drop_connections()
                        with self.subTest(f'{how} after {cut}'):
                            with contextlib.suppress(OSError):
                                self.assertEqual(mount.read(path), held[uid_of(path)])
                    proxy.cut_server = None
                    proxy.drop_connections()

                    def all_right():
                        with contextlib.suppress(OSError):
                            return mount.by_uid() == held
                    mailtest.wait_for(all_right, RECOVERY_S, 'all messages', 0.1)


class Nonsense(mailtest.MountTestCase):
    """Bytes that make no sense: an error for that message, and nothing else."""

    def test_body_that_cannot_be_read_is_an_io_error(self):
        for fault in (send(b'* 1 FETCH (UID 1 BODY[] NIL BODY[] (((\r\n{tag} OK done\r\n'), huge_literal(limit=1 << 20),
                      garbage(500), endless_line(b'* 1 FETCH (UID 1 FLAGS (', 4 << 20)):
            rules = [(rb'UID FETCH .*BODY\.PEEK\[\]', in_turn(fault, close()))] + one_folder()
            with mailtest.ScriptedImap([send(b'* OK hi\r\n'), answer(rules)]) as server:
                section = mailtest.account(imap=f'imap+insecure://alice@localhost:{server.port}', password='secret', timeout=2)
                with mailtest.Mount(section) as mount:
                    path, = mount.files()
                    number, seconds = took(lambda: mount.read(path))
                    self.assertEqual(number, errno.EIO, mount.log())
                    self.assertLess(seconds, 2 + SLACK_S)
                    self.assertEqual(mount.files(), [path])
                    self.assert_peak_memory_below(mount, 32)

    def test_message_that_breaks_off_each_time_is_never_short(self):
        rules = [(rb'UID FETCH .*BODY\.PEEK\[\]', in_turn(send(b'* 1 FETCH (UID 1 BODY[] {19}\r\nSubject: x'), close()))] + one_folder()
        with mailtest.ScriptedImap([send(b'* OK hi\r\n'), answer(rules)]) as server:
            section = mailtest.account(imap=f'imap+insecure://alice@localhost:{server.port}', password='secret', timeout=2)
            with mailtest.Mount(section) as mount:
                path, = mount.files()
                number, seconds = took(lambda: mount.read(path))
                self.assertIn(number, OUT_OF_REACH + (errno.EIO,))
                self.assertLess(seconds, 2 + SLACK_S)
                self.assertEqual(os.listdir(mount / 'INBOX'), [os.path.basename(path)])


if __name__ == '__main__':
    mailtest.main()
