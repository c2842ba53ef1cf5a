#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Folders and messages: listed, synchronised, read, stored, found, on servers of every kind."""

import unittest

import mailtest
from mailtest import scripted_imap
from transcript import play, signed_in, steps

DATE = 'INTERNALDATE "01-Apr-2026 10:00:00 +0000"'
ITEMS = r'\(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK\[HEADER.FIELDS \(FROM SUBJECT\)\]<0.2048>\)'


def examine(exists, uidnext, uidvalidity=7, modseq=None, condstore=''):
    lines = [f'C: EXAMINE "INBOX"{condstore}$', r'S: * FLAGS (\Seen)', f'S: * {exists} EXISTS', 'S: * 0 RECENT',
             f'S: * OK [UIDVALIDITY {uidvalidity}] ok', f'S: * OK [UIDNEXT {uidnext}] ok']
    if modseq:
        lines.append(f'S: * OK [HIGHESTMODSEQ {modseq}] ok')
    return '\n'.join(lines + ['S: {tag} OK [READ-ONLY] done', ''])


def described(number, uid, flags='', header='Subject: x'):
    return f'''
        S: * {number} FETCH (UID {uid} FLAGS ({flags}) {DATE} RFC822.SIZE 9 BODY[HEADER.FIELDS (FROM SUBJECT)]<0> {{{len(header) + 4}}}
        S: {header}
        S:
        S: )
    '''


class List(unittest.TestCase):

    def test_names_as_literals_quoted_or_atoms_at_any_delimiter(self):
        played = play(signed_in() + '''
            C: LIST "" "\\*"$
            S: * LIST () "/" INBOX
            S: * LIST (\\Noselect) "." "a.b \\"c\\" \\\\d"
            S: * LIST (\\HasChildren) "\\\\" {5}
            S: e"\\f/
            S: * LIST () NIL flat
            S| * LIST () "/" "raw \\xe4"\\r\\n
            S: * LIST (\\Sent \\NonExistent) "/" Sent/
            S: * LIST broken
            S: {tag} OK
            C: LSUB "" "\\*"$
            S: * LSUB () "/" flat
            S: * LSUB (\\Noselect) "/" INBOX
            S: * LSUB () "/" gone
            S: {tag} OK''', 'list')
        self.assertEqual(played.lines, [
            'folder INBOX delimiter=/ prefix=0',
            'folder Sent delimiter=/ prefix=0 noselect sent',
            r'folder a.b "c" \5cd delimiter=. prefix=0 noselect',
            r'folder e"\5cf/ delimiter=\ prefix=0',
            'folder flat delimiter=- prefix=0 subscribed',
            r'folder raw \xe4 delimiter=/ prefix=0'])

    def test_extended_list_tells_subscriptions_and_uses_at_once(self):
        played = play(signed_in('IMAP4rev1 LIST-EXTENDED SPECIAL-USE') + '''
            C: LIST "" "\\*" RETURN \\(SUBSCRIBED SPECIAL-USE\\)$
            S: * LIST (\\Subscribed) "/" inbox
            S: * LIST (\\Trash \\Subscribed) "/" "Papierkorb" ("OLDNAME" ("x y"))
            S: {tag} OK''', 'list')
        self.assertEqual(played.lines, ['folder INBOX delimiter=/ prefix=0 subscribed',
                                        'folder Papierkorb delimiter=/ prefix=0 subscribed trash'])

    def test_namespaces_give_the_prefix_and_what_else_is_to_be_listed(self):
        played = play(signed_in('IMAP4rev1 NAMESPACE LIST-EXTENDED') + '''
            C: NAMESPACE$
            S: * NAMESPACE (("INBOX." ".")) (("user." "." "X-PARAM" ("a" "b"))) ((\"shared.\" "."))
            S: {tag} OK
            C: LIST "" "\\*"
            S: * LIST () "." INBOX
            S: * LIST () "." INBOX.Sent
            S: {tag} OK
            C: LIST "" "user.\\*"
            S: * LIST () "." user.bob.x
            S: {tag} OK
            C: LIST "" "shared.\\*"
            S: {tag} NO no such namespace''', 'list')
        self.assertEqual(played.lines, ['folder INBOX delimiter=. prefix=0',
                                        'folder INBOX.Sent delimiter=. prefix=6',
                                        'folder user.bob.x delimiter=. prefix=0'])

    def test_a_namespace_cut_short_is_as_none(self):
        played = play(signed_in('IMAP4rev1 NAMESPACE LIST-EXTENDED') + '''
            C: NAMESPACE$
            S: * NAMESPACE (("INBOX." "."
            S: {tag} OK
            C: LIST
            S: * LIST () "." INBOX
            S: {tag} OK''', 'list')
        self.assertEqual(played.status, 0, played.text)

    def test_a_list_that_ends_no_is_an_error_and_tells_nothing(self):
        played = play(signed_in() + '''
            C: LIST
            S: * LIST () "/" INBOX
            S: {tag} NO [UNAVAILABLE] later''', 'list')
        self.assertEqual(played.error(), 'EAGAIN')
        self.assertEqual(len(played.lines), 1)


