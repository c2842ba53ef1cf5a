#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Listing a folder of a hundred thousand messages: for the first time, against a bare FETCH of the same items; again after a remount.

The bare FETCH is one command on a TLS socket, its replies thrown away, timed from connect to the tagged OK; mailfs is timed from its
start to the end of `ls`. The items are those that mailfs itself asks for, as Dovecot recorded them. The server's cache is warmed by one
identical FETCH, whose time is printed as the cold figure. Beside `ls -l` after a remount stands what it takes for as many empty files of
the same names in a local directory: most of the time is that of `ls` and of the kernel, and there are machines on which that alone is over
the bound.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

import bare_fetch
import figures
import mailtest

COLD_AT_MOST = 2.0
WARM_AT_MOST_S_PER_100000 = 1.0
RSS_AT_MOST_MIB = 64


def account(server, names):
    return mailtest.account(server, names=names)


def items_asked_for(names):
    """What mailfs asks of each message when it first lists a folder."""
    with mailtest.Dovecot(rawlog=True) as server:
        server.fill(3, small=True)
        with mailtest.Mount(account(server, names)) as mount:
            mount.files()
        found = re.search(r'UID FETCH \S+ (\(.*\bRFC822\.SIZE\b.*\))', server.commands())
    if not found:
        raise RuntimeError('mailfs listed a folder without UID FETCH … RFC822.SIZE')
    return re.sub(r'\s*\((CHANGEDSINCE|VANISHED).*', '', found.group(1))


def ls(directory, *options, count):
    """Seconds; every message must be there. From where somebody would stand: a long path is walked again for each file."""
    with tempfile.TemporaryFile() as output:
        with figures.Stopwatch() as watch:
            subprocess.run(['ls', *options, 'INBOX'], cwd=directory, stdout=output, check=True, env={'LC_ALL': 'C'})
        output.seek(0)
        lines = output.read().count(b'.eml\n')
    if lines != count:
        raise RuntimeError(f'ls showed {lines} messages of {count}')
    return watch.seconds


def ls_local(names):
    """Seconds of `ls -l` on a local directory of empty files."""
    directory = mailtest.temporary_directory('bench-local-')
    os.mkdir(os.path.join(directory, 'INBOX'))
    for name in names:
        os.close(os.open(os.path.join(directory, 'INBOX', name), os.O_CREAT | os.O_WRONLY))
    return ls(directory, '-l', count=len(names))


def measure(table, server, names, count, runs):
    items = items_asked_for(names)
    table.note(f'names = {names}', items)
    bare, cold, warm, memory = [], [], [], []
    with figures.Stopwatch() as first:
        size = bare_fetch.fetch(server, items)
    table.seconds(f'bare FETCH, server cold ({size / 1e6:.1f} MB)', first.seconds)
    for _ in range(runs):
        with figures.Stopwatch() as watch:
            bare_fetch.fetch(server, items)
        bare.append(watch.seconds)
        mount = mailtest.Mount(account(server, names))
        with figures.mounted(mount) as mounting_s:
            cold.append(mounting_s + ls(mount.path, count=count))
            memory.append(mount.rss_peak_kib())
            mount.remount()
            warm.append(ls(mount.path, '-l', count=count))
            memory.append(mount.rss_peak_kib())
            listed = os.listdir(mount / 'INBOX')
        shutil.rmtree(mount.directory)
    base = table.seconds('bare FETCH', bare)
    total = table.seconds('mailfs: mount and ls', cold)
    table.ratio('mailfs / bare FETCH', total, base, COLD_AT_MOST)
    again = table.seconds('mailfs: ls -l after a remount', warm)
    local = table.seconds('the same names on the local disk: ls -l', [ls_local(listed) for _ in range(runs)])
    table.bound('mailfs, for 100,000', again * 100000 / count, 's', WARM_AT_MOST_S_PER_100000)
    table.ratio('mailfs / local disk', again, local)
    table.bound('peak memory', max(memory) / 1024, 'MiB', RSS_AT_MOST_MIB)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--messages', type=int, default=100000)
    parser.add_argument('--runs', type=int, default=3)
    parser.add_argument('--names', choices=('subject', 'uid'), action='append')
    arguments = parser.parse_args()
    with mailtest.Dovecot() as server:
        server.fill(arguments.messages, small=True)
        os.sync()       # what the server has written is no part of it
        table = figures.Figures(f'listing {arguments.messages} messages')
        for names in arguments.names or ('subject', 'uid'):
            measure(table, server, names, arguments.messages, arguments.runs)
    return table.exit_status()


if __name__ == '__main__':
    sys.exit(main())
