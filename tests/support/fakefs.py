# SPDX-License-Identifier: BSD-2-Clause
"""fs/ mounted on a made-up mailbox (tests/mount/fs_on_fake.c): no server, no network, answers as the test wants them."""

import errno
import os
import socket
import subprocess
import sys
import urllib.parse

import mailtest
from mailtest import process

ROOT = 1

# As in mailbox/change.h.
CHANGE_MESSAGE_ADDED, CHANGE_MESSAGE_GONE, CHANGE_MESSAGE_RENAMED, CHANGE_MESSAGE_ATTRIBUTES, CHANGE_FOLDER_ADDED, CHANGE_FOLDER_GONE, \
    CHANGE_FOLDER_ATTRIBUTES, CHANGE_LISTING = range(8)


class FakeMount(mailtest.Mount):
    """`tell('folder', ROOT, 'INBOX')` talks to the mailbox behind the mount."""

    def __init__(self, *options):
        super().__init__({}, options)

    def command(self, *_):
        program = os.path.join(os.path.dirname(os.environ.get('MAILFS', './mailfs')), 'tests/mount/fs_on_fake')
        return [program, self.directory, self.path, *self.options]

    def tell(self, *words):
        """A command to the mailbox behind the mount; the words of its answer."""
        line = ' '.join(urllib.parse.quote(str(word), safe="\\/'+:-_.") for word in words) + '\n'
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(60)
            connection.connect(os.path.join(self.directory, 'control'))
            connection.sendall(line.encode())
            answer = connection.makefile(encoding='utf-8', errors='surrogateescape').readline()
        if not answer.startswith('ok '):
            raise AssertionError(f'{line!r}: {answer!r}')
        return answer[3:].split()

    def folder(self, name, parent=ROOT):
        return int(self.tell('folder', parent, name)[0])

    def message(self, folder, name, size=1000):
        return int(self.tell('message', folder, name, size)[0])

    def behave(self, operation, delay_ms=0, error=0):
        """operation: look, open, read, commit, edit, compare, copy or settle; delay_ms -1: never, until release()."""
        self.tell('behave', operation, delay_ms, error)

    def release(self):
        self.tell('release')

    def counts(self):
        names = ('looks', 'opens', 'closes', 'reads', 'interrupts', 'waiting', 'uploads', 'copies', 'settles')
        return dict(zip(names, map(int, self.tell('counts'))))

    def wait_for_waiting(self, number):
        process.wait_for(lambda: self.counts()['waiting'] == number, 5, f'{number} waiting requests')

    def outbox(self):
        """{name: (place, state, size)}"""
        entries = ' '.join(self.tell('outbox')).split(';')
        return {name: (place, state, int(size)) for _, place, state, size, name in (e.split(' ', 4) for e in entries if e.strip())
                for name in [name]}


# The sleeps are short: a signal between python's last look for one and the sleep would be seen only after it.
HALF_WRITER = """
import os, sys, time
os.write(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT), b'To: a\\n\\nhalf')
print('ready', flush=True)
for _ in range(600):
    time.sleep(0.1)
"""


class FakeTestCase(mailtest.MountTestCase):
    """A test with a mount of its own, self.mount, and a folder INBOX, self.inbox."""

    options = ()

    def setUp(self):
        self.mount = FakeMount(*self.options)
        self.mount.start()
        self.addCleanup(self._end)
        self.inbox = self.mount.folder('INBOX')

    def _end(self):
        """A daemon that a sanitizer stopped, or that found a leak at its end, fails the test."""
        status = self.mount.unmount()
        self.assertIn(status, (0, None), self.mount.log())

    def assertErrno(self, number, function, *arguments):
        with self.assertRaises(OSError) as caught:
            function(*arguments)
        self.assertEqual(errno.errorcode[caught.exception.errno], errno.errorcode[number])

    def background(self, *arguments, **keywords):
        process = subprocess.Popen(arguments, cwd=self.mount.path, **keywords)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def kill_half_writer(self, path, number):
        """By the signal, once it has written half a message to the path and keeps it open."""
        with self.background(sys.executable, '-c', HALF_WRITER, path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as writer:
            self.assertEqual(writer.stdout.readline(), b'ready\n')
            writer.send_signal(number)

    def shell(self, script, **keywords):
        """Run by sh in the mountpoint."""
        return subprocess.run(['sh', '-c', script], cwd=self.mount.path, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=30, check=False, **keywords)
