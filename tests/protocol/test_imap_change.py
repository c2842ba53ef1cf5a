#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Changing mail: what is on the wire for flags, copies, moves, expunges and folders, and what comes of every answer."""

import re
import time
import unittest

import mailtest
from mailtest import certificates, scripted_imap
from transcript import play, signed_in, steps

CHANGES = 'IMAP4rev1 UIDPLUS MOVE'
FLAGS = r'\Answered \Flagged \Deleted \Seen \Draft'
SELECTED = b'* 9999 EXISTS\r\n* OK [UIDVALIDITY 1] ok\r\n* OK [UIDNEXT 999999] ok\r\n{tag} OK [READ-WRITE] done\r\n'
CODES = [('[OVERQUOTA]', 'EDQUOT'), ('[NOPERM]', 'EACCES'), ('[CANNOT]', 'EPERM'), ('[LIMIT]', 'EAGAIN'), ('[INUSE]', 'EAGAIN'),
         ('[UNAVAILABLE]', 'EAGAIN'), ('[SERVERBUG]', 'EIO'), ('[X-NEW]', 'EIO'), ('', 'EIO')]


def select(command='SELECT', *, name='INBOX', exists=100000, uidnext=1000000, uidvalidity=7, permanent=FLAGS + r' $x \*',
           code='READ-WRITE'):
    """A folder large enough that every UID of these tests was there when it was opened."""
    flags = '' if permanent is None else f'S: * OK [PERMANENTFLAGS ({permanent})] ok'
    return f'''
        C: {command} "{name}"$
        S: * FLAGS ({FLAGS})
        {flags}
        S: * {exists} EXISTS
        S: * OK [UIDVALIDITY {uidvalidity}] ok
        S: * OK [UIDNEXT {uidnext}] ok
        S: {{tag}} OK [{code}] done
    '''


def examine(**how):
    return select('EXAMINE', code='READ-ONLY', permanent='', **how)


def change(conversation, *arguments, capabilities=CHANGES, **how):
    return play(signed_in(capabilities) + conversation, *arguments, **how)


