# SPDX-License-Identifier: BSD-2-Clause
"""ChangeTestCase: what tests of changes by file operations share.

A small account is mounted through a HidingProxy, whose `commands` are what mailfs says. Each
folder holds letters that nobody touches, the last of them marked \\Deleted by another client: an
EXPUNGE too many is seen. check() compares all folders with what they were, but for what a test
names; once more after the unmount, when nothing can be on its way any more.
"""

import contextlib
import errno
import os
import re
import subprocess
import time

from . import messages, observer
from .dovecot import Dovecot
from .hiding_proxy import HidingProxy
from .mount import Mount, account
from .other_client import OtherClient
from .tap import MountTestCase

DAY_S = 86400
OLDEST = 1690000000
FLAGS = ('', '\\Seen', '\\Seen \\Flagged')
EVERYTHING_HIDDEN = ('MOVE', 'UIDPLUS', 'CONDSTORE', 'QRESYNC', 'LITERAL+', 'SPECIAL-USE', 'MULTIAPPEND', 'ENABLE')
# A process for each session would be most of what a small test costs.
LASTING_PROCESSES = 'service imap-login {\n  service_count = 0\n}\nservice imap {\n  service_count = 1000\n}\n'
NO_EXPUNGE = r'EXPUNGE|CLOSE'       # commands that take away what others marked \Deleted


def letter(subject, **options):
    return messages.letter(subject=subject, body=f'This is {subject}.\r\n' * 5, **options)


