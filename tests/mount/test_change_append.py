#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Files brought into a folder become messages, each exactly once, by whatever program; and what does not become one, and why."""

import errno
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import unittest

import mailtest
from mailtest import messages, observer, wait_for
from mailtest.changing import ChangeTestCase, error_of, letter, set_flags, write

THEN = 1500000001       # a time that is not now
SCRATCH_NAMES = ('.x', 'x~', 'x.swp', 'x.part', 'x.partial', 'x.tmp', 'x.lock', '#x#', 'sedAbCdEf')

# How a program brings $SOURCE, with the time THEN, as $TARGET; and whether that time is there before its last close.
PROGRAMS = {
    'cp': ('cp "$SOURCE" "$TARGET"', False),
    'cp -p': ('cp -p "$SOURCE" "$TARGET"', True),
    'cp -a': ('cp -a "$SOURCE" "$TARGET"', True),
    'install': ('install -m 600 "$SOURCE" "$TARGET"', False),
    'install -p': ('install -p -m 600 "$SOURCE" "$TARGET"', True),
    'mv': ('mv "$SOURCE" "$TARGET"', True),
    'dd': ('dd status=none bs=100 if="$SOURCE" of="$TARGET"', False),
    'cat': ('cat "$SOURCE" > "$TARGET"', False),
    'tee': ('tee "$TARGET" < "$SOURCE" > /dev/null', False),
    'rsync -a': ('rsync -a "$SOURCE" "$TARGET"', True),
    'rsync -a --inplace': ('rsync -a --inplace "$SOURCE" "$TARGET"', False),     # sets times after the close
    'tar x': ('cp -p "$SOURCE" "$HERE/$NAME" && tar -C "$HERE" -cf - "$NAME" | tar -C "${TARGET%/*}" -xf -', True),
    'unzip': ('cp -p "$SOURCE" "$HERE/$NAME" && (cd "$HERE" && zip -q a.zip "$NAME") && unzip -q -d "${TARGET%/*}" "$HERE/a.zip"', False),
    'shutil.copy2': (f'{sys.executable} -c "import os, shutil; shutil.copy2(os.environ[\'SOURCE\'], os.environ[\'TARGET\'])"', False),
}


def bring(program, data, target):
    """Run it; returns what it said on stderr, and its exit status if that is not 0."""
    here = mailtest.temporary_directory()
    source = os.path.join(here, 'source')
    with open(source, 'wb') as file:
        file.write(data)
    os.utime(source, (THEN, THEN))
    names = {'SOURCE': source, 'TARGET': target, 'NAME': os.path.basename(target), 'HERE': here}
    result = subprocess.run(['sh', '-c', PROGRAMS[program][0]], env=dict(os.environ, **names), capture_output=True, text=True,
                            stdin=subprocess.DEVNULL, timeout=60, check=False)
    return result.stderr + (f'exit status {result.returncode}' if result.returncode else '')


class Programs(unittest.TestCase):
    """That they do in a local directory what the tests below take them to do."""

    def test_they_copy_and_keep_the_time(self):
        directory = mailtest.temporary_directory()
        for number, (program, (_, time_first)) in enumerate(PROGRAMS.items()):
            target = os.path.join(directory, f'a b {number}.eml')
            self.assertEqual(bring(program, b'Subject: x\r\n\r\nx\r\n', target), '', program)
            with open(target, 'rb') as file:
                self.assertEqual(file.read(), b'Subject: x\r\n\r\nx\r\n', program)
            self.assertEqual(os.stat(target).st_mtime == THEN, time_first or program in ('unzip', 'shutil.copy2', 'rsync -a --inplace'), program)

    def test_editors_change_a_draft(self):
        path = os.path.join(mailtest.temporary_directory(), 'draft.eml')
        for editor, command in EDITORS.items():
            with open(path, 'wb') as file:
                file.write(b'Subject: old\r\n\r\nold text\r\n')
            subprocess.run(command.format(path), shell=True, check=True, timeout=20, stdin=subprocess.DEVNULL)
            with open(path, 'rb') as file:
                self.assertEqual(file.read(), b'Subject: old\r\n\r\nnew text\r\n', editor)


