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
from mailtest import certificates, folders, maildir, messages, observer, process, scripted_smtp, small_disk, submission_faults, utf7  # noqa: E402
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


class Observing(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(mailtest.Dovecot())
        self.letters = [messages.letter(subject=f'letter {number}') for number in range(1, 5)]
        for data in self.letters:
            self.server.deliver(data, flags='\\Seen', date=1700000000)
        self.before = observer.snapshot(self.server)

    def test_a_snapshot_tells_flags_date_and_bytes_and_changes_nothing(self):
        self.assertEqual(self.before, {uid: observer.Message({'\\Seen'}, 1700000000, data) for uid, data in enumerate(self.letters, 1)})
        self.assertEqual(observer.assert_only(self.before, observer.snapshot(self.server)), {})

    def test_each_kind_of_difference_is_seen_and_named(self):
        with mailtest.OtherClient(self.server) as other:
            other.mark_deleted([1])
            other.expunge([2])
            other.store([3], '-FLAGS', '\\Seen')
            other.store([3], '+FLAGS', '\\Flagged project')
            self.assertEqual(other.append(b'Subject: fresh\r\n\r\nx\r\n', date=1600000000), 5)
        after = observer.snapshot(self.server)
        added = observer.assert_only(self.before, after, gone=[2], changed={1: '\\Seen \\Deleted', 3: '\\Flagged project'}, added=1)
        self.assertEqual(added, {5: observer.Message(set(), 1600000000, b'Subject: fresh\r\n\r\nx\r\n')})
        for expected, complaint in (
                ({}, r'2 is gone: \[\\Seen\] .* letter 2'), ({'gone': [2, 4]}, '4 is still there: .* letter 4'),
                ({'gone': [2]}, r'1 was \[\\Seen\].*, is \[\\Deleted \\Seen\].* should have \[\\Seen\]'),
                ({'added': 2}, '1 messages were added, not 2: .* fresh'), ({'added': [self.letters[0]]}, "not added: .*letter 1'.\nadded as well: .* fresh")):
            with self.assertRaisesRegex(AssertionError, complaint):
                observer.assert_only(self.before, after, **expected)

    def test_waiting_ends_with_the_change_or_with_what_is_missing(self):
        with mailtest.OtherClient(self.server) as other:
            other.move([4], ('Archive',))
        added = observer.wait_only(self.server, ('Archive',), {}, added=[self.letters[3]])
        self.assertEqual([message.flags for message in added.values()], [{'\\Seen'}])
        with self.assertRaisesRegex(AssertionError, 'INBOX after 0.1 s:\n4 is gone'):
            observer.wait_only(self.server, 'INBOX', self.before, timeout=0.1)
        with self.assertRaisesRegex(AssertionError, 'Nowhere'):
            observer.wait_only(self.server, 'Nowhere', {}, timeout=0.1)

    def test_whole_mailboxes_are_compared_wherever_a_message_stands(self):
        before = observer.snapshots(self.server)
        with mailtest.OtherClient(self.server) as other:
            other.move([4], ('Archive',))
            observer.assert_each_once(before, observer.snapshots(self.server))
            other.expunge([1])
            other.append(self.letters[1])
        with self.assertRaisesRegex(AssertionError, r'^duplicated \(\+1\): letter 2\nlost \(-1\): letter 1$'):
            observer.assert_each_once(before, observer.snapshots(self.server))

    def test_folders_and_subscriptions_by_their_names(self):
        names = {'Größe & Maß', 'with "quotes" \\ and more', '发票'}
        for name in names:
            self.server.create((name,))
        with self.server.imap() as client:
            client.create('above/below')
        self.assertLessEqual(names | {'INBOX', 'above/below'}, observer.folders(self.server))
        self.assertNotIn('above', observer.folders(self.server))
        self.assertLessEqual(names, observer.subscribed(self.server))
        self.assertNotIn('above/below', observer.subscribed(self.server))


class Refusals(unittest.TestCase):
    """What Dovecot is made to refuse for the tests of mailfs."""

    def test_rights_of_a_folder(self):
        with mailtest.Dovecot(acl=True) as server:
            server.deliver(messages.letter(), ('Lists',))
            for rights, store, move, append in (('lr', 'OK', 'NO', 'NO'), ('lrswi', 'OK', 'NO', 'OK'), (None, 'OK', 'OK', 'OK')):
                server.set_rights(('Lists',), rights)
                with self.subTest(rights), server.imap() as client:
                    with contextlib.suppress(imaplib.IMAP4.readonly):
                        client.select('Lists')
                    self.assertEqual(client.response('READ-WRITE')[1] == [b''], rights != 'lr')
                    client.is_readonly = True       # imaplib makes an exception of it otherwise
                    self.assertEqual(client.uid('STORE', '1', '+FLAGS', '(\\Flagged)')[0], store)
                    self.assertEqual(client.append('Lists', '', '', messages.letter())[0], append)
                    self.assertEqual(client.uid('MOVE', '1', 'Trash')[0], move)
                self.assertEqual(len(observer.snapshot(server, 'Trash')), rights is None)

    def test_limit_of_a_message_and_of_all(self):
        with mailtest.Dovecot(append_limit=20000, quota='messages=2') as server, server.imap() as client:
            self.assertIn(b'APPENDLIMIT=20000', client.capability()[1][0])
            self.assertRegex(str(client.append('INBOX', '', '', messages.letter(body='x' * 20000))), 'NO.*LIMIT')
            for expected in ('OK', 'OK', 'NO.*OVERQUOTA'):
                self.assertRegex(str(client.append('INBOX', '', '', messages.letter())), expected)

    def test_keyword_that_is_too_long(self):
        with mailtest.Dovecot() as server:
            server.deliver(messages.letter())
            with mailtest.OtherClient(server) as other, self.assertRaisesRegex(RuntimeError, 'Keyword'):
                other.store([1], '+FLAGS', 'k' * 60)


class Cutting(unittest.TestCase):
    def setUp(self):
        self.server = self.enterContext(mailtest.Dovecot())
        self.server.deliver(messages.letter())
        self.proxy = self.enterContext(mailtest.CuttingProxy(self.server.imap_port, record=True))

    def client(self):
        client = imaplib.IMAP4('127.0.0.1', self.proxy.port, timeout=5)
        client.login('alice', 'secret')
        client.select()
        return client

    def cut(self, **where):
        """Whether the client saw the end of the command, and what the client's side of the wire had from the command on."""
        client = self.client()
        self.proxy.reset_counters()
        self.proxy.arm(b'UID STORE', **where)
        try:
            client.uid('STORE', '1', '+FLAGS', '(\\Flagged)')
            seen = True
        except (imaplib.IMAP4.abort, OSError):
            seen = False
        self.proxy.disarm()
        return seen, bytes(self.proxy.sent).partition(b' ')[2]

    def flagged(self):
        return '\\Flagged' in observer.snapshot(self.server)[1].flags

    def test_a_command_that_is_cut_is_not_obeyed(self):
        for count in (0, 3, len('UID STORE 1 +FLAGS (\\Flagged)\r')):
            with self.subTest(count):
                self.assertEqual(self.cut(client=count), (False, b'UID STORE 1 +FLAGS (\\Flagged)\r\n'[:count]))
                self.assertTrue(self.proxy.fired.is_set())
        self.assertFalse(self.flagged())

    def test_a_command_whose_reply_is_cut_is_obeyed(self):
        for how in ('close', 'reset'):
            with self.subTest(how), mailtest.OtherClient(self.server) as other:
                other.store([1], '-FLAGS', '\\Flagged')
                self.assertFalse(self.cut(server=0, how=how)[0])
                self.assertTrue(self.proxy.fired.is_set())
                process.wait_for(self.flagged, 5, 'the flag')

    def test_a_loop_over_the_bytes_ends_with_the_dialogue(self):
        for count in range(0, 500, 10):
            seen, _ = self.cut(server=count)
            self.assertEqual(seen, not self.proxy.fired.is_set())
            if seen:
                break
        self.assertTrue(20 < count < 200, count)

    def test_only_one_connection_is_cut_and_only_once(self):
        bystander = self.client()
        self.cut(client=5)
        bystander.noop()
        client = self.client()
        for current in (client, bystander):
            self.assertEqual(current.uid('STORE', '1', '+FLAGS', '(\\Flagged)')[0], 'OK')

    def test_a_pattern_that_comes_in_two_pieces_is_found(self):
        for start, rest in ((b'x NO', b'OP\r\n'), (b'x NOO', b'P\r\n')):
            for limit, passed in ((0, None), (3, 3), (5, 5)):
                self.proxy.reset_counters()
                with self.subTest((start, limit)), socket.create_connection(('127.0.0.1', self.proxy.port), 5) as client:
                    client.recv(1000)
                    self.proxy.arm(b'NOOP', client=limit)
                    client.sendall(start)
                    process.wait_for(lambda: len(self.proxy.sent) >= len(start), 5, 'the first piece')
                    client.sendall(rest)
                    while client.recv(1000):
                        pass
                    self.assertTrue(self.proxy.fired.is_set())
                    self.assertEqual(len(self.proxy.sent), max(len(start), 2 + (passed or 0)))


class Hiding(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = mailtest.Dovecot().start()

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    def setUp(self):
        self.folder = 'Folder' + self._testMethodName
        self.server.deliver(messages.letter(subject='trap', body='* OK [COPYUID 1 2 3] no protocol {5}\r\nMODSEQ (17) [CAPABILITY MOVE]\r\n'), (self.folder,))

    def client(self, *hide):
        self.proxy = self.enterContext(mailtest.HidingProxy(self.server.imap_port, hide))
        client = self.enterContext(imaplib.IMAP4('127.0.0.1', self.proxy.port, timeout=10))
        client.login('alice', 'secret')
        client.select(self.folder)
        self.addCleanup(lambda: self.assertEqual(self.proxy.failures, []))
        return client

    def test_nothing_hidden_is_the_server_as_it_is(self):
        client = self.client()
        with self.server.imap() as direct:
            self.assertEqual(client.capability()[1][-1], direct.capability()[1][-1])
        self.assertIn('COPYUID', str(client.uid('COPY', '1', 'Archive')) + str(client.untagged_responses))
        self.assertEqual(client.fetch('1', '(BODY.PEEK[])')[1][0][1], observer.snapshot(self.server, self.folder)[1].data)

    def test_capabilities_are_gone_from_all_that_tells_of_them(self):
        names = ('MOVE', 'UIDPLUS', 'CONDSTORE', 'LITERAL+', 'SPECIAL-USE', 'MULTIAPPEND', 'ENABLE')
        with mailtest.HidingProxy(self.server.imap_port, names) as proxy, socket.create_connection(('127.0.0.1', proxy.port), 5) as client:
            client.sendall(b'a CAPABILITY\r\nb LOGIN alice secret\r\nc CAPABILITY\r\nd LIST "" *\r\ne LOGOUT\r\n')
            said = client.makefile('rb').read().decode()
        self.assertEqual(said.count('CAPABILITY IMAP4rev1'), 4)
        for name in (*names, 'QRESYNC', 'Trash '):
            self.assertNotIn(' ' + name, said)
        self.assertIn('"/" Trash', said)
        self.assertNotIn('\\Trash', said)
        self.assertIn('ESEARCH', said)

    def refused(self, client, capability, *command):
        with self.assertRaisesRegex(imaplib.IMAP4.error, capability):
            client._simple_command(*command)
        self.assertEqual(len(self.proxy.violations), 1, command)
        self.proxy.violations.clear()

    def test_commands_that_need_them_are_refused_and_noted(self):
        client = self.client('MOVE', 'UIDPLUS', 'CONDSTORE', 'SPECIAL-USE', 'LIST-EXTENDED')
        for capability, *command in (('MOVE', 'UID', 'MOVE', '1', 'Archive'), ('UIDPLUS', 'UID', 'EXPUNGE', '1'), ('CONDSTORE', 'SELECT', 'INBOX', '(CONDSTORE)'),
                                     ('CONDSTORE', 'EXAMINE', 'INBOX', '(QRESYNC (1 2))'), ('CONDSTORE', 'UID', 'FETCH', '1:*', '(FLAGS)', '(CHANGEDSINCE 1)'),
                                     ('CONDSTORE', 'STATUS', 'INBOX', '(HIGHESTMODSEQ)'), ('SPECIAL-USE', 'LIST', '""', '*', 'RETURN (SPECIAL-USE)'),
                                     ('LIST-EXTENDED', 'LIST', '""', '*', 'RETURN (CHILDREN)')):
            self.refused(client, capability, *command)
        self.assertEqual(client.uid('COPY', '1', '"UID MOVE 1 (CONDSTORE"')[0], 'NO')     # there is no such folder
        self.assertEqual(self.proxy.violations, [])
        self.assertEqual(self.proxy.commands[-1], b'UID COPY 1 "UID MOVE 1 (CONDSTORE"')

    def test_codes_of_hidden_capabilities_are_gone(self):
        client = self.client('UIDPLUS', 'CONDSTORE')
        self.assertEqual(client.append(self.folder, '', '', messages.letter(subject='second'))[1][0][:6], b'Append')
        client.uid('COPY', '1', 'Archive')
        self.assertEqual(client.uid('MOVE', '1', 'Archive')[0], 'OK')
        for code in ('COPYUID', 'APPENDUID', 'HIGHESTMODSEQ'):
            self.assertEqual(client.response(code)[1], [None], code)
        self.assertEqual(len(observer.snapshot(self.server, self.folder)), 1)

    def test_a_code_can_be_missing_alone(self):
        client = self.client('COPYUID')
        self.assertIn(b'UIDPLUS', client.capability()[1][0])
        self.assertIn(b'APPENDUID', client.append(self.folder, '', '', messages.letter())[1][0])
        self.assertEqual(client.uid('MOVE', '1', 'Archive'), ('OK', [None]))
        self.assertEqual(client.response('COPYUID')[1], [None])

    def test_enable_leaves_out_what_is_hidden(self):
        client = self.client('QRESYNC')
        client.unselect()
        self.assertEqual(client.enable('QRESYNC')[0], 'OK')
        self.assertIn(client.response('ENABLED')[1][0], (None, b''))
        client.enable('CONDSTORE')
        self.assertIn(b'CONDSTORE', client.response('ENABLED')[1][0])
        self.assertNotIn(b'ENABLE QRESYNC', b''.join(self.proxy.violations))

    def test_literals_from_the_server_are_not_touched(self):
        client = self.client('CONDSTORE', 'COPYUID')
        data = observer.snapshot(self.server, self.folder)[1].data
        self.assertIn(b'MODSEQ (17) [CAPABILITY MOVE]', data)
        self.assertEqual(client.fetch('1', '(FLAGS BODY.PEEK[] UID)')[1][0][1], data)

    def test_modseq_that_a_server_tells_unasked_is_gone(self):
        told = (b'* 1 FETCH (UID 1 MODSEQ (5) FLAGS (\\Seen))\r\n* 1 FETCH (MODSEQ (6) BODY[] {13}\r\n MODSEQ (7)\r\n ENVELOPE ("MODSEQ (8)"))\r\n'
                b'* STATUS x (MESSAGES 1 HIGHESTMODSEQ 9)\r\n* OK [HIGHESTMODSEQ 10] x\r\n* OK [UIDNEXT 1] MODSEQ (11)\r\n{tag} OK done\r\n')
        with mailtest.ScriptedImap([send(b'* OK hi\r\n'), answer([(b'NOOP', told)])]) as server, \
                mailtest.HidingProxy(server.port, ['CONDSTORE']) as proxy, socket.create_connection(('127.0.0.1', proxy.port), 5) as client:
            client.sendall(b'a NOOP\r\n')
            replies = client.makefile('rb')
            self.assertEqual(b''.join(replies.readline() for _ in range(9)),
                             b'* OK hi\r\n* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n* 1 FETCH (BODY[] {13}\r\n MODSEQ (7)\r\n ENVELOPE ("MODSEQ (8)"))\r\n'
                             b'* STATUS x (MESSAGES 1)\r\n* OK x\r\n* OK [UIDNEXT 1] MODSEQ (11)\r\na OK done\r\n')

    def test_literals_pass_towards_the_server_in_each_form(self):
        trap = b'Subject: x\r\n\r\na UID MOVE 1 Archive {10+}\r\nUID EXPUNGE 1\r\n'
        self.client('MOVE', 'UIDPLUS')
        with socket.create_connection(('127.0.0.1', self.proxy.port), 5) as client:
            replies = client.makefile('rb')
            replies.readline()
            client.sendall(b'a LOGIN {5+}\r\nalice {6}\r\n')
            self.assertEqual(replies.readline()[:1], b'+')
            client.sendall(b'secret\r\n')
            self.assertEqual(replies.readline()[:5], b'a OK ')
            client.sendall(b'b APPEND %s {%d+}\r\n%s {%d}\r\n' % (self.folder.encode(), len(trap), trap, len(trap)))
            self.assertEqual(replies.readline()[:1], b'+')
            client.sendall(trap + b'\r\nc NOOP\r\n')
            self.assertEqual([replies.readline()[:4] for _ in range(2)], [b'b OK', b'c OK'])
            client.sendall(b'd APPEND Nowhere {5}\r\ne NOOP\r\n')       # the server says NO before the literal
            self.assertEqual([replies.readline()[:4] for _ in range(2)], [b'd NO', b'e OK'])
        self.assertEqual([message.data for message in observer.snapshot(self.server, self.folder).values()][1:], [trap, trap])
        self.assertEqual(self.proxy.violations, [])

    def test_literal_plus_where_it_is_hidden_is_refused_and_skipped(self):
        self.client('LITERAL+')
        with socket.create_connection(('127.0.0.1', self.proxy.port), 5) as client:
            replies = client.makefile('rb')
            replies.readline()
            client.sendall(b'a LOGIN alice secret\r\nb APPEND INBOX {5+}\r\nabcde\r\nc NOOP\r\n')
            self.assertEqual({replies.readline()[:5] for _ in range(3)}, {b'a OK ', b'b BAD', b'c OK '})
        self.assertEqual(self.proxy.violations, [b'APPEND INBOX {5+}'])

    def test_idle_and_a_large_message_pass(self):
        client = self.client('MOVE')
        data = messages.large(3 << 20)
        self.assertEqual(client.append(self.folder, '', '', data)[0], 'OK')
        client.noop()
        self.assertEqual(client.fetch('2', '(BODY.PEEK[])')[1][0][1], data)
        client.send(b'x IDLE\r\n')
        self.assertEqual(client.readline()[:1], b'+')
        client.send(b'DONE\r\n')
        self.assertEqual(client.readline()[:4], b'x OK')


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


    def test_what_was_said_to_the_dot_is_known_when_the_connection_ended_behind_it(self):
        for what, reply in ((submission_faults.then(b'250 2.0.0 ok', scripted_smtp.DISCONNECT), b'250 2.0.0 ok'), (scripted_smtp.DISCONNECT, None)):
            with mailtest.ScriptedSmtp({'.': what}) as server:
                with contextlib.suppress(smtplib.SMTPServerDisconnected), smtplib.SMTP('localhost', server.port) as client:
                    client.sendmail('alice@example.com', ['bob@example.com'], messages.letter())
                mailtest.wait_for(lambda: server.open_connections() == 0)
                self.assertEqual([message.reply for message in server.messages], [reply])


class SmallDisks(unittest.TestCase):
    def test_it_is_full_has_room_and_is_gone(self):
        with mailtest.SmallDisk(1 << 20) as disk:
            path = os.path.join(disk.path, 'file')
            disk.fill(2)
            with open(path, 'wb', buffering=0) as file:
                self.assertEqual(file.write(bytes(small_disk.PAGE * 3)), small_disk.PAGE * 2)
                os.unlink(path)
                pinned = disk.pin(os.getpid())
            with open(path, 'wb', buffering=0) as file:
                with self.assertRaises(OSError):
                    file.write(b'x')
                pinned.close()
                self.assertEqual(file.write(b'x'), 1)
            disk.empty()
            with open(path, 'wb', buffering=0) as file:
                self.assertEqual(file.write(bytes(small_disk.PAGE * 3)), small_disk.PAGE * 3)
        self.assertEqual(os.listdir(disk.path), [])


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
        self.assertLess(time.monotonic() - start, 10)


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
        # Processes that were killed close their sockets when they next run, which may be after that.
        process.wait_for(lambda: not process.port_answers(int(port)), 5, 'the port to close')

    def test_hanging_test_fails_with_its_stack(self):
        code = ('import time, unittest, mailtest\nclass Slow(unittest.TestCase):\n limit_s = 0.2\n def test_slow(self):\n  time.sleep(30)\n'
                ' def test_quick(self):\n  pass\nmailtest.main()\n')
        result = subprocess.run([sys.executable, '-c', code], cwd=os.path.dirname(os.path.abspath(__file__)), capture_output=True,
                                text=True, timeout=15, check=False)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stdout, r'(?s)^TAP version 12\n1\.\.2\nok 1 - Slow.test_quick\n.*# .*test_slow.*\nnot ok 2 - Slow.test_slow\n')


if __name__ == '__main__':
    mailtest.main()