class Store(unittest.TestCase):

    def test_flags_are_added_and_removed_by_two_commands_in_flight(self):
        played = change(select() + r'''
            C: UID STORE 1:3,7 \+FLAGS.SILENT \(\\Seen \$x\)$
            C: UID STORE 1:3,7 -FLAGS.SILENT \(\\Flagged\)$
            S: 3 OK added
            S: {tag} OK removed''', 'store', 'INBOX', '7', '1:3,7', r'\Seen $x', r'\Flagged')
        self.assertEqual((played.status, played.lines), (0, []))

    def test_what_is_not_to_be_changed_is_not_sent(self):
        for add, remove, sign in (('a', '', r'\+'), ('', 'a', '-')):
            played = change(select() + rf'''
                C: UID STORE 5 {sign}FLAGS.SILENT \(a\)$
                S: {{tag}} OK''', 'store', 'INBOX', '7', '5', add, remove)
            self.assertEqual(played.status, 0, played.text)

    def test_a_folder_open_for_change_stays_open_for_the_next_change_and_for_reading(self):
        played = change(select(exists=1, uidnext=2) + r'''
            C: UID STORE 1 \+FLAGS
            S: {tag} OK
            C: UID STORE 1 \+FLAGS
            S: {tag} OK
            C: UID FETCH 1 \(UID BODY.PEEK\[\]\)$
            S| * 1 FETCH (UID 1 BODY[] {1}\r\na)\r\n
            S: {tag} OK
            C: EXAMINE "INBOX"$
            S: {tag} NO no''', *['store', 'INBOX', '7', '1', 'a', '', '--'] * 2, 'fetch', 'INBOX', '7', '1',
                        '--', 'sync', 'INBOX')
        self.assertEqual(played.lines[0], 'begin 1 size=1 a end 1')

    def test_a_folder_open_for_reading_is_opened_for_change(self):
        played = change(examine(exists=1, uidnext=2) + r'''
            C: UID FETCH 1 
            S: {tag} OK''' + select(exists=1, uidnext=2) + r'''
            C: UID STORE 1 
            S: {tag} OK''', 'fetch', 'INBOX', '7', '1', '--', 'store', 'INBOX', '7', '1', 'a', '')
        self.assertEqual(played.status, 0, played.text)

    def test_a_message_that_came_after_the_folder_was_opened_is_asked_for_first(self):
        played = change(select(exists=1, uidnext=2) + r'''
            C: NOOP$
            S: * 2 EXISTS
            S: {tag} OK
            C: UID STORE 1:2 
            S: {tag} OK''', 'store', 'INBOX', '7', '1:2', 'a', '')
        self.assertEqual(played.status, 0, played.text)

    def test_news_meanwhile_disturbs_nothing(self):
        played = change(select(exists=9) + r'''
            C: UID STORE 1 
            S: * 3 EXPUNGE
            S: * VANISHED 4:5
            S: * 2 FETCH (UID 2 FLAGS (\Seen) MODSEQ (9))
            S: * 12 EXISTS
            S: * OK [HIGHESTMODSEQ 77] more
            S: {tag} OK''', 'store', 'INBOX', '7', '1', 'a', '')
        self.assertEqual(played.status, 0, played.text)

    def test_five_thousand_messages_with_gaps_are_many_short_lines(self):
        uids = list(range(100000, 110000, 2))
        script = [scripted_imap.send(b'* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\r\n'),
                  scripted_imap.answer([(rb'UID STORE', scripted_imap.OK), (rb'SELECT', SELECTED)] + scripted_imap.one_folder())]
        played = play(script, 'store', 'INBOX', '1', ','.join(map(str, uids)), r'\Seen', r'\Flagged')
        self.assertEqual((played.status, played.lines), (0, []))
        stores = [command.decode() for command in played.commands if b'STORE' in command]
        self.assertLess(max(map(len, stores)), 1000)
        sent = {'+': [], '-': []}
        for store in stores:
            _, _, _, uid_set, item, _ = store.split(' ')
            sent[item[0]] += map(int, uid_set.split(','))
        self.assertEqual(sent, {'+': uids, '-': uids})
        self.assertLess(len(stores), 90)

    def test_so_many_in_a_row_that_a_command_takes_long_are_several_commands(self):
        played = change(select() + r'''
            C: UID STORE 1:1000 
            C: UID STORE 1001:2000 
            S: 3 OK
            C: UID STORE 2001:2500 
            S: 4 OK
            S: 5 OK''', 'store', 'INBOX', '7', '1:2500', 'a', '')
        self.assertEqual(played.status, 0, played.text)

    def test_after_a_refusal_nothing_more_is_sent_and_the_session_goes_on(self):
        for first, second, error in (('NO [OVERQUOTA] full', 'OK', 'EDQUOT'), ('OK', 'NO [NOPERM] not you', 'EACCES'),
                                     ('NO [INUSE] one', 'NO [NOPERM] two', 'EAGAIN'), ('BAD what', 'OK', 'EIO')):
            played = change(select() + rf'''
                C: UID STORE 1:1000 
                C: UID STORE 1001:2000 
                S: 3 {first}
                {'C: UID STORE 2001' if first == 'OK' else ''}
                S: 4 {second}
                {'S: 5 OK' if first == 'OK' else ''}
                C: NOOP$
                S: {{tag}} OK''', 'store', 'INBOX', '7', '1:5000', 'a', '', '--', 'noop')
            self.assertEqual([line.split()[1] for line in played.lines], [error], played.text)

    def test_each_code_has_its_errno(self):
        for code, error in CODES:
            played = change(select() + f'''
                C: UID STORE
                S: {{tag}} NO {code} no''', 'store', 'INBOX', '7', '1', 'a', '')
            self.assertEqual(played.error(), error, code)

    def test_a_read_only_folder_is_erofs_each_time_it_is_tried(self):
        read_only = select(code='READ-ONLY')
        for call in (['store', 'INBOX', '7', '1', 'a', ''], ['expunge', 'INBOX', '7', '1'], ['move', 'INBOX', '7', '1', 'x']):
            played = change(read_only * 2, *call, '--', *call)
            self.assertEqual([line.split()[1] for line in played.lines if line.startswith('error')], ['EROFS'] * 2)

    def test_a_flag_that_the_folder_does_not_permit_is_not_sent(self):
        for permanent, add, remove in ((FLAGS, '$x', ''), (FLAGS, '', '$x'), (r'\Seen \*', r'\Flagged', ''), ('', r'\Seen', ''),
                                       (FLAGS + ' $x', r'\Seen $x $y', '')):
            played = change(select(permanent=permanent), 'store', 'INBOX', '7', '1', add, remove)
            self.assertEqual(played.error(), 'EOPNOTSUPP', (permanent, add, remove))
            self.assertFalse([command for command in played.commands if b'STORE' in command])

    def test_a_flag_that_the_folder_permits_is_sent(self):
        for permanent, add in ((FLAGS + r' \*', '$new'), (FLAGS + ' $X', '$x'), (None, '$any'), (FLAGS, r'\seen')):
            played = change(select(permanent=permanent) + '''
                C: UID STORE
                S: {tag} OK''', 'store', 'INBOX', '7', '1', add, '')
            self.assertEqual(played.status, 0, played.text)

    def test_another_uidvalidity_is_stale_before_anything_is_sent(self):
        for call in (['store', 'INBOX', '7', '1', 'a', ''], ['expunge', 'INBOX', '7', '1'], ['move', 'INBOX', '7', '1', 'x']):
            played = change(select(uidvalidity=8), *call)
            self.assertEqual(played.error(), 'ESTALE')
        self.assertEqual(change(examine(uidvalidity=8), 'copy', 'INBOX', '7', '1', 'x').error(), 'ESTALE')

    def test_a_lost_answer_is_asked_for_again_on_a_new_connection(self):
        begin = signed_in(CHANGES)
        for call in (['store', 'INBOX', '7', '1', 'a', ''], ['expunge', 'INBOX', '7', '1']):
            played = play([begin + select() + '''
                C: UID STORE
                S: {tag} OK
                C: UID STORE''', begin + select() + '''
                C: UID STORE
                S: {tag} OK''' + ('' if call[0] == 'store' else '''
                C: UID EXPUNGE
                S: {tag} OK''')], 'store', 'INBOX', '7', '1', 'a', '', '--', *call)
            self.assertEqual(played.status, 0, played.text)


    def test_an_answer_lost_twice_is_an_error(self):
        begin = signed_in(CHANGES) + select()
        played = play([begin + 'C: UID STORE\nS: {tag} OK\nC: UID STORE', begin + 'C: UID STORE'],
                      *['store', 'INBOX', '7', '1', 'a', '', '--'] * 2, 'abilities')
        self.assertEqual(played.error(), 'ENOTCONN')