# Each changes `old text` into `new text` in the file {}.
EDITORS = {
    'vim': "vim.tiny -es -u NONE -c 's/xx//e' -c '%s/old text/new text/' -c wq '{}'",
    'sed -i': "sed -i 's/old text/new text/' '{}'",
    'rename over': "sed 's/old text/new text/' '{0}' > '{0}.tmp' && mv '{0}.tmp' '{0}'",
    'in place': "text=$(sed 's/old text/new text/' '{0}'; echo .) && printf %s \"${{text%.}}\" > '{0}'",
}


def only(added):
    message, = added.values()
    return message


class Appends:
    """What holds with every server; test_change_capabilities.py runs it with worse ones."""

    def test_each_program_makes_exactly_one_message(self):
        """The close has waited: it is there when the program ends."""
        brought = []
        for number, (program, (_, time_first)) in enumerate(PROGRAMS.items()):
            with self.subTest(program):
                name = f'{number} {program}.eml'.replace('/', '')
                brought.append(letter(program))
                start = int(time.time() - 0.02)    # time(2) is a tick behind
                self.assertEqual(bring(program, brought[-1].replace(b'\r\n', b'\n'), self.mount / f'Lists/{name}'), '')
                added = self.check({'Lists': {'added': brought}}, timeout=10 if program == 'rsync -a' else 0)    # a rename never waits
                newest = added['Lists'][max(added['Lists'])]
                if time_first:
                    self.assertEqual(newest.date, THEN)
                else:
                    self.assertTrue(start <= newest.date <= time.time() + 1, newest)
                self.assertEqual(self.mount.read(f'Lists/{name}'), brought[-1])
                self.assertEqual(os.stat(self.mount / f'Lists/{name}').st_size, len(brought[-1]))
                if time_first or program in ('unzip', 'shutil.copy2', 'rsync -a --inplace'):
                    self.assertEqual(os.stat(self.mount / f'Lists/{name}').st_mtime, THEN)
        names = self.names('Lists')
        self.assertEqual(len(names), 3 + len(PROGRAMS))
        self.mount.remount()
        self.assertEqual(self.names('Lists'), names)

    def test_flags_and_date_set_before_close_are_the_message_s(self):
        write(self.mount / 'INBOX/new.eml', letter('flagged'), THEN, r'\Seen \Flagged keyword')
        message = only(self.check_now({'INBOX': {'added': 1}})['INBOX'])
        self.assertEqual((message.flags, message.date), ({'\\Seen', '\\Flagged', 'keyword'}, THEN))
        self.assertEqual(self.flags(self.mount / 'INBOX/new.eml'), {'\\Seen', '\\Flagged', 'keyword'})

    def test_bytes_arrive_as_they_are_but_for_bare_lf(self):
        traps = {'LF': b'Subject: x\n\nline\n\nline\n', 'mixed': b'Subject: x\r\n\nline\n.\n..\r\n', 'no end': b'Subject: x\n\nno end',
                 'protocol': b'Subject: x\r\n\r\na1 UID MOVE 1 Trash {10+}\r\n+ go on\r\n* BYE\r\n', '8 bit': 'Subject: x\r\n\r\nGrüße 你好\r\n'.encode(),
                 'long line': b'Subject: x\r\n\r\n' + b'y' * 20000 + b'\r\n', 'only a header': b'Subject: x\r\n\r\n'}
        for name, data in traps.items():
            write(self.mount / f'INBOX/{name}.eml', data)
        expected = {name: re.sub(b'(?<!\r)\n', b'\r\n', data) for name, data in traps.items()}
        self.check_now({'INBOX': {'added': expected.values()}})
        for name, data in expected.items():
            self.assertEqual(self.mount.read(f'INBOX/{name}.eml'), data, name)

    def test_a_new_message_can_be_changed_at_once(self):
        write(self.mount / 'INBOX/new.eml', letter('new'))
        set_flags(self.mount / 'INBOX/new.eml', r'+\Answered')
        os.rename(self.mount / 'INBOX/new.eml', self.mount / 'Archive/moved.eml')
        os.chmod(self.mount / 'Archive/moved.eml', 0o640)
        self.sync('INBOX', 'Archive')
        now = observer.snapshots(self.server)
        found = [message for message in now['Archive'].values() if observer.title(message.data) == 'new']
        self.assertEqual([message.flags for message in found], [{'\\Answered'}])
        self.assertIn('moved.eml', self.names('Archive'))
        self.assertNotIn('new.eml', self.names())

    def test_a_rename_into_place_uploads_once(self):
        data = letter('by way of scratch')
        for scratch in SCRATCH_NAMES:
            write(self.mount / f'INBOX/{scratch}', data, THEN)
            self.assertEqual(self.mount.read(f'INBOX/{scratch}'), data)
            self.assertIn(scratch, self.names())
        self.sync('INBOX')
        self.check_now()
        self.assertEqual(self.said('APPEND'), [])
        for number, scratch in enumerate(SCRATCH_NAMES):
            os.rename(self.mount / f'INBOX/{scratch}', self.mount / f'INBOX/{number}.eml')
        self.sync('INBOX')
        added = self.check_now({'INBOX': {'added': [data] * len(SCRATCH_NAMES)}})
        self.assertEqual({message.date for message in added['INBOX'].values()}, {THEN})