class Sync(unittest.TestCase):

    def test_all_that_is_new_is_described(self):
        played = play(signed_in() + examine(2, 9) + f'''
            C: UID FETCH 1:8 {ITEMS}$
            {described(1, 3, header='From: a')}
            {described(2, 8, '$b a', 'Subject: x')}
            S: {{tag}} OK''', 'sync', 'INBOX')
        self.assertEqual(played.lines, [
            'state uidvalidity=7 uidnext=9 messages=2 modseq=0 read-only',
            r'message 3 size=9 date=1775037600 flags=() header=From: a\0d\0a\0d\0a',
            r'message 8 size=9 date=1775037600 flags=($b a) header=Subject: x\0d\0a\0d\0a',
            'batch 9',
            'complete uidvalidity=7 uidnext=9 messages=2 modseq=0 read-only'])

    def test_two_commands_are_in_flight_and_may_be_answered_mixed(self):
        first = ''.join(described(uid, uid) for uid in range(1, 1001))
        rest = ''.join(described(uid, uid) for uid in range(1001, 5001))
        played = play(signed_in() + examine(5001, 5002) + f'''
            C: UID FETCH 1:5000
            C: UID FETCH 5001:5001
            {first}
            {described(5001, 5001)}
            S: 4 OK the later one is done
            {rest}
            S: 3 OK and so is the earlier one''', 'sync', 'INBOX')
        uids = [int(line.split()[1]) for line in played.lines if line.startswith('message')]
        self.assertEqual(sorted(uids), list(range(1, 5002)))
        self.assertEqual([line for line in played.lines if line.startswith('batch')], ['batch 5001', 'batch 5002'])
        self.assertTrue(played.lines[-1].startswith('complete'), played.lines[-1])

    def test_only_changes_are_asked_for_with_condstore(self):
        played = play(signed_in('IMAP4rev1 CONDSTORE') + examine(3, 4, modseq=9, condstore=r' \(CONDSTORE\)') + '''
            C: UID FETCH 1:3 \\(UID FLAGS\\) \\(CHANGEDSINCE 5\\)$
            S: * 2 FETCH (UID 2 FLAGS (\\Seen) MODSEQ (8))
            S: {tag} OK''', 'sync', 'INBOX', '7', '4', '5', '3')
        self.assertEqual(played.lines[1:], [r'flags 2 (\Seen)',
                                            'complete uidvalidity=7 uidnext=4 messages=3 modseq=9 read-only'])

    def test_nothing_is_asked_for_when_nothing_changed(self):
        played = play(signed_in('IMAP4rev1 CONDSTORE') + examine(3, 4, modseq=9, condstore=r' \(CONDSTORE\)'),
                      'sync', 'INBOX', '7', '4', '9', '3')
        self.assertEqual(played.lines[1:], ['complete uidvalidity=7 uidnext=4 messages=3 modseq=9 read-only'])

    def test_all_flags_are_compared_without_condstore(self):
        played = play(signed_in() + examine(2, 4) + '''
            C: UID FETCH 1:3 \\(UID FLAGS\\)$
            S: * 1 FETCH (UID 1 FLAGS (\\Flagged \\Recent \\Unknown))
            S: * 2 FETCH (UID 3 FLAGS ())
            S: {tag} OK''', 'sync', 'INBOX', '7', '4', '0', '2')
        self.assertEqual(played.lines[1:], [r'flags 1 (\Flagged)', 'flags 3 ()',
                                            'complete uidvalidity=7 uidnext=4 messages=2 modseq=0 read-only'])

    def test_what_is_gone_is_told_by_what_is_there(self):
        played = play(signed_in('IMAP4rev1 CONDSTORE ESEARCH') + examine(3, 6, modseq=5, condstore=r' \(CONDSTORE\)') + '''
            C: UID SEARCH RETURN \\(ALL\\) UID 1:\\*$
            S: * ESEARCH (TAG "x") UID ALL 1:2,5
            S: {tag} OK''', 'sync', 'INBOX', '7', '6', '5', '5')
        self.assertEqual(played.lines[1:], ['present 1:2', 'present 5:5',
                                            'complete uidvalidity=7 uidnext=6 messages=3 modseq=5 read-only gone-told'])

    def test_plain_search_in_any_order_with_what_is_not_there_left_out(self):
        played = play(signed_in('IMAP4rev1 CONDSTORE') + examine(2, 6, modseq=5, condstore=r' \(CONDSTORE\)') + '''
            C: UID SEARCH UID 1:\\*$
            S: * SEARCH 5
            S: * SEARCH 2
            S: {tag} OK''', 'sync', 'INBOX', '7', '6', '5', '3')
        self.assertEqual(played.lines[1:3], ['present 2:2', 'present 5:5'])

    def test_counts_that_do_not_agree_are_an_error_not_a_removal(self):
        played = play(signed_in('IMAP4rev1 CONDSTORE') + examine(4, 6, modseq=5, condstore=r' \(CONDSTORE\)') + '''
            C: UID SEARCH
            S: * SEARCH 1 2
            S: {tag} OK
            C: NOOP
            S: {tag} OK
            C: UID SEARCH
            S: * SEARCH 1 2
            S: {tag} OK
            C: NOOP
            S: {tag} OK
            C: UID SEARCH
            S: * SEARCH 1 2
            S: {tag} OK
            C: NOOP
            S: {tag} OK''', 'sync', 'INBOX', '7', '6', '5', '5')
        self.assertEqual(played.error(), 'EAGAIN')
        self.assertNotIn('present', played.text)
        self.assertNotIn('complete', played.text)

    def test_an_expunge_meanwhile_is_counted(self):
        played = play(signed_in('IMAP4rev1 CONDSTORE') + examine(3, 4, modseq=9, condstore=r' \(CONDSTORE\)') + '''
            C: UID FETCH 1:3
            S: * 2 FETCH (UID 2 FLAGS (\\Seen) MODSEQ (8))
            S: * 3 EXPUNGE
            S: {tag} OK
            C: UID SEARCH
            S: * SEARCH 1 2
            S: {tag} OK''', 'sync', 'INBOX', '7', '4', '5', '3')
        self.assertEqual(played.lines[2:], ['present 1:2',
                                            'complete uidvalidity=7 uidnext=4 messages=2 modseq=9 read-only gone-told'])

    def test_another_uidvalidity_begins_anew(self):
        played = play(signed_in() + examine(1, 2, uidvalidity=8) + f'''
            C: UID FETCH 1:1 {ITEMS}$
            {described(1, 1)}
            S: {{tag}} OK''', 'sync', 'INBOX', '7', '6', '5', '5')
        self.assertEqual(played.lines[0], 'state uidvalidity=8 uidnext=2 messages=1 modseq=0 read-only')
        self.assertEqual(played.lines[-1], 'complete uidvalidity=8 uidnext=2 messages=1 modseq=0 read-only')

    def test_no_after_some_results_is_an_error(self):
        played = play(signed_in() + examine(2, 3) + f'''
            C: UID FETCH
            {described(1, 1)}
            S: {{tag}} NO [SERVERBUG] lost my way''', 'sync', 'INBOX')
        self.assertEqual(played.error(), 'EIO')
        self.assertNotIn('complete', played.text)

    def test_a_message_that_cannot_be_read_costs_only_its_header(self):
        search = '''
            C: UID SEARCH UID 1:3$
            S: * SEARCH 1 2 3
            S: {tag} OK'''
        begin = signed_in() + examine(3, 4)
        played = play([
            begin + f'''
            C: UID FETCH 1:3
            {described(1, 1)}
            S: * 2 FETCH (UID 2 FLAGS () {DATE} RFC822.SIZE 9 BODY[HEADER.FIELDS (FROM SUBJECT)]<0> ATOM)''',
            begin + search + f'''
            C: UID FETCH 1:2
            S: * 2 FETCH (UID 2 BODY[HEADER.FIELDS (FROM SUBJECT)]<0> ATOM)''',
            begin + f'''
            C: UID FETCH 1:1
            {described(1, 1)}
            S: {{tag}} OK''' + '''
            C: UID FETCH 2:2
            S: * 2 FETCH (UID 2 BODY[HEADER.FIELDS (FROM SUBJECT)]<0> ATOM)''',
            begin + f'''
            C: UID FETCH 2:2 .UID FLAGS INTERNALDATE RFC822.SIZE.$
            S: * 2 FETCH (UID 2 FLAGS (\\Seen) {DATE} RFC822.SIZE 12)
            S: {{tag}} OK
            C: UID FETCH 3:3
            {described(3, 3)}
            S: {{tag}} OK
            C: UID SEARCH
            S: * SEARCH 1 2 3
            S: {{tag}} OK'''], 'sync', 'INBOX')
        self.assertEqual([line.split()[1] for line in played.lines if line.startswith('message')], ['1', '2', '3'])
        self.assertIn(r'message 2 size=12 date=1775037600 flags=(\Seen) header=', played.lines)
        self.assertTrue(played.lines[-1].startswith('complete'), played.text)

    def test_unknown_replies_weird_codes_and_alerts_disturb_nothing(self):
        played = play(signed_in() + '''
            S: * OK [ALERT]
            C: EXAMINE
            S: * XYZZY (a b {3}
            S: x) "unfinished
            S: * OK [PERMANENTFLAGS ({3}
            S: * OK [BADCHARSET (a)] x
            S: * OK [BADCHARSET (b)] x
            S: * NO [UNKNOWN-CODE "[x"] hm
            S: * 7 RECENT
            S: * 1 FETCH (FLAGS (\\Seen))
            S: * METADATA "" (/x {2}
            S: ))
            S: * 0 EXISTS
            S: * OK [ALERT] Disk is nearly full
            S: * OK [UIDVALIDITY 7] ok {5}
            S: * OK [UIDNEXT 1] ok
            S:
            S: {tag} OK [READ-ONLY] done {5}''', 'sync', 'INBOX')
        self.assertEqual(played.status, 0, played.text)
        self.assertIn('alert Disk is nearly full', played.lines)
        self.assertTrue(played.lines[-1].startswith('complete'))

    def test_a_folder_name_of_any_bytes_is_sent_right(self):
        played = play(signed_in('IMAP4rev1 LITERAL+') + '''
            C: EXAMINE "a \\\\"b\\\\" \\\\\\\\c"$
            S: {tag} NO no
            C: LIST "" "a \\\\"b\\\\" \\\\\\\\c"$
            S: {tag} OK
            C: EXAMINE \\{5\\+\\}..d\\n\\xc3\\xa4x$
            S: {tag} NO no
            C: LIST "" \\{5\\+\\}..d\\n\\xc3\\xa4x$
            S: {tag} OK''', 'sync', 'a "b" \\c', '--', 'sync', 'd\näx')
        self.assertEqual(played.error(), 'ENXIO')

    def test_a_server_without_literal_plus_is_waited_for(self):
        played = play(steps(signed_in()) + [scripted_imap.expect_line(rb'\d+ EXAMINE \{2\}$')] + steps('''
            S: 99 OK [THIS-IS] not the answer'''), 'sync', 'ä', check=False)
        self.assertEqual(played.error(), 'EPROTO')


