#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the command says, and exits with, when the server cannot be trusted, reached or understood.

Each refusal is one line and the exit status of mailfs(1): 77 for sign-in and certificate, 75 out of reach.
"""

import subprocess
import time

import mailtest
from mailtest import scripted_imap as imap

UNREACHABLE, REFUSED = 75, 77


class Refusing(mailtest.MountTestCase):
    """Every case runs the program once against a server that it must not mount."""

    def refused(self, section, status, *words, options=()):
        begin = time.monotonic()
        got, text = mailtest.Mount(section, options).start_expect_failure()
        self.assertEqual(got, status, text)
        self.assertEqual(len(text.splitlines()), 1, text)
        for word in words:
            self.assertIn(word, text)
        self.assertNotIn('secret', text)
        return time.monotonic() - begin


class SignIn(Refusing):
    """A real server."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = mailtest.Dovecot().start()
        cls.addClassCleanup(cls.server.stop)

    def section(self, **keys):
        return mailtest.account(self.server, **keys)

    def test_a_wrong_password_is_told_in_the_servers_words(self):
        self.refused(self.section(password='wrong'), REFUSED, 'alice', 'localhost')

    def test_an_unknown_user_is_refused(self):
        self.refused(self.section(imap=f'imaps://nobody@localhost:{self.server.imaps_port}'), REFUSED)

    def test_a_closed_port_is_out_of_reach(self):
        port = mailtest.free_port()
        self.refused(self.section(imap=f'imaps://alice@localhost:{port}'), UNREACHABLE, f'localhost:{port}', 'refused')

    def test_an_unknown_host_is_out_of_reach(self):
        self.refused(self.section(imap='imaps://alice@nowhere.invalid'), UNREACHABLE, 'nowhere.invalid')

    def certificate(self, certificate, *words, **keys):
        with mailtest.Dovecot(certificate=certificate) as server:
            self.refused(mailtest.account(server, tls_ca=certificate.ca_file, **keys), REFUSED, *words)

    def test_a_certificate_for_another_host_is_refused(self):
        self.certificate(mailtest.certificates.wrong_host(), 'localhost')

    def test_an_expired_certificate_is_refused(self):
        self.certificate(mailtest.certificates.expired(), 'expired')

    def test_a_self_signed_certificate_is_refused_with_its_fingerprint(self):
        own = mailtest.certificates.self_signed()
        with mailtest.Dovecot(certificate=own) as server:
            self.refused(mailtest.account(server, tls_ca=None), REFUSED, 'tls-fingerprint', own.fingerprint().split(':')[1])

    def test_a_pinned_self_signed_certificate_mounts(self):
        own = mailtest.certificates.self_signed()
        with mailtest.Dovecot(certificate=own) as server:
            with mailtest.Mount(mailtest.account(server, tls_ca=None, tls_fingerprint=own.fingerprint())) as mount:
                self.assertEqual(mount.status()['state'], 'online')

    def test_a_wrong_pin_is_refused_whatever_the_authority_says(self):
        other = mailtest.certificates.self_signed().fingerprint()
        self.refused(self.section(tls_fingerprint=other), REFUSED, 'fingerprint')

    def test_an_authority_that_is_not_trusted_is_refused(self):
        self.refused(self.section(tls_ca=None), REFUSED, 'certificate')

    def test_starttls_works_and_is_required(self):
        section = self.section(imap=f'imap://alice@localhost:{self.server.imap_port}')
        with mailtest.Mount(section) as mount:
            self.assertEqual(mount.status()['state'], 'online')


class Scripted(Refusing):
    """Servers that misbehave before or at sign-in."""

    def scripted(self, steps, status, *words, scheme='imap+insecure', **keys):
        with mailtest.ScriptedImap(steps) as server:
            section = mailtest.account(imap=f'{scheme}://alice@localhost:{server.port}', password='secret', timeout=2, **keys)
            took = self.refused(section, status, *words)
            self.assertLess(took, 8)
            return server

    def test_starttls_stripped_sends_no_password(self):
        rules = [(rb'CAPABILITY', imap.capability(b'IMAP4rev1 AUTH=PLAIN'))] + imap.SIGN_IN
        server = self.scripted([imap.send(b'* OK hi\r\n'), imap.answer(rules)], REFUSED, 'STARTTLS', scheme='imap')
        self.assertFalse([line for line in server.commands if b'LOGIN' in line or b'AUTHENTICATE' in line])

    def test_a_server_that_closes_at_once(self):
        self.scripted([imap.close()], UNREACHABLE)

    def test_a_server_that_closes_after_the_greeting(self):
        self.scripted([imap.send(b'* OK hi\r\n'), imap.close()], UNREACHABLE)

    def test_a_server_that_says_bye(self):
        self.scripted([imap.send(b'* BYE too busy today\r\n'), imap.close()], UNREACHABLE, 'too busy today')

    def test_a_server_that_never_greets(self):
        self.scripted([imap.stall()], UNREACHABLE)

    def test_a_server_that_drips(self):
        self.scripted([imap.drip(b'* OK ' + b'x' * 1000, 2), imap.stall()], UNREACHABLE)

    def test_garbage(self):
        self.scripted([imap.garbage(), imap.close()], UNREACHABLE)

    def test_an_endless_line(self):
        self.scripted([imap.endless_line()], UNREACHABLE)

    def test_a_literal_of_four_gigabytes(self):
        self.scripted([imap.send(b'* OK hi\r\n'), imap.expect_line(rb''), imap.huge_literal()], UNREACHABLE)

    def test_preauth_where_tls_is_required(self):
        self.scripted([imap.send(b'* PREAUTH welcome\r\n'), imap.stall()], REFUSED, 'PREAUTH', scheme='imap')


class Ending(mailtest.MountTestCase):
    """A daemon whose mount is taken away while it waits for a server."""

    def test_it_can_be_mounted_again_at_once(self):
        with mailtest.ScriptedImap([imap.stall()]) as server:
            section = mailtest.account(imap=f'imap+insecure://alice@localhost:{server.port}', password='secret', timeout=4)
            first = mailtest.Mount(section, ['delay_connect']).start()
            server.wait_for_connections(1)
            subprocess.run(['fusermount3', '-u', first.path], check=True)
            second = mailtest.Mount(section, ['delay_connect'], directory=first.directory).start(timeout=15)
            self.assertTrue(mailtest.is_mounted(second.path))
            second.unmount(timeout=15)
            first.unmount()


if __name__ == '__main__':
    mailtest.main()
