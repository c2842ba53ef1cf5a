# SPDX-License-Identifier: BSD-2-Clause
"""A private, real Dovecot on loopback: IMAP, POP3, LMTP and an authentication socket for Postfix.

Everything lives in a temporary directory; several may run side by side.  Users sign in as
`alice` or `alice@example.com`.  Mail can be put in and looked at behind the server's back,
through its Maildirs, or through `imap()`.
"""

import glob
import imaplib
import os
import pwd
import re
import shutil
import socket
import subprocess
import time
import unittest

from . import certificates, dovecot_config, maildir, process, utf7

PROGRAM = shutil.which('dovecot') or '/usr/sbin/dovecot'
DOVEADM = shutil.which('doveadm') or '/usr/bin/doveadm'
imaplib._MAXLINE = 64 << 20  # replies to FETCH of real mail have lines of a megabyte


def _listescape(part):
    """The directory of a folder's name part in layout 'fs', as the listescape plugin writes it."""
    escaped = utf7.encode(part).replace('\\', r'\5c').replace('/', r'\2f')
    if escaped in ('.', '..') or escaped.startswith('~'):
        escaped = f'\\{ord(escaped[0]):02x}' + escaped[1:]
    return escaped


class Dovecot:
    """A server, started by `start()` or `with`.  Ports and paths stay the same over a restart."""

    def __init__(self, users=None, *, layout='maildir++', separator='/', prefix='', special_use=None, quota=None,
                 append_limit=None, acl=False, imap_capability=None, max_userip_connections=10, certificate=None, ssl='yes',
                 mechanisms='plain login cram-md5 scram-sha-1 scram-sha-256', plugins=(), rawlog=False, extra=''):
        """
        layout: 'maildir++', 'fs' or 'index'.  special_use: {name: flag}, `{}` for no folders but INBOX.
        quota: a Dovecot rule, e.g. 'storage=10M:messages=1000'.  append_limit: bytes of a message, told as APPENDLIMIT and enforced.
        acl: with a `shared/USER/` namespace, and `set_rights()`.
        ssl: 'yes', 'no' or 'required': then LOGINDISABLED without TLS, but only for clients that do not come from the
        address they connect to; a `Proxy` with source='127.0.0.2' makes one.
        rawlog: record what clients send, see `commands()`.  extra: more configuration text.
        """
        if not os.access(PROGRAM, os.X_OK):
            raise unittest.SkipTest('Dovecot is not installed')
        self.users = dict(users or {'alice': 'secret', 'bob': 'secret'})
        self.certificate = certificate or certificates.good()
        self.ca_file = self.certificate.ca_file
        self.host = 'localhost'
        self.directory = process.temporary_directory('mailtest-dovecot-')
        self.layout, self.separator, self.prefix = layout, separator, prefix
        self.lmtp_socket = os.path.join(self.directory, 'lmtp')
        self.auth_socket = os.path.join(self.directory, 'auth')
        self._child = None
        self._users_mtime = 1
        self._paths = {}        # of folders, (name, user): asking doveadm takes 30 ms
        self._settings = dict(
            layout=layout, separator=separator, prefix=prefix, quota=quota, append_limit=append_limit, acl=acl, plugins=plugins, rawlog=rawlog,
            special_use=dovecot_config.SPECIAL_USE if special_use is None else special_use, extra=extra,
            imap_capability=imap_capability, max_userip_connections=max_userip_connections, ssl=ssl,
            mechanisms=mechanisms, certificate=self.certificate, directory=self.directory)
        self._choose_ports()
        self._make_directory('mail')
        for user in self.users:
            self._make_home(user)

    def _choose_ports(self):
        self.imap_port, self.imaps_port, self.pop3_port, self.pop3s_port = (process.free_port() for _ in range(4))

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self._child:
            self._child.kill()
            self._child = None

    # Running

    def start(self):
        """Returns self once it accepts sign-ins.  A port that somebody took meanwhile is replaced, the first time."""
        for _attempt in range(3):
            self._write_configuration()
            self._child = process.Child([PROGRAM, '-F', '-c', self.config_file], self.log_file)
            process.wait_for(lambda: self._greets() or self._child.exit_status() is not None, 10, 'Dovecot')
            if self._child.exit_status() is None:
                return self
            self._child.kill()
            if 'Address already in use' not in self.log():
                break
            self._choose_ports()
        raise RuntimeError('Dovecot does not start:\n' + self.log())

    def _greets(self):
        """Only a greeting shows that the master handles signals: it listens before."""
        try:
            with socket.create_connection(('127.0.0.1', self.imap_port), 5) as client:
                return client.recv(4) == b'* OK'
        except OSError:
            return False

    def stop(self):
        """Ends it and all sessions, which takes Dovecot a second; `start()` brings it back on the same ports with the same mail."""
        if self._child:
            self._child.stop()
            self._child = None

    def restart(self):
        self.stop()
        return self.start()

    @property
    def config_file(self):
        return os.path.join(self.directory, 'dovecot.conf')

    @property
    def log_file(self):
        return os.path.join(self.directory, 'log')

    def _write_configuration(self):
        self._write_users()
        ports = {name: getattr(self, name) for name in ('imap_port', 'imaps_port', 'pop3_port', 'pop3s_port')}
        with open(self.config_file, 'w', encoding='utf-8') as file:
            file.write(dovecot_config.text(dict(self._settings, **ports)))

    def reconfigure(self, **settings):
        """Change constructor settings (quota, imap_capability, extra …) and restart."""
        self._settings.update(settings)
        return self.restart()

    # Users

    def add_user(self, user, password='secret'):
        """Or change the password of one; a running server knows at once."""
        self.users[user] = password
        self._make_home(user)
        self._write_users()
        if self._child:
            time.sleep(1.01 - time.time() % 1)      # Dovecot looks at the file once in a whole second

    def _write_users(self):
        path = os.path.join(self.directory, 'users')
        with open(path + '.new', 'w', encoding='utf-8') as file:
            file.writelines(f'{user}:{{PLAIN}}{password}::::::\n' for user, password in self.users.items())
        # Dovecot reads it again only when its size or the whole seconds of its mtime differ.
        self._users_mtime += 1
        os.utime(path + '.new', (self._users_mtime, self._users_mtime))
        os.replace(path + '.new', path)

    def _make_home(self, user):
        home = self._make_directory('mail', user)
        if self._settings['rawlog']:
            self._make_directory('mail', user, 'rawlog')
        return home

    def _make_directory(self, *parts):
        path = os.path.join(self.directory, *parts)
        os.makedirs(path, mode=0o711, exist_ok=True)
        os.chown(path, *self.mail_owner())
        return path

    @staticmethod
    def mail_owner():
        """(uid, gid) that mail must belong to."""
        if os.geteuid() != 0:
            return os.geteuid(), os.getegid()
        nobody = pwd.getpwnam('nobody')
        return nobody.pw_uid, nobody.pw_gid

    # Mail behind the server's back

    def name(self, folder):
        """The mailbox name on this server of a folder, given as its parts: ('Lists', 'a/b'), or 'INBOX', or a name as it is."""
        if isinstance(folder, str):
            return folder
        return self.prefix + self.separator.join(folder)

    def maildir(self, folder='INBOX', user='alice'):
        """The directory of a folder that the server knows; made by the server if it is not there yet."""
        name = self.name(folder)
        if name == 'INBOX' and self.layout == 'maildir++':
            return maildir.make(os.path.join(self.directory, 'mail', user, 'Maildir'), self.mail_owner())
        path = self._paths.get((name, user))
        if path and os.path.isdir(path):
            return path
        path = self._path_on_disk(name, user)
        if not os.path.isdir(path):
            self.doveadm('mailbox', 'create', '-u', user, '--', name)
            path = self._path_on_disk(name, user)
        if self.layout != 'index':      # there a renamed folder keeps its path
            self._paths[name, user] = path
        return maildir.make(path, self.mail_owner())

    def _path_on_disk(self, name, user):
        try:
            return self.doveadm('mailbox', 'path', '-u', user, '--', name).rstrip('\n')
        except subprocess.CalledProcessError:
            return ''

    def make_folder_on_disk(self, folder, user='alice'):
        """For names that Dovecot serves but refuses to CREATE (control characters); layout 'fs' with listescape only."""
        path = os.path.join(self.directory, 'mail', user, 'Maildir', *map(_listescape, folder))
        return maildir.make(path, self.mail_owner())

    def deliver(self, data, folder='INBOX', flags='', date=None, user='alice'):
        """Put a message's bytes into a Maildir; returns its path.  flags: letters of `FRSTD`, or IMAP words."""
        return maildir.deliver(self.maildir(folder, user), data, flags, date, self.mail_owner())

    def fill(self, count, folder='INBOX', user='alice', **options):
        """`maildir.fill` of a folder."""
        return maildir.fill(self.maildir(folder, user), count, owner=self.mail_owner(), **options)

    def take_mail(self, other):
        """Before start(): all mail of another server of the same layout, which is stopped, as it is there, UIDs and all."""
        subprocess.run(['cp', '-a', os.path.join(other.directory, 'mail') + '/.', os.path.join(self.directory, 'mail')], check=True)

    def new_uidvalidity(self, folder='INBOX', user='alice'):
        """Restart with this folder under a new UIDVALIDITY and all its UIDs given anew, from 1; returns the UIDVALIDITY."""
        directory = self.maildir(folder, user)
        uidlist = os.path.join(directory, 'dovecot-uidlist')
        self.stop()
        with open(uidlist, encoding='ascii') as file:
            uidvalidity = int(re.match(r'3 V(\d+)', file.readline()).group(1)) + 1
        for index in glob.glob(os.path.join(glob.escape(directory), 'dovecot.index*')):
            os.unlink(index)
        with open(uidlist, 'w', encoding='ascii') as file:
            file.write(f'3 V{uidvalidity} N1\n')
        self.start()
        return uidvalidity

    def set_rights(self, folder, rights, user='alice'):
        """
        What a user may do in a folder of hers from now on, as letters of RFC 4314 (`lr`: read only); None: all, as it was.
        Needs acl=True.  A session that has looked at the folder before goes on by what it knows: end it, e.g. with
        Proxy.drop_connections().
        """
        path = os.path.join(self.maildir(folder, user), 'dovecot-acl')
        if rights is None:
            os.unlink(path)
            return
        with open(path + '.new', 'w', encoding='ascii') as file:
            file.write(f'owner {rights}\n')
        os.chown(path + '.new', *self.mail_owner())
        os.replace(path + '.new', path)

    def doveadm(self, *arguments):
        """Output of a doveadm command on this server."""
        return subprocess.run([DOVEADM, '-c', self.config_file, *arguments],
                              check=True, capture_output=True, text=True).stdout

    # As a client

    def imap(self, user='alice', password=None, tls=False):
        """An imaplib client, signed in."""
        if tls:
            client = imaplib.IMAP4_SSL(self.host, self.imaps_port, ssl_context=self.certificate.client_context(), timeout=30)
        else:
            client = imaplib.IMAP4('127.0.0.1', self.imap_port, timeout=30)
        client.login(user, self.users[user.partition('@')[0]] if password is None else password)
        return client

    def create(self, folder, user='alice'):
        """CREATE and SUBSCRIBE; returns the mailbox name."""
        name = self.name(folder)
        with self.imap(user) as client:
            for command in (client.create, client.subscribe):
                status, reply = command(utf7.quote(name))
                if status != 'OK':
                    raise RuntimeError(f'{name!r}: {reply}')
        return name

    def messages(self, folder='INBOX', user='alice'):
        """{uid: (flags, bytes)} as the server tells it, with BODY.PEEK[], so unchanged by the question."""
        result = {}
        with self.imap(user) as client:
            status, reply = client.select(utf7.quote(self.name(folder)), readonly=True)
            if status != 'OK':
                raise RuntimeError(f'{folder!r}: {reply}')
            for item in client.uid('FETCH', '1:*', '(UID FLAGS BODY.PEEK[])')[1]:
                if isinstance(item, tuple):
                    head = item[0].decode('ascii')
                    flags = frozenset(re.search(r'FLAGS \(([^)]*)\)', head).group(1).split())
                    result[int(re.search(r'UID (\d+)', head).group(1))] = (flags, item[1])
        return result

    # What happened

    def log(self):
        try:
            with open(self.log_file, encoding='utf-8', errors='replace') as file:
                return file.read()
        except FileNotFoundError:
            return ''

    def count(self, pattern):
        """How many lines of the log match."""
        return sum(1 for line in self.log().splitlines() if re.search(pattern, line))

    def logins(self):
        return self.count(r'(imap|pop3)-login: Info: Login: ')

    def sessions(self):
        """The counters of each finished IMAP session: [{'in': 511, 'out': 2048, 'body_count': 3, 'body_bytes': …}]."""
        return [{key: int(value) for key, value in re.findall(r'(\w+)=(\d+)', line)}
                for line in self.log().splitlines() if re.search(r'imap\(.*Disconnected.* out=\d', line)]

    def commands(self, user='alice'):
        """All that clients of a user sent after sign-in (needs rawlog=True): lines `TIME TAG COMMAND …`."""
        directory = os.path.join(self.directory, 'mail', user, 'rawlog')
        texts = []
        for name in sorted(os.listdir(directory)):
            if name.endswith('.in'):
                with open(os.path.join(directory, name), encoding='utf-8', errors='replace') as file:
                    texts.append(file.read())
        return ''.join(texts)
