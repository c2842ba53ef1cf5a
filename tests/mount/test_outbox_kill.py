#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
kill -9 at any moment while mail is being written and sent: what close said 0 to is received once, or its sender is told that nobody knows.

A writer copies letters into the outbox, in several ways and several sizes, while the daemon is killed and mounted again; what was not taken is copied once more
after that. Half messages and scratch files lie between them, and must never arrive. MAILFS_LONG=1: two hundred kills and more; MAILFS_SEED=N chooses as that run did.
"""

import collections
import contextlib
import errno
import hashlib
import os
import random
import re
import subprocess
import threading
import time

import mailtest

KILLS = 200 if os.environ.get('MAILFS_LONG') else 15
LETTERS = 50            # a run
KILLS_A_RUN = 8         # at most: after that many it may come to its end
LONGEST_LIFE_S = 1.0
SETTLED_WITHIN_S = 60
CONNECTIONS = 4         # as the key has it where nobody sets it

# A round trip to the submission server: where a message spends its time, so where kills find it.
LATENCIES_S = (0, 0.005, 0.03)
SIZES = (300, 4000, 100000)     # bytes, about

DEAD = (errno.ENOTCONN, errno.ECONNABORTED, errno.ENOENT)

HEADER = ('From: Alice <alice@example.com>\r\nTo: Bob <bob@example.com>\r\nSubject: letter {name}\r\nMessage-ID: <{name}@example.com>\r\n'
          'Date: Tue, 14 Apr 2026 09:30:00 +0000\r\nX-Digest: {digest}\r\n\r\n')


def letter(name, size):
    """Its header has the digest of its text, so that half of it is seen to be half."""
    line = f'This is a line of the letter {name}, and they are all alike.\r\n'
    text = line * (size // len(line) + 1) + 'The end.\r\n'
    return (HEADER.format(name=name, digest=hashlib.md5(text.encode()).hexdigest()) + text).encode()


def is_whole(data):
    head, _, text = data.partition(b'\r\n\r\n')
    return hashlib.md5(text).hexdigest().encode() in head


def names_in(folder):
    """How often each letter is there, and those that are not whole."""
    found = collections.Counter()
    halves = []
    for _, data in folder.values():
        name = re.search(rb'\r\nSubject: letter (\S+)\r\n', b'\r\n' + data).group(1).decode()
        found[name] += 1
        if not is_whole(data):
            halves.append(name)
    return found, halves


class Writer(threading.Thread):
    """One life of the daemon long: writes what is left to write, in its order, until it is dead or nothing is."""

    def __init__(self, outbox, left, promised, chooser):
        super().__init__()
        self.outbox, self.left, self.promised, self.chooser = outbox, left, promised, chooser
        self.first = threading.Event()
        self.wrong = []

    def run(self):
        try:
            while self.left:
                self.first.set()
                self.write_one(*self.left[0])
                self.left.pop(0)
                time.sleep(self.chooser.choice((0, 0.005, 0.03)))
        except OSError as death:
            if death.errno not in DEAD:
                self.wrong.append(repr(death))
        self.first.set()

    def write_one(self, name, kind):
        data = letter(name, self.chooser.choice(SIZES))
        if kind == 'scratch':
            if not os.path.lexists(self.path(f'.{name}.tmp')):
                self.write(f'.{name}.tmp', data)
            return
        if not self.was_taken(name):
            (self.write_and_rename if kind == 'renamed' else self.write)(name, data)
        self.promised.add(name)

    def path(self, name):
        return os.path.join(self.outbox, name)

    def was_taken(self, name):
        """By a life of the daemon that did not live to say so. An empty file of that name is what a life left that had no byte yet."""
        try:
            if os.getxattr(self.path(name), 'user.mail.state') != b'scratch':
                return True
            os.unlink(self.path(name))
        except FileNotFoundError:
            pass
        return False

    def write(self, name, data):
        """Promised once close has returned 0, or EEXIST: it was sent before, as whoever asks a second time is told."""
        fd = os.open(self.path(name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            half = self.chooser.randrange(len(data))
            os.write(fd, data[:half])
            time.sleep(self.chooser.choice((0, 0, 0.01)))
            os.write(fd, data[half:])
        except OSError:
            with contextlib.suppress(OSError):
                os.close(fd)
            raise
        self.may_be_sent_before(os.close, fd)

    @staticmethod
    def may_be_sent_before(function, *arguments):
        try:
            function(*arguments)
        except FileExistsError:
            pass

    def write_and_rename(self, name, data):
        scratch = f'.{name}.{self.chooser.randrange(1 << 30)}'
        self.write(scratch, data)
        self.may_be_sent_before(os.rename, self.path(scratch), self.path(name))


class KilledWhileSending(mailtest.MountTestCase):
    limit_s = 90 + 8 * KILLS

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = mailtest.Dovecot(special_use={'Sent': '\\Sent'}, max_userip_connections=50).start()
        cls.addClassCleanup(cls.server.stop)
        cls.postfix = mailtest.Postfix(cls.server).start()
        cls.addClassCleanup(cls.postfix.stop)

    def letters(self, run):
        """(name, kind) of each; one scratch file to nine letters, which never becomes one."""
        kinds = ('plain', 'plain', 'renamed', 'plain', 'renamed', 'plain', 'plain', 'scratch', 'plain', 'plain')
        return [(f'{run}-{number}', kinds[number % len(kinds)]) for number in range(LETTERS + LETTERS // 9)]

    def live_and_die(self, mount, left, promised, chooser):
        """Returns whether it was still at work when it was killed."""
        mount.start()
        writer = Writer(mount / 'outbox', left, promised, random.Random(chooser.random()))
        writer.start()
        writer.first.wait(20)
        time.sleep(chooser.random() * chooser.choice((0.1, LONGEST_LIFE_S)))    # the moment is what is asked for
        was_at_work = bool(left) or not self.is_settled(mount)
        self.kill(mount)
        writer.join(30)
        self.assertFalse(writer.is_alive(), 'the writer hangs')
        self.assertEqual(writer.wrong, [])
        return was_at_work

    def kill(self, mount):
        try:
            mount.kill9()
        except subprocess.TimeoutExpired:       # a thread of it waits in the kernel for a lock that waits for an answer of the dead
            self.freed += 1
            subprocess.run(['umount', '-f', mount.path], capture_output=True, check=False)
            mount.kill9()

    @staticmethod
    def is_settled(mount):
        """What is on disk, what was accepted and has no copy yet included, is scratch or in failed/."""
        entries = [name for name in os.listdir(os.path.join(mount.state, 'outbox')) if name.isdigit() or name.startswith('gone-')]
        paths = [os.path.join(path, name) for path in (mount / 'outbox', mount / 'outbox/failed') for name in os.listdir(path) if name != 'failed']
        with contextlib.suppress(FileNotFoundError):    # it was sent meanwhile
            at_rest = [path for path in paths if os.getxattr(path, 'user.mail.state') in (b'scratch', b'failed', b'uncertain')]
            return len(at_rest) == len(entries)
        return False

    def finish(self, mount, left, promised, chooser):
        """Lives on until all is written and sent."""
        mount.start()
        writer = Writer(mount / 'outbox', left, promised, random.Random(chooser.random()))
        writer.run()
        self.assertEqual(writer.wrong, [])
        self.assertEqual(left, [])
        mailtest.wait_for(lambda: self.is_settled(mount), SETTLED_WITHIN_S, 'a settled queue', 0.1)
        self.postfix.wait_until_delivered(SETTLED_WITHIN_S)

    def states(self, mount):
        """{letter: state} of what is left, by the letters' own words, since a name may be another's."""
        states = collections.defaultdict(set)
        for path in (mount / 'outbox', mount / 'outbox/failed'):
            for name in os.listdir(path):
                if name == 'failed' or not os.path.getsize(os.path.join(path, name)):
                    continue
                found = re.search(rb'\r\nSubject: letter (\S+)\r\n', b'\r\n' + mount.read(os.path.join(path, name)))
                if found:
                    states[found.group(1).decode()].add(os.getxattr(os.path.join(path, name), 'user.mail.state').decode())
        return states

    def account_for(self, mount, run, letters, promised, kills):
        received, halves = names_in(self.server.messages(user='bob'))
        copies, half_copies = names_in(self.server.messages('Sent'))
        states = self.states(mount)
        real = {name for name, kind in letters if kind != 'scratch'}
        uncertain = {name for name, found in states.items() if 'uncertain' in found}
        mine = {name for name in received if name.startswith(f'{run}-')}
        self.assertEqual(promised, real)
        self.assertEqual((halves, half_copies), ([], []))
        self.assertEqual(mine - real, set(), 'scratch was sent')
        self.assertEqual({name for name, times in received.items() if times > 1}, set(), 'received twice')
        self.assertEqual({name for name, times in copies.items() if times > 1}, set(), 'two copies')
        self.assertEqual(real - mine - uncertain, set(), f'lost: {dict(states)}')
        self.assertEqual((mine & real) - uncertain - set(copies), set(), 'received, and no copy')
        self.assertLessEqual(len(uncertain), CONNECTIONS * kills)
        self.assertEqual({state for found in states.values() for state in found} - {'scratch', 'failed', 'uncertain'}, set())
        return len(uncertain), len(uncertain & mine)

    def run_once(self, run, chooser):
        """(kills, of these while it was at work, uncertain, of these received)."""
        letters = self.letters(run)
        left, promised = list(letters), set()
        kills = busy = 0
        with mailtest.Proxy(self.postfix.smtps_port) as proxy:
            mount = mailtest.Mount(mailtest.account(self.server, self.postfix, sent='Sent', smtp=f'smtps://alice@localhost:{proxy.port}'))
            try:
                while kills < KILLS_A_RUN:
                    proxy.latency = chooser.choice(LATENCIES_S)
                    was_at_work = self.live_and_die(mount, left, promised, chooser)
                    kills += 1
                    busy += was_at_work
                    if not was_at_work:
                        break
                self.finish(mount, left, promised, chooser)
                return kills, busy, *self.account_for(mount, run, letters, promised, kills)
            except Exception as failure:
                raise AssertionError(f'{failure}\n{mount.log()}') from failure
            finally:
                mount.unmount()

    def test_each_letter_is_received_once_or_uncertain(self):
        seed = int(os.environ.get('MAILFS_SEED') or random.SystemRandom().randrange(1 << 32))
        chooser = random.Random(seed)
        total = collections.Counter()
        self.freed = 0
        try:
            while total['busy'] < KILLS:
                total['runs'] += 1
                total.update(dict(zip(('kills', 'busy', 'uncertain', 'received'), self.run_once(total['runs'], chooser))))
        except Exception as failure:
            raise AssertionError(f'MAILFS_SEED={seed}, run {total["runs"]}: {failure}') from failure
        print(f'# MAILFS_SEED={seed}: {total["runs"]} runs of {LETTERS}, {total["kills"]} kills, {total["busy"]} of them at work; '
              f'{total["uncertain"]} uncertain, {total["received"]} of these received; {self.freed} mounts freed by force', flush=True)


if __name__ == '__main__':
    mailtest.main()
