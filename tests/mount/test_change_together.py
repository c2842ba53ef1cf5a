#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Two mounts of one account and another client change the same folders at once, at random: all agree in the end, and every message is accounted for.

Each message has a number, in its subject, so in its names, too. A ledger has what was asked for, of each number, by whom, and how it
went; what the server holds in the end must follow from that. Some letters stand still, so that nothing excuses a flag that is not what
its only user said last. MAILFS_LONG=1 takes a minute for each configuration; MAILFS_SEED=N chooses as that run did, if not at the same time.

Nobody copies a message into its own folder. Where several clients do things at once Dovecot loses one in a thousand such copies by itself, from Maildirs: it gives the copy's UID the
file of another message ("Duplicate file entry" in its log), and once either is expunged both are gone.
"""

import collections
import ctypes
import errno
import os
import random
import re
import subprocess
import threading
import time

import mailtest
from mailtest import observer, utf7
from mailtest.changing import letter, sync, write
from mailtest.other_client import OtherClient

CHANGING_S = 60 if os.environ.get('MAILFS_LONG') else 8
AGREED_WITHIN_S = 60    # a check is due after 10 s
RENAME_NOREPLACE = 1
AT_FDCWD = -100
AT_ONCE_S = 3           # a mount sends what it did a moment later

FOLDERS = ('INBOX', 'Archive', 'Lists')
STILL, FULL = 'Still', 'Full'
SCRATCH = ('Scratch 1', 'Scratch 2')
SHARED_WORDS = ('\\Seen', '\\Flagged', '\\Answered', '$Label1')
WORDS = (*SHARED_WORDS, 'of-A', 'of-B', 'of-C')
SENTINEL = 'nobody touches this'

# What may be said of a change that somebody else was quicker with: all that a user can understand.
GONE = {errno.ENOENT, errno.ESTALE}
TAKEN = GONE | {errno.EEXIST}
# And of what the server refused later. "Mailbox exists" is Dovecot's answer to DELETE where the folder is made at that moment.
EXPLAINED = r'the message has gone|nobody knows where the server has it|the server says: Mailbox (exists|doesn\'t exist)'


def move_unless_there(path, target):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(AT_FDCWD, os.fsencode(path), AT_FDCWD, os.fsencode(target), RENAME_NOREPLACE) != 0:
        raise OSError(ctypes.get_errno(), 'renameat2', path, None, target)


def number_in(text):
    found = re.search(r'number[ -](\d+)', text)
    return int(found.group(1)) if found else None


class Ledger:
    """Of all messages, by number; each method is called by any user."""

    def __init__(self):
        self.lock = threading.Lock()
        self.start = time.monotonic()
        self.data = {}
        self.first_flags = {}
        self.history = collections.defaultdict(list)
        self.copies = collections.Counter()     # beside the first
        self.removals = collections.Counter()   # asked for: a message that is moved meanwhile may have escaped
        self.wandering = set()                  # moved or copied by somebody
        self.moves = collections.defaultdict(list)      # (when, who)
        self.touches = collections.defaultdict(list)    # likewise: moves, and changes of flags
        self.failed = set()                     # new ones that the server never took
        self.words = collections.defaultdict(list)      # (number, word): who set or cleared it, in their order: 'A+'

    def new(self, flags=''):
        with self.lock:
            number = len(self.data) + 1
            self.data[number] = letter(f'number {number}')
            self.first_flags[number] = set(flags.split())
            return number

    def note(self, number, who, what):
        with self.lock:
            self.history[number].append(f'{time.monotonic() - self.start:7.3f} {who}: {what}')

    def ask_flags(self, number, who, sign, words):
        with self.lock:
            self.touches[number].append((time.monotonic(), who))
            for word in words:
                self.words[number, word].append(who + sign)

    def wander(self, number):
        with self.lock:
            self.wandering.add(number)

    def move(self, number, who):
        self.wander(number)
        with self.lock:
            self.moves[number].append((time.monotonic(), who))
            self.touches[number].append((time.monotonic(), who))

    def remove(self, number):
        with self.lock:
            self.removals[number] += 1

    def copy(self, number):
        with self.lock:
            self.copies[number] += 1

    def fail(self, number):
        with self.lock:
            self.failed.add(number)

    # The account in the end

    def wrong_counts(self, places):
        for number in self.data:
            count = len(places[number])
            most = (number not in self.failed) + self.copies[number]
            least = max(0, most - self.removals[number])
            most += self.moved_at_once(number)
            if self.removals[number] and number not in self.wandering:
                most -= 1
            if not least <= count <= most:
                yield number, f'{count} of it ({", ".join(places[number])}), not {least} to {most}'

    def moved_at_once(self, number):
        """
        How many moves somebody else's change was at once with. Dovecot copies first; where it then finds that what it is about to
        expunge has gone to somebody else, or is being flagged, both stay, and MOVE is OK.
        """
        return sum(any(one[1] != other[1] and abs(other[0] - one[0]) < AT_ONCE_S for other in self.touches[number]) for one in self.moves[number])

    def wrong_flags(self, number, flags):
        for word in WORDS:
            asked = self.words[number, word]
            is_set, was_set = word in flags, word in self.first_flags[number]
            if is_set and not was_set and not any(who.endswith('+') for who in asked):
                yield f'{word} is set, and nobody asked for that'
            if was_set and not is_set and number not in self.copies and not any(who.endswith('-') for who in asked):
                yield f'{word} is not set any more, and nobody asked for that'
            if asked and number not in self.wandering and len({who[0] for who in asked}) == 1 and is_set != asked[-1].endswith('+'):
                yield f'{word} is {"" if is_set else "not "}set, and its only user said {asked[-1]}'

    def told(self, number):
        return '\n    '.join(self.history[number])


class User(threading.Thread):
    """Does one thing after the other until it is told to end. What must not be is in `problems`."""

    def __init__(self, who, ledger, seed, remove_mode):
        super().__init__(name=who)
        self.who, self.ledger, self.to_trash = who, ledger, remove_mode == 'trash'
        self.chooser = random.Random(f'{seed} {who}')
        self.ending = threading.Event()
        self.problems = []
        self.done = collections.Counter()
        self.failures = collections.Counter()
        self.serial = 0
        self.places = FOLDERS + (('Trash',) if self.to_trash else ())

    def run(self):
        kinds = [kind for kind, weight in self.weights.items() for _ in range(weight)]
        while not self.ending.is_set():
            kind = self.chooser.choice(kinds)
            try:
                getattr(self, kind)()
                self.done[kind] += 1
            except Exception as failure:
                self.problems.append(f'{self.who}: {kind}: {failure!r}')
                if len(self.problems) > 20:
                    return

    def another_place(self, place, places=None):
        return self.chooser.choice([other for other in places or self.places if other != place])

    def note(self, number, what):
        self.ledger.note(number, self.who, what)


class MountUser(User):
    weights = {'flag': 8, 'flag_still': 6, 'replace_flags': 2, 'rename_in_maildir': 3, 'remove': 4, 'move': 6, 'copy': 3, 'copy_by_cp': 1, 'create': 4,
               'create_by_rename': 2, 'read': 6, 'make_folder': 1, 'remove_folder': 1, 'remove_full_folder': 1, 'sync': 1}

    def __init__(self, who, ledger, seed, remove_mode, mount):
        super().__init__(who, ledger, seed, remove_mode)
        self.mount = mount

    def try_to(self, allowed, number, what, function, *arguments):
        """Its outcome: True, or False where it failed with an errno that may be."""
        try:
            function(*arguments)
        except OSError as failure:
            self.failures[f'{what.split()[0]} {errno.errorcode.get(failure.errno)}'] += 1
            self.note(number, f'{what}: {errno.errorcode.get(failure.errno)}')
            if failure.errno not in allowed:
                self.problems.append(f'{self.who}: {what}: {failure!r}')
            return False
        self.note(number, what)
        return True

    def choose(self, places=FOLDERS):
        """(number, folder, name) of a message as this mount shows it; None where there is none."""
        folder = self.chooser.choice(places)
        names = [name for name in sorted(os.listdir(self.mount / folder)) if number_in(name) and not name.endswith('.partial')]
        if not names:
            return None
        name = self.chooser.choice(names)
        return number_in(name), folder, name

    def path(self, folder, name):
        return os.path.join(self.mount.path, folder, name)

    def fresh_name(self, number):
        self.serial += 1
        return f'{self.who}{self.serial} number-{number}.eml'

    def ask(self, number, folder, name, sign, words):
        self.ledger.ask_flags(number, self.who, sign, words)
        value = f'{sign}{" ".join(words)}'
        return self.try_to(GONE, number, f'flags {value} {folder}/{name}', os.setxattr, self.path(folder, name), 'user.mail.flags', value.encode())

    def flag(self):
        chosen = self.choose(self.places)
        if chosen:
            self.ask(*chosen, self.chooser.choice('+-'), self.chooser.sample(SHARED_WORDS + ('of-' + self.who,), self.chooser.randint(1, 2)))

    def flag_still(self):
        """These never go: it must not fail."""
        number, folder, name = self.choose((STILL,))
        if not self.ask(number, folder, name, self.chooser.choice('+-'), [self.chooser.choice(('of-' + self.who, '\\Seen'))]):
            self.problems.append(f'{self.who}: {name} stands still, and its flags cannot be set')

    def replace_flags(self):
        chosen = self.choose()
        if chosen:
            words = self.chooser.sample(SHARED_WORDS, 2)
            self.ledger.ask_flags(chosen[0], self.who, '-', [word for word in WORDS if word not in words])
            self.ledger.ask_flags(chosen[0], self.who, '+', words)
            self.try_to(GONE, chosen[0], f'flags = {words} {chosen[1:]}', os.setxattr, self.path(*chosen[1:]), 'user.mail.flags', ' '.join(words).encode())

    def rename_in_maildir(self):
        """Another suffix."""
        directory = os.path.join(self.mount / '.maildir', self.chooser.choice(FOLDERS), 'cur')
        names = [name for name in sorted(os.listdir(directory)) if ':2,' in name]
        if not names:
            return
        name = self.chooser.choice(names)
        path = os.path.join(directory, name)
        try:
            number = number_in(self.mount.read(path).decode())
        except OSError as failure:
            if failure.errno not in GONE:
                raise
            return
        if number is None:
            return
        base, letters = name.rsplit(':2,', 1)
        letter_of, word = self.chooser.choice((('S', '\\Seen'), ('F', '\\Flagged'), ('R', '\\Answered')))
        self.ledger.ask_flags(number, self.who, '-' if letter_of in letters else '+', [word])
        target = os.path.join(directory, f'{base}:2,{"".join(sorted(set(letters) ^ {letter_of}))}')
        self.try_to(GONE, number, f'rename in .maildir {name} for {word}', os.rename, path, target)

    def remove(self):
        chosen = self.choose(self.places)
        if not chosen:
            return
        number, folder, name = chosen
        if self.to_trash and folder != 'Trash':
            self.ledger.move(number, self.who)
            self.try_to(GONE, number, f'rm {folder}/{name}', os.unlink, self.path(folder, name))
            return
        self.ledger.remove(number)      # before: another user may see it gone before this one
        self.try_to(GONE, number, f'rm {folder}/{name}', os.unlink, self.path(folder, name))

    def move(self):
        chosen = self.choose(self.places)
        if not chosen:
            return
        number, folder, name = chosen
        target = self.another_place(folder)
        self.ledger.move(number, self.who)
        self.try_to(TAKEN, number, f'mv {folder}/{name} {target}', move_unless_there, self.path(folder, name), self.path(target, name))

    def copy(self, program=None):
        chosen = self.choose(self.places)
        if not chosen:
            return
        number, folder, name = chosen
        target, new = self.another_place(folder, FOLDERS), self.fresh_name(number)
        self.ledger.wander(number)
        if self.try_to(TAKEN, number, f'{"cp" if program else "copy_file_range"} {folder}/{name} {target}/{new}', program or self.copy_range, self.path(folder, name), self.path(target, new)):
            self.ledger.copy(number)

    def copy_by_cp(self):
        self.copy(run_cp)

    @staticmethod
    def copy_range(path, target):
        source = os.open(path, os.O_RDONLY)
        try:
            copy = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                size = os.fstat(source).st_size
                if os.copy_file_range(source, copy, size) != size:
                    raise RuntimeError(f'{path} was copied in part')
                os.fsync(copy)
            finally:
                os.close(copy)
        finally:
            os.close(source)

    def create(self):
        flags = ' '.join(self.chooser.sample(SHARED_WORDS, self.chooser.randint(0, 2)))
        number, folder = self.ledger.new(flags), self.chooser.choice(FOLDERS)
        path = self.path(folder, f'number-{number}.eml')
        if not self.try_to(set(), number, f'create {path} [{flags}]', write, path, self.ledger.data[number], 1700000000 + number, flags):
            self.ledger.fail(number)

    def create_by_rename(self):
        number, folder = self.ledger.new(), self.chooser.choice(FOLDERS)
        path = self.path(folder, f'number-{number}.eml')
        if not self.try_to(set(), number, f'create by rename {path}', write_and_rename, path, self.ledger.data[number]):
            self.ledger.fail(number)

    def read(self):
        """Other bytes than those of the message that the name says are never given."""
        chosen = self.choose(self.places)
        if not chosen:
            return
        number, folder, name = chosen
        try:
            data = self.mount.read(self.path(folder, name))
        except OSError as failure:
            if failure.errno not in GONE:
                raise
            return
        if data != self.ledger.data[number]:
            self.problems.append(f'{self.who}: {folder}/{name} reads as {data[:400]!r}')

    def make_folder(self):
        name = self.chooser.choice(SCRATCH)
        self.try_to({errno.EEXIST}, name, f'mkdir {name}', os.mkdir, self.mount / name)

    def remove_folder(self):
        name = self.chooser.choice(SCRATCH)
        self.try_to(GONE, name, f'rmdir {name}', os.rmdir, self.mount / name)

    def remove_full_folder(self):
        if self.try_to({errno.ENOTEMPTY}, FULL, 'rmdir of a full folder', os.rmdir, self.mount / FULL):
            self.problems.append(f'{self.who}: a full folder was removed')

    def sync(self):
        """What the server refused since the last time, of a folder, too; why is in the log."""
        folder = self.chooser.choice(FOLDERS)
        self.try_to(TAKEN | {errno.EIO}, folder, f'fsync {folder}', sync, self.mount / folder)

    def unexplained(self):
        return [line for line in self.mount.log().splitlines() if 'was refused' in line and not re.search(EXPLAINED, line)]


def run_cp(path, target):
    result = subprocess.run(['cp', path, target], env={'LC_ALL': 'C'}, capture_output=True, text=True, timeout=60, check=False)
    if result.returncode:
        number = next((number for number in (errno.ENOENT, errno.ESTALE, errno.EEXIST) if os.strerror(number) in result.stderr), errno.EIO)
        raise OSError(number, result.stderr)


def write_and_rename(path, data):
    """As rsync does."""
    temporary = os.path.join(os.path.dirname(path), f'.{os.path.basename(path)}.tmp')
    write(temporary, data)
    os.rename(temporary, path)
    sync(path)


class ImapUser(User):
    """The third party."""
    weights = {'flag': 6, 'flag_still': 6, 'remove': 2, 'move': 4, 'copy': 2, 'create': 2, 'make_folder': 1, 'remove_folder': 1}

    def __init__(self, who, ledger, seed, remove_mode, server):
        super().__init__(who, ledger, seed, remove_mode)
        self.other = OtherClient(server)

    def choose(self, places=FOLDERS):
        folder = self.chooser.choice(places)
        client = self.other.client
        client.select(utf7.quote(folder))
        found = []
        for item in client.uid('FETCH', '1:*', '(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])')[1]:
            if isinstance(item, tuple) and number_in(item[1].decode()):
                found.append((number_in(item[1].decode()), int(re.search(rb'UID (\d+)', item[0]).group(1))))
        if not found:
            return None
        number, uid = self.chooser.choice(sorted(found))
        return number, folder, uid

    def flag(self, places=FOLDERS, words=None):
        chosen = self.choose(places)
        if not chosen:
            return
        number, folder, uid = chosen
        sign, words = self.chooser.choice('+-'), words or self.chooser.sample(SHARED_WORDS + ('of-C',), 2)
        self.ledger.ask_flags(number, self.who, sign, words)
        self.note(number, f'STORE {folder} {uid} {sign}{words}')
        self.other.store([uid], f'{sign}FLAGS', ' '.join(words), folder)

    def flag_still(self):
        self.flag((STILL,), [self.chooser.choice(('of-C', '\\Seen'))])

    def remove(self):
        chosen = self.choose(self.places)
        if not chosen:
            return
        number, folder, uid = chosen
        self.ledger.remove(number)
        self.note(number, f'EXPUNGE {folder} {uid}')
        self.other.expunge([uid], folder)

    def move(self):
        chosen = self.choose(self.places)
        if not chosen:
            return
        number, folder, uid = chosen
        target = self.another_place(folder)
        self.ledger.move(number, self.who)
        self.note(number, f'MOVE {folder} {uid} {target}')
        try:
            self.other.move([uid], target, folder)
        except RuntimeError as refusal:
            if 'EXPUNGEISSUED' not in str(refusal):     # it went meanwhile
                raise

    def copy(self):
        chosen = self.choose(self.places)
        if not chosen:
            return
        number, folder, uid = chosen
        target = self.another_place(folder, FOLDERS)
        self.ledger.wander(number)
        client = self.other.client
        client.response('COPYUID')      # of the command before
        client.uid('COPY', str(uid), utf7.quote(target))
        is_done = client.response('COPYUID')[1] != [None]
        self.note(number, f'COPY {folder} {uid} {target}: {is_done}')
        if is_done:
            self.ledger.copy(number)

    def create(self):
        number, folder = self.ledger.new(), self.chooser.choice(FOLDERS)
        uid = self.other.append(self.ledger.data[number], folder)
        self.note(number, f'APPEND {folder} {uid}')

    def make_folder(self):
        self.other.client.create(utf7.quote(self.chooser.choice(SCRATCH)))

    def remove_folder(self):
        """Nobody puts anything there."""
        self.other.client.select('INBOX')
        self.other.client.delete(utf7.quote(self.chooser.choice(SCRATCH)))


class Together:
    """Both ways of removal, below."""
    limit_s = CHANGING_S + 2 * AGREED_WITHIN_S + 60
    remove_mode = None
    letters = 40        # in all folders
    still = 12

    def setUp(self):
        self.seed = int(os.environ.get('MAILFS_SEED') or random.SystemRandom().randrange(1 << 32))
        self.server = self.enterContext(mailtest.Dovecot(max_userip_connections=30, rawlog=bool(os.environ.get('MAILTEST_KEEP'))))
        self.ledger = Ledger()
        self.fill()
        self.before = observer.snapshots(self.server)
        keys = {'delete': self.remove_mode, 'trash_keep': '0'}
        self.mounts = {who: self.enterContext(mailtest.Mount(mailtest.account(self.server, **keys))) for who in 'AB'}
        self.users = [MountUser(who, self.ledger, self.seed, self.remove_mode, mount) for who, mount in self.mounts.items()]
        self.users.append(ImapUser('C', self.ledger, self.seed, self.remove_mode, self.server))

    def fill(self):
        for folder in (*FOLDERS, STILL, FULL):
            self.server.deliver(letter(SENTINEL), (folder,) if folder != 'INBOX' else folder, '\\Deleted')
        chooser = random.Random(self.seed)
        for serial in range(self.letters + self.still):
            flags = chooser.choice(('', '\\Seen', '\\Seen \\Flagged'))
            folder = FOLDERS[serial % len(FOLDERS)] if serial < self.letters else STILL
            number = self.ledger.new(flags)
            self.server.deliver(self.ledger.data[number], (folder,) if folder != 'INBOX' else folder, flags, 1690000000 + number * 86400)

    # In the end

    def shown(self, mount, folder):
        """{uid: (flags, bytes)}, and the bytes of what is only here; None when something went between being listed and being asked."""
        stored, local = {}, []
        try:
            for path in mount.files(folder):
                data = mount.read(path)
                try:
                    uid = int(os.getxattr(path, 'user.mail.uid'))
                except OSError as failure:
                    if failure.errno != errno.ENODATA:
                        raise
                    local.append((os.path.basename(path), data))
                    continue
                if uid in stored:
                    return f'{folder}: {uid} is there twice'
                stored[uid] = (frozenset(os.getxattr(path, 'user.mail.flags').decode().split()), data)
        except OSError as failure:
            return f'{folder}: {failure}'
        return stored, local

    def disagreement(self, mount, held):
        """How a mount shows the account otherwise than the server has it; '' if not at all."""
        names = set(os.listdir(mount.path))
        shown = {folder: self.shown(mount, folder) for folder in held}      # all of them: a folder is checked when it is looked at
        if names != set(held):
            return f'folders {sorted(names)}, not {sorted(held)}'
        for folder, messages in held.items():
            if isinstance(shown[folder], str):
                return shown[folder]
            stored, local = shown[folder]
            for uid in sorted(set(stored) | set(messages)):
                there = (messages[uid].flags, messages[uid].data) if uid in messages else None
                if stored.get(uid) != there:
                    return f'{folder}: {uid}: shown {self.described(stored.get(uid))}, held {self.described(there)}'
            for name, data in local:
                if number_in(data.decode()) not in self.ledger.failed:
                    return f'{folder}: {name} is only here: {self.described((set(), data))}'
        return ''

    def described(self, message):
        if not message:
            return 'not at all'
        number = number_in(message[1].decode())
        return f'[{" ".join(sorted(message[0]))}] {observer.title(message[1])}\n    {self.ledger.told(number)}'

    def agree(self):
        """What the server holds once both mounts show just that."""
        deadline = time.monotonic() + AGREED_WITHIN_S
        while True:
            held = observer.snapshots(self.server)
            wrong = [f'{who}: {text}' for who, mount in self.mounts.items() if (text := self.disagreement(mount, held))]
            if not wrong:
                return held
            if time.monotonic() > deadline:
                raise AssertionError('\n'.join([f'after {AGREED_WITHIN_S} s:', *wrong]))
            time.sleep(0.5)

    def account_for(self, held):
        """Lines of what cannot be."""
        wrong = []
        places = collections.defaultdict(list)
        for folder, messages in held.items():
            for uid, message in messages.items():
                number = number_in(message.data.decode('utf-8', 'replace'))
                if number is None:
                    if message != self.before.get(folder, {}).get(uid):
                        wrong.append(f'{folder}: {uid} was not there: {message}')
                    continue
                places[number].append(f'{folder} {uid}')
                if message.data != self.ledger.data[number]:
                    wrong.append(f'{folder}: {uid}: other bytes: {message.data!r}')
                wrong += [f'{folder}: {uid}: number {number}: {text}\n    {self.ledger.told(number)}' for text in self.ledger.wrong_flags(number, message.flags)]
        for folder, messages in self.before.items():
            wrong += [f'{folder}: {uid} is gone: {message}' for uid, message in messages.items()
                      if number_in(message.data.decode()) is None and uid not in held.get(folder, {})]
        wrong += [f'number {number}: {text}\n    {self.ledger.told(number)}' for number, text in self.ledger.wrong_counts(places)]
        return wrong

    def test_all_agree_and_every_message_is_accounted_for(self):
        try:
            self.change_and_compare()
        except Exception as failure:
            logs = ''.join(f'log of {who}:\n{mount.log()}' for who, mount in self.mounts.items())
            raise AssertionError(f'MAILFS_SEED={self.seed}: {failure}\n{logs}') from failure

    def change_and_compare(self):
        for user in self.users:
            user.start()
        time.sleep(CHANGING_S)      # the duration is what is asked for
        for user in self.users:
            user.ending.set()
        for user in self.users:
            user.join(60)
            self.assertFalse(user.is_alive(), f'{user.who} hangs')
        print('# ' + '; '.join(f'{user.who}: {sum(user.done.values())} done, failed {dict(user.failures)}' for user in self.users), flush=True)
        self.assertEqual([], [problem for user in self.users for problem in user.problems])
        held = self.agree()
        self.assertEqual([], [line for user in self.users[:2] for line in user.unexplained()])
        wrong = self.account_for(held)
        self.assertEqual([], wrong, '\n'.join(wrong))
        for mount in self.mounts.values():
            mount.unmount()
        self.assertEqual(observer.snapshots(self.server), held)


class WithTrash(Together, mailtest.MountTestCase):
    remove_mode = 'trash'


class WithExpunge(Together, mailtest.MountTestCase):
    remove_mode = 'expunge'


if __name__ == '__main__':
    mailtest.main()