class Fetch(unittest.TestCase):

    def fetch(self, uids, answer, *, command='', arguments=(), ending='S: {tag} OK'):
        command = command or rf'UID FETCH {uids} \(UID BODY.PEEK\[\]\)$'
        return play(signed_in() + examine(5, 9) + f'C: {command}\n{answer}\n{ending}',
                    *(arguments or ('fetch', 'INBOX', '7', uids)))

    def test_bodies_come_with_their_length_first_whatever_is_in_them(self):
        played = self.fetch('1:3,8', r'''
            S| * 1 FETCH (UID 1 BODY[] {5}\r\na\0)\r\n)\r\n
            S| * 2 FETCH (BODY[] {0}\r\n UID 2 FLAGS (\x5cSeen))\r\n
            S| * 3 FETCH (UID 3 BODY[] "quo\\"ted\\\\")\r\n
            S: * 5 FETCH (FLAGS ())
            S: * 5 FETCH (UID 8 BODY[] NIL)''')
        self.assertEqual(played.lines, [r'begin 1 size=5 a\00)\0d\0a end 1', 'begin 0 size=0  end 2',
                                        r'begin 3 size=8 quo"ted\5c end 3'], played.text)

    def test_a_part_is_asked_for_by_itself(self):
        played = self.fetch('2', r'''
            S| * 2 FETCH (UID 2 BODY[]<4096> {3}\r\nabc)\r\n''',
                            command=r'UID FETCH 2 \(UID BODY.PEEK\[\]<4096.10>\)$',
                            arguments=('range', 'INBOX', '7', '2', '4096', '10'))
        self.assertEqual(played.lines, ['begin 2 size=3 abc end 2'])

    def test_another_part_than_asked_for_is_refused(self):
        for answer in ('BODY[]<0>', 'BODY[]'):
            played = self.fetch('2', rf'''
                S| * 2 FETCH (UID 2 {answer} {{3}}\r\nabc)\r\n''', command='UID FETCH 2',
                                arguments=('range', 'INBOX', '7', '2', '4096', '10'))
            self.assertEqual(played.error(), 'EPROTO')
            self.assertNotIn('abc', played.text)

    def test_a_message_nobody_asked_for_is_refused(self):
        self.assertEqual(self.fetch('2', r'S| * 2 FETCH (UID 3 BODY[] {3}\r\nabc)\r\n').error(), 'EPROTO')

    def test_a_body_that_is_no_message_s_is_refused(self):
        for what in ('0 FETCH', '2x FETCH', '2 EXISTS'):
            self.assertEqual(self.fetch('2', rf'S| * {what} (UID 2 BODY[] {{3}}\r\nabc)\r\n').error(), 'EPROTO', what)

    def test_a_body_that_comes_unasked_is_not_told(self):
        played = play(signed_in() + examine(5, 9) + r'''
            C: UID FETCH 2
            S| * 2 FETCH (UID 2 BODY[] {3}\r\nabc)\r\n
            S: {tag} OK
            C: UID FETCH 8
            S: {tag} OK
            C: NOOP$
            S| * 2 FETCH (UID 2 BODY[] {3}\r\nxyz)\r\n
            S: {tag} OK
            C: UID FETCH 8
            S: {tag} OK''', 'fetch', 'INBOX', '7', '2', '--', 'fetch', 'INBOX', '7', '8')
        self.assertEqual(played.lines, ['begin 2 size=3 abc end 2'], played.text)

    def test_a_body_that_no_fetch_response_holds_is_refused(self):
        self.assertEqual(self.fetch('2', r'S| * 2 FETCHED (UID 2 BODY[] {3}\r\nabc)\r\n').error(), 'EPROTO')

    def test_a_literal_of_four_gigabytes(self):
        played = self.fetch('2', 'S: * 2 FETCH (UID 2 BODY[] {4294967296}', ending='')
        self.assertEqual(played.error(), 'EPROTO')
        self.assertNotIn('begin', played.text)

    def test_the_end_in_the_middle_of_a_literal(self):
        played = self.fetch('2', r'S| * 2 FETCH (UID 2 BODY[] {10}\r\nabc', ending='')
        self.assertEqual(played.error(), 'ENOTCONN')
        self.assertNotIn('end', played.text)

    def test_a_literal_that_drips(self):
        script = steps(signed_in() + examine(5, 9) + 'C: UID FETCH\nS: * 2 FETCH (UID 2 BODY[] {500000}')
        played = play(script + [scripted_imap.drip(b'x' * 500, 30)], 'fetch', 'INBOX', '7', '2', options=['-t', '1'])
        self.assertEqual(played.error(), 'ETIMEDOUT')

    def test_no_after_some_bodies_is_an_error(self):
        played = self.fetch('1:2', r'S| * 1 FETCH (UID 1 BODY[] {1}\r\na)\r\n', ending='S: {tag} NO [UNAVAILABLE] some are away')
        self.assertEqual(played.error(), 'EAGAIN')

    def test_an_open_folder_is_not_opened_again_and_caught_up_with(self):
        played = play(signed_in() + examine(5, 9) + '''
            C: UID FETCH 1 
            S| * 1 FETCH (UID 1 BODY[] {1}\\r\\na)\\r\\n
            S: {tag} OK
            C: UID FETCH 9 
            S: {tag} OK
            C: NOOP$
            S: * 6 EXISTS
            S: {tag} OK
            C: UID FETCH 9 
            S| * 6 FETCH (UID 9 BODY[] {1}\\r\\nb)\\r\\n
            S: {tag} OK''', 'fetch', 'INBOX', '7', '1', '--', 'fetch', 'INBOX', '7', '9')
        self.assertEqual(played.lines, ['begin 1 size=1 a end 1', 'begin 9 size=1 b end 9'])

    def test_another_uidvalidity_is_stale(self):
        played = play(signed_in() + examine(5, 9, uidvalidity=8), 'fetch', 'INBOX', '7', '1')
        self.assertEqual(played.error(), 'ESTALE')


