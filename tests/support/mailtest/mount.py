# SPDX-License-Identifier: BSD-2-Clause
"""A mailfs mount in a temporary directory, with a configuration, cache and state of its own.

The daemon runs in the foreground, its log in `mount.log()`.  Leaving the `with`, and the end of
the test program in whatever way, unmount and kill it: no mount outlives its test.  $MAILFS and
$MAILFSCTL name the programs.
"""

import contextlib
import json
import os
import shutil
import subprocess
import time
import unittest

from . import process

FUSERMOUNT = shutil.which('fusermount3') or '/usr/bin/fusermount3'
_HERE = os.path.dirname(os.path.abspath(__file__))
_running = []       # mounts whose daemon may be alive, for the watchdog of tap.py


def _program(variable, name):
    if os.environ.get(variable):
        return os.environ[variable]
    candidates = [os.path.join(*parts, name) for parts in ((os.curdir,), (os.pardir, os.pardir), (_HERE, '..', '..', '..'))]
    return next((os.path.abspath(path) for path in candidates if os.access(path, os.X_OK)), name)


def is_sanitized():
    """Whether the daemon is built with a sanitizer, whose own memory drowns what the program uses."""
    with open(shutil.which(_program('MAILFS', 'mailfs')), 'rb') as file:
        program = file.read()
    return b'__asan_init' in program or b'__tsan_init' in program


def shows_who_renames():
    """Whether /proc tells what others call; where Yama is on, root alone."""
    try:
        with open('/proc/sys/kernel/yama/ptrace_scope', encoding='ascii') as file:
            return os.geteuid() == 0 or file.read().strip() == '0'
    except FileNotFoundError:
        return True


def no_fuse():
    """Why nothing can be mounted here, or ''."""
    try:
        os.close(os.open('/dev/fuse', os.O_RDWR))
        return ''
    except OSError:
        return 'no /dev/fuse'


def account(dovecot=None, postfix=None, /, *, user='alice', **keys):
    """
    The keys of a configuration section for a Dovecot, and a Postfix, of this test.
    Further keys by keyword, `_` for `-` (and `from_`), replace these: account(server, imap=f'imap://alice@localhost:{proxy.port}').
    A key given as None is left out.
    """
    section = {}
    if dovecot:
        section['imap'] = f'imaps://{user}@localhost:{dovecot.imaps_port}'
        section['tls-ca'] = dovecot.ca_file
        section['password'] = dovecot.users[user]
        section['from'] = f'{user.title()} <{user}@example.com>'
    if postfix:
        section['smtp'] = f'smtps://{user}@localhost:{postfix.smtps_port}'
    section.update((name.rstrip('_').replace('_', '-'), value) for name, value in keys.items())
    return {name: value for name, value in section.items() if value is not None}


def configuration(section, name='test', defaults=None):
    """The text of a mailfs.conf."""
    lines = [f'{key} = {value}\n' for key, value in (defaults or {}).items()]
    return ''.join(lines + [f'[{name}]\n'] + [f'{key} = {value}\n' for key, value in section.items()])


def is_mounted(path):
    escaped = os.path.realpath(path).replace('\\', r'\134').replace(' ', r'\040')
    with open('/proc/self/mountinfo', encoding='utf-8') as file:
        return any(line.split(' ')[4] == escaped for line in file)


