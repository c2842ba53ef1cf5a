#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The daemon killed with changes on their way, no server at all, a server that says no late: every message is there once, and every change
arrives once or is taken back."""

import contextlib
import errno
import os
import random
import threading
import time

import mailtest
from mailtest import observer, wait_for
from mailtest.changing import ChangeTestCase, error_of, letter, set_flags, write
from mailtest.faults import RECONNECTED_S, FaultTestCase


class Killed(FaultTestCase):
    def test_changes_that_never_left_arrive_after_the_next_mount(self):
        paths = {uid: self.path(uid) for uid in range(1, 7)}
        self.names('Archive')   # a name in a folder that nobody has looked at yet would wait for the server
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
            with contextlib.suppress(OSError):
                for path in paths:
                    name = os.path.basename(path)
                    os.rename(path, self.mount / f'{target}/{name}')
                    done.append(name)
                    if len(done) == 1:
                        killer.start()
            killer.join()
            mailtest.mount.lazily_unmount(self.mount.path)
            self.mount.start()
            self.arrived(source, target)
            observer.assert_each_once(self.before, observer.snapshots(self.server))
            self.assertLessEqual(set(done), self.names(target))
            self.assertFalse(set(done) & self.names(source))
            moved += len(done)
        self.assertGreater(moved, 16)       # hundreds, but on a slow machine


class KilledWaiting(FaultTestCase):
    keys = {'timeout': '3'}     # what the server may still be at is waited for so long

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


class Slow(ChangeTestCase):
    """A server that needs longer for a command than `timeout`."""

    keys = {'timeout': '2'}

    def port(self):
        self.network = self.enterContext(mailtest.HoldingProxy(self.proxy.port))
        return self.network.port

    def change_slowly(self, command, change, *, answer, wait_s=7):
        """What the server says to it comes after `wait_s`; whoever changes something, or reads, waits for `timeout` at most."""
        uncached = [self.path(uid) for uid in (6, 7)]
        self.network.hold(command, answer)
        start = time.monotonic()
        self.assertEqual(error_of(change), 0)
        self.assertTrue(self.network.held.wait(10), f'no {command}')
        self.assertEqual(error_of(self.sync, 'INBOX'), 0)
        self.assertLess(time.monotonic() - start, 5)
        for uid, path in zip((6, 7), uncached):
            self.assertEqual(self.mount.read(path), self.data(uid))
        start = time.monotonic()
        self.assertEqual(error_of(self.sync, 'INBOX'), 0)
        self.assertLess(time.monotonic() - start, 1)
        time.sleep(wait_s)
        self.assertEqual(self.mount.status()['state'], 'online')
        self.network.release()

    def test_an_append_arrives_once(self):
        for answer in (False, True):
            with self.subTest(answer=answer):
                self.names('Lists')
                data = letter(f'slow {answer}')
                self.change_slowly(b'APPEND', lambda data=data: write(self.mount / 'Lists/new.eml', data), answer=answer)
                added = self.check({'Lists': {'added': [data]}})['Lists']
                self.before['Lists'].update(added)
                self.assertEqual(self.mount.read('Lists/new.eml'), data)
                os.rename(self.mount / 'Lists/new.eml', self.mount / f'Lists/{answer}.eml')

    def test_a_move_is_done_once(self):
        self.names('Archive')
        path = self.path(2)
        self.change_slowly(b'UID MOVE', lambda: os.rename(path, self.mount / 'Archive/x.eml'), answer=False)
        self.check({'INBOX': {'gone': [2]}, 'Archive': {'added': [self.data(2)]}})
        self.assertEqual(self.mount.read('Archive/x.eml'), self.data(2))

    def test_unmounting_does_not_wait_for_it(self):
        self.names('Lists')
        self.network.hold(b'APPEND', True)
        data = letter('slow')
        self.assertEqual(error_of(write, self.mount / 'Lists/new.eml', data), 0)
        start = time.monotonic()
        self.mount.unmount()
        self.assertLess(time.monotonic() - start, 5)
        self.network.release()
        self.mount.start()
        self.check({'Lists': {'added': [data]}})

    def test_what_arrives_after_the_next_mount_is_stored_once(self):
        self.names('Lists')
        self.network.hold(b'APPEND')
        data = letter('slow')
        self.assertEqual(error_of(write, self.mount / 'Lists/new.eml', data), 0)
        self.mount.remount()
        self.assertEqual(self.mount.read('Lists/new.eml'), data)
        time.sleep(3)
        self.network.release()
        self.check({'Lists': {'added': [data]}})

    def test_what_arrives_after_a_crash_and_the_next_mount_is_stored_once(self):
        self.names('Lists')
        self.network.hold(b'APPEND')
        data = letter('slow')
        writer = threading.Thread(target=error_of, args=(write, self.mount / 'Lists/new.eml', data))
        writer.start()
        self.assertTrue(self.network.held.wait(10), 'no APPEND')
        self.mount.kill9(unmount=False)
        writer.join(20)
        mailtest.mount.lazily_unmount(self.mount.path)
        self.mount.start()
        self.assertEqual(self.mount.read('Lists/new.eml'), data)
        time.sleep(3)
        self.network.release()
        self.check({'Lists': {'added': [data]}})


class SlowAlone(Slow):
    """With one connection the others get one in its place."""

    keys = {'timeout': '2', 'connections': '1'}


class SlowCopy(Slow):
    hidden = ('MOVE',)
    test_an_append_arrives_once = test_unmounting_does_not_wait_for_it = test_what_arrives_after_the_next_mount_is_stored_once = None
    test_what_arrives_after_a_crash_and_the_next_mount_is_stored_once = None

    def test_a_move_is_done_once(self):
        self.names('Archive')
        path = self.path(2)
        self.change_slowly(b'UID COPY', lambda: os.rename(path, self.mount / 'Archive/x.eml'), answer=False)
        self.check({'INBOX': {'gone': [2]}, 'Archive': {'added': [self.data(2)]}})


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

    def refused_at_close(self, folder, number, meanwhile):
        """Opened and written to, and then; what was written is scratch, also after a remount."""
        self.names(folder)
        data = letter('refused')
        descriptor = os.open(self.mount / f'{folder}/new.eml', os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        os.write(descriptor, data)
        meanwhile()
        with self.fails_with(number):
            os.close(descriptor)
        for step in (lambda: None, self.mount.remount):
            step()
            found = [path for path in self.kept_files() if self.mount.read(path) == data]
            self.assertEqual(len(found), 1, self.kept_files())
            self.assertIn('new.eml', os.path.basename(found[0]))
        self.check_now()

    def kept_files(self):
        """All scratch files, wherever in the tree; messages would be fetched."""
        return [os.path.join(directory, name) for directory, _, names in os.walk(self.mount.path) for name in names if '.partial' in name]

    def test_an_append_is_eacces_and_kept(self):
        self.refused_at_close('Archive', errno.EACCES, lambda: self.new_rights('Archive', 'lr'))

    def test_an_append_into_a_folder_that_is_no_more_is_enoent_and_kept(self):
        self.server.create(('Gone',))
        self.mount.remount()

        def remove():
            with self.server.imap() as client:
                client.delete('Gone')
        self.refused_at_close('Gone', errno.ENOENT, remove)

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


class RefusedHalf(FaultTestCase):
    """What may be marked \\Deleted, but not expunged, to which Dovecot says OK all the same."""

    server_options = {'acl': True}

    def test_nothing_is_marked(self):
        self.names('Archive')
        self.mount.unmount()
        self.server.set_rights(('Lists',), 'lrswt')
        self.mount.start()
        self.names('Archive')
        path = self.path(1, 'Lists')
        self.assertEqual(error_of(os.unlink, path), errno.EACCES)
        self.assertEqual(error_of(os.rename, path, self.mount / 'Archive/x.eml'), errno.EACCES)
        self.check()


if __name__ == '__main__':
    mailtest.main()