class ChangeTestCase(MountTestCase):
    limit_s = 120
    folders = {'INBOX': 8, 'Archive': 4, 'Lists': 3, 'Drafts': 2, 'Trash': 2}      # their letters: UIDs 1, 2 …
    hidden = ()             # what the server lacks, see HidingProxy
    offered = ()            # and what it is said to have
    server_options = {}
    keys = {}               # of the configuration
    options = ()            # for -o
    _accounts = {}          # filled ones, which each test gets a copy of: the stopped server and what it held

    def setUp(self):
        self.settled = None
        filled, self.before = self.filled()
        self.server = self.new_server()
        self.server.take_mail(filled)
        self.enterContext(self.server)
        self.proxy = self.enterContext(HidingProxy(self.server.imap_port, self.hidden, self.offered))
        self.addCleanup(self.check_again)
        section = dict(account(self.server, imap=f'imap+insecure://alice@localhost:{self.port()}', timeout=5), **self.keys)
        self.mount = self.enterContext(Mount(section, list(self.options)))

    def new_server(self):
        return Dovecot(extra=LASTING_PROCESSES, **self.server_options)

    def filled(self):
        """What fill() makes, once for all tests that ask for the same."""
        key = type(self).fill, repr(self.server_options), repr(self.folders)
        if key not in self._accounts:
            with self.new_server() as self.server:
                self.fill()
                held = observer.snapshots(self.server)
                self.server.stop()
            self._accounts[key] = self.server, held
        server, held = self._accounts[key]
        return server, {folder: dict(found) for folder, found in held.items()}

    def fill(self):
        for folder, count in self.folders.items():
            for number in range(1, count + 1):
                self.server.deliver(letter(f'{folder} {number}'), (folder,) if folder != 'INBOX' else folder,
                                    FLAGS[number % 3], OLDEST + number * DAY_S)
            with OtherClient(self.server) as other:
                other.mark_deleted([count], folder)

    def port(self):
        """Where mailfs connects."""
        return self.proxy.port

    # What mailfs shows

    def path(self, uid, folder='INBOX'):
        """Of the message that has this UID now, whatever it is called."""
        for path in self.mount.files(folder):
            with contextlib.suppress(OSError):      # gone meanwhile, or a scratch file
                if os.getxattr(path, 'user.mail.uid') == b'%d' % uid:
                    return path
        raise AssertionError(f'no message {uid} in {folder}: {os.listdir(self.mount / folder)}')

    def names(self, folder='INBOX'):
        return set(os.listdir(self.mount / folder))

    @staticmethod
    def flags(path):
        return set(os.getxattr(path, 'user.mail.flags').decode().split())

    def data(self, uid, folder='INBOX'):
        """A message's bytes as they were at the beginning."""
        return self.before[folder][uid].data

    # What a user does

    def run_quietly(self, *command, **options):
        """It must succeed, and say nothing on stderr; returns what it said on stdout."""
        options.setdefault('cwd', self.mount.path)
        result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False, **options)
        self.assertEqual((result.returncode, result.stderr), (0, ''), command)
        return result.stdout

    def sync(self, *folders):
        """fsync(2) of the directories: all that was changed in them has had the server's word then."""
        for folder in folders or ('INBOX',):
            sync(self.mount / folder)

    @contextlib.contextmanager
    def fails_with(self, *numbers):
        with self.assertRaises(OSError) as failed:
            yield
        self.assertIn(failed.exception.errno, numbers, failed.exception)

    def outside(self, name, data, mtime=None):
        """A file that is not in the mount; returns its path."""
        path = os.path.join(self.mount.directory, name)
        with open(path, 'wb') as file:
            file.write(data)
        if mtime is not None:
            os.utime(path, (mtime, mtime))
        return path

    # What mailfs said, and what the server has now

    def said(self, pattern):
        """The commands that match from their beginning, as text."""
        commands = [command.decode('utf-8', 'replace') for command in self.proxy.commands]
        return [command for command in commands if re.match(pattern, command, re.IGNORECASE)]

    def assert_few_said(self, pattern, most, seconds=0, each=1):
        """At most so many commands, or `each` for every 20 ms, the time for which a burst that took `seconds` is gathered."""
        found = self.said(pattern)
        most = max(most, each * int(seconds / 0.02 + 3))
        self.assertLessEqual(len(found), most, [command[:100] for command in found[:20]])
        self.assertTrue(found, 'nothing like it was said')

    def problems(self, expected):
        now = observer.snapshots(self.server)
        wrong = []
        for folder in {**self.before, **now, **expected}:
            if folder in expected and expected[folder] is None:
                if folder in now:
                    wrong.append(f'{folder}: is still there')
            elif folder not in now:
                wrong.append(f'{folder}: is not there')
            elif folder not in self.before and folder not in expected:
                wrong.append(f'{folder}: is new')
            else:
                found = observer.differences(self.before.get(folder, {}), now[folder], **expected.get(folder, {}))
                wrong += [f'{folder}: {line}' for line in found]
        return wrong, now

    def check(self, expected=None, timeout=10):
        """
        Wait until nothing in the account has changed but this: {folder: {'gone': …, 'changed': …, 'added': …}}, see
        observer.differences(); {} for a new folder that is empty, None for a folder that is gone.
        timeout 0: it must be so now.  Returns what was added, {folder: {uid: Message}}.
        """
        deadline = time.monotonic() + timeout
        while True:
            wrong, now = self.problems(expected or {})
            if not wrong:
                self.settled = now
                return {folder: {uid: message for uid, message in now[folder].items() if uid not in self.before.get(folder, {})} for folder in now}
            if time.monotonic() > deadline:
                raise AssertionError('\n'.join([f'after {timeout} s:'] + wrong))
            time.sleep(0.02)

    def check_now(self, expected=None):
        return self.check(expected, timeout=0)

    def check_again(self):
        """Unmounted: what was found by the last check() is how it stayed."""
        self.assertEqual(self.proxy.failures, [])
        self.assertEqual(self.proxy.violations, [])
        if self.settled is not None:
            self.assertEqual(observer.snapshots(self.server), self.settled)


def sync(path):
    """fsync(2) of a file or a directory, also one that may not be written to."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write(path, data, mtime=None, flags=None):
    """A new file as a careful program writes it: OSError from whatever call fails, close included."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view):]
        if flags is not None:
            os.setxattr(descriptor, 'user.mail.flags', flags.encode())
        if mtime is not None:
            os.utime(descriptor, (mtime, mtime))
    except BaseException:
        with contextlib.suppress(OSError):
            os.close(descriptor)
        raise
    os.close(descriptor)


def set_flags(path, words):
    os.setxattr(path, 'user.mail.flags', words.encode())


def error_of(function, *arguments):
    """Its errno, 0 where it succeeds."""
    try:
        function(*arguments)
    except OSError as error:
        return error.errno or errno.EIO
    return 0
