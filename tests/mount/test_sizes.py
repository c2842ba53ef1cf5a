#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A server that lies about RFC822.SIZE: every program still gets exactly the bytes, on first contact and later.

A real Dovecot behind a relay that rewrites the sizes in its replies.
"""

import os
import re
import shutil
import socket
import subprocess
import threading

import mailtest
from mailtest import messages
from mailtest.scripted_imap import answer, one_folder, send
from mailtest.server import LoopbackServer

MIB = 1 << 20
TRUE_SIZES = [300, 4096, 5000, 65536, 100001, 900000, 1200000, 3 * MIB + 17]
_SIZE = re.compile(rb'(RFC822\.SIZE )(\d+)(?=[ )])')
_CUT_OFF = re.compile(rb'R(F(C(8(2(2(\.(S(I(Z(E( \d*)?)?)?)?)?)?)?)?)?)?)?\Z')


class LyingRelay(LoopbackServer):
    """Before an IMAP server, without TLS: `lie(size)` in place of every RFC822.SIZE that it tells."""

    def __init__(self, target_port, lie):
        super().__init__()
        self.target_port, self.lie = target_port, lie
        self.lies = 0

    def handle(self, connection):
        with socket.create_connection(('127.0.0.1', self.target_port), 10) as upstream:
            upstream.settimeout(None)
            back = threading.Thread(target=self._pass_replies, args=(upstream, connection), daemon=True)
            back.start()
            while data := connection.recv(65536):
                upstream.sendall(data)
            upstream.shutdown(socket.SHUT_WR)
            back.join()

    def _pass_replies(self, upstream, connection):
        held = b''      # what may be the beginning of a size
        try:
            while data := upstream.recv(65536):
                data = held + data
                match = _CUT_OFF.search(data)
                held = match.group() if match else b''
                connection.sendall(_SIZE.sub(self._changed, data[:len(data) - len(held)]))
            connection.sendall(held)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _changed(self, match):
        self.lies += 1
        return match.group(1) + b'%d' % self.lie(int(match.group(2)))


LIES = {
    'one less': lambda size: size - 1,
    'one more': lambda size: size + 1,
    'half': lambda size: size // 2,
    'double': lambda size: size * 2,
    'nothing': lambda size: 0,
    'all the same': lambda size: 1300000,
}


def run(*command):
    result = subprocess.run(command, capture_output=True, timeout=50, check=False)
    if result.returncode != 0 or result.stderr:
        raise AssertionError(f'{command}: {result.returncode}\n{result.stderr[:2000]!r}')
    return result.stdout


def by_cat(inbox, _target):
    return {name: run('cat', os.path.join(inbox, name)) for name in os.listdir(inbox)}


def copies(target):
    found = {}
    for entry in os.scandir(target):
        with open(entry.path, 'rb') as file:
            found[entry.name] = file.read()
    return found


def by_cp(inbox, target):
    run('cp', '-r', inbox + '/.', target)
    return copies(target)


def by_rsync(inbox, target):
    run('rsync', '-a', inbox + '/', target)
    return copies(target)


def by_tar(inbox, target):
    archive = os.path.join(target, 'archive')
    run('tar', '-C', inbox, '-cf', archive, '.')
    run('tar', '-C', target, '-xf', archive)
    os.unlink(archive)
    return copies(target)


def by_head(inbox, _target):
    """First the beginning and the end, as file managers do, then all."""
    found = {}
    for name in os.listdir(inbox):
        with open(os.path.join(inbox, name), 'rb', buffering=0) as file:
            head = file.read(10)
            file.seek(-10, os.SEEK_END)
            tail = file.read(20)
            file.seek(0)
            found[name] = b''.join(iter(lambda: file.read(100000), b''))
            assert found[name].startswith(head) and found[name].endswith(tail)
    return found


PROGRAMS = (by_cat, by_cp, by_rsync, by_tar, by_head)


class Lies(mailtest.MountTestCase):
    limit_s = 90

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = mailtest.Dovecot().start()
        for size in TRUE_SIZES:
            head = messages.letter(subject=f'size {size}', body='')
            cls.server.deliver(head + (b'0123456789 ' * (size // 11 + 1))[:size - len(head)])
        cls.held = {uid: data for uid, (_, data) in cls.server.messages().items()}
        assert [len(data) for data in cls.held.values()] == TRUE_SIZES

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    def assert_true(self, found, about):
        """{name: bytes} is what the server holds."""
        lengths = {int(name.rsplit('.', 2)[-2]): len(data) for name, data in found.items()}
        self.assertEqual(lengths, {uid: len(data) for uid, data in self.held.items()}, about)
        self.assertEqual({int(name.rsplit('.', 2)[-2]): data for name, data in found.items()}, self.held, about)

    def lie_to(self, program, told):
        with LyingRelay(self.server.imap_port, LIES[told]) as relay:
            section = mailtest.account(self.server, imap=f'imap+insecure://alice@localhost:{relay.port}')
            with mailtest.Mount(section) as mount:
                for contact in ('first', 'second', 'after a remount'):
                    target = mailtest.temporary_directory()
                    found = program(mount / 'INBOX', target)
                    self.assertGreaterEqual(relay.lies, len(TRUE_SIZES))
                    self.assert_true(found, (told, program.__name__, contact))
                    if contact == 'second':
                        sizes = {os.stat(path).st_size for path in mount.files()}
                        self.assertEqual(sizes, set(TRUE_SIZES))
                        mount.remount()
                    shutil.rmtree(target)

    def test_cat(self):
        for told in LIES:
            self.lie_to(by_cat, told)

    def test_cp(self):
        for told in LIES:
            self.lie_to(by_cp, told)

    def test_rsync(self):
        for told in LIES:
            self.lie_to(by_rsync, told)

    def test_tar(self):
        for told in LIES:
            self.lie_to(by_tar, told)

    def test_head_then_tail_then_all(self):
        for told in LIES:
            self.lie_to(by_head, told)


class BarestServer(mailtest.MountTestCase):
    def test_server_that_can_nothing_more_than_the_standard(self):
        message = messages.letter(body='0123456789\r\n' * 1000)
        for size in (0, 1, len(message) - 1, len(message) + 1, 10 * len(message), 2 * MIB):
            with mailtest.ScriptedImap([send(b'* OK hi\r\n'), answer(one_folder(message, size=size))]) as server:
                section = mailtest.account(imap=f'imap+insecure://alice@localhost:{server.port}', password='secret')
                with mailtest.Mount(section) as mount:
                    path, = mount.files()
                    self.assertEqual(run('cat', path), message, size)
                    self.assertEqual(os.stat(path).st_size, len(message))
                server.check()


if __name__ == '__main__':
    mailtest.main()
