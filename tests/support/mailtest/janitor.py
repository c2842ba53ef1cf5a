# SPDX-License-Identifier: BSD-2-Clause
"""Cleans up after a test program that was killed: a process of its own that outlives it.

Reads lines `+ACTION ARGUMENT` and `-ACTION ARGUMENT` from standard input, a pipe that the test
program holds, and does what is still noted when that ends.  After an orderly end nothing is.
Never imported; process.py runs it.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys


def kill(group):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(int(group), signal.SIGKILL)


def unmount(path):
    if subprocess.run(['fusermount3', '-u', '-z', path], capture_output=True, check=False).returncode:
        subprocess.run(['umount', '-l', path], capture_output=True, check=False)


def remove(path):
    shutil.rmtree(path, ignore_errors=True)


def main():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    noted = {}
    for line in sys.stdin:
        sign, entry = line[0], line[1:].rstrip('\n')
        if sign == '+':
            noted[entry] = True
        else:
            noted.pop(entry, None)
    for action in (kill, unmount, remove):
        for entry in noted:
            name, _, argument = entry.partition(' ')
            if name == action.__name__:
                action(argument)


if __name__ == '__main__':
    main()
