#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writing into the outbox: which close is the last, who was killed, what is refused; with the real programs, on a made-up outbox."""

import contextlib
import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

from fakefs import FakeTestCase
import mailtest
from mailtest import wait_for

MESSAGE = 'To: bob@example.com\nSubject: hi\n\nhello\n'
QUEUED, SCRATCH, FAILED = ('queue', 'queued'), ('queue', 'scratch'), ('failed', 'failed')


class OutboxTestCase(FakeTestCase):
    def setUp(self):
        super().setUp()
        self.letter = os.path.join(self.mount.directory, 'letter')
        with open(self.letter, 'w', encoding='ascii') as file:
            file.write(MESSAGE)

    def assertOutbox(self, expected, **sizes):
        """The entries' places and states by name; sizes where given."""
        found = self.mount.outbox()
        self.assertEqual({name: entry[:2] for name, entry in found.items()}, expected)
        for name, size in sizes.items():
            self.assertEqual(found[name][2], size)

    def run_ok(self, script):
        result = self.shell(script, env=dict(os.environ, LETTER=self.letter))
        self.assertEqual((result.returncode, result.stderr), (0, ''))


class Writers(OutboxTestCase):
    """Each program's last close commits, once, what is whole; and it does so before the program ends."""

    def test_programs_that_copy(self):
        scripts = {'cp': 'cp $LETTER outbox/m', 'cp -a': 'cp -a $LETTER outbox/m', 'cat': 'cat $LETTER > outbox/m', 'dd': 'dd status=none if=$LETTER of=outbox/m bs=7',
                   'tee': 'cat $LETTER | tee outbox/m > /dev/null', 'install': 'install $LETTER outbox/m', 'mv': 'cp $LETTER ../l; mv ../l outbox/m',
                   'python': f'{sys.executable} -c "import shutil, os; shutil.copy2(os.environ[\'LETTER\'], \'outbox/m\')"'}
        for name, script in scripts.items():
            with self.subTest(name):
                self.run_ok(script)
                self.assertOutbox({'m': QUEUED}, m=len(MESSAGE))
                os.unlink(self.mount / 'outbox/m')

    def test_a_shell_s_group_of_commands_makes_one_whole_message(self):
        self.run_ok('{ echo "To: a"; echo; date +today; printf x | cat; } > outbox/m')
        self.assertOutbox({'m': QUEUED}, m=14)

    def test_a_subshell_and_a_pipeline_into_a_file(self):
        self.run_ok('( echo "To: a"; ( echo ) ; sh -c "echo today" ) > outbox/m')
        self.assertOutbox({'m': QUEUED}, m=13)

    def test_exec_redirections_and_dup(self):
        self.run_ok('exec 5> outbox/m; echo "To: a" >&5; exec 6>&5; exec 5>&-; echo >&6; sh -c "echo today >&6"; exec 6>&-; true')
        self.assertOutbox({'m': QUEUED}, m=13)

    def test_a_script_that_ends_with_its_file_open(self):
        self.run_ok('exec > outbox/m; echo "To: a"; echo; echo today')
        self.assertOutbox({'m': QUEUED}, m=13)

    def test_a_child_in_the_background_keeps_it_open(self):
        self.run_ok('sh -c \'echo "To: a"; echo; (sleep 0.3; echo later) &\' > outbox/m 2>/dev/null')
        self.assertOutbox({'m': ('queue', 'writing')})
        wait_for(lambda: 'm' in self.mount.outbox() and self.mount.outbox()['m'][1] == 'queued', 5, 'the child')
        self.assertOutbox({'m': QUEUED}, m=13)

    def test_an_orphan_of_a_living_opener_keeps_it_open(self):
        shell = self.background('sh', '-c', '{ echo "To: a"; echo; ( (sleep 0.4; echo later) & ) } > outbox/m; sleep 5', stdin=subprocess.DEVNULL)
        time.sleep(0.2)
        self.assertOutbox({'m': ('queue', 'writing')})
        wait_for(lambda: self.mount.outbox()['m'][1] == 'queued', 5, 'the orphan')
        self.assertOutbox({'m': QUEUED}, m=13)
        self.assertIsNone(shell.poll())

    def test_descriptors_that_are_inherited_and_passed_to_popen(self):
        script = ('import subprocess, sys\n'
                  'with open("outbox/m", "wb", buffering=0) as file:\n'
                  '    file.write(b"To: a\\n\\n")\n'
                  '    child = subprocess.Popen(["sh", "-c", "sleep 0.2; echo more"], stdout=file)\n'
                  'assert child.wait() == 0\n')
        subprocess.run([sys.executable, '-c', script], cwd=self.mount.path, check=True)
        self.assertOutbox({'m': QUEUED}, m=12)

    def test_appending_to_one_file_twice(self):
        self.run_ok('echo > outbox/.draft; echo "To: a" > outbox/.draft; echo >> outbox/.draft; echo body >> outbox/.draft')
        self.assertOutbox({'.draft': SCRATCH})
        self.run_ok('mv outbox/.draft outbox/m')
        self.assertOutbox({'m': QUEUED}, m=12)

    def test_a_reader_of_the_file_does_not_hold_up_the_last_close(self):
        self.run_ok('exec 5> outbox/m; exec 6< outbox/m; echo "To: a" >&5; exec 5>&-; grep -q queued <<EOF\n$(getfattr -n user.mail.state outbox/m)\nEOF')
        self.assertOutbox({'m': QUEUED})

    def test_a_writer_with_threads(self):
        script = ('import os, threading\n'
                  'fd = os.open("outbox/m", os.O_WRONLY | os.O_CREAT)\n'
                  'os.write(fd, b"To: a\\n\\n")\n'
                  't = threading.Thread(target=lambda: (os.write(fd, b"b\\n"), os.close(fd)))\n'
                  't.start(); t.join()\n')
        subprocess.run([sys.executable, '-c', script], cwd=self.mount.path, check=True)
        self.assertOutbox({'m': QUEUED}, m=9)

    def test_a_file_opened_by_a_thread_that_ended(self):
        script = ('import os, threading\n'
                  'fds = []\n'
                  't = threading.Thread(target=lambda: fds.append(os.open("outbox/m", os.O_WRONLY | os.O_CREAT)))\n'
                  't.start(); t.join()\n'
                  'os.write(fds[0], b"To: a\\n\\n"); copy = os.dup(fds[0]); os.close(fds[0]); os.write(copy, b"b\\n"); os.close(copy)\n')
        subprocess.run([sys.executable, '-c', script], cwd=self.mount.path, check=True)
        self.assertOutbox({'m': QUEUED}, m=9)

    def test_a_descriptor_passed_to_a_stranger_is_waited_for_or_refused(self):
        """Sent over a socket to a process that is no descendant: the message is never changed after it was queued."""
        ours, theirs = socket.socketpair()
        child = os.fork()
        if child == 0:      # pragma: no cover
            _, fds, _, _ = socket.recv_fds(theirs, 1, 1)
            time.sleep(0.3)
            status = 0
            try:
                os.write(fds[0], b'late\n')
                os.close(fds[0])
            except OSError:
                status = 1
            os._exit(status)
        fd = os.open(self.mount / 'outbox/m', os.O_WRONLY | os.O_CREAT)
        os.write(fd, b'To: a\n\n')
        socket.send_fds(ours, [b'x'], [fd])
        time.sleep(0.1)
        os.close(fd)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        wait_for(lambda: self.mount.outbox()['m'][1] == 'queued', 5, 'the message')
        self.assertEqual(self.mount.outbox()['m'][2], 12 if status == 0 else 7)

    def test_two_writers_of_one_file(self):
        self.run_ok('exec 5> outbox/m; echo "To: a" >&5; echo >> outbox/m; exec 5>&-')
        self.assertOutbox({'m': QUEUED}, m=7)

    def test_rsync_sends_each_file_once_and_its_temporary_files_never(self):
        if not shutil.which('rsync'):
            self.skipTest('no rsync')
        source = os.path.join(self.mount.directory, 'source')
        os.mkdir(source)
        for name in ('a.eml', 'b.eml'):
            shutil.copy(self.letter, os.path.join(source, name))
        self.run_ok(f'rsync -a --exclude=failed {source}/ outbox/')
        self.assertOutbox({'a.eml': QUEUED, 'b.eml': QUEUED})

    def test_sizes_and_times_are_those_of_the_bytes_written(self):
        with open(self.mount / 'outbox/.draft', 'wb', buffering=0) as file:
            file.write(b'abc')
            self.assertEqual(os.fstat(file.fileno()).st_size, 3)
            file.truncate(1)
            self.assertEqual(os.stat(self.mount / 'outbox/.draft').st_size, 1)
            os.utime(file.fileno(), (1, 1000000000))
            self.assertEqual(os.fstat(file.fileno()).st_mtime, 1000000000)
            os.chmod(self.mount / 'outbox/.draft', 0o640)
            self.assertEqual(os.stat(self.mount / 'outbox/.draft').st_mode & 0o777, 0o640)
        self.assertEqual(os.stat(self.mount / 'outbox/.draft').st_mtime, 1000000000)


