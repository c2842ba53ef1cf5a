#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The state directory on a disk that is full: what does not fit is refused, nothing of it is sent; what was queued is sent once, and goes on by itself once there is room."""

import contextlib
import errno
import os
import re
import subprocess
import threading

import mailtest
from mailtest.small_disk import PAGE

ROOM_AGAIN_WITHIN_S = 90    # a full disk is looked at again after a minute
LARGE = 300000


def letter(name, size=300):
    line = f'This is letter {name}.\n'
    return (f'From: Alice <alice@example.com>\nTo: bob@example.com\nSubject: {name}\nMessage-ID: <{name}@example.com>\n\n'
            + line * (size // len(line) + 1)).encode()


def subject(data):
    return re.search(rb'^Subject: (\S+)', data, re.MULTILINE).group(1).decode()


class FullDisk(mailtest.MountTestCase):
    limit_s = 60 + ROOM_AGAIN_WITHIN_S

    def mount_on_small_disk(self, **keys):
        """The disk, a submission server, and the mount of both."""
        self.server = self.enterContext(mailtest.Dovecot(special_use={'Sent': '\\Sent'}))
        self.server.deliver(letter('stored', LARGE))
        self.disk = self.enterContext(mailtest.SmallDisk())
        self.smtp = self.enterContext(mailtest.ScriptedSmtp())
        state = os.path.join(self.disk.path, 'state')
        section = mailtest.account(self.server, sent='Sent', smtp=f'smtp+insecure://localhost:{self.smtp.port}', state_dir=state, **keys)
        self.mount = mailtest.Mount(section)
        self.mount.state = state
        self.mount.start()
        self.addCleanup(self.mount.unmount)
        self.outbox = self.mount / 'outbox'

    def write(self, name, data):
        """As a program that looks at everything. 0 or the errno."""
        try:
            with open(os.path.join(self.outbox, name), 'xb') as file:
                file.write(data)
            return 0
        except OSError as failure:
            return failure.errno

    def accepted(self):
        """Subjects of what the server took, as often as it did."""
        return sorted(subject(message.data) for message in self.smtp.accepted())

    def listed(self):
        return {name: os.getxattr(os.path.join(path, name), 'user.mail.state').decode() for path in (self.outbox, os.path.join(self.outbox, 'failed'))
                for name in os.listdir(path) if name != 'failed'}

    def states(self):
        """Of what is no scratch."""
        while True:
            with contextlib.suppress(FileNotFoundError):    # it was sent meanwhile
                return {name: state for name, state in self.listed().items() if state != 'scratch'}

    def copies(self):
        return sorted(subject(data) for _, data in self.server.messages('Sent').values())

    @contextlib.contextmanager
    def told(self, what):
        try:
            yield
        except TimeoutError as late:
            raise AssertionError(f'{late}: {what()}\n{self.mount.log()}') from None

    def wait_states(self, expected, seconds=20):
        with self.told(self.states):
            mailtest.wait_for(lambda: self.states() == expected, seconds, expected, 0.1)

    def wait_sent(self, names, seconds=20):
        """All of them, and nothing else, once each; with a copy each."""
        with self.told(lambda: f'accepted {self.accepted()}, copies {self.copies()}'):
            mailtest.wait_for(lambda: len(self.accepted()) >= len(names) and set(self.copies()) >= set(names), seconds, f'{names}', 0.1)
        self.wait_states({}, seconds)
        self.assertEqual(self.accepted(), sorted(names))
        self.assertEqual([name for name in self.copies() if name in names], sorted(names))

    def run_shell(self, script, **files):
        return subprocess.run(['sh', '-c', script], cwd=self.outbox, env=dict(os.environ, LC_ALL='C', **files), capture_output=True, text=True, check=False)

    def test_what_does_not_fit_is_refused_and_no_part_of_it_sent(self):
        self.mount_on_small_disk()
        source = os.path.join(self.mount.directory, 'large')
        with open(source, 'wb') as file:
            file.write(letter('large', LARGE))
        stored = self.mount.files()[0]
        self.mount.read(stored)
        for script in ('cp $LARGE m', 'cat $LARGE > m', 'dd status=none if=$LARGE of=m bs=1000', 'dd status=none if=$LARGE of=m bs=200000', 'cp $STORED m',
                       'cat $LARGE > .m && mv .m m', 'rsync $LARGE ./', 'tee m < $LARGE'):
            with self.subTest(script):
                self.disk.fill(16)
                result = self.run_shell(script, LARGE=source, STORED=stored)
                self.assertNotEqual(result.returncode, 0)
                self.assertIn('No space left', result.stderr)
                self.assertEqual(self.states(), {})
                for name in self.listed():
                    os.unlink(os.path.join(self.outbox, name))
                self.disk.empty()
        self.disk.fill(16)
        self.assertEqual(self.write('small', letter('small')), 0)
        self.wait_sent(['small'])

    def test_a_writer_that_looks_at_nothing_sends_nothing_either(self):
        """One write, of which a part fits; there is room for all else by the time of the close."""
        self.mount_on_small_disk()
        self.disk.fill(16)
        fd = os.open(os.path.join(self.outbox, 'm'), os.O_WRONLY | os.O_CREAT)
        with contextlib.suppress(OSError):
            os.write(fd, letter('large', LARGE))
        self.disk.empty()
        with contextlib.suppress(OSError):
            os.close(fd)
        self.assertEqual(self.listed(), {'m.partial': 'scratch'})
        self.assertEqual(self.write('next', letter('next')), 0)
        self.wait_sent(['next'])

    def test_at_each_number_of_free_pages_it_is_queued_or_refused(self):
        """The bytes, the first record, the next one, the directory: whichever of them does not fit."""
        self.mount_on_small_disk(outbox_hold=5)
        outcomes = {}
        for pages in range(12):
            self.disk.fill(pages)
            outcomes[f'p{pages}'] = self.write(f'p{pages}', letter(f'p{pages}', PAGE))
            self.disk.empty()
        self.assertEqual(set(outcomes.values()), {0, errno.ENOSPC}, outcomes)
        queued = [name for name, outcome in outcomes.items() if outcome == 0]
        self.assertEqual(set(self.states()), set(queued))
        self.wait_sent(queued)
        self.mount.kill9()
        self.mount.start()
        self.assertEqual(self.states(), {})
        self.assertEqual(self.accepted(), sorted(queued))

    def fill_at_the_dot(self):
        """
        Letter `decided` is accepted at the moment when the disk is full, so that its verdict cannot be written; `waiting`, copied before that, comes
        due afterwards, and there is no room to prepare it.
        """
        self.mount_on_small_disk(outbox_hold=2)
        reached, go_on = threading.Event(), threading.Event()

        def accept(_session, _line):
            reached.set()
            go_on.wait(20)
            self.addCleanup(self.disk.pin(self.mount.pid).close)
            self.disk.fill()
            return b'250 2.0.0 queued'

        self.smtp.places['.'] = [accept]
        self.assertEqual(self.write('decided', letter('decided')), 0)
        self.assertTrue(reached.wait(20))
        self.assertEqual(self.write('waiting', letter('waiting', 10 * PAGE)), 0)     # more than what is given back when `decided` has gone
        go_on.set()
        mailtest.wait_for(lambda: 'the state of decided cannot be saved' in self.mount.log(), 20, 'the verdict that cannot be written')
        self.wait_states({'waiting': 'retry'})
        self.assertIn('No space left on device', os.getxattr(os.path.join(self.outbox, 'waiting'), 'user.mail.error').decode())
        self.assertEqual(self.accepted(), ['decided'])

    def test_a_verdict_that_cannot_be_written_is_neither_lost_nor_repeated(self):
        self.fill_at_the_dot()
        self.assertEqual(self.write('late', letter('late', PAGE * 2)), errno.ENOSPC)
        self.disk.empty()
        self.wait_sent(['decided', 'waiting'], ROOM_AGAIN_WITHIN_S)
        self.mount.kill9()
        self.mount.start()
        self.assertEqual(self.states(), {})
        self.assertEqual(self.accepted(), ['decided', 'waiting'])

    def test_a_verdict_that_was_never_written_is_uncertain_after_a_crash(self):
        self.fill_at_the_dot()
        self.mount.kill9()
        self.disk.empty()
        self.mount.start()
        self.wait_states({'decided': 'uncertain'})
        self.assertEqual(self.accepted(), ['decided', 'waiting'])
        mailtest.wait_for(lambda: 'waiting' in self.copies(), 20, 'the copy')
        # Its owner may ask for it once more.
        os.rename(os.path.join(self.outbox, 'failed/decided'), os.path.join(self.outbox, 'decided'))
        mailtest.wait_for(lambda: self.accepted() == ['decided', 'decided', 'waiting'], 20, 'another try')


if __name__ == '__main__':
    mailtest.main()
