# SPDX-License-Identifier: BSD-2-Clause
"""What contrib/demo shows, once mailfs is built: demo.py BUILD_DIRECTORY [--once | stop].

Each step is a shell command as a user would type it, shown with its output and checked. The commands run as who called
sudo, the servers as root.
"""

import contextlib
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests' / 'support'))

import demo_servers  # noqa: E402
import mailtest.mount  # noqa: E402

PLACE = pathlib.Path('/tmp/mailfs-demo')
MAIL = PLACE / 'mail'
SHOWN_LINES = 12
SUBJECT = 'Hello from a shell'


class Failed(Exception):
    """A step did not do what it should."""


def user():
    return pwd.getpwuid(int(os.environ.get('SUDO_UID', os.getuid())))


# The servers' process

def start_servers():
    """What it tells once they run. It goes on when this program ends."""
    read_end, write_end = os.pipe()
    with open(PLACE / 'log', 'wb') as log, open(read_end, encoding='utf-8') as told:
        servers = subprocess.Popen([sys.executable, __file__, 'serve', str(write_end)], stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=log, pass_fds=[write_end], start_new_session=True, cwd='/')
        (PLACE / 'pid').write_text(str(servers.pid))
        os.close(write_end)
        text = told.read()
    if not text:
        raise Failed('the servers do not start:\n' + (PLACE / 'log').read_text())
    return json.loads(text)


def is_ours(pid):
    with contextlib.suppress(OSError):
        return b'demo.py' in pathlib.Path(f'/proc/{pid}/cmdline').read_bytes()
    return False


def stop():
    """End all that a demo left, however it ended."""
    if mailtest.mount.is_mounted(MAIL):
        subprocess.run(['fusermount3', '-u', MAIL], check=False, capture_output=True)
        mailtest.mount.lazily_unmount(MAIL)
    with contextlib.suppress(OSError, ValueError):
        pid = int((PLACE / 'pid').read_text())
        if is_ours(pid):
            os.kill(pid, signal.SIGTERM)
            mailtest.wait_for(lambda: not is_ours(pid), 20, 'the servers to end')
    if not mailtest.mount.is_mounted(MAIL):
        shutil.rmtree(PLACE, ignore_errors=True)


# The steps

class Session:
    """A terminal of the user's, with mailfs in its PATH."""

    def __init__(self, build):
        self.who = user()
        self.environment = dict(os.environ, PATH=f'{build}:{os.environ["PATH"]}', HOME=str(PLACE), LC_ALL='C.UTF-8',
                                USER=self.who.pw_name)

    def quietly(self, command):
        """(exit status, output) of a shell command."""
        result = subprocess.run(['sh', '-c', command], user=self.who.pw_uid, group=self.who.pw_gid,
                                extra_groups=[], env=self.environment, cwd=PLACE, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300, check=False)
        return result.returncode, result.stdout.decode('utf-8', 'replace')

    def type(self, command, must=None, status=0):
        """Show it and what it prints. `must`: a regular expression that the output matches, '' for no output."""
        print(f'\n$ {command}', flush=True)
        got, output = self.quietly(command)
        show(output)
        if got != status:
            raise Failed(f'exit status {got}, not {status}')
        if must == '' and output:
            raise Failed('it should print nothing')
        if must and not re.search(must, output, re.M):
            raise Failed(f'it should print something like {must}')
        return output

    def wait_for(self, command, seconds, what):
        """The output of a command, once it succeeds."""
        def succeeds():
            status, output = self.quietly(command)
            return status == 0 and output
        start = time.monotonic()
        with contextlib.suppress(TimeoutError):
            output = mailtest.wait_for(succeeds, seconds, interval=0.5)
            print(f'\n  ... {what}, after {time.monotonic() - start:.0f} s')
            return output
        raise Failed(f'no sign of it in {seconds} s: {what}')


def show(output):
    lines = output.splitlines()
    for line in lines[:SHOWN_LINES]:
        print(line if len(line) < 120 else line[:117] + '...')
    if len(lines) > SHOWN_LINES:
        print(f'  ... and {len(lines) - SHOWN_LINES} more lines')
    sys.stdout.flush()


def configuration(servers):
    return f'''[demo]
imap = imaps://alice@localhost:{servers['imaps']}
smtp = smtps://alice@localhost:{servers['smtps']}
from = Alice Example <alice@example.com>
password = secret
sent = Sent
tls-ca = {servers['ca']}
cache-dir = {PLACE}/cache
state-dir = {PLACE}/state
'''


