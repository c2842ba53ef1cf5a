#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What another client changes shows in the tree; a remount asks only for what changed; a new UIDVALIDITY mixes nothing."""

import contextlib
import ctypes
import errno
import os
import re
import struct

import mailtest
from mailtest import messages

NO_CONDSTORE = 'IMAP4rev1 SASL-IR LOGIN-REFERRALS ID LITERAL+ ESEARCH UIDPLUS LIST-EXTENDED LIST-STATUS SPECIAL-USE NAMESPACE UNSELECT'
BAREST = 'IMAP4rev1'
CHECKED_AGAIN_S = 30    # a check is due after 10 s


def letters(server, count, folder='INBOX'):
    for number in range(1, count + 1):
        server.deliver(messages.letter(subject=f'letter {number}', body=f'{folder} {number}\r\n' * 20), folder)


def held(server, folder='INBOX'):
    return {uid: data for uid, (_, data) in server.messages(folder).items()}


def flags(mount, folder='INBOX'):
    """{uid: flags} as the tree shows them."""
    return {int(path.rsplit('.', 2)[-2]): set(os.getxattr(path, 'user.mail.flags').decode().split()) for path in mount.files(folder)}


def piece(directory, size=4096):
    """What getdents64(2) has next of an open directory: [(name, the place behind it)]."""
    data = ctypes.create_string_buffer(size)
    libc = ctypes.CDLL(None, use_errno=True)
    end = libc.getdents64(directory, data, ctypes.c_size_t(size))
    if end < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    found, at = [], 0
    while at < end:
        _, place, length = struct.unpack_from('=QqH', data, at)
        found.append((os.fsdecode(data[at + 19:at + length].split(b'\0')[0]), place))
        at += length
    return found


def pieces(directory):
    """The names from where the directory stands to its end."""
    return [name for part in iter(lambda: piece(directory), []) for name, _ in part if name not in ('.', '..')]


class AnotherClient(mailtest.MountTestCase):
    limit_s = 90

    def change(self, server):
        """New, gone and reflagged messages; new and gone folders."""
        server.deliver(messages.letter(subject='new one'))
        with server.imap() as client:
            client.select('INBOX')
            client.uid('STORE', '3,4', '+FLAGS', '(\\Deleted)')
            client.expunge()
            client.uid('STORE', '5', '+FLAGS', '(\\Flagged keyword)')
            client.uid('STORE', '6', '-FLAGS', '(\\Seen)')
            client.uid('STORE', '7', '+FLAGS', '(\\Deleted)')     # marked, not expunged: it still is there
            client.create('Fresh')
            client.delete('Stale')

    def shows_the_changes(self, mount):
        try:
            found = flags(mount)
            return set(found) == {1, 2, 5, 6, 7, 8, 9} and {'\\Flagged', 'keyword'} <= found[5] and '\\Seen' not in found[6] \
                and '\\Deleted' in found[7] \
                and {'Fresh', 'Stale'} & set(os.listdir(mount.path)) == {'Fresh'}
        except FileNotFoundError:       # went between being listed and being asked
            return False

    def prepare(self, stack, capability):
        server = stack.enter_context(mailtest.Dovecot(rawlog=True, imap_capability=capability))
        letters(server, 8)
        server.create('Stale')
        with server.imap() as client:
            client.select('INBOX')
            client.uid('STORE', '6', '+FLAGS', '(\\Seen)')
        mount = stack.enter_context(mailtest.Mount(mailtest.account(server)))
        self.assertEqual(set(flags(mount)), set(range(1, 9)))
        self.assertIn('\\Seen', flags(mount)[6])
        self.assertIn('Stale', os.listdir(mount.path))
        mount.by_uid()
        return server, mount

    def test_its_changes_appear_with_condstore_and_without(self):
        with contextlib.ExitStack() as stack:
            pairs = [self.prepare(stack, capability) for capability in (None, NO_CONDSTORE, BAREST)]
            before = [os.stat(mount / 'INBOX').st_mtime_ns for _, mount in pairs]
            open_file = stack.enter_context(open(pairs[0][1].files()[2], 'rb'))
            for server, _ in pairs:
                self.change(server)
            for (server, mount), mtime in zip(pairs, before):
                mailtest.wait_for(lambda: self.shows_the_changes(mount), CHECKED_AGAIN_S, 'the changes to show', 0.2)
                self.assertEqual(mount.by_uid(), held(server))
                self.assertEqual(os.getxattr(mount / 'INBOX', 'user.mail.messages'), b'7')
                self.assertGreater(os.stat(mount / 'INBOX').st_mtime_ns, mtime)
                self.assertEqual(mount.files('Fresh'), [])
            self.assertIn(b'letter 3', open_file.read())
            self.assertIn('CHANGEDSINCE', pairs[0][0].commands())
            for server, _ in pairs[1:]:
                self.assertNotRegex(server.commands(), 'CHANGEDSINCE|MODSEQ|CONDSTORE')

    def test_its_changes_while_unmounted_show_at_once_after_a_remount(self):
        for capability in (None, NO_CONDSTORE, BAREST):
            with self.subTest(capability), contextlib.ExitStack() as stack:
                server, mount = self.prepare(stack, capability)
                mount.unmount()
                self.change(server)
                mount.start()
                self.assertTrue(self.shows_the_changes(mount), (flags(mount), os.listdir(mount.path)))
                self.assertEqual(mount.by_uid(), held(server))