class Gmail(unittest.TestCase):

    def ask(self, answers, *more, uid='3'):
        return play(signed_in('IMAP4rev1 X-GM-EXT-1') + examine(5, 9) + rf'''
            C: UID FETCH {uid} \(UID X-GM-MSGID X-GM-THRID X-GM-LABELS\)$
            {{}}
            S: {{{{tag}}}} OK'''.format(answers) + ''.join(more), 'gmail', 'INBOX', '7', uid)

    def test_labels_of_every_form_are_told_apart(self):
        played = self.ask(r'''
            S: * 1 FETCH (UID 3 FLAGS (\Seen))
            S| * 1 FETCH (X-GM-THRID 1266894439832287888 X-GM-LABELS (\x5cInbox "\x5c\x5cImportant" "Two words" Caf&AOk- {3}\r\na"b "" A&-B)
            S| \x20X-GM-MSGID 1278455344230334865 UID 3)\r\n
            S: * 2 FETCH (UID 4 X-GM-LABELS (other))''')
        self.assertEqual(played.lines, [r'gmail message=1278455344230334865 thread=1266894439832287888 '
                                        r'labels=\Inbox \Important "Two words" Café "a\"b" "" A&B'])

    def test_no_labels_and_those_of_another_encoding(self):
        for sent, shown in (('()', ''), ('NIL', ''), ('(&bad "&AOk-&AOk-")', '&bad &AOk-&AOk-'), (r'("x\xc3\xa9")', 'xé'),
                            (r'("tab\tx" "\x5c\x5cback\x5c\x5cslash")', '"tab\tx" \\back\\slash')):
            played = self.ask(rf'S| * 1 FETCH (UID 3 X-GM-LABELS {sent})\r\n')
            self.assertEqual(played.lines, [f'gmail message=0 thread=0 labels={shown}'], sent)

    def test_labels_cut_short_cost_the_session(self):
        for sent in ('(a', '(a  b)', '("a)', 'a', '((a))', '({5}\\r\\na)'):
            self.assertEqual(self.ask(rf'S| * 1 FETCH (UID 3 X-GM-LABELS {sent})\r\n').error(), 'EPROTO', sent)

    def test_a_message_that_went_is_not_there(self):
        self.assertEqual(self.ask('S: * 1 FETCH (UID 3 FLAGS ())').error(), 'ENOENT')

    def test_an_open_folder_is_caught_up_with(self):
        ask = 'C: UID FETCH {} \\(UID X-GM-MSGID X-GM-THRID X-GM-LABELS\\)$\n'
        played = play(signed_in('IMAP4rev1 X-GM-EXT-1') + examine(5, 9) + ask.format(3) + '''
            S: * 1 FETCH (UID 3 X-GM-MSGID 1 X-GM-THRID 2 X-GM-LABELS (a))
            S: {tag} OK\n''' + ask.format(9) + '''
            S: {tag} OK
            C: NOOP$
            S: * 6 EXISTS
            S: {tag} OK\n''' + ask.format(9) + '''
            S: * 6 FETCH (UID 9 X-GM-MSGID 3 X-GM-THRID 4 X-GM-LABELS (b))
            S: {tag} OK''', 'gmail', 'INBOX', '7', '3', '--', 'gmail', 'INBOX', '7', '9')
        self.assertEqual(played.lines, ['gmail message=1 thread=2 labels=a', 'gmail message=3 thread=4 labels=b'])

    def test_another_server_is_not_asked(self):
        self.assertEqual(play(signed_in(), 'gmail', 'INBOX', '7', '3').error(), 'EOPNOTSUPP')

    def test_a_server_may_tell_unasked(self):
        items = r'X-GM-MSGID 5 X-GM-THRID 6 X-GM-LABELS (\Inbox "x y")'
        told = play(signed_in() + examine(1, 9) + f'''
            C: UID FETCH 1:8
            {described(1, 3).replace('(UID', f'({items} UID')}
            S: {{tag}} OK''', 'sync', 'INBOX')
        self.assertEqual(told.lines[1:2], [r'message 3 size=9 date=1775037600 flags=() header=Subject: x\0d\0a\0d\0a'], told.text)
        told = play(signed_in() + examine(5, 9) + rf'''
            C: UID FETCH 3 \(UID BODY.PEEK\[\]\)$
            S: * 2 FETCH ({items} UID 2 FLAGS ())
            S| * 3 FETCH (UID 3 {items} BODY[] {{{{3}}}}\r\nabc)\r\n
            S: {{{{tag}}}} OK'''.format(), 'fetch', 'INBOX', '7', '3')
        self.assertEqual(told.lines, ['begin 3 size=3 abc end 3'], told.text)