class Mount:
    """
    section: keys as `account()` makes them, or a whole configuration as text.  options: for -o, e.g. ['ro', 'names=uid'].
    Unmounted and mounted again, it finds its cache and state as they were.
    """

    def __init__(self, section, options=(), *, name='test', directory=None, arguments=(), environment=None):
        if no_fuse():
            raise unittest.SkipTest(no_fuse())
        self.name = name
        self.options = list(options)
        self.arguments = list(arguments)
        self.directory = directory or process.temporary_directory('mailtest-mount-')
        self.path = os.path.join(self.directory, 'mnt')
        self.config_file = os.path.join(self.directory, 'mailfs.conf')
        self.log_file = os.path.join(self.directory, 'log')
        self.cache = os.path.join(self.directory, 'cache', 'mailfs', name)
        self.state = os.path.join(self.directory, 'state', 'mailfs', name)
        self.environment = dict(os.environ, HOME=self.directory, XDG_CACHE_HOME=os.path.join(self.directory, 'cache'),
                                XDG_STATE_HOME=os.path.join(self.directory, 'state'),
                                XDG_RUNTIME_DIR=self._make_directory('runtime'), XDG_CONFIG_HOME=self._make_directory('config'))
        self.environment.update(environment or {})
        self._child = None
        self._make_directory('mnt')
        self.configure(section)

    def _make_directory(self, name):
        path = os.path.join(self.directory, name)
        os.makedirs(path, mode=0o700, exist_ok=True)
        return path

    def configure(self, section, mode=0o600):
        """Write the configuration; a running daemon does not see it."""
        text = section if isinstance(section, str) else configuration(section, self.name)
        with open(self.config_file, 'w', encoding='utf-8') as file:
            file.write(text)
        os.chmod(self.config_file, mode)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.unmount()

    def __truediv__(self, name):
        """`mount / 'INBOX'`: a path below the mountpoint."""
        return os.path.join(self.path, name)

    # Running

    def command(self, foreground=True):
        options = ['-o', ','.join(self.options)] if self.options else []
        return [_program('MAILFS', 'mailfs'), *['-f'] * foreground, '--config', self.config_file, *options, *self.arguments, self.name, self.path]

    def _run(self, foreground=True):
        process.at_exit(self._destroy)
        process.note('unmount', self.path)
        _running.append(self)
        self._child = process.Child(self.command(foreground), self.log_file, self.environment, self.directory)

    def start(self, timeout=20):
        """Returns self once mounted; AssertionError with the log if the daemon ends instead."""
        self._run()
        try:
            process.wait_for(lambda: is_mounted(self.path) or self._child.exit_status() is not None, timeout, 'the mount')
        except TimeoutError as late:
            raise AssertionError(f'{late}:\n{self.log()}') from None
        if self._child.exit_status() is not None:
            raise AssertionError(f'mailfs ended with {self._child.exit_status()}:\n{self.log()}')
        return self

    def start_expect_failure(self, timeout=30):
        """Run it where it must refuse: (exit status, what it wrote).  AssertionError if it mounts or does not end."""
        status, text = self._run_to_end(timeout, foreground=True)
        self._forget()
        return status, text

    def start_in_background(self, timeout=30):
        """Without -f: the command must return once it has mounted, or failed: (exit status, what it wrote)."""
        return self._run_to_end(timeout, foreground=False)

    def _run_to_end(self, timeout, foreground):
        before = len(self.log())
        self._run(foreground)
        try:
            status = self._child.process.wait(timeout)
        except subprocess.TimeoutExpired:
            mounted = is_mounted(self.path)
            self._destroy()
            raise AssertionError(f'mailfs {"mounted" if mounted else "hung"} where it must return:\n{self.log()}') from None
        return status, self.log()[before:]

    def unmount(self, timeout=10):
        """fusermount3 -u; lazily and by force if the daemon does not end.  Returns its exit status."""
        if not self._child:
            return None
        deadline = time.monotonic() + timeout
        message = ''
        while is_mounted(self.path) and time.monotonic() < deadline:
            result = subprocess.run([FUSERMOUNT, '-u', self.path], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                    timeout=timeout, check=False)
            message = result.stderr
            if result.returncode != 0:      # busy: the kernel releases a closed file a little later
                time.sleep(0.05)
        try:
            status = self._child.process.wait(max(1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            stacks = self.stacks()
            self._destroy()
            raise AssertionError(f'mailfs did not end within {timeout} s of unmounting: {message}\n{self.log()}{stacks}') from None
        self._forget()
        return status

    def remount(self):
        self.unmount()
        return self.start()

    def kill9(self, unmount=True):
        """SIGKILL to the daemon; then, unless the test wants to see it, the dead mount is taken away."""
        self._child.kill()
        if unmount:
            lazily_unmount(self.path)
        self._forget()

    def terminate(self, timeout=10):
        """SIGTERM: it must unmount by itself.  Returns the exit status."""
        self._child.process.terminate()
        status = self._child.process.wait(timeout)
        self._forget()
        return status

    def _destroy(self):
        if self._child:
            self._child.kill()
        lazily_unmount(self.path)
        self._forget()

    def _forget(self):
        if self._child:
            self._child.kill()
            self._child = None
        process.unnote('unmount', self.path)
        process.cancel(self._destroy)
        with contextlib.suppress(ValueError):
            _running.remove(self)

    # Looking at it

    @property
    def pid(self):
        return self._child.pid if self._child else None

    def log(self):
        try:
            with open(self.log_file, encoding='utf-8', errors='replace') as file:
                return file.read()
        except FileNotFoundError:
            return ''

    def ctl(self, *arguments, check=True, timeout=60):
        """mailfsctl with this mount's environment: a CompletedProcess with text output; AssertionError on failure, if `check`."""
        result = subprocess.run([_program('MAILFSCTL', 'mailfsctl'), *arguments], env=self.environment, capture_output=True,
                                text=True, stdin=subprocess.DEVNULL, timeout=timeout, check=False)
        if check and result.returncode != 0:
            raise AssertionError(f'mailfsctl {arguments}: {result.returncode}\n{result.stdout}{result.stderr}')
        return result

    def status(self):
        """`.mailfs/status`, parsed."""
        with open(self / '.mailfs/status', encoding='utf-8') as file:
            return json.load(file)

    def files(self, folder='INBOX'):
        """Paths of the messages in a folder, sorted."""
        directory = self / folder
        return sorted(entry.path for entry in os.scandir(directory) if entry.is_file(follow_symlinks=False))

    def read(self, name):
        """The bytes of a file below the mountpoint."""
        with open(self / name, 'rb') as file:
            return file.read()

    def by_uid(self, folder='INBOX'):
        """{uid: bytes} of a folder's messages, by the UID in their names."""
        return {int(path.rsplit('.', 2)[-2].rsplit('-', 1)[-1]): self.read(path) for path in self.files(folder)}

    def stacks(self):
        """Where the daemon's threads are: by gdb where it is installed, else where they wait in the kernel."""
        if shutil.which('gdb'):
            return subprocess.run(['gdb', '-p', str(self.pid), '-batch', '-ex', 'thread apply all backtrace'], stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=60, check=False).stdout
        threads = {}
        for thread in os.listdir(f'/proc/{self.pid}/task'):
            with open(f'/proc/{self.pid}/task/{thread}/wchan', encoding='ascii') as file:
                threads[thread] = file.read()
        return f'{threads}\n'

    def rss_peak_kib(self):
        """The most memory the daemon ever had, in KiB."""
        return self._status_value('VmHWM')

    def rss_kib(self):
        return self._status_value('VmRSS')

    def _status_value(self, name):
        with open(f'/proc/{self.pid}/status', encoding='ascii') as file:
            return next(int(line.split()[1]) for line in file if line.startswith(name + ':'))


def lazily_unmount(path):
    """However it is mounted, or not."""
    for _ in range(3):
        if not is_mounted(path):
            return
        subprocess.run([FUSERMOUNT, '-u', '-z', path], stdin=subprocess.DEVNULL, capture_output=True, check=False)
        time.sleep(0.05)


def kill_all():
    """End every mount of this test program: what is stuck in one gets an error."""
    for mount in list(_running):
        mount._destroy()
