# SPDX-License-Identifier: BSD-2-Clause
"""A private, real Postfix on loopback that delivers to a `Dovecot` of the same test.

Submission with STARTTLS and with TLS from the first byte, both with AUTH against that Dovecot's
users, and a plain port that takes mail for the domain as from the outside.  Mail for other
domains is accepted and discarded: nothing leaves the machine.  Needs root, as Postfix does.
"""

import os
import pwd
import re
import shutil
import subprocess
import time
import unittest

from . import process

MASTER = '/usr/lib/postfix/sbin/master'
POSTQUEUE = shutil.which('postqueue') or '/usr/sbin/postqueue'

_MAIN = '''
compatibility_level = 3.6
queue_directory = {directory}/queue
data_directory = {directory}/data
maillog_file = {directory}/log
maillog_file_prefixes = {directory}
myhostname = mail.example.com
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = loopback-only
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = texthash:{directory}/recipients
virtual_transport = lmtp:unix:{lmtp_socket}
default_transport = discard
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
smtpd_tls_cert_file = {certificate.certificate_file}
smtpd_tls_key_file = {certificate.key_file}
smtpd_tls_security_level = may
smtpd_tls_loglevel = 1
smtpd_sasl_type = dovecot
smtpd_sasl_path = {auth_socket}
smtpd_sasl_security_options = noanonymous
smtpd_recipient_restrictions = reject_unlisted_recipient, permit_sasl_authenticated, reject_unauth_destination
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtputf8_enable = yes
biff = no
minimal_backoff_time = 1s
queue_run_delay = 1s
in_flow_delay = 0
smtpd_error_sleep_time = 0
smtpd_client_connection_count_limit = 0
anvil_rate_time_unit = 60s
'''

_MASTER = '''
127.0.0.1:{smtp_port} inet n - n - - smtpd
  -o smtpd_sasl_auth_enable=no
127.0.0.1:{submission_port} inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
  -o smtpd_delay_reject=yes
127.0.0.1:{smtps_port} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
'''

_QUEUES = ('active', 'bounce', 'corrupt', 'defer', 'deferred', 'flush', 'hold', 'incoming', 'maildrop', 'pid', 'private',
           'public', 'saved', 'trace')
_WAITING = ('active', 'deferred', 'hold', 'incoming', 'maildrop')


class Postfix:
    """A server, started by `start()` or `with`.  Ports stay the same over a restart."""

    def __init__(self, dovecot, *, domain='example.com', certificate=None, main=None):
        """main: settings of main.cf beyond or instead of ours, e.g. {'message_size_limit': 100000}."""
        if os.geteuid() != 0:
            raise unittest.SkipTest('Postfix needs root')
        if not os.access(MASTER, os.X_OK):
            raise unittest.SkipTest('Postfix is not installed')
        self.dovecot = dovecot
        self.domain = domain
        self.certificate = certificate or dovecot.certificate
        self.ca_file = self.certificate.ca_file
        self.host = 'localhost'
        self.directory = process.temporary_directory('mailtest-postfix-')
        self.main = dict(main or {})
        self._child = None
        self._choose_ports()
        self._make_directories()

    def _choose_ports(self):
        self.smtp_port, self.submission_port, self.smtps_port = (process.free_port() for _ in range(3))

    def _make_directories(self):
        owner = pwd.getpwnam('postfix')
        for name in ('data', 'conf', 'queue') + tuple('queue/' + name for name in _QUEUES):
            path = os.path.join(self.directory, name)
            os.mkdir(path)
            if name not in ('conf', 'queue', 'queue/pid'):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        os.symlink('/etc/postfix/dynamicmaps.cf', self._path('conf/dynamicmaps.cf'))

    def _path(self, name):
        return os.path.join(self.directory, name)

    @property
    def log_file(self):
        return self._path('log')

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Returns self once it accepts mail."""
        for _attempt in range(3):
            self._write_configuration()
            self._child = process.Child([MASTER, '-d', '-c', self._path('conf')], self._path('output'))
            process.wait_for(lambda: process.port_answers(self.smtps_port) or self._child.exit_status() is not None, 10, 'Postfix')
            if self._child.exit_status() is None:
                return self
            self._child.kill()
            if 'Address already in use' not in self.log():
                break
            self._choose_ports()
        with open(self._path('output'), encoding='utf-8', errors='replace') as file:
            raise RuntimeError('Postfix does not start:\n' + self.log() + file.read())

    def stop(self):
        """Ends it; what is queued stays queued until the next `start()`."""
        if self._child:
            self._child.stop()
            self._child = None

    def restart(self):
        self.stop()
        return self.start()

    def reconfigure(self, **main):
        """Change settings of main.cf and restart."""
        self.main.update(main)
        return self.restart()

    def _write_configuration(self):
        self.refresh_recipients()
        values = dict(vars(self), lmtp_socket=self.dovecot.lmtp_socket, auth_socket=self.dovecot.auth_socket)
        ours = dict(line.split(' =', 1) for line in _MAIN.format(**values).strip().splitlines())
        ours.update((name, f' {value}') for name, value in self.main.items())
        self._write('conf/main.cf', ''.join(f'{name} ={value}\n' for name, value in ours.items()))
        self._write('conf/master.cf', _MASTER.format(**values))

    def _write(self, name, text):
        """A file that looks old: Postfix waits until its configuration is two seconds old before it reads it."""
        with open(self._path(name), 'w', encoding='utf-8') as file:
            file.write(text)
        a_while_ago = time.time() - 60
        os.utime(self._path(name), (a_while_ago, a_while_ago))

    def refresh_recipients(self):
        """Take over users that were added to Dovecot; others get a 550.  A running server sees them within a minute."""
        self._write('recipients', ''.join(f'{user}@{self.domain} ok\n' for user in self.dovecot.users))

    # What happened

    def queue_empty(self):
        return not any(files for name in _WAITING for _, _, files in os.walk(self._path('queue/' + name)))

    def wait_until_delivered(self, timeout=10):
        """Until nothing waits in the queue any more."""
        process.wait_for(self.queue_empty, timeout, 'an empty Postfix queue')

    def flush(self):
        """Try deferred mail now."""
        subprocess.run([POSTQUEUE, '-c', self._path('conf'), '-f'], check=True)

    def log(self):
        try:
            with open(self.log_file, encoding='utf-8', errors='replace') as file:
                return file.read()
        except FileNotFoundError:
            return ''

    def count(self, pattern):
        """How many lines of the log match."""
        return sum(1 for line in self.log().splitlines() if re.search(pattern, line))
