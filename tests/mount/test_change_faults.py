#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Connections cut at any byte of a change, the daemon killed with changes on their way, no server at all, a server that says no late:
every message is there once, and every change arrives once or is taken back."""

import contextlib
import errno
import os
import random
import threading
import time

import mailtest
from mailtest import observer, wait_for
from mailtest.changing import ChangeTestCase, error_of, letter, set_flags, write

RECONNECTED_S = 30


class FaultTestCase(ChangeTestCase):
    """Between mailfs and the server of ChangeTestCase stands a CuttingProxy, the network."""

    limit_s = 240
    keys = {'timeout': '3'}

    def port(self):
        self.network = self.enterContext(mailtest.CuttingProxy(self.proxy.port))
        return self.network.port

    def arrived(self, *folders):
        """fsync(2) of the folders as often as the connection needs, so that nothing is on its way any more."""
        def synced():
            return all(error_of(self.sync, folder) == 0 for folder in folders)
        wait_for(synced, RECONNECTED_S, f'the server to have all of {folders}', 0.1)

    def online(self):
        return self.mount.status()['state'] == 'online'


class Cut(FaultTestCase):
    """
    One dialogue a test, cut after so many bytes of the client's side, and then of the server's until it is over.
    Each cut has a message of its own, whose UID is its number.
    """

    folders = {'INBOX': 60, 'Archive': 4}
    CLIENT = (0, 1, 9, 16, 24, 33)
    SERVER = range(0, 400, 16)

    def each_cut(self, pattern, change):
        """Calls `change` with the number of the cut, the network armed."""
        fired = number = 0
        for side, counts in (('client', self.CLIENT), ('server', self.SERVER)):
            for count in counts:
                number += 1
                self.network.arm(pattern, how='reset' if number % 3 == 0 else 'close', **{side: count})
                try:
                    change(number)
                except Exception as failure:
                    raise AssertionError(f'cut after {count} bytes of the {side}: {failure}') from failure
                over = not self.network.fired.is_set()
                self.network.disarm()
                fired += not over
                if over and side == 'server':
                    break
        self.assertGreater(fired, len(self.CLIENT) // 2 + 2, 'there was hardly anything to cut')

    def test_store(self):
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
        self.assertEqual(len(self.names('Archive')), 4 + len(moved))
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

    def test_move(self):
        self.move_all(b'UID MOVE')

    def test_removal_to_the_trash(self):
        self.remove_all(b'UID MOVE')

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

    def append_all(self, data_of):
        brought = []

        def change(number):
            data = data_of(number)
            closed = self.append(self.mount / f'Archive/{number}.eml', data)
            found = self.found(data)
            self.assertTrue(closed <= found <= 1, f'close succeeded: {closed}, on the server {found} times')
            brought.extend([data] * found)
        self.each_cut(b'APPEND', change)
        self.check_now({'Archive': {'added': brought}})

    def test_append(self):
        self.append_all(lambda number: letter(f'brought {number}'))

    def test_append_of_messages_without_an_id(self):
        self.append_all(lambda number: b'Subject: number %d\r\n\r\ntext\r\n' % number)

    def test_append_of_the_same_again_and_again(self):
        """Equal bytes that are there already prove nothing about an APPEND whose reply is lost."""
        data = letter('always the same')
        closed = []

        def change(number):
            closed.append(self.append(self.mount / f'Archive/{number}.eml', data))
            self.assertTrue(sum(closed) <= self.found(data) <= number, (sum(closed), self.found(data), number))
        self.each_cut(b'APPEND', change)

    def test_create(self):
        made = []

        def change(number):
            os.mkdir(self.mount / f'New {number}')
            made.append(f'New {number}')
            self.arrived('')
        self.each_cut(b'CREATE', change)
        self.check_now({name: {} for name in made})
        self.assertLessEqual(set(made), observer.subscribed(self.server))

    def test_rename_of_a_folder(self):
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

    def test_a_draft_that_is_replaced(self):
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
        self.each_cut(b'APPEND', change)
        draft, = observer.snapshot(self.server, 'Drafts').values()
        self.assertEqual(self.mount.read(path), draft.data)


class CutWithoutMove(Cut):
    """COPY, STORE and EXPUNGE, each of them cut."""

    hidden = ('MOVE',)

    def test_move(self):
        self.move_all(b'UID COPY')

    def test_move_cut_at_store(self):
        self.move_all(b'UID STORE')

    def test_move_cut_at_expunge(self):
        self.move_all(b'UID EXPUNGE')

    def test_removal_to_the_trash(self):
        self.remove_all(b'UID COPY')

    # The same as with MOVE.
    test_store = test_append = test_append_of_messages_without_an_id = test_append_of_the_same_again_and_again = None
    test_create = test_rename_of_a_folder = test_a_draft_that_is_replaced = None


class CutWithoutMoveAndUids(CutWithoutMove):
    """A lost reply to COPY would have said which UIDs the copies got; here not even a whole one does."""

    hidden = ('MOVE', 'COPYUID', 'APPENDUID')


class Killed(FaultTestCase):
    def test_changes_that_never_left_arrive_after_the_next_mount(self):
        paths = {uid: self.path(uid) for uid in range(1, 7)}
        self.network.stall()
        set_flags(paths[1], r'+\Answered')
        os.unlink(paths[2])
        os.rename(paths[3], self.mount / 'Archive/three.eml')
        os.mkdir(self.mount / 'New')
        os.rename(paths[4], self.mount / 'New/four.eml')
        set_flags(self.mount / 'New/four.eml', r'\Flagged')
        os.rename(paths[5], self.mount / 'INBOX/five.eml')
        self.mount.kill9()
        self.network.down()
        self.network.resume()
        self.check_now()
        self.network.up()
        self.mount.start()
        self.assertEqual(self.mount.read('INBOX/five.eml'), self.data(5))
        self.assertLessEqual({'four.eml'}, self.names('New'))
        self.arrived('INBOX', 'Archive', 'New')
        added = self.check({'INBOX': {'changed': {1: r'\Seen \Answered'}, 'gone': [2, 3, 4]}, 'Trash': {'added': [self.data(2)]},
                            'Archive': {'added': [self.data(3)]}, 'New': {'added': [self.data(4)]}})
        self.assertEqual([message.flags for message in added['New'].values()], [{'\\Flagged'}])
        self.assertIn('three.eml', self.names('Archive'))

    def test_an_append_that_waits_for_its_reply(self):
        """Killed before and after the server took it: once, or kept."""
        for number, position in enumerate((dict(client=0), dict(client=40), dict(server=0))):
            with self.subTest(position):
                data = letter(f'appended {number}')
                self.network.arm(b'APPEND', how='stall', **position)
                writer = threading.Thread(target=error_of, args=(write, self.mount / f'Lists/{number}.eml', data))
                writer.start()
                self.assertTrue(self.network.fired.wait(10), 'no APPEND')
                self.mount.kill9(unmount=False)
                writer.join(20)
                self.network.drop_connections()
                mailtest.mount.lazily_unmount(self.mount.path)
                self.mount.start()
                self.arrived('Lists')
                found = sum(message.data == data for message in observer.snapshot(self.server, 'Lists').values())
                kept = sum(self.mount.read(f'Lists/{name}') == data for name in self.names('Lists'))
                self.assertLessEqual(found, 1)
                self.assertEqual(kept, 1)

    def test_at_any_moment(self):
        chooser = random.Random(os.environ.get('MAILTEST_SEED', '1'))
        self.server.fill(200, ('Lists',), small=True)
        self.before = observer.snapshots(self.server)
        moved = 0
        for number in range(8):
            source, target = (('Lists', 'Archive'), ('Archive', 'Lists'))[number % 2]
            done = []
            killer = threading.Timer(chooser.random() * 0.4, self.mount.kill9, kwargs={'unmount': False})
            paths = self.mount.files(source)
            killer.start()
            with contextlib.suppress(OSError):
                for path in paths:
                    name = os.path.basename(path)
                    os.rename(path, self.mount / f'{target}/{name}')
                    done.append(name)
            killer.join()
            mailtest.mount.lazily_unmount(self.mount.path)
            self.mount.start()
            self.arrived(source, target)
            observer.assert_each_once(self.before, observer.snapshots(self.server))
            self.assertLessEqual(set(done), self.names(target))
            self.assertFalse(set(done) & self.names(source))
            moved += len(done)
        self.assertGreater(moved, 100)


class Offline(FaultTestCase):
    def go_offline(self):
        uncached = self.path(1, 'Drafts')
        self.network.down()
        wait_for(lambda: error_of(self.mount.read, uncached) and not self.online(), 20, 'it to notice', 0.1)

    def change(self):
        """Everything that can be done without a server; returns what it comes to."""
        set_flags(self.path(1), r'+\Answered keyword')
        os.unlink(self.path(2))
        os.rename(self.path(3), self.mount / 'Archive/three.eml')
        os.mkdir(self.mount / 'New')
        os.rename(self.path(4), self.mount / 'New/four.eml')
        os.rename(self.mount / 'New', self.mount / 'Newer')
        os.rename(self.mount / 'Newer/four.eml', self.mount / 'Newer/4.eml')
        write(self.mount / 'Newer/five.eml', letter('five'), mtime=1500000000, flags=r'\Seen')
        write(self.mount / 'Lists/six.eml', b'Subject: six\n\nx\n')
        os.unlink(self.mount / 'Lists/six.eml')
        return {'INBOX': {'changed': {1: r'\Seen \Answered keyword'}, 'gone': [2, 3, 4]}, 'Archive': {'added': [self.data(3)]}, 'Newer': {'added': 2}}

    def shown(self):
        self.assertEqual(self.flags(self.path(1)), {'\\Seen', '\\Answered', 'keyword'})
        self.assertEqual(len(self.names()), 5)
        self.assertEqual(self.names('Newer'), {'4.eml', 'five.eml'})
        self.assertIn('three.eml', self.names('Archive'))
        self.assertNotIn('New', self.names(''))

    def arrive(self, expected):
        self.network.up()
        wait_for(self.online, RECONNECTED_S, 'it to come back', 0.1)
        self.arrived('INBOX', 'Archive', 'Newer', 'Lists')
        now = observer.snapshots(self.server)['Trash']
        self.assertIn(self.data(2), [message.data for message in now.values()])
        removed = [message.data for uid, message in now.items() if uid not in self.before['Trash']]
        self.assertLessEqual({observer.title(data) for data in removed}, {'INBOX 2', 'six'})
        added = self.check(dict(expected, Trash={'added': removed}))
        self.assertEqual({(observer.title(message.data), message.flags) for message in added['Newer'].values()}, {('five', frozenset({'\\Seen'})), ('INBOX 4', self.before['INBOX'][4].flags)})
        self.shown()

    def test_changes_wait_and_arrive_in_order(self):
        self.names('Lists')
        for folder in ('INBOX', 'Archive'):
            self.mount.by_uid(folder)
        self.go_offline()
        expected = self.change()
        self.shown()
        self.check_now()
        self.arrive(expected)

    def test_changes_wait_over_a_remount_and_a_crash(self):
        self.mount.by_uid()
        self.names('Archive')
        self.names('Lists')
        self.go_offline()
        expected = self.change()
        for step in (self.mount.remount, lambda: (self.mount.kill9(), self.mount.start())):
            step()
            self.shown()
        self.check_now()
        self.arrive(expected)

    def test_fsync_does_not_wait_for_a_server_that_is_away(self):
        path = self.path(1)
        self.go_offline()
        set_flags(path, r'+\Answered')
        start = time.monotonic()
        error_of(self.sync, 'INBOX')
        self.assertLess(time.monotonic() - start, 5)

    def test_what_no_longer_applies_is_told_and_loses_nothing(self):
        for folder in ('INBOX', 'Archive', 'Lists'):
            self.mount.by_uid(folder)
        self.go_offline()
        os.rename(self.path(2), self.mount / 'Lists/two.eml')
        set_flags(self.path(3), r'+\Answered')
        os.rename(self.path(4), self.mount / 'Archive/four.eml')
        with mailtest.OtherClient(self.server) as other, self.server.imap() as client:
            client.delete('Lists')
            other.expunge([3])
            other.move([5], 'Archive')
        self.before = observer.snapshots(self.server)
        self.network.up()
        wait_for(self.online, RECONNECTED_S, 'it to come back', 0.1)
        self.arrived('INBOX', 'Archive')
        self.check({'INBOX': {'gone': [4]}, 'Archive': {'added': [self.data(4)]}})
        wait_for(lambda: len(self.names()) == 5, 20, 'the message to be shown again', 0.1)


class RefusedLate(FaultTestCase):
    """Rights that went while mailfs looked elsewhere: refused at once where it knows, else taken back within about a second."""

    server_options = {'acl': True}

    def taken_back(self, change, still_so):
        status = error_of(change)
        self.assertIn(status, (0, errno.EACCES))
        start = time.monotonic()
        wait_for(still_so, 10, 'the tree to be as it was', 0.02)
        return time.monotonic() - start if status == 0 else 0

    def new_rights(self, folder, rights):
        """New sessions know; the connections of before are gone."""
        wait_for(self.online, RECONNECTED_S, 'the connection')
        self.server.set_rights((folder,), rights)
        self.network.drop_connections()

    def test_a_move_into_a_folder_that_takes_nothing_any_more(self):
        self.names('Archive')
        path = self.path(2)
        self.new_rights('Archive', 'lr')
        seconds = self.taken_back(lambda: os.rename(path, self.mount / 'Archive/x.eml'),
                                  lambda: os.path.exists(path) and 'x.eml' not in self.names('Archive'))
        self.assertLess(seconds, 5)
        self.check()
        self.assertEqual(self.mount.read(path), self.data(2))

    def test_removal_and_flags_where_only_reading_is_allowed(self):
        paths = {uid: self.path(uid, 'Lists') for uid in (1, 2)}
        before = self.flags(paths[2])
        self.new_rights('Lists', 'lr')
        self.taken_back(lambda: os.unlink(paths[1]), lambda: os.path.exists(paths[1]))
        self.taken_back(lambda: set_flags(paths[2], r'+\Answered'), lambda: self.flags(paths[2]) == before)
        self.check()

    def test_an_append_is_eacces_and_kept(self):
        self.names('Archive')
        self.new_rights('Archive', 'lr')
        data = letter('refused')
        self.assertEqual(error_of(write, self.mount / 'Archive/new.eml', data), errno.EACCES)
        self.check()

    def test_a_folder_that_another_client_removed_meanwhile(self):
        """Refused within a session that stands: at once shown, and soon taken back, with a line in the log."""
        self.server.create(('Gone',))
        self.mount.remount()
        self.names('Gone')
        path = self.path(2)
        with self.server.imap() as client:
            client.delete('Gone')
        status = error_of(os.rename, path, self.mount / 'Gone/x.eml')
        self.assertIn(status, (0, errno.ENOENT))
        start = time.monotonic()
        wait_for(lambda: os.path.exists(path), 10, 'the message to come back', 0.02)
        self.assertLess(time.monotonic() - start, 3)
        if status == 0:
            self.assertRegex(self.mount.log(), r'(?i)(gone|move)')
        self.check()


if __name__ == '__main__':
    mailtest.main()
