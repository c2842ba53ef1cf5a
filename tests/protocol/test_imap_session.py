#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Connecting and signing in: transports, capabilities, mechanisms, and servers that mean harm or do it."""

import unittest

import mailtest
from mailtest import certificates, scripted_imap
from transcript import play, signed_in, steps


class Transport(unittest.TestCase):

    def starttls(self, *after, inject=b'', before='S: * OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hi'):
        certificate = certificates.good()
        script = steps(before) + [scripted_imap.starttls(certificate.server_context(), inject)]
        for text in after:
            script += steps(text)
        return play(script, 'noop', scheme='imap', options=['-c', certificate.ca_file])

    def test_capabilities_are_asked_for_again_after_starttls_and_after_sign_in(self):
        played = self.starttls('''
            C: CAPABILITY$
            S: * CAPABILITY IMAP4rev1 AUTH=PLAIN
            S: {tag} OK
            C: AUTHENTICATE PLAIN$
            S: +
            c: .
            S: {tag} OK
            C: CAPABILITY$
            S: * CAPABILITY IMAP4rev1
            S: {tag} OK
            C: NOOP$
            S: {tag} OK''')
        self.assertEqual(played.status, 0, played.text)

    def test_bytes_behind_the_reply_to_starttls_are_an_attack(self):
        played = self.starttls(inject=b'* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n')
        self.assertEqual(played.error(), 'EKEYREJECTED')
        self.assertIn('tampers', played.text)

    def test_starttls_taken_out_of_the_capabilities_is_refused(self):
        played = play('S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi', 'noop', scheme='imap')
        self.assertEqual(played.error(), 'EKEYREJECTED')
        self.assertEqual(played.commands, [])

    def test_starttls_refused_by_the_server_ends_it(self):
        played = play('''
            S: * OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN] hi
            C: STARTTLS$
            S: {tag} NO not today''', 'noop', scheme='imap')
        self.assertEqual(played.error(), 'EKEYREJECTED')
        self.assertIn('not today', played.text)

    def test_preauth_leaves_no_room_for_starttls_and_is_refused(self):
        played = play('S: * PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] welcome', 'noop', scheme='imap')
        self.assertEqual(played.error(), 'EKEYREJECTED')
        self.assertEqual(played.commands, [])

    def test_an_alert_before_tls_is_not_the_servers(self):
        played = self.starttls(before='''
            S: * OK [ALERT] visit http://evil.example
            C: CAPABILITY$
            S: * CAPABILITY IMAP4rev1 STARTTLS
            S: {tag} OK''')
        self.assertNotIn('evil', played.text)

    def test_preauth_on_a_connection_that_needs_no_starttls_is_taken(self):
        played = play('''
            S: * PREAUTH [CAPABILITY IMAP4rev1] welcome
            C: NOOP$
            S: {tag} OK''', 'noop')
        self.assertEqual(played.status, 0, played.text)

    def test_tls_from_the_first_byte(self):
        certificate = certificates.good()
        played = play(signed_in() + '''
            C: NOOP$
            S: {tag} OK''', 'noop', '--', 'describe', context=certificate.server_context(), scheme='imaps',
                      options=['-c', certificate.ca_file])
        self.assertEqual(played.status, 0, played.text)
        self.assertIn('TLS: TLSv1', played.text)

    def test_a_certificate_that_does_not_verify_sends_no_secret(self):
        certificate = certificates.other_ca()
        played = play(signed_in(), 'noop', context=certificate.server_context(), scheme='imaps',
                      options=['-c', certificates.good().ca_file], check=False)
        self.assertEqual(played.error(), 'EKEYREJECTED')
        self.assertEqual(played.commands, [])


