# SPDX-License-Identifier: BSD-2-Clause
"""Runs unittest's TestCases and says how it went in TAP, for automake's driver.

A test that takes longer than its limit (`limit_s` of its class, else 60 s) fails with the stacks
of all threads.  One that is stuck inside a mount, where no signal reaches it, is freed by killing
the daemons of all mounts; if even that does not help, the program bails out.
"""

import contextlib
import faulthandler
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
import unittest

from . import mount, process

LIMIT_S = 60
GRACE_S = 15


class TestTimeout(Exception):
    """A test reached its limit."""


class MountTestCase(unittest.TestCase):
    """A test that mounts: skipped as `no /dev/fuse` where that cannot be.  A setUpClass of its own calls super() first."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if mount.no_fuse():
            raise unittest.SkipTest(mount.no_fuse())

    def assert_peak_memory_below(self, mounted, limit_mib):
        """Of the daemon since it started."""
        if not mount.is_sanitized():
            self.assertLess(mounted.rss_peak_kib() / 1024, limit_mib, 'MiB')


def _say(text, as_diagnostic=True):
    for line in text.splitlines():
        print('# ' + line if as_diagnostic else line)
    sys.stdout.flush()


_armed = threading.Event()


def _raise_timeout(_signal, _frame):
    if _armed.is_set():
        raise TestTimeout('the test reached its time limit')


def _stacks():
    with tempfile.TemporaryFile() as file:
        faulthandler.dump_traceback(file, all_threads=True)
        file.seek(0)
        return file.read().decode()


def _watch(seconds, done):
    """In a thread of its own: end what takes too long in the main thread, the gentlest way that works."""
    if done.wait(seconds):
        return
    _say(_stacks())
    signal.pthread_kill(threading.main_thread().ident, signal.SIGALRM)
    if done.wait(2):
        return
    mount.kill_all()
    if done.wait(GRACE_S):
        return
    _say('Bail out! a test hangs and cannot be ended', as_diagnostic=False)
    process.clean_up()
    os._exit(1)


@contextlib.contextmanager
def _limited(seconds):
    done = threading.Event()
    _armed.set()
    threading.Thread(target=_watch, args=(seconds, done), daemon=True).start()
    try:
        yield
    finally:
        _armed.clear()
        done.set()


class _Report:
    """Counts the tests and prints a line for each."""

    def __init__(self):
        self.number = 0
        self.failed = 0

    def line(self, test, passed, directive='', detail=''):
        self.number += 1
        self.failed += not passed
        name = f'{type(test).__name__}.{test._testMethodName}'
        _say(f'{"ok" if passed else "not ok"} {self.number} - {name}{directive}', as_diagnostic=False)
        _say(detail)

    def skipped(self, test, reason):
        self.line(test, True, f' # SKIP {reason}')


def _run_test(test, report):
    """unittest's own TestResult has the outcome; this says it in TAP."""
    result = unittest.TestResult()
    start = time.monotonic()
    with _limited(getattr(test, 'limit_s', LIMIT_S)):
        test.run(result)
    problems = result.errors + result.failures
    if problems or result.unexpectedSuccesses:
        report.line(test, False, detail='\n'.join(f'{about}\n{text}' for about, text in problems) or 'passed against expectation')
    elif result.skipped:
        report.skipped(test, result.skipped[0][1])
    else:
        report.line(test, True, detail=f'{time.monotonic() - start:.2f} s' if os.environ.get('MAILTEST_TIMES') else '')


def _run_class(case, tests, report):
    """All tests of a class between its setUpClass and tearDownClass."""
    if getattr(case, '__unittest_skip__', False):
        for test in tests:
            report.skipped(test, case.__unittest_skip_why__)
        return
    try:
        with _limited(getattr(case, 'limit_s', LIMIT_S)):
            case.setUpClass()
    except unittest.SkipTest as skip:
        for test in tests:
            report.skipped(test, skip)
    except Exception:
        for test in tests:
            report.line(test, False, detail=traceback.format_exc())
    else:
        for test in tests:
            _run_test(test, report)
        _tear_down(case)
    case.doClassCleanups()


def _tear_down(case):
    try:
        with _limited(getattr(case, 'limit_s', LIMIT_S)):
            case.tearDownClass()
    except Exception:
        _say(f'tearDownClass of {case.__name__}:\n{traceback.format_exc()}')


def _classes_of(module):
    loader = unittest.TestLoader()
    for case in vars(module).values():
        if isinstance(case, type) and issubclass(case, unittest.TestCase) and case.__module__ == module.__name__:
            yield case, loader.loadTestsFromTestCase(case)


def _chosen(test, patterns):
    return not patterns or any(pattern in f'{type(test).__name__}.{test._testMethodName}' for pattern in patterns)


def main(module='__main__', patterns=None):
    """
    Run the tests of a module (those whose `Class.name` contains one of the arguments) and exit.
    Methods are named `test_…` after what they show.
    """
    patterns = sys.argv[1:] if patterns is None else patterns
    signal.signal(signal.SIGALRM, _raise_timeout)
    # Under nohup, or in the background of a script, they are ignored, and so they would be by the programs that a test kills with them.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    classes = [(case, [test for test in suite if _chosen(test, patterns)]) for case, suite in _classes_of(sys.modules[module])]
    _say('TAP version 12', as_diagnostic=False)
    _say(f'1..{sum(len(tests) for _, tests in classes)}', as_diagnostic=False)
    report = _Report()
    for case, tests in classes:
        if tests:
            _run_class(case, tests, report)
    process.clean_up()
    sys.exit(1 if report.failed else 0)
