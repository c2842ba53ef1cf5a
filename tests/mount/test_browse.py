#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What a user finds in a mounted mailbox: names, times, sizes, attributes, the control directory, and who may mount it."""

import contextlib
import errno
import json
import os
import signal
import stat
import subprocess
import threading
import time

import mailtest
from mailtest import messages
from mailtest.scripted_imap import OK, answer, capability, in_turn, one_folder, send

APRIL = 1776159000      # 2026-04-14 09:30 UTC
BASIC = messages.letter('Alice Example <alice@example.com>', 'Bob <bob@example.com>', 'Re: quarterly report')


def special(name):
    return f'.mailfs/special/{name}'


def names(mount, folder='INBOX'):
    return sorted(os.path.basename(path) for path in mount.files(folder))


def bytes_of_bodies(cache):
    """On disk."""
    total = 0
    for path, _, files in os.walk(cache):
        for name in files:
            with contextlib.suppress(FileNotFoundError):
                total += os.stat(os.path.join(path, name)).st_size if '.db' not in name else 0
    return total


class Names(mailtest.MountTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = mailtest.Dovecot().start()
        cls.server.deliver(BASIC, date=APRIL)
        cls.server.deliver(messages.letter('=?gb2312?B?1cXI/Q==?= <z@example.com>', subject=messages.encoded('电子发票 / 2026', 'gb2312')), date=APRIL + 60)
        cls.server.deliver(b'X-Number: 3\r\n\r\n', date=APRIL + 120)
        cls.server.deliver(messages.letter('bob@example.com', subject='../../etc/passwd'), date=APRIL + 180)
        cls.server.deliver(BASIC, ('Sent',), date=APRIL)

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    def mount(self, options=(), environment=None, **keys):
        mount = mailtest.Mount(mailtest.account(self.server, **keys), options, environment=environment)
        self.addCleanup(mount.unmount)
        return mount.start()

    def test_subject_scheme(self):
        self.assertEqual(names(self.mount(zone='UTC')), [
            '2026-04-14_0930_Alice-Example_Re-quarterly-report.1.eml',
            '2026-04-14_0931_张三_电子发票-2026.2.eml',
            '2026-04-14_0932_unknown_no-subject.3.eml',
            '2026-04-14_0933_bob_etc-passwd.4.eml'])

    def test_sent_folder_names_the_recipient(self):
        self.assertEqual(names(self.mount(zone='UTC'), 'Sent'), ['2026-04-14_0930_to-Bob_Re-quarterly-report.1.eml'])

    def test_uid_scheme(self):
        for mount in (self.mount(names='uid'), self.mount(['names=uid'])):
            uidvalidity = os.getxattr(mount / 'INBOX', 'user.mail.uidvalidity').decode()
            self.assertEqual(names(mount), [f'{uidvalidity}-{uid}.eml' for uid in (1, 2, 3, 4)])

    def test_another_scheme_at_the_next_mount(self):
        mount = self.mount(zone='UTC')
        before = names(mount)
        mount.unmount()
        mount.options = ['names=uid']
        mount.start()
        self.assertRegex(' '.join(names(mount)), r'^(\d+-\d.eml ?){4}$')
        mount.unmount()
        mount.options = []
        mount.start()
        self.assertEqual(names(mount), before)

    def test_zone_of_the_configuration(self):
        self.assertEqual(names(self.mount(zone='Europe/Berlin'))[0][:16], '2026-04-14_1130_')

    def test_zone_of_the_first_mount_is_kept(self):
        mount = self.mount(environment={'TZ': 'Asia/Tokyo'})
        before = names(mount)
        self.assertEqual(before[0][:16], '2026-04-14_1830_')
        mount.unmount()
        mount.environment['TZ'] = 'America/New_York'
        self.server.deliver(BASIC, ('Later',), date=APRIL)
        mount.start()
        self.assertEqual(names(mount), before)
        self.assertEqual(names(mount, 'Later')[0][:16], '2026-04-14_1830_')

    def test_message_that_does_not_exist(self):
        mount = self.mount()
        for path in ('INBOX/1.eml', 'INBOX/2026-04-14_0930_Alice-Example_Re-quarterly-report.99.eml', 'Nowhere', 'INBOX/nowhere/x'):
            with self.assertRaises(FileNotFoundError):
                os.stat(mount / path)


class Attributes(mailtest.MountTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = mailtest.Dovecot().start()
        cls.server.deliver(BASIC, flags='\\Seen \\Flagged', date=APRIL)
        cls.encoded = messages.letter(messages.mailbox('爱丽丝', 'alice@example.com'), subject=messages.encoded('电子发票通知', 'gb2312'),
                                      To='Bob <bob@example.com>,\r\n carol@example.com')
        cls.server.deliver(cls.encoded, date=APRIL + 60)
        cls.server.fill(200, ('Archive',))
        cls.mounted = mailtest.Mount(mailtest.account(cls.server, zone='UTC')).start()

    @classmethod
    def tearDownClass(cls):
        cls.mounted.unmount()
        cls.server.__exit__()

    def attribute(self, path, name):
        return os.getxattr(self.mounted / path, 'user.mail.' + name).decode()

    def message(self, uid):
        return self.mounted.files()[uid - 1]

    def test_a_message_is_a_private_regular_file_of_its_date_and_size(self):
        status = os.stat(self.message(1))
        self.assertEqual(stat.S_IFMT(status.st_mode), stat.S_IFREG)
        self.assertEqual(status.st_mode & 0o7777, 0o600)
        self.assertEqual((status.st_uid, status.st_gid), (os.getuid(), os.getgid()))
        self.assertEqual(status.st_nlink, 1)
        self.assertEqual(status.st_size, len(BASIC))
        self.assertEqual(status.st_blocks, -(-len(BASIC) // 512))
        self.assertEqual(status.st_mtime, APRIL)

    def test_a_folder_is_a_private_directory(self):
        for folder in ('', 'INBOX', 'Archive', 'Sent'):
            status = os.stat(self.mounted / folder)
            self.assertTrue(stat.S_ISDIR(status.st_mode))
            self.assertEqual(status.st_mode & 0o7777, 0o700)
            self.assertEqual((status.st_uid, status.st_gid), (os.getuid(), os.getgid()))

    def test_time_and_size_of_varied_messages(self):
        with self.server.imap() as client:
            client.select('Archive', readonly=True)
            reply = client.uid('FETCH', '1:*', '(UID INTERNALDATE RFC822.SIZE)')[1]
        told = {}
        for line in reply:
            values = messages.email.utils.parsedate_tz(line.split(b'INTERNALDATE "')[1].split(b'"')[0].decode().replace('-', ' ', 2))
            uid, size = (int(line.split(word)[1].split()[0].rstrip(b')')) for word in (b'UID ', b'RFC822.SIZE '))
            told[uid] = (messages.email.utils.mktime_tz(values), size)
        found = {int(path.rsplit('.', 2)[-2]): (os.stat(path).st_mtime, os.stat(path).st_size) for path in self.mounted.files('Archive')}
        self.assertEqual(found, told)

    def test_only_the_flags_are_listed(self):
        self.assertEqual({tuple(os.listxattr(path)) for path in self.mounted.files() if os.getxattr(path, 'user.mail.flags')}, {('user.mail.flags',)})
        self.assertEqual({tuple(os.listxattr(path)) for path in self.mounted.files() if not os.getxattr(path, 'user.mail.flags')}, {()})
        self.assertEqual(os.listxattr(self.mounted / 'INBOX'), [])
        self.assertEqual(os.listxattr(self.mounted.path), [])

    def test_flags_are_imap_words(self):
        self.assertEqual(set(self.attribute(self.message(1), 'flags').split(' ')), {'\\Seen', '\\Flagged'})
        self.assertEqual(self.attribute(self.message(2), 'flags'), '')

    def test_attributes_found_by_name(self):
        uidvalidity = self.attribute('INBOX', 'uidvalidity')
        header = messages.email.message_from_bytes(BASIC)
        for name, value in (('uid', '1'), ('uidvalidity', uidvalidity), ('from', 'Alice Example <alice@example.com>'),
                            ('to', 'Bob <bob@example.com>'), ('subject', 'Re: quarterly report'), ('message-id', header['Message-ID']),
                            ('date', header['Date'])):
            self.assertEqual(self.attribute(self.message(1), name), value, name)

    def test_header_attributes_are_decoded(self):
        self.assertEqual(self.attribute(self.message(2), 'subject'), '电子发票通知')
        self.assertEqual(self.attribute(self.message(2), 'from'), '爱丽丝 <alice@example.com>')
        self.assertRegex(self.attribute(self.message(2), 'to'), r'^Bob <bob@example.com>,\s+carol@example.com$')

    def test_header_attributes_of_any_message_are_text(self):
        found = 0
        for path in self.mounted.files('Archive'):
            for name in ('from', 'to', 'subject', 'date', 'message-id'):
                try:
                    value = self.attribute(path, name)
                except OSError as missing:
                    self.assertIn(missing.errno, (errno.ENODATA, errno.E2BIG), (path, name))
                else:
                    self.assertFalse(set(value) & set('\0\r\n'), (path, name))
                    found += 1
        self.assertGreater(found, 800)

    def test_attributes_that_are_not_there(self):
        for name in ('user.mail.nothing', 'user.mail.gmail-labels', 'user.mail.gmail-msgid', 'user.mail.gmail-thrid', 'user.other'):
            with self.assertRaises(OSError) as missing:
                os.getxattr(self.message(1), name)
            self.assertEqual(missing.exception.errno, errno.ENODATA, name)
        for name in ('security.capability', 'trusted.x', 'system.posix_acl_access'):
            with self.assertRaises(OSError) as missing:
                os.getxattr(self.message(1), name)
            self.assertIn(missing.exception.errno, (errno.EOPNOTSUPP, errno.ENODATA), name)

    def test_attributes_of_folders(self):
        self.mounted.files('INBOX')
        self.assertEqual(self.attribute('INBOX', 'name'), 'INBOX')
        self.assertEqual(self.attribute('INBOX', 'messages'), '2')
        self.assertEqual(self.attribute('INBOX', 'unseen'), '1')
        self.assertGreater(int(self.attribute('INBOX', 'uidvalidity')), 0)
        self.assertEqual(self.attribute('Sent', 'special-use'), '\\Sent')
        with self.assertRaises(OSError) as missing:
            self.attribute('INBOX', 'special-use')
        self.assertEqual(missing.exception.errno, errno.ENODATA)

    def test_counters_of_a_folder_that_nobody_looked_at(self):
        with mailtest.Mount(mailtest.account(self.server)) as mount:
            self.assertEqual(os.getxattr(mount / 'Archive', 'user.mail.messages'), b'200')

    def test_counters_of_a_folder_that_was_listed(self):
        self.assertEqual(len(self.mounted.files('Archive')), 200)
        self.assertEqual(self.attribute('Archive', 'messages'), '200')
        unseen = sum('\\Seen' not in flags for flags, _ in self.server.messages(('Archive',)).values())
        self.assertEqual(self.attribute('Archive', 'unseen'), str(unseen))

    def test_ls_and_cp_are_quiet_about_attributes(self):
        for command in (['ls', '-la', self.mounted / 'INBOX'],
                        ['cp', '-a', self.message(1), mailtest.temporary_directory()],
                        ['rsync', '-aX', self.message(1), mailtest.temporary_directory()],
                        ['getfattr', '-d', self.message(1)]):
            result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
            self.assertEqual((result.returncode, result.stderr.replace("getfattr: Removing leading '/' from absolute path names\n", '')), (0, ''))

    def test_the_bytes_of_a_message_do_not_change(self):
        path = self.message(1)
        for change in (lambda: open(path, 'ab'), lambda: open(path, 'wb'), lambda: os.truncate(path, 0),
                       lambda: os.symlink('x', self.mounted / 'INBOX/link'), lambda: os.link(path, self.mounted / 'Sent/x.eml')):
            with self.assertRaises(OSError) as refused:
                change()
            self.assertIn(refused.exception.errno, (errno.EACCES, errno.EPERM, errno.EROFS, errno.EOPNOTSUPP))
        self.assertEqual(self.mounted.read(path), BASIC)


class Gmail(mailtest.MountTestCase):
    ASK = rb'UID FETCH 1 \(UID X-GM'
    TOLD = (b'* 1 FETCH (UID 1 X-GM-MSGID 1278455344230334865 X-GM-THRID 1266894439832287888 '
            b'X-GM-LABELS ("\\\\Inbox" Caf&AOk- "Two words"))\r\n')

    @staticmethod
    def server(reply):
        rules = [(rb'CAPABILITY', capability(b'IMAP4rev1 AUTH=PLAIN X-GM-EXT-1')), (Gmail.ASK, reply)]
        return mailtest.ScriptedImap([send(b'* OK hi\r\n'), answer(rules + one_folder())])

    @staticmethod
    def mount(server):
        return mailtest.Mount(mailtest.account(imap=f'imap+insecure://alice@localhost:{server.port}', password='secret'))

    @staticmethod
    def questions(server):
        return [command for command in server.commands if b'X-GM' in command]

    def test_its_attributes_are_asked_for_when_somebody_asks_and_once_for_all(self):
        with self.server(self.TOLD + OK) as server, self.mount(server) as mount:
            path, = mount.files()
            self.assertEqual(mount.read(path), b'Subject: x\r\n\r\nx\r\n')
            self.assertEqual(os.listxattr(path), [])
            self.assertEqual(os.getxattr(path, 'user.mail.uid'), b'1')
            self.assertEqual(self.questions(server), [])
            self.assertEqual(os.getxattr(path, 'user.mail.gmail-labels').decode(), '\\Inbox Café "Two words"')
            self.assertEqual(os.getxattr(path, 'user.mail.gmail-msgid'), b'1278455344230334865')
            self.assertEqual(os.getxattr(path, 'user.mail.gmail-thrid'), b'1266894439832287888')
            with self.assertRaises(OSError) as missing:
                os.getxattr(path, 'user.mail.gmail-other')
            self.assertEqual(missing.exception.errno, errno.ENODATA)
            self.assertEqual(len(self.questions(server)), 1)
            self.assertFalse([command for command in server.commands if b'STORE' in command or b' SELECT' in command])
            server.check()

    def test_an_answer_does_not_serve_for_long(self):
        with self.server(self.TOLD + OK) as server, self.mount(server) as mount:
            path, = mount.files()

            def asked_again():
                self.assertTrue(os.getxattr(path, 'user.mail.gmail-labels'))
                return len(self.questions(server)) > 1
            mailtest.wait_for(asked_again, 10, 'a second question')

    def test_who_waits_keeps_nobody_from_going_on_and_can_be_interrupted(self):
        go_on = threading.Event()
        with self.server(in_turn(lambda _: go_on.wait(30), send(self.TOLD + OK))) as server, self.mount(server) as mount:
            path, = mount.files()
            askers = [subprocess.Popen(['getfattr', '-n', 'user.mail.gmail-labels', path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                      for _ in range(3)]
            mailtest.wait_for(lambda: self.questions(server), 10, 'the question')
            self.assertEqual(mount.files(), [path])
            self.assertEqual(mount.read(path), b'Subject: x\r\n\r\nx\r\n')
            start = time.monotonic()
            askers[0].send_signal(signal.SIGINT)
            askers[0].communicate(timeout=10)
            self.assertLess(time.monotonic() - start, 5)
            self.assertNotEqual(askers[0].returncode, 0)
            self.assertEqual([asker.poll() for asker in askers[1:]], [None, None])
            go_on.set()
            for asker in askers[1:]:
                self.assertIn(b'Two words', asker.communicate(timeout=10)[0])
            self.assertEqual(len(self.questions(server)), 1)

    def test_what_cannot_be_known_is_an_error(self):
        for reply, number in ((OK, errno.ENOENT), (b'{tag} NO sorry\r\n', errno.EIO), (b'* 1 FETCH (UID 1 X-GM-LABELS (\r\n', errno.EIO)):
            with self.server(reply) as server, self.mount(server) as mount:
                path, = mount.files()
                with self.assertRaises(OSError) as refused:
                    os.getxattr(path, 'user.mail.gmail-labels')
                self.assertEqual(refused.exception.errno, number, reply)


class Owners(mailtest.MountTestCase):
    def test_uid_gid_and_umask(self):
        with mailtest.Dovecot() as server:
            server.deliver(BASIC)
            with mailtest.Mount(mailtest.account(server), ['uid=65534', 'gid=65533', 'umask=027']) as mount:
                path, = mount.files()
                for name, mode in ((path, 0o640), (mount / 'INBOX', 0o750)):
                    status = os.stat(name)
                    self.assertEqual((status.st_uid, status.st_gid, status.st_mode & 0o7777), (65534, 65533, mode))


class Inodes(mailtest.MountTestCase):
    def test_inodes_are_the_same_after_a_remount_and_differ_from_each_other(self):
        with mailtest.Dovecot() as server:
            server.fill(300)
            server.fill(30, ('Archive',))
            with mailtest.Mount(mailtest.account(server)) as mount:
                before = self.inodes(mount)
                self.assertEqual(len(set(before.values())), len(before))
                mount.remount()
                server.deliver(BASIC)
                after = self.inodes(mount)
                self.assertEqual({path: after.get(path) for path in before}, before)

    def inodes(self, mount):
        found = {}
        for path, directories, files in os.walk(mount.path):
            for entry in os.scandir(path):
                status = os.stat(entry.path)
                self.assertEqual(entry.inode(), status.st_ino)
                found[entry.path] = status.st_ino
        self.assertGreater(len(found), 330)
        return found


class Control(mailtest.MountTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = mailtest.Dovecot(quota='storage=10M').start()
        cls.server.deliver(messages.letter(body='x' * 70 * 1000), date=APRIL)
        cls.mounted = mailtest.Mount(mailtest.account(cls.server)).start()

    @classmethod
    def tearDownClass(cls):
        cls.mounted.unmount()
        cls.server.__exit__()

    def test_it_is_not_listed(self):
        self.assertEqual([name for name in os.listdir(self.mounted.path) if name.startswith('.')], [])

    def test_status_is_json(self):
        status = self.mounted.status()
        self.assertEqual((status['account'], status['mountpoint'], status['state']), ('test', self.mounted.path, 'online'))
        output = subprocess.run(['cat', self.mounted / '.mailfs/status'], capture_output=True, check=True).stdout
        self.assertEqual(json.loads(output)['account'], 'test')

    def test_status_tells_what_was_synced_and_cached(self):
        self.mounted.read(self.mounted.files()[0])
        status = self.mounted.status()
        self.assertGreaterEqual(status['folders']['synced'], 1)
        self.assertEqual(status['folders']['total'], 6)
        self.assertGreater(status['cache']['bytes'], 70000)

    def test_special_folders_are_links(self):
        self.assertEqual(sorted(os.listdir(self.mounted / '.mailfs/special')), ['archive', 'drafts', 'junk', 'sent', 'trash'])
        for name in ('archive', 'drafts', 'junk', 'sent', 'trash'):
            self.assertTrue(os.path.islink(self.mounted / special(name)))
            self.assertTrue(os.path.samefile(self.mounted / special(name), self.mounted / name.title()))
        self.assertEqual(os.listdir(self.mounted / special('sent')), [])

    def test_nothing_there_can_be_changed(self):
        for change in (lambda: os.unlink(self.mounted / '.mailfs/status'), lambda: os.unlink(self.mounted / special('sent')),
                       lambda: open(self.mounted / '.mailfs/new', 'x'), lambda: open(self.mounted / '.mailfs/status', 'w')):
            with self.assertRaises(OSError):
                change()

    def test_df_shows_the_quota(self):
        def shown():
            disk = os.statvfs(self.mounted.path)
            return disk if disk.f_blocks * disk.f_frsize == 10 << 20 else None
        disk = mailtest.wait_for(shown, 5, 'the quota in df')
        used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize
        self.assertLess(abs(used - 70 * 1000), 10000)
        self.assertEqual(disk.f_bavail, disk.f_bfree)

    def test_df_without_quota_shows_room(self):
        with mailtest.Dovecot() as server, mailtest.Mount(mailtest.account(server)) as mount:
            disk = os.statvfs(mount.path)
            self.assertGreater(disk.f_bavail * disk.f_frsize, 1 << 30)
            self.assertGreater(disk.f_namemax, 200)


class ReadOnly(mailtest.MountTestCase):
    def test_nothing_is_written_and_folders_are_examined(self):
        with mailtest.Dovecot(rawlog=True) as server:
            server.deliver(BASIC)
            section = mailtest.account(server, smtp='smtp+insecure://alice@localhost:1')
            with mailtest.Mount(section, ['ro']) as mount:
                path, = mount.files()
                self.assertEqual(mount.read(path), BASIC)
                self.assertEqual(os.stat(path).st_mode & 0o7777, 0o400)
                self.assertFalse(os.path.exists(mount / 'outbox'))
                for change in (lambda: os.unlink(path), lambda: os.mkdir(mount / 'New'), lambda: open(path, 'ab'), lambda: open(mount / 'INBOX/x', 'x')):
                    with self.assertRaises(OSError) as refused:
                        change()
                    self.assertEqual(refused.exception.errno, errno.EROFS)
            commands = server.commands()
            self.assertIn(' EXAMINE ', commands)
            self.assertNotIn(' SELECT ', commands)
            self.assertEqual(server.messages()[1][0] - {'\\Recent'}, frozenset())


class Locking(mailtest.MountTestCase):
    def test_second_mount_is_refused_and_named_the_first(self):
        with mailtest.Dovecot() as server, mailtest.Mount(mailtest.account(server)) as first:
            section = mailtest.account(server, cache_dir=first.cache, state_dir=first.state)
            status, text = mailtest.Mount(section).start_expect_failure()
            self.assertEqual(status, 1, text)
            self.assertIn(first.path, text)
            self.assertEqual(len(text.strip().splitlines()), 1, text)
            os.listdir(first / 'INBOX')
            first.unmount()
            with mailtest.Mount(section) as second:
                os.listdir(second / 'INBOX')

    def test_lock_of_a_killed_daemon_is_free(self):
        with mailtest.Dovecot() as server, mailtest.Mount(mailtest.account(server)) as mount:
            mount.kill9()
            mount.start()
            os.listdir(mount / 'INBOX')


class Disk(mailtest.MountTestCase):
    def test_cache_and_state_are_for_their_owner_only(self):
        with mailtest.Dovecot() as server:
            server.fill(20)
            previous = os.umask(0o022)
            self.addCleanup(os.umask, previous)
            with mailtest.Mount(mailtest.account(server)) as mount:
                mount.by_uid()
                for top in (mount.cache, mount.state):
                    self.assertEqual(os.stat(top).st_mode & 0o7777, 0o700)
                    for path, directories, files in os.walk(top):
                        for name in directories + files:
                            self.assertEqual(os.lstat(os.path.join(path, name)).st_mode & 0o077, 0, name)

    def test_cache_keeps_to_its_size(self):
        with mailtest.Dovecot() as server:
            for number in range(40):
                server.deliver(messages.letter(subject=str(number), body='x' * 99999 + '\r\n'))
            held = {uid: data for uid, (_, data) in server.messages().items()}
            with mailtest.Mount(mailtest.account(server, cache_size='1M')) as mount:
                for _ in range(2):
                    self.assertEqual(mount.by_uid(), held)
                # What was fetched ahead may still arrive, and whoever walks the directories meanwhile counts what comes and what goes.
                mailtest.wait_for(lambda: max(bytes_of_bodies(mount.cache), mount.status()['cache']['bytes']) <= 1 << 20, 5,
                                  'the cache to shrink')

    def test_deleted_cache_is_built_again(self):
        with mailtest.Dovecot() as server:
            server.fill(50)
            held = {uid: data for uid, (_, data) in server.messages().items()}
            with mailtest.Mount(mailtest.account(server)) as mount:
                self.assertEqual(mount.by_uid(), held)
                listed = names(mount)
                mount.unmount()
                mailtest.process.shutil.rmtree(mount.cache)
                mount.start()
                self.assertEqual(names(mount), listed)
                self.assertEqual(mount.by_uid(), held)


if __name__ == '__main__':
    mailtest.main()