class Expunge(unittest.TestCase):

    def test_these_are_marked_and_expunged_and_no_others(self):
        played = change(select() + r'''
            C: UID STORE 2:3,9 \+FLAGS.SILENT \(\\Deleted\)$
            S: {tag} OK
            C: UID EXPUNGE 2:3,9$
            S: * 2 EXPUNGE
            S: * 2 EXPUNGE
            S: {tag} OK''', 'expunge', 'INBOX', '7', '2:3,9')
        self.assertEqual(played.status, 0, played.text)

    def test_without_uidplus_nothing_at_all_is_sent(self):
        played = change('', 'expunge', 'INBOX', '7', '1', capabilities='IMAP4rev1 MOVE')
        self.assertEqual(played.error(), 'EOPNOTSUPP')
        self.assertEqual([command for command in played.commands if b'LOGOUT' not in command and b'AUTH' not in command], [])

    def test_nothing_is_expunged_before_the_server_has_marked_it(self):
        """Dovecot would look for what is marked too early, expunge none of a large folder, and say OK."""
        played = change(select() + '''
            C: UID STORE
            S: {tag} NO [INUSE] later
            C: LOGOUT''', 'expunge', 'INBOX', '7', '1')
        self.assertEqual(played.error(), 'EAGAIN')

    def test_a_refusal_to_expunge_is_an_error(self):
        played = change(select() + '''
            C: UID STORE
            S: {tag} OK
            C: UID EXPUNGE
            S: {tag} NO [NOPERM] no''', 'expunge', 'INBOX', '7', '1')
        self.assertEqual(played.error(), 'EACCES')

    def test_where_nothing_may_be_marked_deleted_it_is_eacces(self):
        self.assertEqual(change(select(permanent=r'\Seen \*'), 'expunge', 'INBOX', '7', '1').error(), 'EACCES')

    def test_imap4rev2_has_it_all(self):
        played = change('', 'abilities', capabilities='IMAP4rev2')
        self.assertEqual(played.lines, ['abilities move expunge-uid limit=0'])
        played = change('', 'abilities', capabilities='IMAP4rev1 UIDPLUS MULTIAPPEND BINARY APPENDLIMIT=35651584')
        self.assertEqual(played.lines, ['abilities expunge-uid append-many binary limit=35651584'])