class Remount(mailtest.MountTestCase):
    COUNT = 2000

    def traffic(self, capability):
        """Of a first listing and reading, and of the same after a remount: [(bytes from the server, what was sent)]."""
        passes = []
        with mailtest.Dovecot(imap_capability=capability) as server, mailtest.Proxy(server.imap_port, record=True) as proxy:
            server.fill(self.COUNT, small=True)
            section = mailtest.account(server, imap=f'imap+insecure://alice@localhost:{proxy.port}')
            mount = mailtest.Mount(section)
            content = None
            for _ in range(2):
                proxy.reset_counters()
                with mount:
                    found = mount.by_uid()
                self.assertEqual(len(found), self.COUNT)
                self.assertEqual(content or found, found)
                content = found
                passes.append((proxy.from_server, bytes(proxy.sent)))
        return passes

    def test_with_condstore_next_to_nothing_is_asked(self):
        (first, _), (second, sent) = self.traffic(None)
        self.assertGreater(first, 500 * self.COUNT)
        self.assertLess(second, 10 * self.COUNT, sent)
        self.assertNotIn(b'HEADER', sent)
        self.assertNotIn(b'BODY', sent)

    def test_without_condstore_only_flags_are_asked(self):
        _, (second, sent) = self.traffic(NO_CONDSTORE)
        self.assertLess(second, 60 * self.COUNT, sent)
        self.assertNotIn(b'BODY', sent)
        self.assertIn(b'FLAGS', sent)

    def test_one_new_message_is_one_message_asked_for(self):
        with mailtest.Dovecot() as server, mailtest.Proxy(server.imap_port, record=True) as proxy:
            server.fill(self.COUNT, small=True)
            section = mailtest.account(server, imap=f'imap+insecure://alice@localhost:{proxy.port}')
            with mailtest.Mount(section) as mount:
                self.assertEqual(len(mount.files()), self.COUNT)
                mount.unmount()
                server.deliver(messages.letter(subject='new one'))
                proxy.reset_counters()
                mount.start()
                self.assertEqual(len(mount.files()), self.COUNT + 1)
                self.assertEqual(len(re.findall(rb'new one', bytes(proxy.received))), 1)
                self.assertEqual(len(re.findall(rb'HEADER\.FIELDS[^\r]*\{', bytes(proxy.received))), 1)
                self.assertLess(proxy.from_server, 10 * self.COUNT)


