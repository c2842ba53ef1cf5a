#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Changing much at once, until the server has all of it: flags against STOREs on a bare socket, rm against UID MOVE, a restore against mbsync.

Each figure ends when fsync(2) of the folder has returned, which waits for the server's word; what the server holds then must be as asked.
Every run has folders of its own. The bare socket signs in and selects before its clock runs, as mailfs is mounted and has listed the folder
before its own does. mbsync pushes a Maildir of the same messages without fsync.
"""

import argparse
import collections
import hashlib
import os
import re
import subprocess
import sys

import bare_fetch
import bench_read
import figures
import mailtest
from mailtest import maildir
from mailtest.changing import sync

FLAGS_AT_MOST = 2.0
REMOVAL_AT_MOST_S = 2.0
RESTORE_AT_MOST = 1.5

# In turn, so that no command can carry all of them. What a message must have or lack afterwards.
CHANGES = (('+', '\\Flagged'), ('-', '\\Seen'), ('+', '\\Answered'))

FIELD = re.compile(rb'[!-9;-~]+[ \t]*:')

PUSH_CHANNEL = bench_read.MBSYNCRC.replace('Patterns INBOX', 'Patterns {folder}').replace('Sync Pull', 'Sync Push').replace('Create Near', 'Create Far')


def expect(what, got, wanted):
    if got != wanted:
        raise RuntimeError(f'{what}: {got}, not {wanted}')


def search(server, folder, what):
    """How many messages match."""
    with server.imap() as client:
        client.select(folder, readonly=True)
        return len(client.uid('SEARCH', what)[1][0].split())


# Flags

def flags_bare(server, folder, count):
    stores = [f'UID STORE {uid} {sign}FLAGS.SILENT ({word})' for uid, (sign, word) in ((uid, CHANGES[uid % 3]) for uid in range(1, count + 1))]
    with bare_fetch.BareClient(server, folder=folder, verb='SELECT') as client, figures.Stopwatch() as watch:
        client.pipeline(stores)
    return watch.seconds


def flags_mounted(mount, folder, count):
    paths = mount.files(folder)
    expect('listed', len(paths), count)
    with figures.Stopwatch() as watch:
        for number, path in enumerate(paths):
            sign, word = CHANGES[number % 3]
            os.setxattr(path, 'user.mail.flags', f'{sign}{word}'.encode())
        called_s = watch.so_far()
        sync(mount / folder)
    return watch.seconds, called_s


def check_flags(server, folder, count):
    """Each word was set, or cleared, in a third of them; a message that was \\Seen has kept that in the other two."""
    with server.imap() as client:
        client.select(folder, readonly=True)
        found = collections.Counter(word for item in client.uid('FETCH', '1:*', 'FLAGS')[1] for word in item.split(b'FLAGS (')[1].split(b')')[0].split())
    expect('flagged', found[b'\\Flagged'], len(range(0, count, 3)))
    expect('seen', found[b'\\Seen'], count - len(range(1, count, 3)))
    expect('answered', found[b'\\Answered'], len(range(2, count, 3)))


def prepare_flags(server, folder, count):
    server.fill(count, (folder,), small=True)
    with bare_fetch.BareClient(server, folder=folder, verb='SELECT') as client:
        client.command('UID STORE 1:* FLAGS.SILENT (\\Seen)')


def measure_flags(server, count, runs):
    table = figures.Figures(f'{count} flag changes')
    bare, calls, mounted = [], [], []
    for run in range(runs):
        prepare_flags(server, f'FlagsBare{run}', count)
        prepare_flags(server, f'Flags{run}', count)
        bare.append(flags_bare(server, f'FlagsBare{run}', count))
        mount = mailtest.Mount(mailtest.account(server))
        with figures.mounted(mount):
            seconds, called_s = flags_mounted(mount, f'Flags{run}', count)
            check_flags(server, f'Flags{run}', count)
        mounted.append(seconds)
        calls.append(called_s)
    base = table.seconds('single UID STOREs, pipelined, bare socket', bare)
    table.seconds('mailfs: setxattr returned', calls)
    total = table.seconds('mailfs: setxattr and fsync', mounted)
    table.ratio('mailfs / bare socket', total, base, FLAGS_AT_MOST)
    return table.exit_status()


# Removal

def removal_bare(server, folder):
    with bare_fetch.BareClient(server, folder=folder, verb='SELECT') as client, figures.Stopwatch() as watch:
        client.command('UID MOVE 1:* Trash')
    return watch.seconds


def removal_mounted(mount, folder, count):
    expect('listed', len(mount.files(folder)), count)
    with figures.Stopwatch() as watch:
        subprocess.run('rm -- *.eml', shell=True, cwd=mount / folder, check=True)
        called_s = watch.so_far()
        sync(mount / folder)
    return watch.seconds, called_s


def measure_removal(server, count, runs):
    table = figures.Figures(f'rm of {count} messages, into the trash')
    bare, calls, mounted = [], [], []
    for run in range(runs):
        for folder in (f'RemoveBare{run}', f'Remove{run}'):
            server.fill(count, (folder,))
            bare_fetch.BareClient(server, folder=folder).command('UID FETCH 1:* (FLAGS RFC822.SIZE)')
        bare.append(removal_bare(server, f'RemoveBare{run}'))
        before = search(server, 'Trash', 'ALL')
        mount = mailtest.Mount(mailtest.account(server))
        with figures.mounted(mount):
            seconds, called_s = removal_mounted(mount, f'Remove{run}', count)
            expect('left', search(server, f'Remove{run}', 'ALL'), 0)
            expect('in the trash', search(server, 'Trash', 'ALL') - before, count)
        mounted.append(seconds)
        calls.append(called_s)
    base = table.seconds('UID MOVE, bare socket', bare)
    table.seconds('mailfs: rm returned', calls)
    total = table.seconds('mailfs: rm and fsync', mounted)
    table.bound('mailfs - bare socket', total - base, 's', REMOVAL_AT_MOST_S)
    return table.exit_status()


# Restore of a backup

def sums_of(bodies):
    return collections.Counter(hashlib.md5(data).hexdigest() for data in bodies)


def read_files(directory):
    for name in sorted(os.listdir(directory)):
        with open(os.path.join(directory, name), 'rb') as file:
            yield file.read()


def backup(server, count):
    """
    A directory that rsync made of a folder, without what a server may hold, but nobody can store there as it is: what begins with no header
    field is no message, and Dovecot changes a CR that stands alone.
    """
    directory = mailtest.temporary_directory('bench-backup-')
    server.fill(count, ('Saved',))
    mount = mailtest.Mount(mailtest.account(server))
    with figures.mounted(mount):
        subprocess.run(['rsync', '-a', mount / 'Saved/', directory + '/'], check=True)
    expect('saved', len(os.listdir(directory)), count)
    for name in os.listdir(directory):
        path = os.path.join(directory, name)
        with open(path, 'rb') as file:
            data = file.read()
        if not FIELD.match(data) or re.search(rb'\r(?!\n)', data):
            os.unlink(path)
    return directory


def check_restored(server, folder, saved):
    held, wanted = sums_of(data for _, data in server.messages(folder).values()), sums_of(read_files(saved))
    expect('restored', held.total(), wanted.total())
    expect('of these not as they were', (held - wanted).total(), 0)


def restore_mounted(server, folder, saved):
    mount = mailtest.Mount(mailtest.account(server))
    with figures.mounted(mount):
        with figures.Stopwatch() as watch:
            os.mkdir(mount / folder)
            subprocess.run(['rsync', '-a', saved + '/', mount / folder + '/'], check=True)
            called_s = watch.so_far()
            sync(mount / folder)
        check_restored(server, folder, saved)
    return watch.seconds, called_s


def make_maildir(path, saved):
    """With bare LF, as a Maildir has them."""
    maildir.make(path)
    for number, data in enumerate(read_files(saved)):
        maildir.deliver(path, data.replace(b'\r\n', b'\n'), date=1500000000 + number)


def restore_mbsync(server, folder, saved):
    """Seconds; how many arrived."""
    directory = mailtest.temporary_directory('bench-mbsync-')
    make_maildir(os.path.join(directory, folder), saved)
    configuration = os.path.join(directory, 'mbsyncrc')
    with open(configuration, 'w', encoding='utf-8') as file:
        file.write(PUSH_CHANNEL.format(port=server.imaps_port, password=server.users['alice'], ca_file=server.ca_file, directory=directory,
                                       tls=bench_read.mbsync_tls(), folder=folder))
    with figures.Stopwatch() as watch:
        subprocess.run(['mbsync', '-qq', '-c', configuration, 'all'], check=True, stdin=subprocess.DEVNULL)
    return watch.seconds, search(server, folder, 'ALL')


def measure_restore(server, count, runs):
    table = figures.Figures(f'restore of {count} messages')
    saved = backup(server, count)
    table.note('of these in the backup', f'{len(os.listdir(saved))} messages')
    pushes, calls, mounted, arrived = [], [], [], set()
    for run in range(runs):
        seconds, n = restore_mbsync(server, f'Pushed{run}', saved)
        pushes.append(seconds)
        arrived.add(n)
        seconds, called_s = restore_mounted(server, f'Restored{run}', saved)
        mounted.append(seconds)
        calls.append(called_s)
    table.note('mbsync pushed', f'{max(arrived)} messages')
    base = table.seconds('mbsync: push', pushes)
    table.seconds('mailfs: rsync returned', calls)
    total = table.seconds('mailfs: rsync and fsync', mounted)
    # mbsync leaves out what it does not take for a message.
    table.ratio('mailfs / mbsync, a message', total / len(os.listdir(saved)), base / max(arrived), RESTORE_AT_MOST)
    return table.exit_status()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--flags', type=int, default=5000)
    parser.add_argument('--messages', type=int, default=10000)
    parser.add_argument('--runs', type=int, default=3)
    parser.add_argument('--only', choices=('flags', 'removal', 'restore'), action='append')
    arguments = parser.parse_args()
    measures = {'flags': (measure_flags, arguments.flags), 'removal': (measure_removal, arguments.messages),
                'restore': (measure_restore, arguments.messages)}
    failed = 0
    for name in arguments.only or measures:
        measure, count = measures[name]
        with mailtest.Dovecot() as server:
            failed |= measure(server, count, arguments.runs)
    return failed


if __name__ == '__main__':
    sys.exit(main())
