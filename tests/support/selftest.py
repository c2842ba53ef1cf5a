#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Tests of the test support itself: servers, certificates, proxy, scripted servers, mailboxes, time limits.

Nothing here needs mailfs or /dev/fuse.
"""

import contextlib
import imaplib
import os
import re
import smtplib
import socket
import ssl
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import mailtest  # noqa: E402
from mailtest import certificates, folders, maildir, messages, process, scripted_smtp, utf7  # noqa: E402
from mailtest.scripted_imap import (SIGN_IN, answer, close, drip, endless_line, expect, garbage, huge_literal,  # noqa: E402
                                    in_turn, one_folder, send, stall, starttls)


class Certificates(unittest.TestCase):
    def handshake(self, certificate, name='localhost'):
        """With a server that has the certificate and a client that trusts `ca_file`."""
        with mailtest.ScriptedImap([send(b'* OK hi\r\n'), stall()], certificate.server_context()) as server:
            with socket.create_connection(('127.0.0.1', server.port), 5) as plain:
                with certificate.client_context().wrap_socket(plain, server_hostname=name) as client:
                    return client.getpeercert(binary_form=True)

    def test_good_one_is_good_by_name_and_address(self):
        for name in ('localhost', '127.0.0.1'):
            self.handshake(certificates.good(), name)

    def test_bad_ones_are_refused_for_the_right_reason(self):
        for kind, reason in (('wrong_host', 'Hostname mismatch'), ('expired', 'has expired'), ('not_yet_valid', 'not yet valid'),
                             ('self_signed', 'self.signed'), ('other_ca', 'unable to get local issuer')):
            with self.subTest(kind), self.assertRaisesRegex(ssl.SSLCertVerificationError, reason):
                self.handshake(getattr(certificates, kind)())

    def test_fingerprint_is_what_openssl_says(self):
        certificate = certificates.good()
        output = subprocess.run(['openssl', 'x509', '-noout', '-fingerprint', '-sha256', '-in', certificate.certificate_file],
                                capture_output=True, text=True, check=True).stdout
        self.assertEqual(certificate.fingerprint(), 'sha256:' + output.strip().partition('=')[2].replace(':', '').lower())


class Servers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dovecot = mailtest.Dovecot().start()
        cls.postfix = mailtest.Postfix(cls.dovecot).start()

    @classmethod
    def tearDownClass(cls):
        cls.postfix.stop()
        cls.dovecot.stop()

    def submit(self, client, subject):
        with client:
            client.login('alice', 'secret')
            client.sendmail('alice@example.com', ['bob@example.com'], messages.letter(subject=subject))
        self.postfix.wait_until_delivered()
        found = [data for _, data in self.dovecot.messages(user='bob').values() if f'Subject: {subject}\r\n'.encode() in data]
        self.assertEqual(len(found), 1)

    def test_letter_goes_by_starttls_through_postfix_into_dovecot(self):
        client = smtplib.SMTP('localhost', self.postfix.submission_port)
        client.starttls(context=self.postfix.certificate.client_context())
        self.submit(client, 'by STARTTLS')

    def test_letter_goes_by_smtps_through_postfix_into_dovecot(self):
        context = self.postfix.certificate.client_context()
        self.submit(smtplib.SMTP_SSL('localhost', self.postfix.smtps_port, context=context), 'by smtps')

    def test_wrong_passwords_are_refused_without_growing_delays(self):
        start = time.monotonic()
        for _ in range(3):
            with self.assertRaisesRegex(imaplib.IMAP4.error, 'AUTHENTICATIONFAILED'):
                self.dovecot.imap(password='wrong')
        with smtplib.SMTP_SSL('localhost', self.postfix.smtps_port, context=self.postfix.certificate.client_context()) as client:
            self.assertRaises(smtplib.SMTPAuthenticationError, client.login, 'alice', 'wrong')
        self.assertLess(time.monotonic() - start, 8)

    def test_changed_password_counts_at_once(self):
        self.dovecot.add_user('carol', 'before')
        self.dovecot.imap('carol').logout()
        self.dovecot.add_user('carol', 'behind')
        self.dovecot.imap('carol').logout()

    def test_unknown_recipient_is_refused(self):
        with smtplib.SMTP('localhost', self.postfix.smtp_port) as client, self.assertRaises(smtplib.SMTPRecipientsRefused):
            client.sendmail('x@example.org', ['unknown@example.com'], messages.letter())

    def test_delivered_message_has_flags_and_date(self):
        self.dovecot.deliver(b'Subject: x\n\nbody\n', ('Archive',), '\\Seen \\Flagged', date=1500000000)
        with self.dovecot.imap(tls=True) as client:
            client.select('Archive', readonly=True)
            reply = client.fetch('1', '(FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])')[1]
        self.assertIn(b'\\Seen', reply[0][0])
        self.assertIn(b'14-Jul-2017', reply[0][0])
        self.assertEqual(reply[0][1], b'Subject: x\r\n\r\nbody\r\n')
        self.assertIn(b'RFC822.SIZE %d' % len(reply[0][1]), reply[0][0])

    def test_restart_keeps_ports_and_mail(self):
        self.dovecot.deliver(messages.letter(), ('Junk',))
        port = self.dovecot.imap_port
        self.dovecot.restart()
        self.assertEqual(self.dovecot.imap_port, port)
        self.assertEqual(len(self.dovecot.messages(('Junk',))), 1)

    def test_new_uidvalidity_gives_uids_anew(self):
        for number in range(3):
            self.dovecot.deliver(messages.letter(), ('Trash',))
        with self.dovecot.imap() as client:
            client.select('Trash')
            client.uid('STORE', '1', '+FLAGS', '\\Deleted')
            client.expunge()
        self.assertEqual(list(self.dovecot.messages(('Trash',))), [2, 3])
        uidvalidity = self.dovecot.new_uidvalidity(('Trash',))
        self.assertEqual(list(self.dovecot.messages(('Trash',))), [1, 2])
        with self.dovecot.imap() as client:
            self.assertIn(b'%d' % uidvalidity, client.status('Trash', '(UIDVALIDITY)')[1][0])

    def test_proxy_counts_and_delays(self):
        with mailtest.Proxy(self.dovecot.imap_port, latency=0.1, record=True) as proxy:
            client = imaplib.IMAP4('127.0.0.1', proxy.port)
            start = time.monotonic()
            client.noop()
            self.assertGreater(time.monotonic() - start, 0.09)
            client.logout()
        self.assertEqual(proxy.connections, 1)
        self.assertRegex(bytes(proxy.sent), rb'NOOP\r\n')
        self.assertEqual(proxy.from_server, len(proxy.received))

    def test_proxy_cuts_at_the_byte_in_each_way(self):
        for how, end in (('close', contextlib.nullcontext()), ('reset', self.assertRaises(ConnectionResetError)),
                         ('stall', self.assertRaises(TimeoutError))):
            with mailtest.Proxy(self.dovecot.imap_port, cut_server=10, how=how) as proxy, \
                    socket.create_connection(('127.0.0.1', proxy.port), 0.5) as client, self.subTest(how):
                with end:
                    self.assertEqual(client.makefile('rb').read(), b'* OK [CAPA')
                self.assertEqual(proxy.from_server, 10)

    def test_proxy_stalls_and_resumes_goes_down_and_up(self):
        with mailtest.Proxy(self.dovecot.imap_port) as proxy:
            client = imaplib.IMAP4('127.0.0.1', proxy.port, timeout=0.3)
            proxy.stall()
            with self.assertRaises(TimeoutError):
                client.noop()
            proxy.resume()
            proxy.down()
            with self.assertRaises(ConnectionRefusedError):
                imaplib.IMAP4('127.0.0.1', proxy.port)
            proxy.up()
            imaplib.IMAP4('127.0.0.1', proxy.port).logout()

    def test_other_source_address_gets_logindisabled(self):
        with mailtest.Dovecot(ssl='required') as strict, mailtest.Proxy(strict.imap_port, source='127.0.0.2') as proxy:
            with imaplib.IMAP4('127.0.0.1', proxy.port) as client:
                self.assertIn('LOGINDISABLED', client.capabilities)


class Layouts(unittest.TestCase):
    def test_five_hundred_odd_folders_come_back_as_they_were(self):
        names = folders.names(500)
        with mailtest.Dovecot(**folders.SERVER) as server:
            contents = folders.create(server, names)
            with server.imap() as client:
                listed = {self.listed_name(line) for line in client.list('""', '*')[1]}
                self.assertEqual({server.name(folder) for folder in names} - listed, set())
                for folder in names:
                    client.select(utf7.quote(server.name(folder)), readonly=True)
                    self.assertEqual(client.fetch('1', '(BODY.PEEK[])')[1][0][1], contents[folder], folder)

    def listed_name(self, line):
        name = line[1] if isinstance(line, tuple) else line.partition(b' "^" ')[2]
        if name.startswith(b'"'):
            name = re.sub(rb'\\(.)', rb'\1', name[1:-1])
        return utf7.decode(name.decode())

    def test_prefix_quota_sharing_and_rawlog(self):
        with mailtest.Dovecot(separator='.', prefix='INBOX.', quota='storage=1M', acl=True, rawlog=True) as server:
            server.deliver(messages.letter(), ('Lists', 'users'))
            with server.imap() as client:
                self.assertEqual(client.namespace()[1][0], b'(("INBOX." ".")) (("shared." ".")) NIL')
                self.assertIn(b'1024', client.getquotaroot('INBOX')[1][1][0])
                client.setacl('INBOX.Lists.users', 'bob', 'lr')
            with server.imap('bob') as client:
                self.assertIn(b'shared.alice.Lists.users', b' '.join(client.list('""', '*')[1]))
            self.assertIn('GETQUOTAROOT', server.commands())


class ScriptedServers(unittest.TestCase):
    def test_imap_script_signs_in_and_serves_a_message(self):
        message = b'Subject: one\r\n\r\nbody\r\n'
        with mailtest.ScriptedImap([send(b'* OK hi\r\n'), answer(one_folder(message))]) as server:
            with imaplib.IMAP4('127.0.0.1', server.port) as client:
                client.login('alice', 'secret')
                self.assertEqual(client.select(), ('OK', [b'1']))
                self.assertEqual(client.uid('FETCH', '1', '(BODY.PEEK[])')[1][0][1], message)
                self.assertEqual(client.uid('FETCH', '1', '(BODY.PEEK[]<4.6>)')[1][0][1], message[4:10])
                self.assertEqual(client.uid('FETCH', '1', '(BODY.PEEK[HEADER.FIELDS (Subject)])')[1][0][1], message[:16])
            server.check()
        self.assertIn(b'LOGIN alice', b'\n'.join(server.commands))

    def test_client_that_leaves_the_script_is_noted(self):
        with mailtest.ScriptedImap([send(b'* OK hi\r\n'), expect(rb'LOGIN')]) as server:
            with self.assertRaises(imaplib.IMAP4.abort):
                imaplib.IMAP4('127.0.0.1', server.port)
            with self.assertRaisesRegex(AssertionError, 'CAPABILITY'):
                server.check()

    def test_starttls_with_injected_plaintext(self):
        context = certificates.good().server_context()
        steps = [send(b'* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n'), starttls(context, b'* BYE injected\r\n'), answer(SIGN_IN)]
        with mailtest.ScriptedImap(steps) as server, socket.create_connection(('localhost', server.port), 5) as client:
            client.recv(100)
            client.sendall(b'a STARTTLS\r\n')
            self.assertEqual(client.recv(100), b'a OK begin\r\n* BYE injected\r\n')
            with certificates.good().client_context().wrap_socket(client, server_hostname='localhost') as secure:
                secure.sendall(b'b NOOP\r\n')
                self.assertEqual(secure.recv(100), b'b OK done\r\n')

    def test_size_can_lie_and_a_literal_can_break_off(self):
        rules = [(rb'UID FETCH 2', in_turn(send(b'* 1 FETCH (UID 2 BODY[] {1000}\r\nabc'), close()))] + one_folder(size=9999)
        with mailtest.ScriptedImap([send(b'* OK hi\r\n'), answer(rules)]) as server:
            client = imaplib.IMAP4('127.0.0.1', server.port)
            client.login('alice', 'secret')
            client.select()
            self.assertIn(b'RFC822.SIZE 9999', client.uid('FETCH', '1', '(RFC822.SIZE)')[1][0])
            with self.assertRaises(imaplib.IMAP4.abort):
                client.uid('FETCH', '2', '(BODY.PEEK[])')

    def test_faults_reach_the_client(self):
        for steps, expected in (([drip(b'* OK slow\r\n', 1000)], rb'\* OK slow\r\n'), ([garbage(500)], rb'(?s).{500}'),
                                ([endless_line(limit=1 << 20)], rb'\* OK x{1000000}'), ([close()], rb''),
                                ([huge_literal(limit=1 << 20)], rb'(?s)\* 1 FETCH .*\{4294967296\}\r\nliteral ')):
            with mailtest.ScriptedImap(steps) as server, socket.create_connection(('127.0.0.1', server.port), 5) as client:
                self.assertTrue(re.match(expected, client.makefile('rb').read()))

    def test_smtp_script_records_and_refuses(self):
        places = {'RCPT bob@example.com': b'550 5.1.1 no', '.': [b'451 4.3.0 later', None]}
        with mailtest.ScriptedSmtp(places, users={'alice': 'secret'}, starttls=certificates.good().server_context()) as server:
            with smtplib.SMTP('localhost', server.port) as client:
                client.starttls(context=certificates.good().client_context())
                client.login('alice', 'secret')
                with self.assertRaises(smtplib.SMTPDataError):
                    client.sendmail('alice@example.com', ['carol@example.com'], b'Subject: x\r\n\r\n.dot\r\n')
                client.sendmail('alice@example.com', ['bob@example.com', 'carol@example.com'], b'Subject: x\r\n\r\n.dot\r\n')
        self.assertEqual([message.data for message in server.accepted()], [b'Subject: x\r\n\r\n.dot\r\n'])
        self.assertEqual(server.accepted()[0].recipients, ['carol@example.com'])
        self.assertEqual(len(server.messages), 2)

    def test_smtp_connection_lost_at_each_place(self):
        for place in ('greeting', 'EHLO', 'MAIL', 'RCPT', 'DATA', 'data', '.'):
            for how in (scripted_smtp.DISCONNECT, scripted_smtp.RESET):
                with mailtest.ScriptedSmtp({place: how}) as server, self.subTest(place):
                    with self.assertRaises((smtplib.SMTPException, OSError)):
                        with smtplib.SMTP('localhost', server.port) as client:
                            client.sendmail('alice@example.com', ['bob@example.com'], messages.letter())
                    self.assertEqual(server.accepted(), [])
                    self.assertEqual(len(server.messages), place == '.')


class Mailboxes(unittest.TestCase):
    def test_same_seed_same_messages_and_every_kind_works(self):
        self.assertEqual([messages.varied(n, 1600000000) for n in range(150)], [messages.varied(n, 1600000000) for n in range(150)])
        for name, make in messages.KINDS.items():
            with self.subTest(name):
                self.assertIsInstance(make(messages.Source(7)), bytes)

    def test_varied_folder_is_served_with_the_sizes_told(self):
        with mailtest.Dovecot() as server:
            server.fill(1100)
            with server.imap() as client:
                client.select(readonly=True)
                sizes = dict(re.findall(r'UID (\d+) RFC822.SIZE (\d+)',
                                        b'\n'.join(client.fetch('1:*', '(UID RFC822.SIZE)')[1]).decode()))
            found = server.messages()
            self.assertEqual({int(uid): int(size) for uid, size in sizes.items()}, {uid: len(data) for uid, (_, data) in found.items()})
            self.assertFalse(server.count('Error'))

    def test_small_messages_are_quick(self):
        directory = process.temporary_directory()
        start = time.monotonic()
        maildir.fill(directory, 2000, small=True)
        self.assertLess(time.monotonic() - start, 2)


class Configuration(unittest.TestCase):
    def test_account_names_the_servers_and_takes_other_keys(self):
        server = mailtest.Dovecot()
        section = mailtest.account(server, user='bob', imap='imap://bob@localhost:1', outbox_hold=5, from_='x@example.com', tls_ca=None)
        self.assertEqual(mailtest.configuration(section),
                         '[test]\nimap = imap://bob@localhost:1\npassword = secret\nfrom = x@example.com\noutbox-hold = 5\n')


class Ends(unittest.TestCase):
    def test_killed_program_leaves_nothing(self):
        code = 'import mailtest, time; d = mailtest.Dovecot().start(); print(d.imap_port, d.directory, flush=True); time.sleep(30)'
        program = subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE, text=True,
                                   cwd=os.path.dirname(os.path.abspath(__file__)))
        with program:
            port, directory = program.stdout.readline().split()
            program.kill()
        process.wait_for(lambda: not os.path.exists(directory), 5, 'the directory to go')
        self.assertFalse(process.port_answers(int(port)))

    def test_hanging_test_fails_with_its_stack(self):
        code = ('import time, unittest, mailtest\nclass Slow(unittest.TestCase):\n limit_s = 0.2\n def test_slow(self):\n  time.sleep(30)\n'
                ' def test_quick(self):\n  pass\nmailtest.main()\n')
        result = subprocess.run([sys.executable, '-c', code], cwd=os.path.dirname(os.path.abspath(__file__)), capture_output=True,
                                text=True, timeout=15, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stdout, r'(?s)^TAP version 12\n1\.\.2\nok 1 - Slow.test_quick\n.*# .*test_slow.*\nnot ok 2 - Slow.test_slow\n')


if __name__ == '__main__':
    mailtest.main()