class Killed(OutboxTestCase):
    def writer(self, script='exec 5> outbox/m; echo "To: a" >&5; echo >&5; echo half >&5; echo ready; sleep 60'):
        process = self.background('bash', '-c', script, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b'ready\n')
        return process

    def test_a_killed_writer_sends_nothing(self):
        for number in (signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number):
                self.kill_half_writer('outbox/m', number)
                wait_for(lambda: 'm.partial' in self.mount.outbox(), 5, 'the bytes to be set aside')
                self.assertOutbox({'m.partial': SCRATCH})
                os.unlink(self.mount / 'outbox/m.partial')

    def test_a_killed_cp_sends_nothing(self):
        fifo = os.path.join(self.mount.directory, 'fifo')
        os.mkfifo(fifo)
        for number in (signal.SIGKILL, signal.SIGINT):
            process = self.background('cp', fifo, 'outbox/m')
            with open(fifo, 'wb', buffering=0) as source:
                source.write(MESSAGE.encode())
                wait_for(lambda: 'm' in self.mount.outbox() and self.mount.outbox()['m'][2] > 0, 5, 'bytes')
                process.send_signal(number)
                process.wait()
            wait_for(lambda: 'm.partial' in self.mount.outbox(), 5, 'the bytes to be set aside')
            self.assertOutbox({'m.partial': SCRATCH})
            os.unlink(self.mount / 'outbox/m.partial')

    def test_a_writer_that_ends_with_an_error_sends_nothing(self):
        result = self.shell('exec 5> outbox/m; echo "To: a" >&5; echo >&5; exit 3')
        self.assertEqual(result.returncode, 3)
        self.assertOutbox({'m.partial': SCRATCH})

    def test_a_killed_shell_whose_child_lives_on_waits_for_the_child(self):
        process = self.writer('{ echo "To: a"; echo; echo ready >&2; sleep 0.5; echo rest; } 2>&1 >outbox/m | cat')
        process.wait()
        wait_for(lambda: self.mount.outbox()['m'][1] == 'queued', 5, 'the message')
        self.assertOutbox({'m': QUEUED}, m=12)

    def test_a_killed_writer_in_a_container_of_its_own_sends_nothing(self):
        """A pid namespace: where the closing process cannot be told, RELEASE decides."""
        if subprocess.run(['unshare', '-rpf', 'true'], capture_output=True, check=False).returncode:
            self.skipTest('no user namespaces')
        process = self.background('unshare', '-rpf', '--kill-child', 'sh', '-c', 'exec 5> outbox/m; echo "To: a" >&5; echo >&5; echo ready; sleep 60',
                                  stdout=subprocess.PIPE)
        process.stdout.readline()
        process.kill()
        process.wait()
        wait_for(lambda: 'm.partial' in self.mount.outbox(), 5, 'the bytes to be set aside')