class Upload(Appends, ChangeTestCase):
    def test_a_group_of_commands_is_one_message(self):
        self.run_quietly('sh', '-c', '{ echo "Subject: group"; echo; sleep 0.2; date; sh -c "echo end"; } > INBOX/group.eml')
        message = only(self.check_now({'INBOX': {'added': 1}})['INBOX'])
        self.assertRegex(message.data, rb'^Subject: group\r\n\r\n.*\r\nend\r\n$')
        self.assertEqual(len(self.said('APPEND')), 1)

    def test_a_file_that_is_written_again_while_open_is_one_message(self):
        with open(self.mount / 'INBOX/new.eml', 'w+b', buffering=0) as file:
            file.write(b'Subject: first\n\nthe first text, which is longer\n')
            file.seek(0)
            file.truncate()
            file.write(b'Subject: second\n\ntext\n')
            file.seek(0)
            self.assertEqual(file.read(), b'Subject: second\n\ntext\n')
        self.check_now({'INBOX': {'added': [b'Subject: second\r\n\r\ntext\r\n']}})

    def test_mv_of_a_whole_folder_from_outside(self):
        here = os.path.join(self.mount.directory, 'here')
        mailtest.maildir.fill(here, 60, small=True)
        held = [open(entry.path, 'rb').read() for entry in os.scandir(os.path.join(here, 'cur'))]
        self.run_quietly('sh', '-c', f'mv {here}/cur/* Lists')
        self.check_now({'Lists': {'added': [data.replace(b'\r\n', b'\n').replace(b'\n', b'\r\n') for data in held]}})
        self.assertEqual(os.listdir(os.path.join(here, 'cur')), [])

    def test_rsync_the_second_time_transfers_nothing(self):
        source = os.path.join(self.mount.directory, 'source')
        os.mkdir(source, 0o700)
        for number in range(5):
            path = os.path.join(source, f'{number}.eml')
            write(path, letter(f'rsync {number}'), THEN + number)
        for options in ('-a', '-aX'):
            self.run_quietly('rsync', options, source + '/', self.mount / 'Lists/')
        self.assertEqual(self.transferred(source), '')
        self.sync('Lists')
        self.check_now({'Lists': {'added': 5}})
        self.mount.remount()
        self.proxy.commands.clear()
        self.assertEqual(self.transferred(source), '')
        self.assertEqual(self.said('APPEND'), [])

    def transferred(self, source):
        """What rsync says of messages; the folder's own time is the server's."""
        return re.sub(r'(?m)^\.d\S* \./\n', '', self.run_quietly('rsync', '-ai', source + '/', self.mount / 'Lists/'))

    def test_a_backup_of_one_folder_restored_into_another(self):
        backup = os.path.join(self.mount.directory, 'backup')
        self.run_quietly('rsync', '-a', self.mount / 'INBOX/', backup)
        self.run_quietly('rsync', '-a', backup + '/', self.mount / 'Lists')
        self.sync('Lists')
        inbox = self.before['INBOX'].values()
        added = self.check_now({'Lists': {'added': [message.data for message in inbox]}})
        self.assertEqual({message.date for message in added['Lists'].values()}, {message.date for message in inbox})

    def test_a_large_message_takes_little_memory(self):
        data = messages.large(40 << 20)
        write(self.mount / 'INBOX/large.eml', data)
        self.check_now({'INBOX': {'added': [data]}})
        self.assert_peak_memory_below(self.mount, 64)
        self.assertEqual(self.mount.read('INBOX/large.eml'), data)

    def test_attributes_that_describe_a_message_are_accepted_and_ignored(self):
        with open(self.mount / 'INBOX/new.eml', 'xb') as file:
            for name, value in (('uid', b'17'), ('subject', b'other'), ('from', b'x'), ('message-id', b'<x>'), ('gmail-labels', b'x')):
                os.setxattr(file.fileno(), 'user.mail.' + name, value)
            file.write(b'Subject: real\n\nx\n')
        added = self.check_now({'INBOX': {'added': [b'Subject: real\r\n\r\nx\r\n']}})
        uid, = added['INBOX']
        self.assertEqual(os.getxattr(self.mount / 'INBOX/new.eml', 'user.mail.uid'), b'%d' % uid)
        self.assertEqual(os.getxattr(self.mount / 'INBOX/new.eml', 'user.mail.subject'), b'real')

    def test_a_given_name_stays_without_the_cache(self):
        write(self.mount / 'INBOX/Größe 发票', letter('named'))
        self.mount.unmount()
        shutil.rmtree(self.mount.cache)
        self.mount.start()
        self.assertEqual(observer.title(self.mount.read('INBOX/Größe 发票')), 'named')
        self.check_now({'INBOX': {'added': 1}})

    def test_times_and_modes_set_later_are_remembered_here(self):
        write(self.mount / 'INBOX/new.eml', letter('new'))
        for path in (self.mount / 'INBOX/new.eml', self.path(2)):
            os.utime(path, (THEN, THEN))
            os.chmod(path, 0o640)
            os.chown(path, os.getuid(), os.getgid())
        self.mount.remount()
        for path in (self.mount / 'INBOX/new.eml', self.path(2)):
            status = os.stat(path)
            self.assertEqual((status.st_mtime, stat.S_IMODE(status.st_mode)), (THEN, 0o640))
        self.check_now({'INBOX': {'added': 1}})