class Uidvalidity(mailtest.MountTestCase):
    def prepare(self, server):
        """A folder whose UIDs will mean other messages under another UIDVALIDITY."""
        letters(server, 6)
        with server.imap() as client:
            client.select('INBOX')
            client.uid('STORE', '1,2', '+FLAGS', '(\\Deleted)')
            client.expunge()
        return held(server)

    def test_change_while_unmounted_drops_the_cache(self):
        for scheme in ('subject', 'uid'):
            with self.subTest(scheme), mailtest.Dovecot() as server:
                old = self.prepare(server)
                with mailtest.Mount(mailtest.account(server, names=scheme)) as mount:
                    self.assertEqual(mount.by_uid(), old)
                    mount.unmount()
                    uidvalidity = server.new_uidvalidity()
                    mount.start()
                    new = held(server)
                    self.assertEqual(set(new), {1, 2, 3, 4})
                    self.assertEqual(mount.by_uid(), new)
                    self.assertEqual(os.getxattr(mount / 'INBOX', 'user.mail.uidvalidity'), b'%d' % uidvalidity)

    def test_change_while_mounted_never_gives_another_message(self):
        with mailtest.Dovecot() as server:
            old = self.prepare(server)
            with mailtest.Mount(mailtest.account(server, timeout=5)) as mount:
                paths = {path: old[int(path.rsplit('.', 2)[-2])] for path in mount.files()}
                cached = mount.files()[0]
                self.assertEqual(mount.read(cached), paths[cached])
                server.new_uidvalidity()
                new = held(server)
                for path, data in paths.items():
                    with contextlib.suppress(OSError):
                        self.assertEqual(mount.read(path), data, path)

                def shown():
                    with contextlib.suppress(OSError):
                        return mount.by_uid() == new
                mailtest.wait_for(shown, CHECKED_AGAIN_S, 'the new messages', 0.2)

    def test_change_amid_a_listing_fails_it_and_a_new_one_is_complete(self):
        with contextlib.ExitStack() as stack:
            server = stack.enter_context(mailtest.Dovecot())
            server.fill(300, small=True)
            mount = stack.enter_context(mailtest.Mount(mailtest.account(server, names='uid')))
            self.assertEqual(len(mount.files()), 300)
            begun, opened = (os.open(mount / 'INBOX', os.O_RDONLY | os.O_DIRECTORY) for _ in range(2))
            stack.callback(os.close, begun)
            stack.callback(os.close, opened)
            first = piece(begun)
            self.assertTrue(3 < len(first) < 300)
            uidvalidity = server.new_uidvalidity()
            new = [f'{uidvalidity}-{uid}.eml' for uid in range(1, 301)]

            def shown():
                with contextlib.suppress(OSError):
                    return os.listdir(mount / 'INBOX') == new
            mailtest.wait_for(shown, CHECKED_AGAIN_S, 'the new messages', 0.2)
            for place in (first[-1][1], first[5][1]):
                os.lseek(begun, place, os.SEEK_SET)
                with self.assertRaises(OSError) as caught:
                    pieces(begun)
                self.assertEqual(caught.exception.errno, errno.EIO)
            os.lseek(begun, 0, os.SEEK_SET)
            self.assertEqual(pieces(begun), new)
            self.assertEqual(pieces(opened), new)


class Vanished(mailtest.MountTestCase):
    def test_message_expunged_after_it_was_listed_is_not_there(self):
        with mailtest.Dovecot() as server:
            letters(server, 5)
            with mailtest.Mount(mailtest.account(server, read_ahead=0)) as mount:
                paths = sorted(mount.files(), key=lambda path: int(path.rsplit('.', 2)[-2]))
                self.assertEqual(mount.read(paths[0]), held(server)[1])
                with server.imap() as client:
                    client.select('INBOX')
                    client.uid('STORE', '1:3', '+FLAGS', '(\\Deleted)')
                    client.expunge()
                for path in paths[1:3]:
                    with self.assertRaises(FileNotFoundError):
                        mount.read(path)
                for uid in (4, 5):
                    self.assertEqual(mount.read(paths[uid - 1]), held(server)[uid])

    def test_folder_deleted_after_it_was_listed_is_not_there(self):
        with mailtest.Dovecot() as server:
            letters(server, 3, ('Lists',))
            letters(server, 3)
            with mailtest.Mount(mailtest.account(server, read_ahead=0)) as mount:
                paths = mount.files('Lists')
                with server.imap() as client:
                    self.assertEqual(client.delete('Lists')[0], 'OK')
                with self.assertRaises(FileNotFoundError):
                    mount.read(paths[1])
                self.assertEqual(mount.by_uid(), held(server))
                mailtest.wait_for(lambda: 'Lists' not in os.listdir(mount.path), CHECKED_AGAIN_S, 'the folder to go', 0.2)


class Renamed(mailtest.MountTestCase):
    def test_folder_renamed_by_another_client(self):
        with mailtest.Dovecot() as server:
            letters(server, 3, ('Before',))
            with mailtest.Mount(mailtest.account(server)) as mount:
                self.assertEqual(len(mount.by_uid('Before')), 3)
                mount.unmount()
                with server.imap() as client:
                    self.assertEqual(client.rename('Before', 'After')[0], 'OK')
                mount.start()
                self.assertNotIn('Before', os.listdir(mount.path))
                self.assertEqual(mount.by_uid('After'), held(server, ('After',)))


if __name__ == '__main__':
    mailtest.main()