def prepare(servers):
    os.chmod(servers['ca'], 0o644)
    for path in (MAIL, PLACE / 'backup'):
        path.mkdir()
    (PLACE / 'mailfs.conf').write_text(configuration(servers))
    for path in (PLACE, MAIL, PLACE / 'backup', PLACE / 'mailfs.conf'):
        os.chown(path, user().pw_uid, user().pw_gid)
        path.chmod(0o700 if path.is_dir() else 0o600)


def browse(session):
    session.type('ls mail', r'^INBOX$')
    session.type('ls mail/INBOX | tail -5', r'\.\d+\.eml$')
    found = session.type('grep -rl "order 4711" mail/INBOX', r'电子发票').splitlines()[0]
    session.type(f'getfattr -n user.mail.flags {found}', r'\\\\Flagged')
    return found


def change(session, found):
    session.type(f'mv {found} mail/Archive', '')
    moved = found.replace('INBOX', 'Archive')
    session.type(f'setfattr -n user.mail.flags -v +todo {moved}', '')
    session.type(f'getfattr -n user.mail.flags {moved}', r'\\\\Flagged.*todo')
    if session.quietly(f'ls {found}')[0] == 0:
        raise Failed('what was moved is still there')


def look_at_the_large_one(session):
    large = session.quietly('find mail/Archive -size +15M')[1].strip()
    if large.count('\n') or not large:
        raise Failed(f'one message is over 15 MB, find says: {large!r}')
    session.type(f'ls -sh {large}', r'^\d\dM ')
    session.type(f'head -5 {large}', r'^From: ')
    if session.quietly(f'getfattr --only-values -n user.mail.cached {large}') != (0, '0'):
        raise Failed('its head alone was asked for, and all of it was fetched')


def send(session):
    session.type(f"printf 'To: alice@example.com\\nSubject: {SUBJECT}\\n\\nIt works.\\n' > mail/outbox/letter", '')
    name = SUBJECT.replace(' ', '-')
    arrived = session.wait_for(f'ls mail/INBOX/*_{name}.*.eml', 60, 'it has arrived in INBOX').split('\n')
    session.type(f'tail -3 {arrived[0]}', r'^It works\.\r?$')
    session.wait_for(f'ls mail/Sent/*_{name}.*.eml', 90, 'a copy is in Sent')
    session.wait_for('test -z "$(ls mail/outbox | grep -v "^failed$")" && echo', 30, 'and outbox is empty')
    for folder in ('INBOX', 'Sent'):
        count = session.quietly(f'ls mail/{folder} | grep -c _{name}')[1].strip()
        if count != '1':
            raise Failed(f'{count} copies in {folder}, not 1')


def back_up(session, messages):
    session.type('rsync -a --stats mail/ backup/ | grep "files transferred"', r'\d')
    session.type('rsync -a --itemize-changes mail/ backup/', '')
    count = sum(1 for _ in (PLACE / 'backup').rglob('*.eml'))
    if count != messages:
        raise Failed(f'the backup has {count} messages, the mailbox {messages}')


def run_steps(session, servers):
    print(f'\n$ cd {PLACE}')
    session.type('mailfsctl check --config mailfs.conf demo', r'^smtps://')
    session.type('mailfs --config mailfs.conf demo mail', '')
    change(session, browse(session))
    look_at_the_large_one(session)
    send(session)
    back_up(session, servers['messages'] + 2)
    session.type('mailfsctl status mail', r'online')


def demonstrate(build, keep):
    """Exit status. Cleans up unless all went well and `keep`."""
    if PLACE.exists():
        print(f'{PLACE} is there already: contrib/demo stop ends the demo that runs', file=sys.stderr)
        return 1
    PLACE.mkdir(mode=0o700)
    done = False
    try:
        print('Starting a private Dovecot and Postfix, with a mailbox of some hundred messages', flush=True)
        servers = start_servers()
        prepare(servers)
        run_steps(Session(build), servers)
        done = True
    except (Failed, subprocess.TimeoutExpired) as failure:
        print(f'\ncontrib/demo: FAILED: {failure}', file=sys.stderr)
    finally:
        if not (done and keep):
            stop()
    if done and not keep and PLACE.exists():
        print(f'contrib/demo: FAILED: {PLACE} is still there', file=sys.stderr)
        return 1
    if done:
        print(f'\nIt stays mounted at {MAIL}; `contrib/demo stop` ends it.' if keep else '\nAll steps passed.')
    return 0 if done else 1


def main(arguments):
    if arguments[0] == 'serve':
        with open(int(arguments[1]), 'w', encoding='utf-8') as ready:
            demo_servers.serve(ready)
    build, action = arguments[0], arguments[1] if len(arguments) > 1 else ''
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda got, _: sys.exit(128 + got))
    if action == 'stop':
        stop()
        return 0
    return demonstrate(build, keep=action != '--once')


if __name__ == '__main__':
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
