#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Changing mail by file operations, with the real programs, on a made-up mailbox: what becomes one message, what stays, what is refused."""

import contextlib
import errno
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time

from fakefs import CHANGE_FOLDER_GONE, CHANGE_MESSAGE_GONE, CHANGE_MESSAGE_RENAMED, ROOT, FakeTestCase
import mailtest
from mailtest import mount as mounting, wait_for

MESSAGE = 'To: bob@example.com\nSubject: hi\n\nhello\n'
STORED = MESSAGE.replace('\n', '\r\n').encode()     # as the fake mailbox gives it back
OTHER = 'To: carol@example.com\nSubject: another\n\nbye\n'
AN_HOUR_AGO = 1776148200


class ChangeTestCase(FakeTestCase):
    def setUp(self):
        super().setUp()
        self.letter = os.path.join(self.mount.directory, 'letter')
        with open(self.letter, 'w', encoding='ascii') as file:
            file.write(MESSAGE)

    def path(self, name='m', folder='INBOX'):
        return self.mount / f'{folder}/{name}'

    def read(self, name='m', folder='INBOX'):
        with open(self.path(name, folder), 'rb') as file:
            return file.read()

    def write(self, name='m', text=MESSAGE, folder='INBOX', mode='w'):
        with open(self.path(name, folder), mode, encoding='ascii', newline='') as file:
            file.write(text)

    def names(self, folder='INBOX'):
        return sorted(os.listdir(self.mount / folder))

    def uploads(self):
        return self.mount.counts()['uploads']

    def run_ok(self, script, output=''):
        result = self.shell(script, env=dict(os.environ, LETTER=self.letter))
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, output, ''))

    def run_fails(self, script, word):
        result = self.shell(script, env=dict(os.environ, LETTER=self.letter))
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(word, result.stderr)

    def assertStored(self, expected, name='m', folder='INBOX'):
        """What the mailbox holds, and what stat(2) and read(2) say at once after the close."""
        self.assertEqual(os.stat(self.path(name, folder)).st_size, len(expected))
        self.assertEqual(self.read(name, folder), expected)