class Refused(OutboxTestCase):
    def test_the_verdict_is_the_errno_of_close(self):
        fd = os.open(self.mount / 'outbox/m', os.O_WRONLY | os.O_CREAT)
        os.write(fd, b'no message\n')
        self.assertErrno(errno.EINVAL, os.close, fd)
        self.assertOutbox({'m': FAILED})

    def test_cp_fails_visibly(self):
        result = self.shell('echo nothing > ../x; cp ../x outbox/m')
        self.assertEqual((result.returncode, 'Invalid argument' in result.stderr), (1, True))

    def test_a_full_disk_is_told_and_nothing_is_sent(self):
        self.mount.tell('file-limit', 65536)
        with open(os.path.join(self.mount.directory, 'large'), 'w', encoding='ascii') as file:
            file.write(MESSAGE + 'x' * 200000)
        result = self.shell('cp ../large outbox/m')
        self.assertEqual((result.returncode, 'File too large' in result.stderr), (1, True))
        self.assertOutbox({'m.partial': SCRATCH})

    def test_what_is_queued_takes_no_more_bytes(self):
        self.run_ok('cp $LETTER outbox/m')
        self.assertErrno(errno.EACCES, open, self.mount / 'outbox/m', 'a')
        self.assertErrno(errno.EACCES, os.truncate, self.mount / 'outbox/m', 1)
        self.assertOutbox({'m': QUEUED}, m=len(MESSAGE))

    def test_an_empty_file_is_scratch(self):
        self.run_ok('touch outbox/m; : > outbox/n')
        self.assertOutbox({'m': SCRATCH, 'n': SCRATCH})

    def test_names_that_are_taken(self):
        self.run_ok('cp $LETTER outbox/m; cp $LETTER outbox/.n')
        self.assertErrno(errno.EEXIST, os.open, self.mount / 'outbox/m', os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        self.assertErrno(errno.EISDIR, open, self.mount / 'outbox/failed', 'w')
        self.assertErrno(errno.EXDEV, os.rename, self.mount / 'outbox/m', self.mount / 'INBOX/m')
        self.assertErrno(errno.EBUSY, os.rename, self.mount / 'outbox/failed', self.mount / 'outbox/other')
        os.rename(self.mount / 'outbox/.n', self.mount / 'outbox/m')
        self.assertOutbox({'m': QUEUED})

    def test_a_file_removed_while_it_is_written_closes_without_error(self):
        with open(self.mount / 'outbox/m', 'w', encoding='ascii') as file:
            file.write(MESSAGE)
            os.unlink(self.mount / 'outbox/m')
        self.assertOutbox({})


class Verdicts(OutboxTestCase):
    def test_close_waits_for_the_verdict_while_others_go_on(self):
        self.mount.tell('outbox-delay', 300)
        begin = time.monotonic()
        thread = threading.Thread(target=self.run_ok, args=['cp $LETTER outbox/m'])
        thread.start()
        os.listdir(self.mount / 'outbox')
        self.assertLess(time.monotonic() - begin, 0.25)
        thread.join()
        self.assertGreater(time.monotonic() - begin, 0.3)

    def test_ctrl_c_need_not_wait_for_the_server_once_the_message_is_safe(self):
        self.mount.tell('outbox-delay', 3000)
        for number in (signal.SIGINT, signal.SIGKILL):
            process = self.background('cp', self.letter, f'outbox/m{int(number)}')
            wait_for(lambda: self.mount.outbox().get(f'm{int(number)}', (0, 0))[1] == 'queued', 5, 'the queue')
            begin = time.monotonic()
            process.send_signal(number)
            process.wait(3)
            self.assertLess(time.monotonic() - begin, 1)
        self.assertOutbox({'m2': QUEUED, 'm9': QUEUED})

    def test_an_unmount_at_once_after_close_loses_nothing(self):
        self.run_ok('cp $LETTER outbox/m')
        self.assertOutbox({'m': QUEUED})
        self.assertEqual(self.mount.unmount(), 0)

    def test_an_unmount_under_a_writer_neither_sends_nor_hangs(self):
        with contextlib.suppress(OSError), open(self.mount / 'outbox/m', 'w', encoding='ascii') as file:
            file.write(MESSAGE)
            file.flush()
            self.assertEqual(self.mount.terminate(), 0)


class OutboxAttributes(OutboxTestCase):
    def test_attributes_set_while_writing(self):
        with open(self.mount / 'outbox/.m', 'w', encoding='ascii') as file:
            file.write(MESSAGE)
            os.setxattr(file.fileno(), 'user.mail.rcpt', b'carol@example.com')
            for name in ('user.mail.flags', 'user.mail.state', 'user.anything'):
                os.setxattr(file.fileno(), name, b'x')
            self.assertErrno(errno.EOPNOTSUPP, os.setxattr, file.fileno(), 'trusted.x', b'x')
        self.assertEqual(os.getxattr(self.mount / 'outbox/.m', 'user.mail.rcpt'), b'carol@example.com')
        self.assertEqual(os.getxattr(self.mount / 'outbox/.m', 'user.mail.state'), b'scratch')
        self.assertEqual(os.listxattr(self.mount / 'outbox/.m'), [])

    def test_cp_a_from_a_folder_is_quiet(self):
        self.mount.message(self.inbox, 'a.eml')
        self.run_ok('cp -a INBOX/a.eml outbox/m')
        self.assertOutbox({'m': QUEUED})
        self.assertEqual(os.stat(self.mount / 'outbox/m').st_mtime, os.stat(self.mount / 'INBOX/a.eml').st_mtime)


if __name__ == '__main__':
    mailtest.main()