class Refused(ChangeTestCase):
    server_options = {'append_limit': 20000, 'quota': 'messages=21', 'acl': True}     # two more than there are

    def fill(self):
        super().fill()
        self.server.set_rights(('Archive',), 'lr')

    def kept(self, data, folder='INBOX'):
        """The names under which the folder has these bytes, as they were written."""
        return [name for name in self.names(folder) if self.mount.read(f'{folder}/{name}') == data]

    def refused(self, data, *numbers, name='new.eml'):
        with self.fails_with(*numbers):
            write(self.mount / f'INBOX/{name}', data)
        self.assertEqual(len(self.kept(data)), 1, self.names())
        self.mount.remount()
        self.assertEqual(len(self.kept(data)), 1, self.names())
        self.check_now()

    def test_what_is_not_a_message_is_einval_and_kept(self):
        for number, data in enumerate((b'\x7fELF\2\1\1' + bytes(100), b'no header here\n', b'\n\nbody only\n', b'key=value\nkey=value\n', b' Subject: folded\n\nx\n')):
            with self.subTest(data):
                self.refused(data, errno.EINVAL, name=f'{number}.eml')
        self.assertEqual(self.said('APPEND'), [])

    def test_cp_says_that_it_failed(self):
        result = subprocess.run(['cp', self.outside('x', b'no message\n'), self.mount / 'INBOX'], capture_output=True, text=True, check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(os.strerror(errno.EINVAL), result.stderr)
        self.check_now()

    def test_over_appendlimit_is_efbig_and_kept(self):
        self.refused(letter('large') + b'x' * 30000 + b'\r\n', errno.EFBIG)
        self.assertEqual(self.said('APPEND'), [])

    def test_over_quota_is_edquot_and_kept(self):
        for number in range(2):
            write(self.mount / f'INBOX/{number}.eml', letter(str(number)))
        self.before = observer.snapshots(self.server)
        self.assertEqual(len(self.before['INBOX']), 10)
        self.refused(letter('one too many'), errno.EDQUOT)

    def test_what_failed_can_be_tried_again_by_a_rename(self):
        for number in range(2):
            write(self.mount / f'INBOX/{number}.eml', letter(str(number)))
        data = letter('one too many')
        with self.fails_with(errno.EDQUOT):
            write(self.mount / 'INBOX/new.eml', data)
        kept, = self.kept(data)
        with mailtest.OtherClient(self.server) as other:
            other.expunge([8])
        os.rename(self.mount / f'INBOX/{kept}', self.mount / 'INBOX/again.eml')
        self.sync('INBOX')
        self.check({'INBOX': {'gone': [8], 'added': 3}})
        self.assertEqual(self.mount.read('INBOX/again.eml'), data)

    def test_into_a_folder_that_may_only_be_read_is_eacces(self):
        with self.fails_with(errno.EACCES):
            write(self.mount / 'Archive/new.eml', letter('new'))
        mailtest.wait_for(lambda: os.stat(self.mount / 'Archive').st_mode & 0o222 == 0, 1, 'the mode to tell')
        self.check_now()

    def test_what_a_rename_refuses_stays_scratch_with_its_bytes(self):
        for data, name, number in ((b'no message\n', 'new.eml', errno.EINVAL), (letter('large') + b'x' * 30000 + b'\r\n', 'new.eml', errno.EFBIG),
                                   (letter('named'), 'n' * 256, errno.ENAMETOOLONG), (b'', 'New/new.eml', errno.ENOENT)):
            with self.subTest(os.strerror(number)):
                write(self.mount / 'INBOX/.new', data)
                with self.fails_with(number):
                    os.rename(self.mount / 'INBOX/.new', self.mount / f'INBOX/{name}')
                self.mount.remount()
                self.assertEqual(self.kept(data), ['.new'])
                os.unlink(self.mount / 'INBOX/.new')
        self.check_now()
        self.assertEqual(self.said('APPEND'), [])

    def test_a_name_that_is_too_long(self):
        with self.fails_with(errno.ENAMETOOLONG):
            write(self.mount / f'INBOX/{"n" * 256}', letter('new'))
        write(self.mount / f'INBOX/{"n" * 255}', letter('new'))
        self.check_now({'INBOX': {'added': 1}})
        self.mount.remount()
        self.assertIn('n' * 255, self.names())

    def test_what_is_no_regular_file_is_eperm(self):
        with self.fails_with(errno.EPERM):
            os.symlink('x', self.mount / 'INBOX/link')
        with self.fails_with(errno.EPERM):
            os.link(self.path(1), self.mount / 'INBOX/link')
        with self.fails_with(errno.EPERM):
            os.mkfifo(self.mount / 'INBOX/fifo')
        with self.fails_with(errno.EPERM), socket.socket(socket.AF_UNIX) as listener:
            os.chdir(self.mount / 'INBOX')
            self.addCleanup(os.chdir, '/')
            listener.bind('socket')
        self.assertEqual(len(self.names()), 8)
        self.check_now()

    def test_a_file_in_the_mount_itself_is_no_message(self):
        self.assertIn(error_of(write, self.mount / 'new.eml', letter('new')), (errno.EPERM, errno.EACCES))
        self.check_now()

    def test_an_existing_message_cannot_be_written(self):
        path = self.path(1)
        for change in (lambda: open(path, 'r+b'), lambda: open(path, 'ab'), lambda: open(path, 'wb'), lambda: os.truncate(path, 0)):
            with self.fails_with(errno.EACCES):
                change()
        with self.fails_with(errno.EEXIST):
            write(path, b'x')
        self.assertEqual(self.mount.read(path), self.data(1))
        self.check_now()


class ReadOnly(ChangeTestCase):
    options = ('ro',)

    def test_nothing_can_be_brought(self):
        with self.fails_with(errno.EROFS):
            write(self.mount / 'INBOX/new.eml', letter('new'))
        with self.fails_with(errno.EROFS):
            write(self.mount / 'INBOX/.new', letter('new'))
        self.check_now()


class Scratch(ChangeTestCase):
    def test_scratch_files_stay_on_this_machine_over_a_remount_and_without_the_cache(self):
        for name in SCRATCH_NAMES:
            write(self.mount / f'INBOX/{name}', name.encode(), THEN)
        self.mount.unmount()
        shutil.rmtree(self.mount.cache)
        self.mount.start()
        for name in SCRATCH_NAMES:
            self.assertEqual(self.mount.read(f'INBOX/{name}'), name.encode())
            self.assertEqual(os.stat(self.mount / f'INBOX/{name}').st_mtime, THEN)
            with open(self.mount / f'INBOX/{name}', 'ab') as file:
                file.write(b' more')
            os.unlink(self.mount / f'INBOX/{name}')
        self.assertEqual(len(self.names()), 8)
        self.check_now()
        self.assertEqual(self.said('APPEND|UID (STORE|MOVE|COPY)'), [])

    def test_an_empty_file_is_scratch_until_it_is_a_message(self):
        self.run_quietly('touch', 'INBOX/new.eml')
        self.assertEqual(os.stat(self.mount / 'INBOX/new.eml').st_size, 0)
        self.mount.remount()
        self.assertIn('new.eml', self.names())
        self.check_now()
        with open(self.mount / 'INBOX/new.eml', 'wb') as file:
            file.write(b'Subject: no longer empty\n\nx\n')
        self.check_now({'INBOX': {'added': [b'Subject: no longer empty\r\n\r\nx\r\n']}})

    def test_the_server_is_not_asked_for_them(self):
        paths = [str(self.mount / f'INBOX/{name}') for name in ('new.eml', '.scratch')]
        for path in paths:
            write(path, b'')
            self.assertEqual(error_of(os.getxattr, path, 'user.mail.uid'), errno.ENODATA)
            self.assertEqual(error_of(os.getxattr, path, 'user.mail.uidvalidity'), errno.ENODATA)
        for path in self.mount.files():     # one after the other: what is behind them is fetched ahead
            self.mount.read(path)
        self.assertLess(len(self.said('UID FETCH [0-9,:]+ .*BODY')), 8)
        self.assertEqual(self.said('UID FETCH (.*,)?0[,: ]'), [])

    def test_a_directory_of_such_a_name_is_local(self):
        os.makedirs(self.mount / 'INBOX/.cache/below')
        os.mkdir(self.mount / '.local')
        write(self.mount / 'INBOX/.cache/below/message.eml', letter('local'))
        write(self.mount / '.local/x', b'anything')
        self.mount.remount()
        self.assertEqual(observer.title(self.mount.read('INBOX/.cache/below/message.eml')), 'local')
        self.assertEqual(self.mount.read('.local/x'), b'anything')
        with self.fails_with(errno.ENOTEMPTY):
            os.rmdir(self.mount / 'INBOX/.cache')
        self.run_quietly('rm', '-r', 'INBOX/.cache', '.local')
        self.check_now()
        self.assertEqual(self.said('CREATE|APPEND|DELETE'), [])

    def test_a_killed_writer_leaves_name_partial(self):
        for name, number in (('killed.eml', signal.SIGKILL), ('ended.eml', signal.SIGTERM)):
            with self.subTest(name):
                script = f'{{ echo "Subject: half"; echo; echo half; sleep 30; echo whole; }} > INBOX/{name}'
                writer = subprocess.Popen(['bash', '-c', script], cwd=self.mount.path, start_new_session=True)
                wait_for(lambda: error_of(os.stat, self.mount / f'INBOX/{name}') == 0 and os.stat(self.mount / f'INBOX/{name}').st_size > 15, 10, 'it to write')
                os.killpg(writer.pid, number)
                writer.wait()
                wait_for(lambda: f'{name}.partial' in self.names(), 10, 'the partial file')
                self.assertEqual(self.mount.read(f'INBOX/{name}.partial'), b'Subject: half\n\nhalf\n')
                self.assertNotIn(name, self.names())
        self.sync('INBOX')
        self.check_now()
        self.assertEqual(self.said('APPEND'), [])

    def test_a_writer_that_failed_leaves_name_partial(self):
        subprocess.run(['sh', '-c', 'exec > INBOX/failed.eml; echo "Subject: half"; echo; exit 3'], cwd=self.mount.path, check=False)
        wait_for(lambda: 'failed.eml.partial' in self.names(), 10, 'the partial file')
        self.sync('INBOX')
        self.check_now()

    def test_a_rename_over_the_same_bytes_uploads_nothing(self):
        target = self.path(2)
        self.mount.read(target)     # a rename does not wait for bytes to compare
        write(self.mount / 'INBOX/.same', self.data(2))
        os.rename(self.mount / 'INBOX/.same', target)
        self.sync('INBOX')
        self.check_now()
        self.assertEqual(len(self.names()), 8)
        self.assertEqual(self.mount.read(target), self.data(2))
        self.assertEqual(self.said('APPEND|UID (STORE|MOVE|COPY)'), [])

    def test_a_rename_over_other_bytes_is_eexist_and_loses_nothing(self):
        target = self.path(2)
        write(self.mount / 'INBOX/.other', letter('other'))
        with self.fails_with(errno.EEXIST):
            os.rename(self.mount / 'INBOX/.other', target)
        self.assertEqual(self.mount.read(target), self.data(2))
        self.assertEqual(observer.title(self.mount.read('INBOX/.other')), 'other')
        self.check_now()


class Drafts(ChangeTestCase):
    def draft(self, data=b'Subject: old\r\n\r\nold text\r\n'):
        write(self.mount / 'Drafts/draft.eml', data, THEN, r'\Draft \Seen')
        self.sync('Drafts')
        self.before = observer.snapshots(self.server)
        self.proxy.commands.clear()
        return self.mount / 'Drafts/draft.eml', max(self.before['Drafts'])

    def test_each_editor_replaces_the_draft_by_one_message(self):
        for editor, command in EDITORS.items():
            with self.subTest(editor):
                path, uid = self.draft()
                subprocess.run(command.format(path), shell=True, check=True, timeout=20, stdin=subprocess.DEVNULL)
                self.sync('Drafts')
                added = self.check({'Drafts': {'gone': [uid], 'added': [b'Subject: old\r\n\r\nnew text\r\n']}})
                self.assertIn('\\Draft', next(iter(added['Drafts'].values())).flags)
                self.assertEqual(self.mount.read(path), b'Subject: old\r\n\r\nnew text\r\n')
                self.assertEqual(len(self.names('Drafts')), 3)
                self.assert_new_before_old()
                for name in self.names('Drafts'):
                    if 'draft.eml' in name:
                        os.unlink(self.mount / f'Drafts/{name}')
                self.sync('Drafts')
                self.settled = observer.snapshots(self.server)
                self.sync('Drafts')

    def assert_new_before_old(self):
        """What takes the old one away is said after the APPEND."""
        said = self.said(r'APPEND|UID (MOVE|EXPUNGE|STORE .*Deleted)')
        self.assertTrue(said[0].startswith('APPEND'), said)
        self.assertEqual(len([command for command in said if command.startswith('APPEND')]), 1)

    def test_what_did_not_change_is_not_sent(self):
        path, _ = self.draft()
        data = self.mount.read(path)
        with open(path, 'r+b') as file:
            file.write(data)
        with open(path, 'wb') as file:
            file.write(data)
        self.sync('Drafts')
        self.check_now()
        self.assertEqual(self.said('APPEND|UID (STORE|MOVE|EXPUNGE)'), [])

    def test_a_draft_appended_to_and_truncated(self):
        path, uid = self.draft()
        with open(path, 'ab') as file:
            file.write(b'more\n')
        self.sync('Drafts')
        self.check({'Drafts': {'gone': [uid], 'added': [b'Subject: old\r\n\r\nold text\r\nmore\r\n']}})
        self.run_quietly('truncate', '-s', str(len(b'Subject: old\r\n\r\nold')), path)
        self.sync('Drafts')
        self.check({'Drafts': {'gone': [uid], 'added': [b'Subject: old\r\n\r\nold']}})

    def test_what_is_no_message_any_more_leaves_the_old_one(self):
        path, _ = self.draft()
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC)
        os.write(descriptor, b'no message\n')
        with self.fails_with(errno.EINVAL):
            os.close(descriptor)
        self.sync('Drafts')
        self.check_now()
        self.assertIn(b'no message\n', [self.mount.read(f'Drafts/{name}') for name in self.names('Drafts')])

    def test_a_killed_editor_leaves_the_old_one(self):
        path, _ = self.draft()
        writer = subprocess.Popen(['bash', '-c', f'{{ echo "Subject: half"; sleep 30; }} > {path}'], start_new_session=True)
        wait_for(lambda: error_of(os.stat, path) or os.stat(path).st_size == len('Subject: half\n'), 10, 'it to write')
        os.killpg(writer.pid, signal.SIGKILL)
        writer.wait()
        wait_for(lambda: any(name.endswith('.partial') for name in self.names('Drafts')), 10, 'the partial file')
        self.assertEqual(self.mount.read(path), b'Subject: old\r\n\r\nold text\r\n')
        self.check_now()


if __name__ == '__main__':
    mailtest.main()