class Adding(ChangeTestCase):
    def test_programs_that_copy_make_one_message_each(self):
        python = f'{sys.executable} -c "import shutil, os; shutil.copy2(os.environ[\'LETTER\'], \'INBOX/m\')"'
        scripts = {'cp': 'cp $LETTER INBOX/m', 'cp -p': 'cp -p $LETTER INBOX/m', 'cp -a': 'cp -a $LETTER INBOX/m', 'cat': 'cat $LETTER > INBOX/m',
                   'dd': 'dd status=none if=$LETTER of=INBOX/m bs=7', 'tee': 'cat $LETTER | tee INBOX/m > /dev/null',
                   'install': 'install -m 640 $LETTER INBOX/m', 'mv': 'cp $LETTER ../l; mv ../l INBOX/m', 'copy2': python,
                   'rsync': 'rsync -a $LETTER INBOX/m', 'tar': 'tar -C .. -c letter | tar -C INBOX -x --transform s/letter/m/',
                   'group': '{ head -n 2 $LETTER; tail -n +3 $LETTER; } > INBOX/m', 'exec': 'exec 5> INBOX/m; cat $LETTER >&5; exec 5>&-',
                   'part': 'cp $LETTER INBOX/m.part; mv INBOX/m.part INBOX/m'}
        for name, script in scripts.items():
            with self.subTest(name):
                before = self.uploads()
                self.run_ok(script)
                self.assertEqual((self.uploads() - before, self.names()), (1, ['m']))
                self.assertStored(STORED)
                os.unlink(self.path())

    def test_unzip_sets_the_time_after_its_close(self):
        os.utime(self.letter, (AN_HOUR_AGO, AN_HOUR_AGO))
        self.run_ok('cd .. && zip -q z.zip letter && unzip -q z.zip -d ' + self.mount.path + '/INBOX')
        self.assertEqual((self.names(), self.uploads()), (['letter'], 1))
        self.assertEqual(os.stat(self.path('letter')).st_mtime, AN_HOUR_AGO)
        self.assertStored(STORED, 'letter')

    def test_a_tree_by_rsync_is_complete_and_quiet_the_second_time(self):
        source = os.path.join(self.mount.directory, 'source')
        os.makedirs(source + '/sub')
        for name in ('a.eml', 'b.eml', 'sub/c.eml'):
            with open(os.path.join(source, name), 'wb') as file:
                file.write(STORED)
            os.setxattr(os.path.join(source, name), 'user.other', b'x')
            os.utime(os.path.join(source, name), (AN_HOUR_AGO, AN_HOUR_AGO))
        self.run_ok(f'rsync -aX {source}/ INBOX/')
        self.assertEqual((self.names(), self.names('INBOX/sub'), self.uploads()), (['a.eml', 'b.eml', 'sub'], ['c.eml'], 3))
        self.assertEqual(os.stat(self.path('sub/c.eml')).st_mtime, AN_HOUR_AGO)
        self.run_ok(f'rsync -a --out-format=%n {source}/ INBOX/ | grep -v /$ || true')
        self.run_ok(f'rsync -aX {source}/ INBOX/')
        self.run_ok(f'cp -a {source}/. INBOX/copy && diff -r {source} INBOX/copy')
        self.assertEqual(self.uploads(), 6)

    def test_tar_and_cp_keep_modes_and_times(self):
        os.chmod(self.letter, 0o640)
        os.utime(self.letter, (AN_HOUR_AGO, AN_HOUR_AGO))
        self.run_ok('cp -p $LETTER INBOX/m && tar -C .. -c letter | tar -C INBOX -xp')
        for name in ('m', 'letter'):
            st = os.stat(self.path(name))
            self.assertEqual((stat.S_IMODE(st.st_mode), st.st_mtime), (0o640, AN_HOUR_AGO))

    def test_a_new_message_is_the_user_s_own_as_every_other(self):
        self.run_ok('umask 0; cat $LETTER > INBOX/m; cp -p $LETTER INBOX/n; chmod 644 INBOX/n')
        self.assertEqual([stat.S_IMODE(os.stat(self.path(name)).st_mode) for name in 'mn'], [0o600, 0o644])

    def test_an_editor_s_way_of_saving(self):
        """vim's: the old file is renamed, the new one written; sed's: a temporary file is renamed over it."""
        self.write('.m.swp', 'swap')
        self.write('m.tmp')
        os.rename(self.path('m.tmp'), self.path('m~'))
        self.write('m.txt', OTHER)
        os.unlink(self.path('m~'))
        os.unlink(self.path('.m.swp'))
        self.assertEqual((self.names(), self.uploads()), (['m.txt'], 1))
        self.mount.folder('Drafts')
        self.write('d', folder='Drafts')
        self.run_ok('sed -i s/hello/goodbye/ Drafts/d')
        self.assertEqual(self.names('Drafts'), ['d'])
        self.assertStored(STORED.replace(b'hello', b'goodbye'), 'd', 'Drafts')
        self.run_ok('vim -u NONE -n -es -c "%s/goodbye/hello/" -c wq Drafts/d')
        self.assertEqual(self.names('Drafts'), ['d'])
        self.assertStored(STORED, 'd', 'Drafts')

    def test_what_is_being_written_shows_its_size_and_time(self):
        with open(self.path('.m'), 'wb', buffering=0) as file:
            file.write(b'abc')
            self.assertEqual(os.fstat(file.fileno()).st_size, 3)
            self.assertEqual(self.read('.m'), b'abc')
            file.write(b'def')
            self.assertEqual((os.stat(self.path('.m')).st_size, self.read('.m')), (6, b'abcdef'))
            file.truncate(1)
            self.assertEqual((os.stat(self.path('.m')).st_size, self.read('.m')), (1, b'a'))
            os.utime(file.fileno(), (1, AN_HOUR_AGO))
            self.assertEqual(os.stat(self.path('.m')).st_mtime, AN_HOUR_AGO)
        self.assertEqual(os.stat(self.path('.m')).st_mtime, AN_HOUR_AGO)

    def test_appending(self):
        self.run_ok('echo > INBOX/.m; echo "To: a" > INBOX/.m; echo >> INBOX/.m; echo body >> INBOX/.m; mv INBOX/.m INBOX/m')
        self.assertStored(b'To: a\r\n\r\nbody\r\n')

    def test_two_who_append_at_once_lose_nothing(self):
        self.write('.m', '')
        script = 'i=0; while [ $i -lt 50 ]; do echo "$0 $i" >> INBOX/.m; i=$((i+1)); done'
        for process in [self.background('sh', '-c', script, name) for name in 'ab']:
            self.assertEqual(process.wait(30), 0)
        self.assertEqual(sorted(self.read('.m').split(b'\n')[:-1]), sorted(f'{name} {i}'.encode() for name in 'ab' for i in range(50)))

    def test_empty_files_and_scratch_names_are_not_uploaded_until_they_are_something(self):
        self.run_ok('touch INBOX/m; : > INBOX/n; echo a: > INBOX/.x; echo junk > INBOX/x~')
        self.assertEqual((self.names(), self.uploads()), (['.x', 'm', 'n', 'x~'], 0))
        self.run_ok('cat $LETTER > INBOX/m; cat $LETTER >> INBOX/n')
        self.assertEqual(self.uploads(), 2)
        self.assertStored(STORED)

    def test_exclusive_creation(self):
        self.run_ok('cp $LETTER INBOX/m')
        self.assertErrno(errno.EEXIST, os.open, self.path(), os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        os.close(os.open(self.path('n'), os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        self.assertEqual(self.names(), ['m', 'n'])

    def test_mknod_makes_an_empty_file_and_nothing_else(self):
        os.mknod(self.path(), stat.S_IFREG | 0o600)
        self.assertEqual((os.stat(self.path()).st_size, self.names()), (0, ['m']))
        self.assertErrno(errno.EPERM, os.mkfifo, self.path('fifo'))
        self.assertErrno(errno.EPERM, os.symlink, 'm', self.path('link'))
        self.assertErrno(errno.EPERM, os.link, self.path(), self.path('link'))
        self.run_fails('ln INBOX/m INBOX/n', 'not permitted')

    def test_a_reader_goes_on_reading_what_was_written_when_it_becomes_a_message(self):
        with open(self.path(), 'wb', buffering=0) as file:
            file.write(MESSAGE.encode())
            reader = open(self.path(), 'rb', buffering=0)   # pylint: disable=consider-using-with
            self.addCleanup(reader.close)
            self.assertEqual(reader.read(10), MESSAGE.encode()[:10])
        self.assertEqual(self.uploads(), 1)
        self.assertEqual(reader.read(1000), MESSAGE.encode()[10:])
        self.assertStored(STORED)
        reader.seek(0)
        self.assertEqual(reader.read(1000), MESSAGE.encode())
        self.assertStored(STORED)       # nothing of it stayed in the kernel

    def test_a_descriptor_that_survives_the_commit_takes_no_more_bytes(self):
        """Under way from one process to another, where nobody can see it."""
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        fd = os.open(self.path(), os.O_RDWR | os.O_CREAT)
        os.write(fd, MESSAGE.encode())
        socket.send_fds(ours, [b'x'], [fd])
        os.close(fd)
        self.assertEqual(self.uploads(), 1)
        fd = socket.recv_fds(theirs, 1, 1)[1][0]
        self.assertErrno(errno.EACCES, os.write, fd, b'late')
        self.assertErrno(errno.EACCES, os.ftruncate, fd, 0)
        self.assertEqual(os.pread(fd, 1000, 0), MESSAGE.encode())
        os.close(fd)
        self.assertEqual(self.uploads(), 1)
        self.assertStored(STORED)

    def test_a_draft_written_again_takes_nothing_through_an_old_descriptor(self):
        self.mount.folder('Drafts')
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        fd = os.open(self.path('d', 'Drafts'), os.O_RDWR | os.O_CREAT)
        os.write(fd, MESSAGE.encode())
        socket.send_fds(ours, [b'x'], [fd])
        os.close(fd)
        fd = socket.recv_fds(theirs, 1, 1)[1][0]
        with open(self.path('d', 'Drafts'), 'ab', buffering=0) as file:
            file.write(b'more\n')
            self.assertErrno(errno.EACCES, os.write, fd, b'late')
            os.close(fd)
            self.assertEqual(self.uploads(), 1)
        self.assertStored(STORED + b'more\r\n', 'd', 'Drafts')
        self.assertEqual(self.uploads(), 2)

    def test_a_local_file_is_cut_without_being_open(self):
        self.write('.m', 'abcdef')
        os.truncate(self.path('.m'), 3)
        self.assertEqual(self.read('.m'), b'abc')
        self.run_ok('truncate -s 5 INBOX/.m')
        self.assertEqual(self.read('.m'), b'abc\0\0')
        self.run_ok(': > INBOX/.m')
        self.assertEqual(os.stat(self.path('.m')).st_size, 0)

    def test_removed_and_renamed_while_open(self):
        with open(self.path(), 'wb', buffering=0) as file:
            file.write(MESSAGE.encode())
            os.unlink(self.path())
            self.assertEqual((os.fstat(file.fileno()).st_nlink, os.fstat(file.fileno()).st_size), (0, len(MESSAGE)))
        self.assertEqual((self.names(), self.uploads()), ([], 0))
        with open(self.path('.m'), 'wb', buffering=0) as file:
            file.write(MESSAGE.encode()[:10])
            os.rename(self.path('.m'), self.path())
            file.write(MESSAGE.encode()[10:])
        self.assertEqual((self.names(), self.uploads()), (['m'], 1))
        self.assertStored(STORED)


class Commits(ChangeTestCase):
    def test_the_verdict_is_the_errno_of_close_and_the_bytes_stay(self):
        for number, word in ((errno.EDQUOT, 'quota'), (errno.EFBIG, 'too large'), (errno.EACCES, 'denied')):
            self.mount.behave('commit', 10, number)
            self.run_fails('cp $LETTER INBOX/m', word)
            self.assertEqual(self.names(), ['m.partial'])
            self.assertErrno(errno.ENOENT, os.stat, self.path())
            self.assertEqual(self.read('m.partial'), MESSAGE.encode())
            os.unlink(self.path('m.partial'))
        self.mount.behave('commit')
        self.run_fails('echo nothing > ../x; cp ../x INBOX/m', 'Invalid')
        self.assertEqual((self.names(), self.uploads()), (['m.partial'], 0))

    def test_what_failed_is_renamed_into_place_or_written_again(self):
        self.mount.behave('commit', 0, errno.EDQUOT)
        self.run_fails('cp $LETTER INBOX/m', 'quota')
        self.mount.behave('commit')
        os.rename(self.path('m.partial'), self.path())
        self.assertStored(STORED)
        self.mount.behave('commit', 0, errno.EDQUOT)
        self.run_fails('cp $LETTER INBOX/n', 'quota')
        self.mount.behave('commit')
        self.run_ok('cat $LETTER > INBOX/n.partial; mv INBOX/n.partial INBOX/n')
        self.assertEqual((self.names(), self.uploads()), (['m', 'n'], 2))

    def test_while_one_waits_for_the_server_the_directory_is_listed_read_and_changed(self):
        self.mount.message(self.inbox, 'a.eml', 5000)
        self.mount.behave('commit', -1)
        cp = self.background('cp', self.letter, 'INBOX/m')
        self.mount.wait_for_waiting(1)
        begin = time.monotonic()
        self.run_ok('ls -l INBOX > /dev/null; cat INBOX/a.eml > /dev/null; cat INBOX/m; stat -c %s INBOX/m', MESSAGE + f'{len(MESSAGE)}\n')
        self.run_ok('mkdir INBOX/sub; mv INBOX/a.eml INBOX/sub/; touch INBOX/n; rm INBOX/n')
        self.assertErrno(errno.EBUSY, open, self.path(), 'a')
        self.assertLess(time.monotonic() - begin, 5)
        self.assertIsNone(cp.poll())
        self.mount.release()
        self.assertEqual(cp.wait(5), 0)
        self.assertStored(STORED)

    def test_ctrl_c_need_not_wait_once_the_message_is_safe_and_not_before(self):
        for number in (signal.SIGINT, signal.SIGKILL):
            self.mount.tell('safe', 0)
            self.mount.behave('commit', -1)
            cp = self.background('cp', self.letter, f'INBOX/m{int(number)}')
            self.mount.wait_for_waiting(1)
            cp.send_signal(number)
            time.sleep(0.4)
            self.assertIsNone(cp.poll())
            self.mount.tell('safe', 1)
            cp.wait(3)
            self.mount.release()
            wait_for(lambda: self.mount.counts()['waiting'] == 0, 5, 'the verdict')
        self.assertEqual((self.names(), self.uploads()), (['m2', 'm9'], 2))

    def test_a_killed_or_failed_writer_leaves_a_partial_file(self):
        for number in (signal.SIGKILL, signal.SIGINT):
            self.kill_half_writer('INBOX/m', number)
            wait_for(lambda: self.names() == ['m.partial'], 5, 'the bytes to be set aside')
            self.assertFalse(os.path.exists(self.path()))
            self.assertEqual(self.read('m.partial'), b'To: a\n\nhalf')
            os.unlink(self.path('m.partial'))
        self.assertEqual(self.shell('exec 5> INBOX/m; echo "To: a" >&5; echo >&5; exit 3').returncode, 3)
        self.assertEqual((self.names(), self.uploads()), (['m.partial'], 0))

    def test_a_full_disk_is_told_and_nothing_is_uploaded(self):
        self.mount.tell('file-limit', 65536)
        with open(os.path.join(self.mount.directory, 'large'), 'w', encoding='ascii') as file:
            file.write(MESSAGE + 'x' * 200000)
        self.run_fails('cp ../large INBOX/m', 'too large')
        self.assertEqual((self.names(), self.uploads()), (['m.partial'], 0))

    def test_one_that_opens_it_while_the_last_writer_closes_is_not_committed_under(self):
        """O_APPEND by many at once on an ordinary name: each ends as a message or is refused, and the bytes are whole lines."""
        script = 'import os, sys\nfd = os.open("INBOX/m", os.O_WRONLY | os.O_CREAT | os.O_APPEND)\nos.write(fd, b"To: a\\n" * 10)\nos.close(fd)\n'
        for _ in range(20):
            writers = [self.background(sys.executable, '-c', script, stderr=subprocess.DEVNULL) for _ in range(4)]
            succeeded = sum(writer.wait(30) == 0 for writer in writers)
            self.assertEqual(self.names(), ['m'])
            self.assertEqual(self.read(), b'To: a\r\n' * 10 * succeeded)
            os.unlink(self.path())

    def test_others_are_answered_while_a_disk_is_waited_for(self):
        self.mount.behave('hand-over', 3000)
        closers = [self.background('sh', '-c', f'printf "To: a\\n\\n" > INBOX/m{number}') for number in range(3)]
        time.sleep(0.2)
        for number in range(20):
            begun = time.monotonic()
            self.assertFalse(os.path.exists(self.path(f'none{number}')))
            self.assertLess(time.monotonic() - begun, 1)
        self.assertEqual([closer.poll() for closer in closers], [None] * 3)
        self.assertEqual([closer.wait(30) for closer in closers], [0] * 3)

    def test_nobody_opens_it_between_its_end_and_its_commit(self):
        """Who did would write into what is uploaded, or into what nobody reads any more, and be told that all is well."""
        script = ('import os, sys, time\nfd = os.open("INBOX/m", os.O_WRONLY | os.O_CREAT | os.O_APPEND)\ntime.sleep(float(sys.argv[1]))\n'
                  'os.write(fd, b"To: a\\n" * 10)\nprint("closing", flush=True)\nos.close(fd)\n')
        self.mount.behave('hand-over', 300)
        first = self.background(sys.executable, '-c', script, '0', stdout=subprocess.PIPE)
        self.assertEqual(first.stdout.readline(), b'closing\n')
        time.sleep(0.1)
        second = self.background(sys.executable, '-c', script, '0.5', stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.assertEqual(first.wait(30), 0)
        self.assertEqual(self.read(), b'To: a\r\n' * 10 * (1 + (second.wait(30) == 0)))

    def test_fsync_waits_for_the_server(self):
        row = self.mount.message(self.inbox, 'a.eml')
        self.mount.behave('settle', 300)
        for name in ('INBOX/a.eml', 'INBOX', 'INBOX/.m'):
            if name == 'INBOX/.m':
                self.write('.m', 'abc')
            begin = time.monotonic()
            self.run_ok(f'sync {name}')
            self.assertGreater(time.monotonic() - begin, 0.29, name)
        self.mount.behave('settle', 10, errno.EDQUOT)
        fd = os.open(self.mount / 'INBOX', os.O_RDONLY)
        self.addCleanup(os.close, fd)
        self.assertErrno(errno.EDQUOT, os.fsync, fd)
        self.assertEqual(self.mount.counts()['settles'], 4, row)

    def test_an_unmount_while_a_close_waits_ends_well(self):
        self.mount.behave('commit', -1)
        with contextlib.suppress(OSError):
            cp = self.background('cp', self.letter, 'INBOX/m', stderr=subprocess.DEVNULL)
            self.mount.wait_for_waiting(1)
            self.assertEqual(self.mount.terminate(), 0, self.mount.log())
            cp.wait(5)


class NeverLookedAt(ChangeTestCase):
    """Of what is in Archive nothing is known yet, and the look takes its time: who asks for a name is told the truth, and locks nobody out of INBOX."""

    def setUp(self):
        super().setUp()
        self.mount.message(self.inbox, 'a.eml', 2000)
        self.archive = self.mount.folder('Archive')
        self.other = self.mount.folder('Other')
        self.deeper = self.mount.folder('Deeper', self.archive)
        self.mount.message(self.archive, 'there.eml', 10)

    def hide(self, delay_ms, error=0):
        for folder in (self.archive, self.other, self.deeper):
            self.mount.tell('hide', folder)
        self.mount.behave('look', delay_ms, error)

    def test_who_moves_a_message_there_waits_without_the_other_folder_s_lock(self):
        if not mounting.shows_who_renames():
            self.skipTest('Yama shows nobody who renames')
        for command in (('mv', 'INBOX/a.eml', 'Archive'), ('mv', self.path('b.eml'), self.path('c.eml', 'Archive')),
                        (sys.executable, '-c', 'import os; os.rename("INBOX/d.eml", "Archive/e.eml")')):
            self.hide(-1)
            with self.background(*command) as mover:
                self.mount.wait_for_waiting(1)
                self.run_ok('echo > INBOX/.scratch; rm INBOX/.scratch; ls INBOX > /dev/null')
                self.assertIsNone(mover.poll())
                self.mount.release()
                self.assertEqual(mover.wait(5), 0)
            self.mount.message(self.inbox, 'b.eml', 10)
            self.mount.message(self.inbox, 'd.eml', 10)
        self.assertEqual(self.names('Archive'), ['Deeper', 'a.eml', 'c.eml', 'e.eml', 'there.eml'])

    def test_each_call_is_told_the_truth(self):
        self.run_ok('echo Archive > .partial; rm .partial')
        for script, expected in (('stat -c %s Archive/there.eml', '10\n'), ('test -e Archive/none || echo none', 'none\n'), ('cat Archive/there.eml | wc -c', '10\n'),
                                 ('mv -n INBOX/a.eml Archive/there.eml; ls INBOX', 'a.eml\n'), ('mv Archive/there.eml INBOX', ''), ('mv INBOX/there.eml Archive', ''),
                                 ('mv Archive/there.eml Archive/here.eml', ''), ('mv Archive/here.eml Other', ''), ('mv Other/here.eml Archive/there.eml', ''),
                                 ('cd INBOX && mv a.eml ../Archive', ''), ('cd Archive && mv a.eml ../INBOX', ''), ('cd Archive && ls', 'Deeper\nthere.eml\n'),
                                 ('cp $LETTER Archive/.m', ''), ('mv Archive/.m Archive/m', ''), ('cp $LETTER Archive/.m', ''), ('mv Archive/.m Archive/m', ''),
                                 ('mkdir Archive/Sub', ''), ('mv Archive/Sub Other', ''), ('rmdir Other/Sub', ''), ('rm Archive/m', ''),
                                 ('touch -c Archive/none Archive/there.eml', ''), ('ls Archive Other', 'Archive:\nDeeper\nthere.eml\n\nOther:\n')):
            with self.subTest(script):
                self.hide(20)
                self.run_ok(script, expected)
        for function, arguments, number in ((os.rename, ('none', 'Other/none'), errno.ENOENT), (os.mkdir, ('there.eml',), errno.EEXIST), (os.unlink, ('none',), errno.ENOENT),
                                            (os.rename, ('there.eml', 'INBOX/there.eml'), 0), (os.symlink, ('INBOX', ), errno.EPERM)):
            with self.subTest(function.__name__):
                self.hide(20)
                paths = [self.mount / f'Archive/{arguments[0]}', *(self.mount / path for path in arguments[1:])]
                if function is os.symlink:
                    paths = ['x', *paths]
                if number:
                    self.assertErrno(number, function, *paths)
                else:
                    function(*paths)

    def test_a_call_with_two_such_folders_is_told_the_truth(self):
        """The kernel comes again once a call, and not by way of a folder that the program has open or stands in."""
        for code in ('os.rename("Archive/there.eml", "Other/y")', 'os.rename("Other/y", "Archive/there.eml"); os.rename("Archive/there.eml", "Archive/Deeper/y")',
                     'os.chdir("Archive"); os.rename("Deeper/y", "there.eml")', 'os.chdir("Archive"); os.rename("there.eml", "Deeper/y")',
                     'os.chdir("Archive/Deeper"); os.rename("y", "../there.eml")',
                     'a, b = (os.open(path, os.O_PATH) for path in ("Archive", "Other")); os.rename("there.eml", "y", src_dir_fd=a, dst_dir_fd=b)',
                     'a = os.open("Archive", os.O_PATH); os.chdir("Other"); os.rename("y", "there.eml", dst_dir_fd=a)'):
            with self.subTest(code):
                self.hide(20)
                subprocess.run([sys.executable, '-c', f'import os; {code}'], cwd=self.mount.path, check=True, timeout=30)
        self.assertEqual((self.names('Other'), self.names('Archive/Deeper'), self.names('Archive')), ([], [], ['Deeper', 'there.eml']))

    def test_a_look_that_fails_is_told_as_such(self):
        for function, path in ((os.stat, 'none'), (os.mkdir, 'none'), (os.unlink, 'there.eml'), (os.listdir, '')):
            self.hide(20, errno.EHOSTUNREACH)
            self.assertErrno(errno.EHOSTUNREACH, function, self.mount / f'Archive/{path}')
        self.hide(20, errno.EHOSTUNREACH)
        self.assertErrno(errno.EHOSTUNREACH, os.rename, self.path('a.eml'), self.path('b.eml', 'Archive'))
        self.assertEqual(self.names(), ['a.eml'])
        self.hide(-1, errno.EHOSTUNREACH)
        with self.background(sys.executable, '-c', 'import os; os.rename("INBOX/a.eml", "Archive/b.eml")', stderr=subprocess.PIPE) as mover:
            self.mount.wait_for_waiting(1)
            self.mount.release()        # and is not waited for once more
            self.assertIn(b'No route', mover.stderr.read())

    def test_who_waits_can_be_interrupted(self):
        for number in (signal.SIGINT, signal.SIGKILL):
            self.hide(-1)
            with self.background('mv', 'INBOX/a.eml', 'Archive') as mover:
                self.mount.wait_for_waiting(1)
                mover.send_signal(number)
                self.assertEqual(mover.wait(5), -number)
        self.hide(20)
        self.run_ok('mv INBOX/a.eml Archive')

    def test_many_at_once(self):
        for number in range(200):
            self.mount.message(self.inbox, f'{number}', 10)
        self.hide(50)
        self.run_ok('cd INBOX; ls | grep -v eml | xargs -P 100 -n 2 mv -t ../Archive')
        self.assertEqual((len(self.names('Archive')), self.names()), (202, ['a.eml']))
        self.hide(50)
        self.run_ok('ls INBOX/* > ../names; cd ..; seq 0 199 | sed "s|^|mnt/Archive/|" | xargs -P 100 -n 2 mv -t mnt/INBOX')
        self.assertEqual((len(self.names()), self.names('Archive')), (201, ['Deeper', 'there.eml']))


class Stored(ChangeTestCase):
    def setUp(self):
        super().setUp()
        self.row = self.mount.message(self.inbox, 'a.eml', 2000)
        self.mount.folder('Archive')

    def test_its_bytes_cannot_be_changed(self):
        before = self.read('a.eml')
        for mode in ('r+b', 'wb', 'ab'):
            self.assertErrno(errno.EACCES, open, self.path('a.eml'), mode)
        self.assertErrno(errno.EACCES, os.truncate, self.path('a.eml'), 0)
        self.assertErrno(errno.EACCES, os.truncate, self.path('a.eml'), 2000)
        self.run_fails('cp $LETTER INBOX/a.eml', 'denied')
        self.assertEqual(self.read('a.eml'), before)

    def test_it_is_removed(self):
        self.run_ok('rm INBOX/a.eml')
        self.assertEqual(self.names(), [])
        self.assertErrno(errno.ENOENT, os.stat, self.path('a.eml'))
        self.assertErrno(errno.ENOENT, os.unlink, self.path('a.eml'))

    def test_a_tree_is_removed(self):
        sub = self.mount.folder('sub', self.inbox)
        for i in range(200):
            self.mount.message(sub, f'{i}.eml', 10)
        self.assertErrno(errno.ENOTEMPTY, os.rmdir, self.path('sub'))
        self.run_ok('rm -r INBOX/sub')
        self.assertEqual(self.names(), ['a.eml'])
        self.run_fails('rm -rf INBOX', 'busy')

    def test_it_moves_and_keeps_its_number(self):
        ino, before = os.stat(self.path('a.eml')).st_ino, self.read('a.eml')
        with open(self.path('a.eml'), 'rb') as file:
            self.run_ok('mv INBOX/a.eml Archive/b.eml')
            self.assertEqual((self.names(), self.names('Archive')), ([], ['b.eml']))
            self.assertEqual(os.fstat(file.fileno()).st_nlink, 1)
            self.assertEqual(file.read(), before)
        self.assertEqual(os.stat(self.path('b.eml', 'Archive')).st_ino, ino)
        self.assertErrno(errno.ENOENT, os.stat, self.path('a.eml'))
        self.mount.message(self.inbox, 'a.eml', 10)
        self.assertEqual(os.stat(self.path('a.eml')).st_size, 10)

    def test_it_goes_into_the_outbox_as_a_copy_and_is_gone(self):
        self.assertErrno(errno.EXDEV, os.rename, self.path('a.eml'), self.mount / 'outbox/a.eml')
        self.run_ok('mv INBOX/a.eml outbox/')
        self.assertEqual((self.names(), list(self.mount.outbox())), ([], ['a.eml']))

    def test_over_the_same_bytes_the_target_stays_and_over_others_nothing_happens(self):
        self.run_ok('cp $LETTER INBOX/m; cp $LETTER INBOX/.m; cp INBOX/a.eml ../a; cp ../a Archive/same')
        target = os.stat(self.path()).st_ino
        self.assertErrno(errno.EEXIST, os.rename, self.path('a.eml'), self.path())
        os.rename(self.path('.m'), self.path())
        self.assertEqual(self.names(), ['a.eml', 'm'])
        self.assertStored(STORED)
        wait_for(lambda: os.stat(self.path()).st_ino == target, 5, 'the one that stays')
        for _ in range(50):
            self.run_ok('cp $LETTER INBOX/.m; mv INBOX/.m INBOX/m; cat INBOX/m > /dev/null')
        self.assertEqual(self.uploads(), 2)

    def test_a_rename_whose_bytes_must_be_fetched_is_refused_now_and_done_later(self):
        self.run_ok('cp $LETTER INBOX/m; cp $LETTER INBOX/.m')
        self.mount.behave('compare', 200)
        begin = time.monotonic()
        self.assertErrno(errno.EEXIST, os.rename, self.path('.m'), self.path())
        self.assertLess(time.monotonic() - begin, 0.2)
        self.assertEqual(self.names(), ['.m', 'a.eml', 'm'])
        self.mount.wait_for_waiting(0)
        os.rename(self.path('.m'), self.path())
        self.assertEqual(self.names(), ['a.eml', 'm'])

    def test_kinds_of_renames(self):
        libc_rename = ('import ctypes, os, sys\nlibc = ctypes.CDLL(None, use_errno=True)\n'
                       'r = libc.renameat2(-100, sys.argv[1].encode(), -100, sys.argv[2].encode(), int(sys.argv[3]))\nprint(ctypes.get_errno() if r else 0)')
        for flags, to, expected in ((2, 'INBOX/m', errno.EINVAL), (4, 'INBOX/n', errno.EINVAL), (1, 'INBOX/m', errno.EEXIST), (1, 'INBOX/n', 0)):
            self.write()
            result = subprocess.run([sys.executable, '-c', libc_rename, 'INBOX/a.eml', to, str(flags)], cwd=self.mount.path, capture_output=True,
                                    text=True, check=True)
            self.assertEqual((flags, int(result.stdout)), (flags, expected))
            with contextlib.suppress(OSError):
                os.unlink(self.path())
        for name in ('outbox', '.mailfs'):
            self.assertErrno(errno.EBUSY, os.rename, self.mount / name, self.mount / 'other')
            self.assertErrno(errno.EBUSY, os.rename, self.mount / 'Archive', self.mount / name)
            self.assertErrno(errno.EBUSY, os.rmdir, self.mount / name)
            self.assertErrno(errno.EEXIST, os.mkdir, self.mount / name)

    def test_modes_times_and_owners(self):
        path = self.path('a.eml')
        self.run_ok('chmod 640 INBOX/a.eml; touch -d @1000000000.25 INBOX/a.eml')
        st = os.stat(path)
        self.assertEqual((stat.S_IMODE(st.st_mode), st.st_mtime), (0o640, 1000000000.25))
        before = time.time()
        self.run_ok('touch INBOX/a.eml')
        self.assertGreaterEqual(os.stat(path).st_mtime, before - 1)
        os.utime(path, (-1000, -1000))
        self.assertEqual(os.stat(path).st_mtime, -1000)
        os.chown(path, os.getuid(), os.getgid())
        os.chown(path, -1, -1)
        self.assertErrno(errno.EPERM, os.chown, path, os.getuid() + 1, -1)
        self.assertErrno(errno.EPERM, os.chown, path, -1, os.getgid() + 1)

    def test_flags_are_set_and_other_attributes_are_accepted_of_what_is_new(self):
        self.run_ok("setfattr -n user.mail.flags -v '\\Seen \\Flagged' INBOX/a.eml; getfattr --only-values -n user.mail.flags INBOX/a.eml", '\\Seen \\Flagged')
        path = self.path('a.eml')
        self.write('.m', 'x')
        for name in ('user.mail.subject', 'user.mail.uid'):
            self.assertErrno(errno.EPERM, os.setxattr, path, name, b'x')
            os.setxattr(self.path('.m'), name, b'x')
        os.removexattr(self.path('.m'), 'user.mail.subject')
        for file in (path, self.path('.m')):
            os.setxattr(file, 'user.other', b'x')
            self.assertErrno(errno.EOPNOTSUPP, os.setxattr, file, 'trusted.x', b'x')
            self.assertErrno(errno.EOPNOTSUPP, os.removexattr, file, 'trusted.x')
            self.assertErrno(errno.ENODATA, os.removexattr, file, 'user.other')
        self.assertErrno(errno.EINVAL, os.setxattr, path, 'user.mail.flags', b'a(b')
        os.removexattr(path, 'user.mail.flags')
        self.assertEqual(os.getxattr(path, 'user.mail.flags'), b'')
        self.assertErrno(errno.ENODATA, os.getxattr, self.path('.m'), 'user.mail.subject')
        self.assertEqual(os.getxattr(self.path('.m'), 'user.mail.cached'), b'1')
        os.setxattr(self.mount / 'INBOX', 'user.other', b'x')


class Copying(ChangeTestCase):
    def setUp(self):
        super().setUp()
        self.row = self.mount.message(self.inbox, 'a.eml', 300000)
        self.mount.folder('Archive')
        self.bytes = self.read('a.eml')

    def counted(self):
        counts = self.mount.counts()
        return counts['copies'], counts['uploads']

    def test_a_whole_message_is_copied_by_the_server(self):
        for number, script in enumerate(('cp INBOX/a.eml Archive/b', 'cp -p INBOX/a.eml Archive/b', 'cat INBOX/a.eml > Archive/b'), 1):
            self.run_ok(script)
            self.assertEqual(self.counted(), (number, 0), script)
            self.assertStored(self.bytes, 'b', 'Archive')
            os.unlink(self.path('b', 'Archive'))

    def test_a_copy_shows_the_source_s_size_and_bytes_before_it_is_closed(self):
        with open(self.path('a.eml'), 'rb') as source, open(self.path('b'), 'w+b', buffering=0) as copy:
            self.assertEqual(os.copy_file_range(source.fileno(), copy.fileno(), 1 << 30), len(self.bytes))
            self.assertEqual(os.fstat(copy.fileno()).st_size, len(self.bytes))
            self.assertEqual(os.pread(copy.fileno(), 1 << 20, 0), self.bytes)
        self.assertStored(self.bytes, 'b')

    def test_what_is_written_behind_a_copy_is_one_message_of_both(self):
        self.run_ok('cat INBOX/a.eml $LETTER > Archive/b; { cat INBOX/a.eml; cat $LETTER; } > Archive/c; cat INBOX/a.eml INBOX/a.eml > Archive/d')
        self.assertEqual(self.counted(), (0, 3))
        self.assertStored(self.bytes + STORED, 'b', 'Archive')
        self.assertStored(self.bytes + STORED, 'c', 'Archive')
        self.assertStored(self.bytes * 2, 'd', 'Archive')

    def test_a_server_that_cannot_copy_gets_the_bytes(self):
        self.mount.behave('copy', 0, errno.EXDEV)
        self.mount.behave('read', 20)
        self.run_ok('cp INBOX/a.eml Archive/b')
        self.assertEqual(self.counted(), (0, 1))
        self.assertStored(self.bytes, 'b', 'Archive')

    def test_a_copy_that_is_refused_fails(self):
        self.mount.behave('copy', 0, errno.EDQUOT)
        self.run_fails('cp INBOX/a.eml Archive/b', 'quota')
        self.mount.behave('copy', 0, errno.EXDEV)
        self.mount.behave('open', 0, errno.EHOSTUNREACH)
        script = ('import os\nsource = os.open("INBOX/a.eml", os.O_RDONLY)\ncopy = os.open("Archive/c", os.O_WRONLY | os.O_CREAT)\n'
                  'os.copy_file_range(source, copy, 1 << 30)\nprint("ready", flush=True)\ninput()\n'
                  'try:\n os.close(copy)\nexcept OSError as error:\n print(error.errno)\n')
        self.mount.behave('open')
        process = self.background(sys.executable, '-c', script, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.stdout.readline()
        self.mount.behave('open', 0, errno.EHOSTUNREACH)
        self.assertEqual(process.communicate(b'\n')[0], f'{errno.EHOSTUNREACH}\n'.encode())
        self.assertEqual(self.counted(), (0, 0))
        self.assertEqual(self.names('Archive'), [])

    def test_parts_and_scratch_files_are_copied_here(self):
        self.run_ok('cp INBOX/a.eml INBOX/.b; dd status=none if=INBOX/a.eml of=INBOX/.c bs=1000 count=2 seek=1')
        self.assertEqual((self.read('.b'), self.read('.c')), (self.bytes, bytes(1000) + self.bytes[:2000]))
        self.run_ok('cp INBOX/.b Archive/b')
        self.assertEqual(self.counted(), (0, 1))
        self.assertStored(self.bytes, 'b', 'Archive')


class Drafts(ChangeTestCase):
    def setUp(self):
        super().setUp()
        self.drafts = self.mount.folder('Drafts')
        self.write('d', folder='Drafts')

    def draft(self):
        return self.read('d', 'Drafts')

    def test_it_is_written_again_in_place(self):
        self.run_ok('echo more >> Drafts/d')
        self.assertStored(STORED + b'more\r\n', 'd', 'Drafts')
        self.run_ok('cp $LETTER Drafts/d')
        self.assertStored(STORED, 'd', 'Drafts')
        with open(self.path('d', 'Drafts'), 'r+b') as file:
            file.seek(STORED.index(b'hello'))
            file.write(b'HELLO')
        self.assertStored(STORED.replace(b'hello', b'HELLO'), 'd', 'Drafts')
        self.assertEqual((self.names('Drafts'), self.uploads()), (['d'], 4))

    def test_one_that_did_not_change_is_left_alone(self):
        with open(self.path('d', 'Drafts'), 'r+b') as file:
            data = file.read()
            file.seek(0)
            file.write(data)
        with open(self.path('d', 'Drafts'), 'r+b'):
            pass
        self.assertEqual(self.uploads(), 1)
        self.assertStored(STORED, 'd', 'Drafts')

    def test_opening_it_for_writing_may_wait_for_its_bytes_and_truncating_does_not(self):
        self.mount.behave('edit', -1)
        self.run_ok('cp $LETTER Drafts/d')
        append = self.background('sh', '-c', 'echo more >> Drafts/d')
        self.mount.wait_for_waiting(1)
        self.run_ok('ls Drafts; cat Drafts/d > /dev/null', 'd\n')
        self.mount.release()
        self.assertEqual(append.wait(5), 0)
        self.assertStored(STORED + b'more\r\n', 'd', 'Drafts')

    def test_an_open_that_waits_is_interrupted_or_fails(self):
        self.mount.behave('edit', -1)
        append = self.background('sh', '-c', 'echo more >> Drafts/d', stderr=subprocess.DEVNULL)
        self.mount.wait_for_waiting(1)
        append.send_signal(signal.SIGINT)
        self.assertNotEqual(append.wait(5), 0)
        self.mount.behave('edit', 10, errno.EHOSTUNREACH)
        self.assertErrno(errno.EHOSTUNREACH, open, self.path('d', 'Drafts'), 'ab')
        self.assertEqual((self.names('Drafts'), self.uploads()), (['d'], 1))
        self.assertStored(STORED, 'd', 'Drafts')

    def test_a_writer_that_fails_leaves_the_draft_as_it_was(self):
        self.assertEqual(self.shell('exec 5>> Drafts/d; echo more >&5; exit 3').returncode, 3)
        self.assertEqual(self.names('Drafts'), ['d', 'd.partial'])
        self.assertStored(STORED, 'd', 'Drafts')
        self.assertEqual(self.read('d.partial', 'Drafts'), STORED + b'more\n')
        self.mount.behave('commit', 10, errno.EDQUOT)
        self.run_fails('cp $LETTER Drafts/d; echo less > ../less; cat ../less >> Drafts/d; cp ../less Drafts/d', 'Invalid')
        self.assertStored(STORED, 'd', 'Drafts')

    def test_one_who_reads_while_it_is_replaced_does_not_spoil_it_for_others(self):
        with open(self.path('d', 'Drafts'), 'rb', buffering=0) as reader:
            self.assertEqual(reader.read(5), STORED[:5])
            self.write('d', MESSAGE.replace('hello', 'HELLO'), 'Drafts')
            with contextlib.suppress(OSError):
                reader.read(1000)
            self.assertStored(STORED.replace(b'hello', b'HELLO'), 'd', 'Drafts')
            with contextlib.suppress(OSError):
                reader.seek(0)
                reader.read(1000)
        self.assertStored(STORED.replace(b'hello', b'HELLO'), 'd', 'Drafts')

    def test_a_rename_replaces_it(self):
        self.write('.d', OTHER, 'Drafts')
        os.rename(self.path('.d', 'Drafts'), self.path('d', 'Drafts'))
        self.assertEqual((self.names('Drafts'), self.uploads()), (['d'], 2))
        self.assertStored(OTHER.replace('\n', '\r\n').encode(), 'd', 'Drafts')


class Folders(ChangeTestCase):
    def test_they_are_made_removed_and_moved(self):
        self.run_ok('mkdir -p A/B/C; mv A/B INBOX/D; cp $LETTER INBOX/D/m; mkdir .local; cp $LETTER .local/.x')
        self.assertEqual((self.names('A'), self.names('INBOX'), self.names('INBOX/D')), ([], ['D'], ['C', 'm']))
        self.assertEqual(os.stat(self.mount / 'INBOX/D').st_nlink, 3)
        self.assertErrno(errno.ENOTEMPTY, os.rmdir, self.path('D'))
        self.run_ok('rmdir A INBOX/D/C; rm -r .local')
        self.assertEqual((sorted(os.listdir(self.mount.path)), self.names('INBOX/D')), (['INBOX', 'outbox'], ['m']))
        self.assertErrno(errno.EEXIST, os.mkdir, self.mount / 'INBOX')
        self.run_ok('rm -r INBOX/D')
        self.assertErrno(errno.EBUSY, os.rmdir, self.mount / 'INBOX')
        self.assertErrno(errno.EBUSY, os.rename, self.mount / 'INBOX', self.mount / 'Other')

    def test_errors_of_moves(self):
        self.run_ok('mkdir -p A/B E; cp $LETTER A/m')
        self.assertErrno(errno.EINVAL, os.rename, self.mount / 'A', self.mount / 'A/B/C')
        self.assertErrno(errno.ENOTEMPTY, os.rename, self.mount / 'E', self.mount / 'A')
        self.assertErrno(errno.ENOTDIR, os.rename, self.mount / 'E', self.mount / 'A/m')
        self.assertErrno(errno.EISDIR, os.rename, self.mount / 'A/m', self.mount / 'E')
        self.assertErrno(errno.EISDIR, os.unlink, self.mount / 'E')
        self.assertErrno(errno.ENOTDIR, os.rmdir, self.mount / 'A/m')
        os.rename(self.mount / 'E', self.mount / 'A/B')
        self.assertEqual(self.names('A'), ['B', 'm'])

    def test_modes_and_times_of_folders_are_accepted(self):
        self.run_ok('mkdir -m 700 A; chmod 750 A; touch -d @1 A; chown 0:0 A')


class News(ChangeTestCase):
    """What the mailbox tells of what the kernel itself asked for, or tells late."""

    def test_a_name_made_again_is_not_taken_away(self):
        row = self.mount.message(self.inbox, 'a.eml', 100)
        os.unlink(self.path('a.eml'))
        self.run_ok('cp $LETTER INBOX/a.eml; mkdir INBOX/sub')
        sub = os.stat(self.path('sub')).st_ino
        with open(self.path('a.eml'), 'rb') as file:
            self.mount.tell('changed', CHANGE_MESSAGE_GONE, self.inbox, row, 'a.eml')
            self.mount.tell('changed', CHANGE_MESSAGE_RENAMED, self.inbox, row, 'a.eml')
            self.mount.tell('changed', CHANGE_FOLDER_GONE, self.inbox, sub + 1000, 'sub')
            time.sleep(0.2)
            self.assertEqual(os.fstat(file.fileno()).st_nlink, 1)
            self.assertEqual(file.read(), STORED)
        self.assertEqual((self.names(), os.stat(self.path('sub')).st_ino), (['a.eml', 'sub'], sub))
        self.assertStored(STORED, 'a.eml')

    def test_what_lives_on_is_not_told_gone(self):
        """A move that the server refused: the folder and the message are back under their old names, the same rows."""
        self.run_ok('mkdir A; cp $LETTER A/m')
        folder, message = os.stat(self.mount / 'A').st_ino, os.stat(self.mount / 'A/m').st_ino
        with open(self.mount / 'A/m', 'rb') as file:
            before = os.getcwd()
            os.chdir(self.mount / 'A')
            self.addCleanup(os.chdir, before)
            self.mount.tell('changed', CHANGE_MESSAGE_GONE, folder, message & 0xffffffff, 'm')
            self.mount.tell('changed', CHANGE_FOLDER_GONE, ROOT, folder, 'A')
            time.sleep(0.2)
            self.assertEqual(os.fstat(file.fileno()).st_nlink, 1)
            os.stat(self.mount / 'A')
            self.assertEqual((os.listdir('.'), os.getcwd()), (['m'], self.mount / 'A'))
            os.mkdir('below')

    def test_a_message_that_moved_by_itself_is_found_under_its_new_name_only(self):
        row = self.mount.message(self.inbox, 'a.eml', 100)
        ino = os.stat(self.path('a.eml')).st_ino
        with open(self.path('a.eml'), 'rb') as file:
            self.mount.tell('move', row, self.inbox, 'b.eml')
            wait_for(lambda: not os.path.exists(self.path('a.eml')), 5, 'the old name to go')
            self.assertEqual((os.fstat(file.fileno()).st_nlink, os.stat(self.path('b.eml')).st_ino), (1, ino))

    def test_changes_and_news_at_once_do_not_lock_each_other_out(self):
        script = 'for i in $(seq 100); do echo x > INBOX/.$0$i; mv INBOX/.$0$i INBOX/.$0; mkdir INBOX/$0; rmdir INBOX/$0; rm INBOX/.$0; done'
        workers = [self.background('sh', '-c', script, name) for name in 'abcd']
        stop = threading.Event()
        listing = threading.Thread(target=lambda: [os.listdir(self.mount / 'INBOX') for _ in iter(stop.is_set, True)])
        listing.start()
        try:
            for worker in workers:
                self.assertEqual(worker.wait(50), 0)
        finally:
            stop.set()
            listing.join()
        self.assertEqual(self.names(), [])


class ReadOnly(FakeTestCase):
    options = ('ro', 'no_outbox')

    def test_nothing_can_be_changed(self):
        self.mount.message(self.inbox, 'a.eml')
        path, other = self.mount / 'INBOX/a.eml', self.mount / 'INBOX/b.eml'
        for function, *arguments in ((os.unlink, path), (os.rename, path, other), (open, other, 'w'), (open, path, 'a'), (os.truncate, path, 0), (os.mkdir, other),
                                     (os.rmdir, self.mount / 'INBOX'), (os.chmod, path, 0o600), (os.utime, path), (os.symlink, 'x', other),
                                     (os.link, path, other), (os.mknod, other), (os.setxattr, path, 'user.mail.flags', b''),
                                     (os.removexattr, path, 'user.mail.flags')):
            self.assertErrno(errno.EROFS, function, *arguments)


if __name__ == '__main__':
    mailtest.main()