class Others(unittest.TestCase):

    def setUp(self):
        self.path = mailtest.temporary_directory('mailtest-append-') + '/message'
        with open(self.path, 'wb') as file:
            file.write(b'Subject: x\r\n\r\nbody\r\n')

    def append(self, capabilities, script):
        return play(signed_in(capabilities) + script, 'append', 'INBOX', self.path, '\\Seen $x')

    def test_append_sends_flags_date_and_bytes_and_learns_the_uid(self):
        played = self.append('IMAP4rev1 LITERAL+ UIDPLUS', r'''
            C: APPEND "INBOX" \(\\Seen \$x\) "09-Sep-2001 01:46:40 \+0000" \{20\+\}..Subject: x....body..$
            S: {tag} OK [APPENDUID 7 12] done''')
        self.assertEqual(played.lines, ['appended 12 uidvalidity=7'])

    def test_append_waits_where_it_has_to(self):
        played = self.append('IMAP4rev1', r'''
            C: APPEND "INBOX" .* \{20\}..Subject
            S: {tag} OK done''')
        self.assertEqual(played.lines, ['appended 0 uidvalidity=0'])

    def test_append_over_quota_is_refused_before_or_after_the_bytes(self):
        refused = steps(signed_in()) + [scripted_imap.expect_line(rb'\d+ APPEND'), scripted_imap.send(b'2 NO [OVERQUOTA] full\r\n')]
        for played in (play(refused, 'append', 'INBOX', self.path, ''),
                       self.append('IMAP4rev1 LITERAL+', 'C: APPEND\nS: {tag} NO [OVERQUOTA] full')):
            self.assertEqual(played.error(), 'EDQUOT')
            self.assertIn('full', played.text)

    def test_an_append_whose_answer_is_lost_is_not_repeated(self):
        played = play([signed_in('IMAP4rev1 LITERAL+') + '''
            C: NOOP
            S: {tag} OK
            C: APPEND''', signed_in('IMAP4rev1 LITERAL+')], 'noop', '--', 'append', 'INBOX', self.path, '')
        self.assertEqual(played.error(), 'ENOTCONN')
        self.assertEqual(sum(b'APPEND' in command for command in played.commands), 1)

    def test_create_also_subscribes(self):
        played = play(signed_in() + '''
            C: CREATE "a/b"$
            S: {tag} OK
            C: SUBSCRIBE "a/b"$
            S: {tag} OK
            C: CREATE "c"$
            S: {tag} NO [ALREADYEXISTS] there''', 'create', 'a/b', '--', 'create', 'c')
        self.assertEqual(played.error(), 'EEXIST')

    def test_what_search_finds_by_message_id_is_checked(self):
        played = play(signed_in() + examine(3, 4) + r'''
            C: UID SEARCH HEADER Message-ID "<a@b>"$
            S: * SEARCH 1 2 3
            S: {tag} OK
            C: UID FETCH 1:3 \(UID BODY.PEEK\[HEADER.FIELDS \(Message-ID\)\]<0.2048>\)$
            S| * 1 FETCH (UID 1 BODY[HEADER.FIELDS (MESSAGE-ID)]<0> {22}\r\nMessage-ID: <xa@b>\r\n\r\n)\r\n
            S: * 2 FETCH (UID 2 BODY[HEADER.FIELDS (MESSAGE-ID)]<0> "")
            S| * 3 FETCH (UID 3 BODY[HEADER.FIELDS (MESSAGE-ID)]<0> {23}\r\nMessage-Id:\r\n <a@b>\r\n\r\n)\r\n
            S: {tag} OK''', 'find', 'INBOX', 'Message-ID', '<a@b>')
        self.assertEqual(played.lines, ['found 3'], played.text)

    def test_what_was_resent_is_found_by_any_of_its_resendings(self):
        played = play(signed_in() + examine(2, 3) + r'''
            C: UID SEARCH HEADER Resent-Message-ID "<a@b>"$
            S: * SEARCH 1 2
            S: {tag} OK
            C: UID FETCH 1:2 \(UID BODY.PEEK\[HEADER.FIELDS \(Resent-Message-ID\)\]<0.2048>\)$
            S| * 1 FETCH (UID 1 BODY[HEADER.FIELDS (Resent-Message-ID)]<0> {54}\r\nResent-Message-ID: <c@b>\r\nResent-Message-ID: <a@b>\r\n\r\n)\r\n
            S| * 2 FETCH (UID 2 BODY[HEADER.FIELDS (Resent-Message-ID)]<0> {28}\r\nResent-Message-ID: <c@b>\r\n\r\n)\r\n
            S: {tag} OK''', 'find', 'INBOX', 'Resent-Message-ID', '<a@b>')
        self.assertEqual(played.lines, ['found 1'], played.text)

    def test_the_tightest_quota_counts(self):
        played = play(signed_in('IMAP4rev1 QUOTA') + '''
            C: GETQUOTAROOT "INBOX"$
            S: * QUOTAROOT INBOX "a b" c
            S: * QUOTA "a b" (STORAGE 10 512 MESSAGE 3 100)
            S: * QUOTA c (STORAGE 20 256 X-FOO 1 2)
            S: {tag} OK''', 'quota')
        self.assertEqual(played.lines, ['quota bytes=20480/262144 messages=3/100'])

    def test_rights_and_status(self):
        played = play(signed_in('IMAP4rev1 ACL') + '''
            C: MYRIGHTS "x"$
            S: * MYRIGHTS x lrs
            S: {tag} OK
            C: STATUS "x" \\(MESSAGES UIDNEXT UIDVALIDITY UNSEEN\\)$
            S: * STATUS {1}
            S: x (MESSAGES 3 UIDNEXT 5 UNSEEN 1 X-NEW 4 UIDVALIDITY 7)
            S: {tag} OK''', 'rights', 'x', '--', 'status', 'x')
        self.assertEqual(played.lines, ['lrs', 'status uidvalidity=7 uidnext=5 messages=3 modseq=0 unseen=1'])

    def test_what_the_server_has_not_is_not_asked_for(self):
        played = play(signed_in(), 'quota', '--', 'rights', 'x')
        self.assertEqual(played.error(), 'EOPNOTSUPP')


if __name__ == '__main__':
    mailtest.main()
