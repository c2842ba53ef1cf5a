# SPDX-License-Identifier: BSD-2-Clause
"""What a server holds, seen by a client of its own, and what of it has changed.

    before = observer.snapshot(server, ('Archive',))
    …
    observer.wait_only(server, ('Archive',), before, gone=[3], changed={4: '\\\\Seen'}, added=1)

Looking changes nothing: EXAMINE and BODY.PEEK[].  Messages marked \\Deleted are there like all others.
"""

import email.utils
import contextlib
import imaplib
import re
import time
from typing import NamedTuple

from . import utf7


class Message(NamedTuple):
    flags: frozenset        # without \Recent
    date: int               # INTERNALDATE, seconds since 1970
    data: bytes

    def __repr__(self):
        return f'[{" ".join(sorted(self.flags))}] {email.utils.formatdate(self.date)} {len(self.data)} bytes, {title(self.data)}'


def title(data):
    """Of a message, for people."""
    subject = re.search(rb'^Subject: *([^\r\n]*)', data, re.MULTILINE | re.IGNORECASE)
    return (subject.group(1) if subject else data[:40]).decode('utf-8', 'replace')


def snapshot(server, folder='INBOX', user='alice'):
    """{uid: Message} of a folder; LookupError where there is none."""
    with server.imap(user) as client:
        return _fetch_all(client, server.name(folder))


def snapshots(server, user='alice'):
    """{mailbox name: {uid: Message}} of all folders; not of one that goes while they are asked."""
    for _ in range(5):
        with contextlib.suppress(imaplib.IMAP4.abort):      # the session ends with a folder that goes while it is open
            return _fetch_folders(server, user)
    return _fetch_folders(server, user)


def _fetch_folders(server, user):
    found = {}
    with server.imap(user) as client:
        for name in _selectable(client):
            with contextlib.suppress(LookupError):
                found[name] = _fetch_all(client, name)
    return found


def folders(server, user='alice'):
    """The names of all folders, \\Noselect ones left out."""
    with server.imap(user) as client:
        return set(_selectable(client))


def subscribed(server, user='alice'):
    with server.imap(user) as client:
        return {_name(line) for line in client.lsub('""', '*')[1] if line}


def wire_date(text):
    """Seconds since 1970 of an INTERNALDATE."""
    return email.utils.mktime_tz(email.utils.parsedate_tz(text.strip().replace('-', ' ', 2)))


def _fetch_all(client, name):
    status, reply = client.select(utf7.quote(name), readonly=True)
    if status != 'OK':
        raise LookupError(f'{name!r}: {reply}')
    found = {}
    for item in client.uid('FETCH', '1:*', '(UID FLAGS INTERNALDATE BODY.PEEK[])')[1]:
        if isinstance(item, tuple):
            head = item[0].decode('ascii')
            flags = frozenset(re.search(r'FLAGS \(([^)]*)\)', head).group(1).split()) - {'\\Recent'}
            date = wire_date(re.search(r'INTERNALDATE "([^"]*)"', head).group(1))
            found[int(re.search(r'UID (\d+)', head).group(1))] = Message(flags, date, item[1])
    return found


def _selectable(client):
    return [_name(line) for line in client.list('""', '*')[1] if line and b'\\noselect' not in _attributes(line) and b'\\nonexistent' not in _attributes(line)]


def _attributes(line):
    return (line[0] if isinstance(line, tuple) else line).partition(b')')[0].lower()


def _name(line):
    if isinstance(line, tuple):
        return utf7.decode(line[1].decode())
    name = re.fullmatch(rb'\([^)]*\) (?:"[^"]*(?:\\.)?"|NIL) (.*)', line).group(1)
    if name.startswith(b'"'):
        name = re.sub(rb'\\(.)', rb'\1', name[1:-1])
    return utf7.decode(name.decode())


def differences(before, after, gone=(), changed=None, added=0):
    """
    What is not as expected between two snapshots of a folder, a line each; [] where all is.
    gone: UIDs.  changed: {uid: all its flags, as words}; their bytes and dates stay.  added: how many, or their bytes in any order.
    """
    changed = changed or {}
    problems = [f'{uid} is still there: {after[uid]}' for uid in gone if uid in after]
    problems += [f'{uid} is gone: {before[uid]}' for uid in before if uid not in after and uid not in gone]
    for uid in sorted(set(before) & set(after) - set(gone)):
        flags = frozenset(changed[uid].split()) if uid in changed else before[uid].flags
        if after[uid] != before[uid]._replace(flags=flags):
            problems.append(f'{uid} was {before[uid]}, is {after[uid]}, should have [{" ".join(sorted(flags))}]')
    return problems + _wrong_additions([after[uid] for uid in sorted(set(after) - set(before))], added)


def _wrong_additions(found, added):
    if isinstance(added, int):
        return [] if len(found) == added else [f'{len(found)} messages were added, not {added}: {found}']
    missing, unexpected = list(added), []
    for message in found:
        if message.data in missing:
            missing.remove(message.data)
        else:
            unexpected.append(message)
    return ([f'not added: {[title(data) for data in missing]}'] if missing else []) + \
        ([f'added as well: {unexpected}'] if unexpected else [])


def assert_only(before, after, **expected):
    """AssertionError with a line for each difference that is not expected; returns what was added, {uid: Message}."""
    problems = differences(before, after, **expected)
    if problems:
        raise AssertionError('\n'.join(problems))
    return {uid: after[uid] for uid in after if uid not in before}


def wait_only(server, folder, before, timeout=10, user='alice', **expected):
    """assert_only() until it is so; then returns what was added.  AssertionError with the last differences."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return assert_only(before, snapshot(server, folder, user), **expected)
        except (AssertionError, LookupError) as wrong:
            if time.monotonic() > deadline:
                raise AssertionError(f'{folder} after {timeout} s:\n{wrong}') from None
        time.sleep(0.02)


def assert_each_once(before, after):
    """
    Of whole mailboxes ({folder: snapshot}): every message's bytes are there as often as before, in whatever folder, marked \\Deleted or
    not.  AssertionError names what is lost and what is there more often.
    """
    counts = {}
    for step, mailbox in ((-1, before), (1, after)):
        for messages in mailbox.values():
            for message in messages.values():
                counts[message.data] = counts.get(message.data, 0) + step
    wrong = [f'{"lost" if count < 0 else "duplicated"} ({count:+d}): {title(data)}' for data, count in counts.items() if count]
    if wrong:
        raise AssertionError('\n'.join(sorted(wrong)))
