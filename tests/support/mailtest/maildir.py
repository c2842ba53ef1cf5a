# SPDX-License-Identifier: BSD-2-Clause
"""Putting messages into a Maildir directly, one or a hundred thousand.

Dovecot takes a message's INTERNALDATE from its file's mtime, and its sizes from `,S=` and `,W=`
in its name where they are there; without them it has to read each file first, as on a server
that was never asked before.
"""

import itertools
import os
import random
import time

from . import messages

_LETTERS = {'\\draft': 'D', '\\flagged': 'F', '\\answered': 'R', '\\seen': 'S', '\\deleted': 'T'}
_serial = itertools.count(1)
EPOCH = 1500000000  # July 2017: where the dates of generated messages begin
SPAN = 250000000    # and end, eight years later


def make(path, owner=None):
    """Make cur, new and tmp where missing; returns path."""
    for name in ('cur', 'new', 'tmp'):
        _make_directory(os.path.join(path, name), owner)
    return path


def _make_directory(path, owner):
    """With its parents, all of them the owner's."""
    if os.path.isdir(path):
        return
    _make_directory(os.path.dirname(path), owner)
    os.mkdir(path, 0o700)
    if owner:
        os.chown(path, *owner)


def flag_letters(flags):
    """`FRSTD` letters, sorted, from letters or from IMAP words."""
    if '\\' in flags:
        flags = [_LETTERS[word.lower()] for word in flags.split()]
    return ''.join(sorted(flags))


def wire_size(data):
    """Size of what a server tells for these stored bytes: each bare LF becomes CRLF."""
    return len(data) + data.count(b'\n') - data.count(b'\r\n')


def _file_name(data, date, flags, sizes):
    size = f',S={len(data)},W={wire_size(data)}' if sizes else ''
    return f'{date}.M{next(_serial)}P{os.getpid()}.localhost{size}:2,{flags}'


def _write(path, data, date, owner):
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        if owner:
            os.fchown(descriptor, *owner)
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view):]
        os.utime(descriptor, (date, date))
    finally:
        os.close(descriptor)


def deliver(path, data, flags='', date=None, owner=None, sizes=True):
    """One message, the usual way through tmp; returns the path of its file."""
    date = int(time.time() if date is None else date)
    name = _file_name(data, date, flag_letters(flags), sizes)
    temporary, final = os.path.join(path, 'tmp', name), os.path.join(path, 'cur', name)
    _write(temporary, data, date, owner)
    os.rename(temporary, final)
    return final


def fill(path, count, seed=1, small=False, sizes=True, owner=None):
    """
    `count` messages, the same for the same seed, dates over eight years, some flagged and seen.
    Varied ones of every kind that `messages` makes, or `small` ones of half a kilobyte.
    Straight into cur: for a folder that nobody reads yet.  Returns the number of bytes written.
    """
    chooser = random.Random(seed)
    make(path, owner)
    current = os.path.join(path, 'cur')
    step = SPAN / max(count, 1)
    written = 0
    for number in range(count):
        date = EPOCH + int(number * step) + chooser.randrange(int(step) + 1)
        flags = chooser.choice(('', 'S', 'S', 'S', 'FS', 'RS', 'F', 'DS'))
        data = messages.small(number, date) if small else messages.varied(number, date, seed)
        if number % 2:
            data = data.replace(b'\r\n', b'\n')     # as Maildirs hold most mail; the server puts the CR back
        _write(os.path.join(current, _file_name(data, date, flags, sizes)), data, date, owner)
        written += len(data)
    return written
