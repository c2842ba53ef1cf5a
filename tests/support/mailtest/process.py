# SPDX-License-Identifier: BSD-2-Clause
"""Child processes, ports and temporary directories, all gone when the test ends.

Everything that must be undone is registered here and undone in reverse order at exit, also
after SIGTERM, SIGINT and SIGHUP.  After SIGKILL the janitor does it.  Set MAILTEST_KEEP=1 to keep
the temporary directories (servers' logs, caches).
"""

import atexit
import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

_JANITOR = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'janitor.py')
_cleanups = []
_cleanups_lock = threading.Lock()
_janitor = None


def at_exit(function):
    """Call `function` when the test program ends, the newest first.  Returns `function`, the handle of `cancel`."""
    with _cleanups_lock:
        if not _cleanups:
            _turn_signals_into_exits()
        _cleanups.append(function)
    return function


def cancel(function):
    """Forget what `at_exit` registered; harmless if it is not there."""
    with _cleanups_lock, contextlib.suppress(ValueError):
        _cleanups.remove(function)


def clean_up():
    """Undo everything registered so far.  Safe to call more than once."""
    while True:
        with _cleanups_lock:
            if not _cleanups:
                return
            function = _cleanups.pop()
        try:
            function()
        except Exception as error:  # one failure must not keep the others from being undone
            print(f'# clean-up: {error!r}', file=sys.stderr)


def _dismiss_janitor():
    if _janitor:
        _janitor.stdin.close()
        _janitor.wait()


atexit.register(_dismiss_janitor)
atexit.register(clean_up)


def _turn_signals_into_exits():
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, lambda got, _frame: sys.exit(128 + got))


def note(action, argument, sign='+'):
    """Tell the janitor what to do should this program be killed: `kill GROUP`, `unmount PATH` or `remove PATH`."""
    global _janitor
    with _cleanups_lock:
        if _janitor is None:
            _janitor = subprocess.Popen([sys.executable, '-I', '-S', _JANITOR], stdin=subprocess.PIPE, text=True,
                                        start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _janitor.stdin.write(f'{sign}{action} {argument}\n')
        _janitor.stdin.flush()


def unnote(action, argument):
    """It is done."""
    note(action, argument, '-')


def temporary_directory(prefix='mailtest-'):
    """A new directory (mode 0711: servers' own users pass through it), removed at exit."""
    path = tempfile.mkdtemp(prefix=prefix)
    os.chmod(path, 0o711)
    if not os.environ.get('MAILTEST_KEEP'):
        note('remove', path)
        at_exit(lambda: _remove(path))
    return path


def _remove(path):
    shutil.rmtree(path, ignore_errors=True)
    unnote('remove', path)


_reserved = []      # sockets whose names keep a port from being given out twice, here or to a test program beside this one


def _reserve(port):
    """Whether the port is this program's from now on."""
    reservation = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        reservation.bind(f'\0mailtest-port-{port}')
    except OSError:
        reservation.close()
        return False
    _reserved.append(reservation)
    return True


def free_port():
    """A TCP port of 127.0.0.1 that nobody listens on, and that nobody else is given while this program runs.

    Below the kernel's ephemeral range: a server that is down for a while must not find its port
    taken by somebody's outgoing connection, nor a client that retries connect to itself.
    """
    with open('/proc/sys/net/ipv4/ip_local_port_range', encoding='ascii') as file:
        lowest_ephemeral = int(file.read().split()[0])
    highest = max(lowest_ephemeral, 20000)
    chooser = random.SystemRandom()
    for _ in range(1000):
        port = chooser.randrange(highest - 10000, highest)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(('127.0.0.1', port))
            except OSError:
                continue
        if _reserve(port):
            return port
    raise RuntimeError('no free port')


def wait_for(condition, timeout=10, what='a condition', interval=0.01):
    """Poll `condition` until it returns something true; return that.  TimeoutError names `what`."""
    deadline = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise TimeoutError(f'waited {timeout} s for {what}')
        time.sleep(interval)


def port_answers(port):
    """Whether somebody accepts connections on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(('127.0.0.1', port)) == 0


class Child:
    """A program in a session of its own: `stop` ends it and everything it started there."""

    def __init__(self, arguments, log, environment=None, directory=None):
        with open(log, 'ab') as output:
            self.process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=directory,
                env=environment, start_new_session=True)
        self.pid = self.process.pid
        note('kill', self.pid)
        at_exit(self.kill)

    def exit_status(self):
        """None while it runs."""
        return self.process.poll()

    def stop(self, timeout=5):
        """SIGTERM, then SIGKILL to the whole group after `timeout` seconds.  Returns the exit status."""
        cancel(self.kill)
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout)
        self._kill_group()
        return self.process.wait(timeout)

    def kill(self):
        """SIGKILL to the whole group at once, as a crash would."""
        cancel(self.kill)
        self._kill_group()
        return self.process.wait(5)

    def _kill_group(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        unnote('kill', self.pid)