class CopyAndMove(unittest.TestCase):

    def copy(self, answer, *, uids='3:5,9', command='COPY', name='COPY'):
        begin = examine() if command == 'COPY' else select()
        return change(begin + f'''
            C: UID {command} {uids} "a b"$
            {answer}''', command.lower(), 'INBOX', '7', uids, 'a b')

    def test_copyuid_tells_each_ones_new_uid(self):
        for told, uids in (('3:5,9 11:14', '11,12,13,14'), ('9,3:5 11:14', '12,13,14,11'), ('4 20', '0,20,0,0'),
                           ('3,4,5,9 1,5,7,4294967295', '1,5,7,4294967295')):
            played = self.copy(f'S: {{tag}} OK [COPYUID 77 {told}] done')
            self.assertEqual(played.lines, [f'copied done=4 uidvalidity=77 uids={uids}'])

    def test_copyuid_that_does_not_fit_is_as_none(self):
        for told in ('77 3:5,9 11:13', '77 3:5 11:14', '77 3:6 11:14', '77 3:5,9 14:11', '77 3:5,9 14,13,12,11', '77 3:5,9', '77',
                     '', '0 3 4', '77 3 0', '77 3,3 4:5', '77 3:5,9 11:14 x', '77 3:5,9 11:*', '77 3 4294967296',
                     '77 1:4294967295 1:4294967295', '77  3 4', 'x 3 4', '77 (3) (4)', '77 3, 4,'):
            played = self.copy(f'S: {{tag}} OK [COPYUID {told}] done')
            self.assertEqual(played.lines, ['copied done=4 uidvalidity=0 uids=0,0,0,0'], told)

    def test_copyuid_may_be_absent(self):
        played = self.copy('S: {tag} OK done')
        self.assertEqual(played.lines, ['copied done=4 uidvalidity=0 uids=0,0,0,0'])

    def test_a_move_tells_in_an_untagged_ok(self):
        played = self.copy('''
            S: * OK [COPYUID 77 3:5 11:13] some
            S: * 3 EXPUNGE
            S: * OK [COPYUID 77 9 14] and one more
            S: * VANISHED 4:5
            S: {tag} OK done''', command='MOVE')
        self.assertEqual(played.lines, ['copied done=4 uidvalidity=77 uids=11,12,13,14'])

    def test_or_in_the_tagged_one(self):
        played = self.copy('S: {tag} OK [COPYUID 77 3:5,9 11:14] done', command='MOVE')
        self.assertEqual(played.lines, ['copied done=4 uidvalidity=77 uids=11,12,13,14'])

    def test_what_one_command_told_is_not_taken_for_the_next(self):
        played = change(examine() + '''
            C: UID COPY 1 
            S: {tag} OK [COPYUID 77 1 5] done
            C: UID COPY 1 
            S: {tag} OK done''', 'copy', 'INBOX', '7', '1', 'x', '--', 'copy', 'INBOX', '7', '1', 'x')
        self.assertEqual(played.lines[1], 'copied done=1 uidvalidity=0 uids=0')

    def test_without_move_nothing_at_all_is_sent(self):
        played = change('', 'move', 'INBOX', '7', '1', 'x', capabilities='IMAP4rev1 UIDPLUS')
        self.assertEqual(played.error(), 'EOPNOTSUPP')
        self.assertEqual([command for command in played.commands if b'LOGOUT' not in command and b'AUTH' not in command], [])

    def test_a_missing_destination_is_told_from_a_missing_source(self):
        for command in ('COPY', 'MOVE'):
            for code in ('TRYCREATE', 'NONEXISTENT'):
                self.assertEqual(self.copy(f'S: {{tag}} NO [{code}] no such folder', command=command).error(), 'ENOLINK')
        for answer in ('NO [NONEXISTENT] no', 'NO no\nC: LIST "" "INBOX"\nS: {tag} OK'):
            for verb, command in (('EXAMINE', 'copy'), ('SELECT', 'move')):
                self.assertEqual(change(f'C: {verb}\nS: {{tag}} {answer}', command, 'INBOX', '7', '1', 'x').error(), 'ENXIO')

    def test_a_folder_that_cannot_be_opened_just_now_is_there(self):
        listed = 'S: {tag} NO no\nC: LIST "" "INBOX"\nS: * LIST () "/" INBOX\nS: {tag} OK'
        self.assertEqual(change(f'C: SELECT\n{listed}', 'move', 'INBOX', '7', '1', 'x').error(), 'EAGAIN')
        self.assertEqual(change(f'C: EXAMINE\n{listed}', 'copy', 'INBOX', '7', '1', 'x').error(), 'EIO')
        self.assertEqual(change(f'C: STATUS\n{listed}', 'status', 'INBOX').error(), 'EAGAIN')
        listed = listed.replace('()', '(\\Noselect)')
        self.assertEqual(change(f'C: STATUS\n{listed}', 'status', 'INBOX').error(), 'ENXIO')

    def test_a_session_that_is_of_no_use_any_more_is_given_up(self):
        """What Exchange says then is about no command."""
        for verb, command in (('EXAMINE', ('copy', 'INBOX', '7', '1', 'x')), ('SELECT', ('move', 'INBOX', '7', '1', 'x')), ('NOOP', ('noop',))):
            played = change(f'C: {verb}\nS: {{tag}} BAD User is authenticated but not connected.', *command)
            self.assertEqual(played.error(), 'ECONNABORTED')
            self.assertFalse(any(b'LOGOUT' in said for said in played.commands))

    def test_each_code_has_its_errno(self):
        for command in ('COPY', 'MOVE'):
            for code, error in CODES:
                played = self.copy(f'S: {{tag}} NO {code} no', command=command)
                self.assertEqual(played.error(), error, code)
                self.assertEqual(played.lines[0], 'copied done=0 uidvalidity=0 uids=0,0,0,0')

    def test_long_sets_go_one_by_one_and_a_refusal_tells_how_far_it_came(self):
        played = change(select() + '''
            C: UID MOVE 1:1000 
            S: * OK [COPYUID 77 1:1000 5001:6000]
            S: {tag} OK
            C: UID MOVE 1001:2000 
            S: {tag} NO [OVERQUOTA] full''', 'move', 'INBOX', '7', '1:3000', 'x')
        self.assertEqual(played.error(), 'EDQUOT')
        uids = ','.join(map(str, [*range(5001, 6001), *[0] * 2000]))
        self.assertEqual(played.lines[0], f'copied done=1000 uidvalidity=77 uids={uids}')

    def test_what_was_moved_before_a_refusal_is_told(self):
        played = self.copy('''
            S: * OK [COPYUID 77 3:4 11:12] some
            S: * 3 EXPUNGE
            S: * 3 EXPUNGE
            S: {tag} NO no more''', command='MOVE')
        self.assertEqual(played.error(), 'EIO')
        self.assertEqual(played.lines[0], 'copied done=0 uidvalidity=77 uids=11,12,0,0')

    def test_a_destination_that_is_replaced_meanwhile_makes_what_was_told_worthless(self):
        played = change(select() + '''
            C: UID MOVE 1:1000 
            S: {tag} OK [COPYUID 77 1:1000 5001:6000]
            C: UID MOVE 1001 
            S: {tag} OK [COPYUID 78 1001 1]''', 'move', 'INBOX', '7', '1:1001', 'x')
        self.assertEqual(played.lines, ['copied done=1001 uidvalidity=78 uids=' + '0,' * 1000 + '1'])

    def test_what_was_told_before_the_connection_was_lost_counts_and_nothing_is_repeated(self):
        for command, begin in (('COPY', examine()), ('MOVE', select())):
            played = play([signed_in(CHANGES) + f'''
                {begin}
                C: UID {command} 3:4 
                S: * OK [COPYUID 77 3:4 11:12] done''', signed_in(CHANGES)], command.lower(), 'INBOX', '7', '3:4', 'x')
            self.assertEqual(played.error(), 'ENOTCONN')
            self.assertEqual(played.lines[0], 'copied done=0 uidvalidity=77 uids=11,12')
            self.assertEqual(sum(command.encode() in one for one in played.commands), 1)

    def test_a_destination_of_any_bytes(self):
        played = change(examine() + '''
            C: UID COPY 1 \\{3\\}..\\xc3\\xa4x$
            S: {tag} OK''', 'copy', 'INBOX', '7', '1', 'äx')
        self.assertEqual(played.status, 0, played.text)