class SignIn(unittest.TestCase):

    def test_id_is_sent_before_a_folder_is_opened(self):
        played = play('''
            S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN ID] hi
            C: ID \\("name" "mailfs" "version" "[0-9.]+"\\)$
            S: * ID ("name" "x")
            S: {tag} OK
            C: AUTHENTICATE PLAIN$
            S: +
            c: .
            S: {tag} OK [CAPABILITY IMAP4rev1 ID]
            C: ID \\("name" "mailfs"
            S: * ID ("name" "Coremail")
            S: {tag} OK
            C: EXAMINE "INBOX"$
            S: {tag} NO no
            C: LIST "" "INBOX"$
            S: {tag} OK''', 'sync', 'INBOX', '--', 'describe')
        self.assertEqual(played.error(), 'ENXIO')
        self.assertIn('Coremail', played.text)

    def test_login_is_never_used_where_it_is_disabled(self):
        played = play('S: * OK [CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=GSSAPI] hi', 'noop')
        self.assertEqual(played.error(), 'EACCES')
        self.assertEqual(played.commands, [])

    def test_login_carries_any_password(self):
        played = play('''
            S: * OK [CAPABILITY IMAP4rev1] hi
            C: LOGIN "alice" "a\\\\\\\\b\\\\"c"$
            S: {tag} OK
            C: CAPABILITY$
            S: * CAPABILITY IMAP4rev1
            S: {tag} OK
            C: NOOP$
            S: {tag} OK''', 'noop', password='a\\b"c')
        self.assertEqual(played.status, 0, played.text)

    def test_a_password_that_is_no_ascii_goes_as_a_literal(self):
        played = play('''
            S: * OK [CAPABILITY IMAP4rev1] hi
            C: LOGIN "alice" \\{3\\}\r\n\xc3\xa4x$
            S: {tag} OK
            C: CAPABILITY$
            S: * CAPABILITY IMAP4rev1
            S: {tag} OK
            C: NOOP$
            S: {tag} OK'''.replace('\r\n\xc3\xa4', '..\\xc3\\xa4'), 'noop', password='äx')
        self.assertEqual(played.status, 0, played.text)

    def test_a_wrong_password_ends_the_search_for_a_mechanism(self):
        played = play('''
            S: * OK [CAPABILITY IMAP4rev1 AUTH=CRAM-MD5 AUTH=PLAIN] hi
            C: AUTHENTICATE CRAM-MD5$
            S: + PGFAYj4=
            c: .
            S: {tag} NO [AUTHENTICATIONFAILED] no such password''', 'noop')
        self.assertEqual(played.error(), 'EACCES')
        self.assertIn('no such password', played.text)
        self.assertEqual(len(played.commands), 1)

    def test_a_mechanism_that_does_not_work_gives_way_to_the_next(self):
        played = play('''
            S: * OK [CAPABILITY IMAP4rev1 AUTH=CRAM-MD5 AUTH=PLAIN] hi
            C: AUTHENTICATE CRAM-MD5$
            S: {tag} BAD broken
            C: AUTHENTICATE PLAIN$
            S: +
            c: .
            S: {tag} OK [CAPABILITY IMAP4rev1]
            C: NOOP$
            S: {tag} OK''', 'noop')
        self.assertEqual(played.status, 0, played.text)

    def test_a_challenge_that_makes_no_sense_is_cancelled(self):
        played = play('''
            S: * OK [CAPABILITY IMAP4rev1 AUTH=SCRAM-SHA-256 AUTH=PLAIN] hi
            C: AUTHENTICATE SCRAM-SHA-256$
            S: +
            c: .
            S: + bm9uc2Vuc2U=
            c: \\*$
            S: {tag} BAD cancelled
            C: AUTHENTICATE PLAIN$
            S: +
            c: .
            S: {tag} OK [CAPABILITY IMAP4rev1]
            C: NOOP$
            S: {tag} OK''', 'noop')
        self.assertEqual(played.status, 0, played.text)

    def test_unavailable_means_later_not_never(self):
        played = play('''
            S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi
            C: AUTHENTICATE PLAIN$
            S: +
            c: .
            S: {tag} NO [UNAVAILABLE] user database is down''', 'noop')
        self.assertEqual(played.error(), 'EAGAIN')

    def test_a_token_goes_in_one_message(self):
        played = play('''
            S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=XOAUTH2 AUTH=PLAIN] hi
            C: AUTHENTICATE XOAUTH2 dXNlcj1hbGljZQFhdXRoPUJlYXJlciBzZWNyZXQBAQ==$
            S: + eyJzdGF0dXMiOiI0MDAifQ==
            c: $
            S: {tag} NO [AUTHENTICATIONFAILED] expired''', 'noop', options=['-a', 'xoauth2'])
        self.assertEqual(played.error(), 'EACCES')

    def test_oauthbearer_waits_for_its_turn(self):
        played = play('''
            S: * OK [CAPABILITY IMAP4rev1 AUTH=OAUTHBEARER] hi
            C: AUTHENTICATE OAUTHBEARER$
            S: +
            c: bixhPWFsaWNlLAFob3N0PWxvY2FsaG9zdAFwb3J0P
            S: {tag} OK [CAPABILITY IMAP4rev1]
            C: NOOP$
            S: {tag} OK''', 'noop', options=['-a', 'oauthbearer'])
        self.assertEqual(played.status, 0, played.text)

    def test_a_configured_mechanism_that_is_not_offered_is_an_error(self):
        played = play('S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN LOGINDISABLED] hi', 'noop', options=['-a', 'external'])
        self.assertEqual(played.error(), 'EACCES')
        self.assertIn('external', played.text)


class Hostile(unittest.TestCase):

    def test_a_server_that_turns_us_away(self):
        played = play('S: * BYE [UNAVAILABLE] too many connections', 'noop')
        self.assertEqual(played.error(), 'EAGAIN')
        self.assertIn('too many connections', played.text)

    def test_a_server_that_closes_at_once(self):
        self.assertEqual(play([scripted_imap.close()], 'noop').error(), 'ENOTCONN')

    def test_a_server_that_speaks_something_else(self):
        played = play('S: 220 mail.example.com ESMTP ready', 'noop')
        self.assertEqual(played.error(), 'EPROTO')
        self.assertIn('220 mail.example.com', played.text)

    def test_garbage(self):
        self.assertIn(play([scripted_imap.garbage()], 'noop').error(), ('EPROTO', 'ENOTCONN'))

    def test_an_endless_line(self):
        self.assertEqual(play([scripted_imap.endless_line()], 'noop', check=False).error(), 'EPROTO')

    def test_a_greeting_that_drips(self):
        played = play([scripted_imap.drip(b'* OK ' + b'x' * 500, 20)], 'noop', options=['-t', '1'])
        self.assertEqual(played.error(), 'ETIMEDOUT')

    def test_a_server_that_says_nothing(self):
        self.assertEqual(play([scripted_imap.stall()], 'noop', options=['-t', '1']).error(), 'ETIMEDOUT')

    def test_a_last_word_before_the_end_is_told(self):
        played = play(signed_in() + '''
            C: NOOP$
            S: * BYE shutting down''', 'noop')
        self.assertEqual(played.error(), 'ENOTCONN')
        self.assertIn('shutting down', played.text)

    def test_a_session_that_died_while_idle_is_opened_anew(self):
        played = play([signed_in() + '''
            C: NOOP$
            S: {tag} OK
            S: * BYE idle for too long''', signed_in() + '''
            C: NOOP$
            S: {tag} OK'''], 'noop', '--', 'noop')
        self.assertEqual(played.status, 0, played.text)


if __name__ == '__main__':
    mailtest.main()
