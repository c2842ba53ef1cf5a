#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""With a slow line, looking at a folder does not wait for the thousands of its messages that are removed, moved, restored or marked."""

import collections
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time

import mailtest
from mailtest import mount as mounting, observer, wait_for
from mailtest.changing import ChangeTestCase, letter, write

ROUND_TRIP_S = 0.1
SANITIZED = mounting.is_sanitized()
CHANGED = 10000 if not SANITIZED else 1000
RESTORED = 2000 if not SANITIZED else 500       # files that rsync writes, a dozen calls each
KEPT = 20
LIMIT_S = 0.05
LONGEST_S = 1.5 * ROUND_TRIP_S if not SANITIZED else 5.0    # a look takes two, and so does an fsync(2)

# Looks at a folder until its stdin ends: ls, stat and reads of the files that are named. Prints how long each took, by kind, as JSON.
# A program of its own: it waits for the mount, and for none of this program's threads.
LOOK = '''
import json, os, select, sys, time
folder, *paths = sys.argv[1:]
def read(path):
    with open(path, 'rb') as file:
        return file.read()
held = {path: read(path) for path in paths}
durations = {'ls': [], 'stat': [], 'read': []}
while len(durations['ls']) < 20 or not select.select([sys.stdin], [], [], 0.02)[0]:
    path = paths[len(durations['ls']) % len(paths)]
    for kind, look, what in (('ls', os.listdir, folder), ('stat', os.stat, path), ('read', read, path)):
        start = time.monotonic()
        result = look(what)
        durations[kind].append(time.monotonic() - start)
    if result != held[path]:
        sys.exit(f'{path} is not what it was')
print(json.dumps(durations))
'''


class SlowTestCase(ChangeTestCase):
    limit_s = 180
    keys = {'timeout': '15', 'trash-keep': '0'}

    def port(self):
        return self.enterContext(mailtest.Proxy(self.proxy.port, latency=ROUND_TRIP_S)).port