class Uids(unittest.TestCase):

    def test_uids_from_on_are_searched_for(self):
        played = change(examine() + '''
            C: UID SEARCH UID 5:\\*$
            S: * SEARCH 9 5 6
            S: {tag} OK
            C: NOOP
            S: {tag} OK
            C: UID SEARCH UID 10:\\*$
            S: * SEARCH 9
            S: {tag} OK''', 'uids', 'INBOX', '7', '5', '--', 'uids', 'INBOX', '7', '10')
        self.assertEqual(played.lines, ['exists 5', 'exists 6', 'exists 9'])

    def test_an_empty_folder_is_not_asked(self):
        self.assertEqual(change(examine(exists=0), 'uids', 'INBOX', '7', '1').lines, [])

    def test_a_refused_search_is_an_error_when_fetch_fails_too(self):
        played = change(examine() + '''
            C: UID SEARCH
            S: {tag} NO no
            C: UID FETCH 5:\\* \\(UID\\)$
            S: {tag} NO [UNAVAILABLE] no''', 'uids', 'INBOX', '7', '5')
        self.assertEqual(played.error(), 'EAGAIN')


class Append(unittest.TestCase):

    def setUp(self):
        self.directory = mailtest.temporary_directory('mailtest-append-')
        self.one = self.file('one', b'Subject: 1\r\n\r\na\r\n')
        self.two = self.file('two', b'Subject: 2\r\n\r\nb\r\n')

    def file(self, name, data):
        path = f'{self.directory}/{name}'
        with open(path, 'wb') as file:
            file.write(data)
        return path

    def test_several_messages_are_one_command(self):
        played = change(r'''
            C: APPEND "INBOX" \(\\Seen\) "09-Sep-2001 01:46:40 \+0000" \{17\+\}..Subject: 1....a.. \(\\Seen\) "09-Sep-2001 .*" \{17\+\}..Subject: 2....b..$
            S: {tag} OK [APPENDUID 7 12:13] done''', 'appends', 'INBOX', r'\Seen', self.one, self.two,
                        capabilities='IMAP4rev1 LITERAL+ MULTIAPPEND')
        self.assertEqual(played.lines, ['appended 12 uidvalidity=7', 'appended 13 uidvalidity=7'])

    def test_each_is_waited_for_without_literal_plus(self):
        played = change(r'''
            C: APPEND "INBOX" "[^"]*" \{17\}..Subject: 1....a.. "[^"]*" \{17\}..Subject: 2....b..$
            S: {tag} OK [APPENDUID 7 12,15] done''', 'appends', 'INBOX', '', self.one, self.two,
                        capabilities='IMAP4rev1 MULTIAPPEND')
        self.assertEqual(played.lines, ['appended 12 uidvalidity=7', 'appended 15 uidvalidity=7'])

    def test_literal_minus_is_for_small_ones(self):
        great = self.file('great', b'Subject: x\r\n\r\n' + b'y' * 5000 + b'\r\n')
        played = change(r'''
            C: APPEND "INBOX" "[^"]*" \{17\+\}..Subject: 1....a.. "[^"]*" \{5016\}..Subject: x....y+..$
            S: {tag} OK done''', 'appends', 'INBOX', '', self.one, great, capabilities='IMAP4rev1 MULTIAPPEND LITERAL-')
        self.assertEqual(played.lines, ['appended 0 uidvalidity=0'] * 2)

    def test_without_multiappend_only_one_goes(self):
        played = change('', 'appends', 'INBOX', '', self.one, self.two, capabilities='IMAP4rev1 LITERAL+')
        self.assertEqual(played.error(), 'EOPNOTSUPP')
        self.assertFalse([command for command in played.commands if b'APPEND' in command])
        played = change('C: APPEND\nS: {tag} OK [APPENDUID 7 1]', 'appends', 'INBOX', '', self.one,
                        capabilities='IMAP4rev1 LITERAL+')
        self.assertEqual(played.lines, ['appended 1 uidvalidity=7'])

    def test_a_refusal_of_the_second_literal_is_the_whole_commands(self):
        script = steps(signed_in('IMAP4rev1 MULTIAPPEND')) + [
            scripted_imap.expect_line(rb'\d+ APPEND "INBOX" .*\{17\}$'), scripted_imap.send(b'+ go\r\n'),
            *[scripted_imap.expect_line(line) for line in (rb'Subject: 1', rb'$', rb'a$', rb' "[^"]*" \{17\}$')],
            scripted_imap.send(b'2 NO [OVERQUOTA] full\r\n'), scripted_imap.expect(rb'NOOP$'),
            scripted_imap.send(scripted_imap.OK)]
        played = play(script, 'appends', 'INBOX', '', self.one, self.two, '--', 'noop')
        self.assertEqual([line.split()[1] for line in played.lines], ['EDQUOT'])

    def test_appenduid_that_does_not_fit_is_as_none(self):
        for told in ('7 12', '7 12:14', '7 13,12', '7 12:13 1', '0 12:13', '7 0,1', '7', '', '7 12:*', '7 13:12', '7 12,12'):
            played = change(f'C: APPEND\nS: {{tag}} OK [APPENDUID {told}] done', 'appends', 'INBOX', '', self.one, self.two,
                            capabilities='IMAP4rev1 LITERAL+ MULTIAPPEND')
            self.assertEqual(played.lines, ['appended 0 uidvalidity=0'] * 2, told)

    def test_nul_goes_as_literal8_where_the_server_has_binary(self):
        path = self.file('nul', b'Subject: x\r\n\r\na\0b\r\n')
        played = change(r'''
            C: APPEND "INBOX" "[^"]*" ~\{19\+\}..Subject: x....a\x00b..$
            S: {tag} OK done''', 'append8', 'INBOX', path, '', capabilities='IMAP4rev1 LITERAL+ BINARY')
        self.assertEqual(played.status, 0, played.text)
        played = change('', 'append8', 'INBOX', path, '', capabilities='IMAP4rev1 LITERAL+')
        self.assertEqual(played.error(), 'EOPNOTSUPP')

    def test_over_the_servers_limit_nothing_is_sent(self):
        played = change('', 'append', 'INBOX', self.one, '', capabilities='IMAP4rev1 LITERAL+ APPENDLIMIT=16')
        self.assertEqual(played.error(), 'EFBIG')
        self.assertFalse([command for command in played.commands if b'APPEND' in command])
        for limit in ('=17', '', '=x'):
            played = change('C: APPEND\nS: {tag} OK', 'append', 'INBOX', self.one, '',
                            capabilities=f'IMAP4rev1 LITERAL+ APPENDLIMIT{limit}')
            self.assertEqual(played.status, 0, played.text)

    def test_each_code_has_its_errno(self):
        for code, error in CODES + [('[TRYCREATE]', 'ENOLINK'), ('[NONEXISTENT]', 'ENOLINK'), ('[TOOBIG]', 'EFBIG'),
                                    ('[UNKNOWN-CTE]', 'EINVAL')]:
            played = change(f'C: APPEND\nS: {{tag}} NO {code} no', 'append', 'INBOX', self.one, '',
                            capabilities='IMAP4rev1 LITERAL+')
            self.assertEqual(played.error(), error, code)

    def test_a_lost_connection_is_no_answer_wherever_it_breaks_and_nothing_is_repeated(self):
        line = scripted_imap.expect_line(rb'\d+ APPEND')
        body = [scripted_imap.send(b'+ go\r\n'), scripted_imap.expect_line(b'Subject')]
        for ending in ([line], [line, *body], steps('C: APPEND')):
            played = play([steps(signed_in()) + ending + [scripted_imap.close()],
                           steps(signed_in()) + [scripted_imap.expect(rb'LOGOUT|$')]], 'append', 'INBOX', self.one, '')
            self.assertEqual(played.error(), 'ENOTCONN')
            self.assertFalse([command for command in played.commands[2:] if b'APPEND' in command])

    # Great messages

    def great(self, *middle, capabilities='IMAP4rev1 LITERAL+', after=(), arguments=(), size=20 << 20, **how):
        """The server reads the announcement of a great message, does `middle`, and has a second connection."""
        path = self.file('great', b'Subject: x\r\n\r\n' + (b'y' * 76 + b'\r\n') * (size // 78))
        start = steps(signed_in(capabilities)) + [scripted_imap.expect_line(rb'\d+ APPEND "INBOX" .*\{\d+\+?\}$')]
        return play([[*start, *middle], steps(signed_in(capabilities)) + list(after)], 'append', 'INBOX', path, '', *arguments,
                    check=False, **how)

    def test_a_refusal_in_the_middle_is_heard_and_the_rest_not_sent_as_if_it_were_commands(self):
        read = []

        def refuse(conversation):
            conversation.file.read(100000)
            conversation.send(b'2 NO [OVERQUOTA] full\r\n')
            read.append(len(conversation.file.read()))

        for capabilities in ('IMAP4rev1 LITERAL+', 'IMAP4rev1'):
            go_on = scripted_imap.send(b'' if '+' in capabilities else b'+ go on\r\n')
            played = self.great(go_on, refuse, capabilities=capabilities, arguments=['--', 'noop'],
                                after=steps('C: NOOP\nS: {tag} OK'))
            self.assertEqual([line.split()[1] for line in played.lines if line.startswith('error')], ['EDQUOT'], played.text)
            self.assertIn('full', played.text)
            self.assertLess(read[-1], 15 << 20)

    def test_a_refusal_before_a_synchronising_literal_saves_sending_it(self):
        played = self.great(scripted_imap.send(b'2 NO [TOOBIG] no\r\n'), scripted_imap.expect(rb'NOOP$'),
                            scripted_imap.send(scripted_imap.OK), capabilities='IMAP4rev1', arguments=['--', 'noop'])
        self.assertEqual([line.split()[1] for line in played.lines], ['EFBIG'], played.text)

    def test_a_server_that_talks_much_before_it_reads_does_not_lock_up(self):
        def talk(conversation):
            for _ in range(200):
                conversation.socket.sendall(b'* OK [X-NEWS] this and that happened meanwhile, and more\r\n' * 1000)
            conversation.file.read(self.size)
            conversation.send(b'2 OK [APPENDUID 7 3] done\r\n')

        self.size = len(b'Subject: x\r\n\r\n') + (20 << 20) // 78 * 78 + 2
        started = time.monotonic()
        certificate = certificates.good()
        for how in ({'options': ['-t', '5']},
                    {'options': ['-t', '5', '-c', certificate.ca_file], 'context': certificate.server_context(),
                     'scheme': 'imaps'}):
            played = self.great(talk, **how)
            self.assertEqual(played.lines, ['appended 3 uidvalidity=7'])
        self.assertLess(time.monotonic() - started, 40)

    def test_who_cuts_us_off_and_says_why_is_heard(self):
        def bye(conversation):
            conversation.send(b'* BYE too much for today\r\n')
            scripted_imap.close()(conversation)

        played = self.great(bye)
        self.assertEqual(played.error(), 'ENOTCONN')
        self.assertIn('too much for today', played.text)

    def test_the_timeout_is_for_silence_not_for_a_long_upload(self):
        def slowly(conversation):
            left = self.size
            while left:
                conversation.file.read(min(left, 1 << 20))
                left -= min(left, 1 << 20)
                conversation.wait(0.1)
            conversation.send(b'2 OK done\r\n')

        self.size = len(b'Subject: x\r\n\r\n') + (60 << 20) // 78 * 78 + 2
        played = self.great(slowly, options=['-t', '3'], size=60 << 20)
        self.assertEqual(played.lines, ['appended 0 uidvalidity=0'])
        played = self.great(scripted_imap.stall(), options=['-t', '1'])
        self.assertEqual(played.error(), 'ETIMEDOUT')

    def test_an_answer_to_half_a_message_is_no_success(self):
        for answer in (b'2 OK done\r\n', b'+ more\r\n', b'9 NO what\r\n'):
            played = self.great(scripted_imap.send(answer), lambda conversation: conversation.file.read())
            self.assertEqual(played.error(), 'EPROTO', played.text)


class Folders(unittest.TestCase):

    def test_remove_rename_and_subscribe(self):
        played = change('''
            C: DELETE "a/b"$
            S: {tag} OK
            C: RENAME "a" "b c"$
            S: {tag} OK
            C: SUBSCRIBE "b c"$
            S: {tag} OK
            C: UNSUBSCRIBE "a"$
            S: {tag} OK''', 'remove', 'a/b', '--', 'rename', 'a', 'b c', '--', 'subscribe', 'b c', '--', 'unsubscribe', 'a')
        self.assertEqual((played.status, played.lines), (0, []))

    def test_folders_that_are_made_or_removed_already(self):
        def done(verb, listed, *command):
            return change(f'C: {verb}\nS: {{tag}} NO sorry\nC: LIST "" "a"\n{listed}S: {{tag}} OK', *command).error()
        there, name = 'S: * LIST () "/" a\n', 'S: * LIST (\\Noselect) "/" a\n'
        self.assertEqual([done('CREATE', listed, 'create', 'a') for listed in (there, name, '')], ['EEXIST', 'EIO', 'EIO'])
        self.assertEqual([done('DELETE', listed, 'remove', 'a') for listed in (there, name, '')], ['EIO', 'EIO', 'ENXIO'])
        self.assertEqual([done('RENAME', listed, 'rename', 'a', 'b') for listed in (there, name, '')], ['EIO', 'EIO', 'ENXIO'])

    def test_each_code_has_its_errno(self):
        codes = CODES + [('[ALREADYEXISTS]', 'EEXIST'), ('[NONEXISTENT]', 'ENXIO'), ('[HASCHILDREN]', 'ENOTEMPTY')]
        for call in (['create', 'a'], ['remove', 'a'], ['rename', 'a', 'b'], ['subscribe', 'a']):
            for code, error in codes:
                if not code and call[0] != 'subscribe':
                    continue    # see above
                played = change(f'C: .\nS: {{tag}} NO {code} no', *call)
                self.assertEqual(played.error(), error, (call, code))

    def test_an_open_folder_is_left_before_it_goes(self):
        for name in ('a', 'a/b'):
            played = change(examine(name=name) + '''
                C: UID SEARCH
                S: * SEARCH
                S: {tag} OK
                C: UNSELECT$
                S: {tag} OK
                C: DELETE "a"$
                S: {tag} OK''', 'uids', name, '7', '5', '--', 'remove', 'a', capabilities='IMAP4rev1 UNSELECT')
            self.assertEqual(played.status, 0, played.text)

    def test_without_unselect_another_one_is_looked_into(self):
        played = change(select(name='a') + '''
            C: UID STORE
            S: {tag} OK''' + examine() + '''
            C: RENAME "a" "b"$
            S: {tag} OK''', 'store', 'a', '7', '5', 'x', '', '--', 'rename', 'a', 'b')
        self.assertEqual(played.status, 0, played.text)

    def test_nothing_is_repeated(self):
        begin = signed_in(CHANGES)
        for call in (['create', 'a'], ['remove', 'a'], ['rename', 'a', 'b'], ['subscribe', 'a'], ['unsubscribe', 'a']):
            played = play([begin + '''
                C: NOOP
                S: {tag} OK
                C: .''', begin], 'noop', '--', *call)
            self.assertEqual(played.error(), 'ENOTCONN')
            self.assertEqual(len([command for command in played.commands if not re.search(rb'AUTH|NOOP|LOGOUT', command)]), 1)


class Idle(unittest.TestCase):

    def test_a_connection_idle_for_long_is_tried_before_what_must_not_be_repeated(self):
        begin = signed_in(CHANGES)
        played = play([begin + '''
            C: NOOP
            S: {tag} OK
            C: NOOP''', begin + '''
            C: DELETE "a"$
            S: {tag} OK'''], 'noop', '--', 'later', '60', '--', 'remove', 'a')
        self.assertEqual((played.status, played.lines), (0, []))

    def test_and_used_when_it_lives(self):
        played = change('''
            C: NOOP
            S: {tag} OK
            C: NOOP
            S: {tag} OK
            C: DELETE "a"$
            S: {tag} OK''', 'noop', '--', 'later', '60', '--', 'remove', 'a')
        self.assertEqual(played.status, 0, played.text)


if __name__ == '__main__':
    mailtest.main()
