#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""A mount that is taken away, or told to end, while a server that it connects to says nothing: the daemon ends at once, not after `timeout`."""

import contextlib
import os
import socket
import time

import mailtest
from mailtest.scripted_imap import stall
from mailtest.scripted_smtp import STALL

SOON_S = 2          # the default `timeout` is 15
# Another message each time: the sent folder, which all share, may be asked for its Message-ID.
LETTER = b'From: Alice <alice@example.com>\r\nTo: bob@example.com\r\nSubject: waits\r\n\r\nhello\r\n'
ESTABLISHED, SYN_SENT = '01', '02'


class FullBacklog:
    """Listens and accepts nothing, its queue full: a further connect(2) gets no answer at all."""

    def __init__(self):
        self.port = mailtest.free_port()
        self.sockets = contextlib.ExitStack()

    def __enter__(self):
        listener = self.sockets.enter_context(socket.socket())
        listener.bind(('127.0.0.1', self.port))
        listener.listen(0)
        while True:
            client = self.sockets.enter_context(socket.socket())
            client.settimeout(0.3)
            try:
                client.connect(('127.0.0.1', self.port))
            except TimeoutError:
                return self

    def __exit__(self, *_):
        self.sockets.close()


def silent():
    """Accepts, and says nothing: neither a greeting nor its part of a TLS handshake."""
    return mailtest.ScriptedImap([stall()])


def has_connection(pid, port, state):
    """Whether a process has a TCP socket to the port in a state, as /proc/net/tcp names it."""
    sockets = set()
    for fd in os.listdir(f'/proc/{pid}/fd'):
        with contextlib.suppress(OSError):
            sockets.add(os.readlink(f'/proc/{pid}/fd/{fd}'))
    with open('/proc/net/tcp', encoding='ascii') as file:
        lines = [line.split() for line in file.readlines()[1:]]
    return any(line[2].endswith(f':{port:04X}') and line[3] == state and f'socket:[{line[9]}]' in sockets for line in lines)


class Silences:
    """The places at which a server may fall silent before anybody is signed in. Mounted with delay_connect, as at boot."""

    def mount(self, section):
        mount = mailtest.Mount(section, ['delay_connect']).start()
        self.addCleanup(mount.unmount)
        return mount

    def wait_for_connection(self, mount, port, state):
        mailtest.wait_for(lambda: has_connection(mount.pid, port, state), 10, f'a connection to port {port}')

    def ends_soon(self, end):
        start = time.monotonic()
        self.assertEqual(end(), 0)
        self.assertLess(time.monotonic() - start, SOON_S)

    def each_way_of_ending(self, make, state, security):
        for end in mailtest.Mount.unmount, mailtest.Mount.terminate:
            with self.subTest(end.__name__), make() as server:
                self.ends_while_it_waits(server.port, state, security, end)

    def test_while_a_connection_is_not_answered(self):
        self.each_way_of_ending(FullBacklog, SYN_SENT, 's')

    def test_while_tls_is_not_answered(self):
        self.each_way_of_ending(silent, ESTABLISHED, 's')

    def test_while_there_is_no_greeting(self):
        self.each_way_of_ending(silent, ESTABLISHED, '+insecure')


class Mailbox(Silences, mailtest.MountTestCase):
    def ends_while_it_waits(self, port, state, security, end):
        mount = self.mount({'imap': f'imap{security}://alice@localhost:{port}', 'password': 'secret'})
        self.wait_for_connection(mount, port, state)
        self.ends_soon(lambda: end(mount))
        self.assertFalse(mailtest.is_mounted(mount.path))

    def test_while_a_password_command_runs(self):
        with mailtest.Dovecot() as server:
            asked = os.path.join(mailtest.temporary_directory(), 'asked')
            mount = self.mount(mailtest.account(server, password=None, password_command=f'touch {asked}; sleep 50'))
            mailtest.wait_for(lambda: os.path.exists(asked), 10, 'the command')
            self.ends_soon(mount.unmount)


class Submission(Silences, mailtest.MountTestCase):
    """A message is in the outbox."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = mailtest.Dovecot(special_use={'Sent': '\\Sent'}).start()
        cls.addClassCleanup(cls.server.stop)

    def section(self, smtp):
        return mailtest.account(self.server, smtp=smtp, sent='Sent')

    def ends_while_it_waits(self, port, state, security, end, until=lambda: True):
        mount = self.mount(self.section(f'smtp{security}://alice@localhost:{port}'))
        with open(mount / 'outbox/letter.eml', 'wb') as file:
            file.write(LETTER)
        self.wait_for_connection(mount, port, state)
        mailtest.wait_for(until, 10, 'the server to be asked')
        self.assertEqual(os.getxattr(mount / 'outbox/letter.eml', 'user.mail.state'), b'sending')
        self.ends_soon(lambda: end(mount))
        self.assertNotIn('messages wait', mount.log())
        self.is_sent_by_the_next_mount(mount)

    def test_while_the_server_considers_a_recipient(self):
        with mailtest.ScriptedSmtp({'RCPT': STALL}) as server:
            self.ends_while_it_waits(server.port, ESTABLISHED, '+insecure', mailtest.Mount.unmount,
                                     lambda: any(line.startswith(b'RCPT') for line in server.commands))

    def is_sent_by_the_next_mount(self, mount):
        """At once, not after a pause as for a server that failed; and once."""
        with mailtest.ScriptedSmtp() as server:
            mount.configure(self.section(f'smtp+insecure://alice@localhost:{server.port}'))
            mount.start()
            mailtest.wait_for(lambda: os.listdir(mount / 'outbox') == ['failed'], 10, 'an empty outbox')
            self.assertEqual(os.listdir(mount / 'outbox/failed'), [])
            mount.unmount()
            self.assertEqual(len(server.accepted()), 1)


if __name__ == '__main__':
    mailtest.main()