class Looking(SlowTestCase):
    def fill(self):
        super().fill()
        self.server.fill(CHANGED + KEPT, ('Lists',), small=True)

    def setUp(self):
        super().setUp()
        paths = self.mount.files('Lists')
        self.kept = paths[::len(paths) // KEPT][:KEPT]
        self.changed = sorted(set(paths) - set(self.kept))[:CHANGED]
        self.left = {os.path.basename(path) for path in set(paths) - set(self.changed)}

    def look(self, change):
        """How long ls, stat and reads take while change() runs."""
        command = [sys.executable, '-c', LOOK, self.mount / 'Lists', *self.kept]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as looker:
            try:
                change()
            finally:
                said = looker.communicate()[0]
        self.assertEqual(looker.returncode, 0)
        return json.loads(said)

    def each(self, *command):
        """Runs a command with the names of the messages to be changed at its end."""
        result = subprocess.run(['xargs', '-0', *command], cwd=self.mount.path, input='\0'.join(self.changed), text=True,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=150, check=False)
        self.assertEqual((result.returncode, result.stderr), (0, ''))

    def while_changing(self, change, times_calm=2):
        """A listing of thousands of names takes its time on a busy machine, also when nothing changes: that is no waiting."""
        calm = self.look(lambda: None)
        durations = self.look(change)
        self.sync('Lists')      # not before: while a directory is synced, the kernel lets nobody list it
        for kind, times in durations.items():
            limit = max(LIMIT_S, times_calm * statistics.median(calm[kind]))
            said = (f'{kind}: {len(times)} times, median {statistics.median(times) * 1000:.1f} ms, longest {max(times) * 1000:.0f} ms; '
                    f'before: median {statistics.median(calm[kind]) * 1000:.1f} ms')
            print(f'# {said}')
            if not SANITIZED:
                self.assertLess(statistics.median(times), limit, said)
            self.assertLess(max(times), max(LONGEST_S, 20 * statistics.median(calm[kind])), said)

    def held(self, folder):
        return collections.Counter(message.data for message in observer.snapshot(self.server, folder).values())

    def check_went_to(self, folder):
        """All that was changed stands there now, and nothing of it where it was."""
        self.assertEqual(self.names('Lists'), self.left)
        before = collections.Counter(message.data for name in ('Lists', folder) for message in self.before[name].values())
        wait_for(lambda: len(observer.snapshot(self.server, 'Lists')) == len(self.before['Lists']) - CHANGED, 10, 'them to be gone')
        self.assertEqual(self.held('Lists') + self.held(folder), before)

    def test_while_messages_are_removed(self):
        self.while_changing(lambda: self.each('rm', '--'))
        self.check_went_to('Trash')

    def test_while_messages_are_moved(self):
        """Into a folder that nobody has looked at."""
        if not mounting.shows_who_renames():
            self.names('Archive')
        self.while_changing(lambda: self.each('mv', '-t', 'Archive', '--'))
        self.check_went_to('Archive')

    def test_while_messages_are_restored(self):
        """rsync writes each under another name and renames it: nothing waits for the server but the last fsync(2)."""
        backup = os.path.join(self.mount.directory, 'backup')
        os.mkdir(backup)
        brought = [letter(f'restored {number}') for number in range(RESTORED)]
        for number, data in enumerate(brought):
            with open(os.path.join(backup, f'restored {number}.eml'), 'wb') as file:
                file.write(data)

        def restore():
            result = subprocess.run(['rsync', '-a', backup + '/', self.mount / 'Lists/'], capture_output=True, text=True, timeout=150, check=False)
            self.assertEqual((result.returncode, result.stderr), (0, ''))
        self.while_changing(restore, times_calm=4)
        self.assertEqual(self.held('Lists'), collections.Counter(message.data for message in self.before['Lists'].values()) + collections.Counter(brought))

    def test_while_flags_are_changed(self):
        """All the while the folder is as large as ever, and the processor busy with the changes."""
        self.while_changing(lambda: self.each(os.environ.get('MAILFSCTL', 'mailfsctl'), 'flag', '+answered'), times_calm=4)
        answered = [message for message in observer.snapshot(self.server, 'Lists').values() if '\\Answered' in message.flags]
        before = [message for message in self.before['Lists'].values() if '\\Answered' in message.flags]
        self.assertLessEqual(CHANGED, len(answered))
        self.assertGreater(len(answered), len(before))

    def test_each_change_itself_does_not_wait(self):
        """A round trip each would be minutes."""
        start = time.monotonic()
        for path in self.changed[:500]:
            os.unlink(path)
        self.assertLess((time.monotonic() - start) / 500, ROUND_TRIP_S / 4)
        self.sync('Lists')


class LateRefusal(SlowTestCase):
    """The change shows already when the server refuses it."""

    def port(self):
        self.network = self.enterContext(mailtest.Proxy(self.proxy.port, latency=ROUND_TRIP_S))
        return self.network.port

    def refused_at(self, *commands):
        """When the server refused what the change needs; mailfs may look at the folder besides."""
        def refusals():
            return [when for command, when in self.proxy.refusals if command and command.startswith(commands)]
        return wait_for(refusals, 10, 'the server to refuse it')[0]

    def assert_taken_back(self, refused, is_as_before, line):
        wait_for(is_as_before, 5, 'it to be taken back')
        self.assertLess(time.monotonic() - refused, 1)
        wait_for(lambda: line in self.mount.log(), 1, 'a line about it')
        self.check()
        self.assertIn(line, str(self.mount.status()))

    @contextlib.contextmanager
    def before_it_is_sent(self):
        """What is done within reaches the server before the change does; its sessions, which would not know, end."""
        self.network.stall()
        yield
        self.network.drop_connections()
        self.network.resume()


class Refused(LateRefusal):
    server_options = {'acl': True}

    def test_a_move_into_a_folder_that_is_no_more(self):
        self.names('Lists')
        name = os.path.basename(self.path(2))
        with self.server.imap() as client:
            client.delete('Lists')
        del self.before['Lists']
        os.rename(self.path(2), self.mount / f'Lists/{name}')
        self.assertNotIn(name, self.names())
        refused = self.refused_at(b'STATUS', b'UID MOVE', b'UID COPY')
        self.assert_taken_back(refused, lambda: name in self.names(), f'moving {name} was refused and is taken back')

    def test_a_move_into_a_folder_whose_rights_forbid_it(self):
        self.names('Archive')
        path = self.path(2)
        name = os.path.basename(path)
        with self.before_it_is_sent():
            os.rename(path, self.mount / f'Archive/{name}')
            self.server.set_rights(('Archive',), 'lr')
            self.assertNotIn(name, self.names())
        refused = self.refused_at(b'UID MOVE', b'UID COPY')
        self.assert_taken_back(refused, lambda: name in self.names() and name not in self.names('Archive'), f'moving {name} was refused and is taken back')

    def test_a_removal_from_a_folder_that_has_become_read_only(self):
        """Which its SELECT tells."""
        path = self.path(2, 'Archive')
        name = os.path.basename(path)
        with self.before_it_is_sent():
            os.unlink(path)
            self.server.set_rights(('Archive',), 'lr')
            self.assertNotIn(name, self.names('Archive'))
        refused = self.refused_at(b'SELECT', b'UID MOVE')
        self.assert_taken_back(refused, lambda: name in self.names('Archive'), f'moving {name} was refused and is taken back')


class OverQuota(LateRefusal):
    server_options = {'quota': 'messages=19'}       # as many as there are

    def test_a_new_message_that_was_renamed_into_place(self):
        """close(2) would have waited for the server; a rename does not."""
        data = letter('one too many')
        write(self.mount / 'Lists/.new', data)
        with self.before_it_is_sent():
            os.rename(self.mount / 'Lists/.new', self.mount / 'Lists/new.eml')
            self.assertIn('new.eml', self.names('Lists'))
        refused = self.refused_at(b'APPEND')
        self.assert_taken_back(refused, lambda: {'new.eml.partial'} == self.names('Lists') & {'new.eml', 'new.eml.partial'}, 'storing new.eml was refused')
        self.assertEqual(self.mount.read('Lists/new.eml.partial'), data)


if __name__ == '__main__':
    mailtest.main()
