#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Connections cut at any byte of a change's dialogue: every message is there once, every change arrives once, and who made it was told the truth."""

import errno
import os

import mailtest
from mailtest import observer
from mailtest.changing import error_of, letter, set_flags, write
from mailtest.cutting_proxy import NEVER
from mailtest.faults import FaultTestCase


def places_of_client(said):
    """Where to cut a command: before it, within and at the end of its line, within its literals, and just before its last byte."""
    line = said.index(b'\n') + 1
    return sorted({0, line // 2, line - 1, line, (line + len(said)) // 2, len(said) - 2, len(said) - 1} & set(range(len(said))))


def places_of_server(said):
    """Before, within and just before the end of each line of the answer."""
    places = set()
    at = 0
    for line in said.splitlines(keepends=True):
        places |= {at, at + len(line) // 2, at + len(line) - 1}
        at += len(line)
    return sorted(places)


class Cut(FaultTestCase):
    """
    Dialogues, each watched once and then cut at each of its places of the client's side, and then of the server's.
    Each cut has a message of its own, whose UID is its number.
    """

    folders = {'INBOX': 70, 'Archive': 4}
    number = 0
    every = 1       # 2: at every second place, where a dialogue is much like one that is cut elsewhere

    def each_cut(self, pattern, change, every=1):
        """Calls `change` with the number of the cut, the network armed."""
        every = max(every, self.every)
        self.network.arm(pattern, client=NEVER)
        change(self.next())
        self.network.disarm()
        said = self.network.said
        self.assertTrue(said['client'] and said['server'], 'nothing to cut')
        cuts = [('client', count) for count in places_of_client(said['client'])][::every]
        cuts += [('server', count) for count in places_of_server(said['server'])][::every]
        fired = []
        for side, count in cuts:
            number = self.next()
            self.network.arm(pattern, how='reset' if number % 3 == 0 else 'close', **{side: count})
            try:
                change(number)
            except Exception as failure:
                raise AssertionError(f'cut after {count} bytes of the {side} of {said}: {failure}') from failure
            if self.network.fired.is_set():
                fired.append((side, count))
            self.network.disarm()
        self.assertGreaterEqual(len(fired), len(cuts) - 2, f'of {cuts} these alone: {fired}')

    def next(self):
        self.number += 1
        return self.number

    def one_by_one(self, *parts):
        """On one mount: each part finds the account as the one before has left it."""
        for part, *arguments in parts:
            with self.subTest(part.__name__, arguments=arguments):
                self.before = observer.snapshots(self.server)
                part(*arguments)
        self.settled = observer.snapshots(self.server)

    def test_messages(self):
        self.one_by_one((self.store_all,), (self.move_all, b'UID MOVE'), (self.remove_all, b'UID MOVE'), (self.copy_all,))

    def test_new_messages(self):
        self.one_by_one((self.append_each,), (self.append_without_an_id,), (self.append_the_same,), (self.replace_a_draft,))

    def test_folders(self):
        self.one_by_one((self.create_all, b'CREATE'), (self.create_all, b'SUBSCRIBE'), (self.delete_all,), (self.rename_all,))

    def store_all(self):
        changed = {}

        def change(uid):
            set_flags(self.path(uid), r'+\Answered')
            changed[uid] = ' '.join(self.before['INBOX'][uid].flags | {'\\Answered'})
            self.arrived('INBOX')
        self.each_cut(b'UID STORE', change)
        self.check_now({'INBOX': {'changed': changed}})

    def move_all(self, pattern):
        moved = []

        def change(uid):
            os.rename(self.path(uid), self.mount / f'Archive/{uid}.eml')
            moved.append(uid)
            self.arrived('INBOX', 'Archive')
            self.assertEqual(self.mount.read(f'Archive/{uid}.eml'), self.data(uid))
        self.each_cut(pattern, change)
        added = self.check_now({'INBOX': {'gone': moved}, 'Archive': {'added': [self.data(uid) for uid in moved]}})
        self.assertEqual({message.flags for message in added['Archive'].values()}, {self.before['INBOX'][uid].flags for uid in moved})
        self.assertEqual(len(self.names('Archive')), len(self.before['Archive']) + len(moved))
        self.mount.remount()
        self.assertLessEqual({f'{uid}.eml' for uid in moved}, self.names('Archive'))

    def remove_all(self, pattern):
        removed = []

        def change(uid):
            os.unlink(self.path(uid))
            removed.append(uid)
            self.arrived('INBOX')
        self.each_cut(pattern, change)
        self.check_now({'INBOX': {'gone': removed}, 'Trash': {'added': [self.data(uid) for uid in removed]}})

    def append(self, path, data):
        """Whether close said that it is there; else its bytes are kept."""
        status = error_of(write, path, data)
        self.assertNotIn(status, (errno.EPERM, errno.EACCES, errno.EINVAL))
        self.arrived('Archive')
        if status != 0:
            self.assertIn(data, [self.mount.read(f'Archive/{name}') for name in self.names('Archive')])
        return status == 0

    def found(self, data):
        return sum(message.data == data for message in observer.snapshot(self.server, 'Archive').values())

    def append_all(self, data_of, every=1):
        brought = []

        def change(number):
            data = data_of(number)
            closed = self.append(self.mount / f'Archive/{number}.eml', data)
            found = self.found(data)
            self.assertTrue(closed <= found <= 1, f'close succeeded: {closed}, on the server {found} times')
            brought.extend([data] * found)
        self.each_cut(b'APPEND', change, every)
        self.check_now({'Archive': {'added': brought}})

    def append_each(self):
        self.append_all(lambda number: letter(f'brought {number}'))

    def append_without_an_id(self):
        self.append_all(lambda number: b'Subject: number %d\r\n\r\ntext\r\n' % number, every=2)

    def append_the_same(self):
        """Equal bytes that are there already prove nothing about an APPEND whose reply is lost."""
        data = letter('always the same')
        closed, first = [], self.number

        def change(number):
            closed.append(self.append(self.mount / f'Archive/{number}.eml', data))
            self.assertTrue(sum(closed) <= self.found(data) <= number - first, (sum(closed), self.found(data), number - first))
        self.each_cut(b'APPEND', change, every=2)

    def copy_all(self):
        copied = []

        def change(uid):
            self.run_quietly('cp', self.path(uid), self.mount / f'Archive/copy {uid}.eml')
            copied.append(uid)
            self.arrived('INBOX', 'Archive')
        self.each_cut(b'UID COPY', change)
        self.check_now({'Archive': {'added': [self.data(uid) for uid in copied]}})
        self.assertLessEqual({f'copy {uid}.eml' for uid in copied}, self.names('Archive'))

    def create_all(self, pattern):
        made = []

        def change(number):
            os.mkdir(self.mount / f'New {number}')
            made.append(f'New {number}')
            self.arrived('')
        self.each_cut(pattern, change)
        self.check_now({name: {} for name in made})
        self.assertLessEqual(set(made), observer.subscribed(self.server))

    def delete_all(self):
        names = [f'Empty {number}' for number in range(self.number + 1, self.number + 13)]
        for name in names:
            self.server.create((name,))
        self.mount.remount()
        self.before = observer.snapshots(self.server)
        removed = []

        def change(number):
            os.rmdir(self.mount / f'Empty {number}')
            removed.append(f'Empty {number}')
            self.arrived('')
            self.assertNotIn(f'Empty {number}', self.names(''))
        self.each_cut(b'DELETE', change)
        self.check_now({name: None for name in removed})

    def rename_all(self):
        """Not one that Dovecot makes anew."""
        names = ['Lists']
        self.server.create(('Lists',))
        self.server.deliver(letter('Lists 1'), ('Lists',))
        self.mount.remount()

        def change(number):
            os.rename(self.mount / names[-1], self.mount / f'Lists {number}')
            names.append(f'Lists {number}')
            self.arrived('')
            self.assertEqual(len(self.names(names[-1])), 1)
        self.each_cut(b'RENAME', change)
        self.check_now({names[-1]: {'added': 1}})

    def replace_a_draft(self):
        """At each byte of the APPEND the old one or the new one is there."""
        path = self.mount / 'Drafts/draft.eml'
        write(path, b'Subject: draft\r\n\r\n0\r\n')

        def overwrite(data):
            with open(path, 'wb') as file:
                file.write(data)

        def change(number):
            self.assertNotIn(error_of(overwrite, b'Subject: draft\r\n\r\n%d\r\n' % number), (errno.EPERM, errno.EACCES, errno.EINVAL))
            self.assertTrue(observer.snapshot(self.server, 'Drafts'))
            self.arrived('Drafts')
            self.assertEqual(len(observer.snapshot(self.server, 'Drafts')), 1)
        self.each_cut(b'APPEND', change, every=2)
        draft, = observer.snapshot(self.server, 'Drafts').values()
        self.assertEqual(self.mount.read(path), draft.data)


class CutWithoutMove(Cut):
    """COPY, STORE and EXPUNGE, each of them cut."""

    hidden = ('MOVE',)
    test_new_messages = test_folders = None     # as with MOVE

    def test_messages(self):
        self.one_by_one((self.move_all, b'UID COPY'), (self.move_all, b'UID STORE'), (self.move_all, b'UID EXPUNGE'), (self.remove_all, b'UID COPY'))


class CutWithoutMoveAndUids(CutWithoutMove):
    """A lost reply to COPY would have said which UIDs the copies got; here not even a whole one does."""

    hidden = ('MOVE', 'COPYUID', 'APPENDUID')
    every = 2


class CutContinuation(Cut):
    """The server is waited for before a literal."""

    hidden = ('LITERAL+', 'LITERAL-')
    every = 2
    test_messages = test_folders = None         # without literals

    def test_new_messages(self):
        self.append_each()


if __name__ == '__main__':
    mailtest.main()
