#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""mailfsctl outbox: what waits and what failed, seen, tried again and cancelled, against a real Postfix that is down or refuses."""

import json
import os
import re
import time

import mailtest
from mailtest.scripted_smtp import DISCONNECT, STALL


def write(path, data):
    with open(path, 'wb') as file:
        file.write(data)


class OutboxCase(mailtest.MountTestCase):
    limit_s = 90

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = mailtest.Dovecot(special_use={'Sent': '\\Sent'}).start()
        cls.addClassCleanup(cls.server.stop)

    def start(self, *servers, **keys):
        self.mount = mailtest.Mount(mailtest.account(self.server, *servers, sent='none', **keys)).start()
        self.addCleanup(self.mount.unmount)
        self.outbox = self.mount / 'outbox'
        self.id = f'x{time.monotonic_ns()}'

    def letter(self, name, to='bob', text='At noon?'):
        write(os.path.join(self.outbox, name), f'To: {to}@example.com\nSubject: {self.id}\n\n{text}\n'.encode())

    def ctl(self, *arguments, status=0):
        result = self.mount.ctl('outbox', self.mount.path, *arguments, check=False)
        self.assertEqual(result.returncode, status, result.stdout + result.stderr)
        return result.stdout if status == 0 else result.stdout + result.stderr

    def listed(self):
        """{name: object}"""
        objects = [json.loads(line) for line in self.ctl('list', '--json').splitlines()]
        return {entry['name']: entry for entry in objects}

    def wait_state(self, name, state):
        mailtest.wait_for(lambda: self.listed().get(name, {}).get('state') == state, 20, f'{name} in state {state}')
        return self.listed()[name]

    def wait_sent(self):
        mailtest.wait_for(lambda: self.listed() == {}, 20, 'an empty outbox')

    def received(self, user='bob'):
        return [data for _, data in self.server.messages(user=user).values() if self.id.encode() in data]

    def wait_received(self, number=1):
        mailtest.wait_for(lambda: len(self.received()) >= number, 20, 'the message')
        self.assertEqual(len(self.received()), number)


class WithPostfix(OutboxCase):
    """Alone with its Postfix, which is down or refuses."""

    def setUp(self):
        self.postfix = self.enterContext(mailtest.Postfix(self.server))
        self.start(self.postfix)

    def fail(self, name):
        self.letter(name, to='unknown')
        return self.wait_state(f'failed/{name}', 'failed')

    def test_nothing_queued_is_nothing_said(self):
        self.assertEqual(self.ctl(), '')
        self.assertEqual(self.ctl('list', '--json'), '')

    def test_one_that_waits_for_the_server_is_shown_and_tried_at_once(self):
        self.postfix.stop()
        self.letter('later.eml')
        first = self.wait_state('later.eml', 'retry')
        self.assertTrue(0 < first['next'] - time.time() <= 60, first)
        self.assertRegex(self.ctl(), r'\Aretry +\d+ B  in (5\d s|1 min)  later\.eml\n          .*[Cc]onnect.*\n\Z')
        self.assertEqual(self.ctl('retry', 'later.eml'), 'later.eml: tried now\n')
        mailtest.wait_for(lambda: self.listed()['later.eml'].get('next', 0) - time.time() > 200, 10, 'the second attempt')
        self.postfix.start()
        self.ctl('retry', 'later.eml')
        self.wait_received()
        self.wait_sent()

    def test_one_that_was_refused_is_shown_and_tried_again(self):
        failed = self.fail('unknown.eml')
        self.assertIn('550', failed['error'])
        self.assertNotIn('next', failed)
        self.assertRegex(self.ctl('list'), r'\Afailed +\d+ B  \d+ s ago  failed/unknown\.eml\n          550 .*unknown@example\.com.*\n\Z')
        os.setxattr(os.path.join(self.outbox, 'failed/unknown.eml'), 'user.mail.rcpt', b'bob@example.com')
        self.assertEqual(self.ctl('retry', 'failed/unknown.eml'), 'failed/unknown.eml: queued again as unknown.eml\n')
        self.wait_received()
        self.wait_sent()

    def test_retrying_replaces_nothing_that_waits(self):
        self.fail('a.eml')
        self.postfix.stop()
        self.letter('a.eml')
        self.wait_state('a.eml', 'retry')
        self.assertEqual(self.ctl('retry', 'failed/a.eml'), 'failed/a.eml: queued again as a-2.eml\n')
        self.assertEqual(set(self.listed()), {'a.eml', 'a-2.eml'})

    def test_what_is_refused_again_stays_and_says_why(self):
        with self.assertRaises(OSError):
            write(os.path.join(self.outbox, 'none.eml'), b'Subject: nobody\n\nhello\n')
        self.assertIn('failed/none.eml: no recipient', self.ctl('retry', 'none.eml', status=1))
        self.assertEqual(set(self.listed()), {'failed/none.eml'})

    def test_all_names_are_tried_and_one_that_is_not_there_is_an_error(self):
        self.fail('a.eml')
        self.fail('b.eml')
        self.postfix.stop()
        self.letter('a.eml')
        self.letter('c.eml')
        said = self.ctl('cancel', 'a.eml', 'nothing.eml', 'failed/a.eml', os.path.join(self.outbox, 'failed/b.eml'), 'failed', status=1)
        self.assertEqual(said, 'a.eml: cancelled\nfailed/a.eml: cancelled\nfailed/b.eml: cancelled\n'
                         'mailfsctl: nothing.eml: not in this outbox\nmailfsctl: failed: not in this outbox\n')
        self.assertEqual(set(self.listed()), {'c.eml'})
        self.postfix.start()
        self.ctl('retry', 'outbox/c.eml')
        self.wait_received()

    def test_paths_of_elsewhere_are_not_taken_for_names(self):
        self.fail('a.eml')
        write(os.path.join(self.mount.directory, 'a.eml'), b'mine')
        self.assertIn('not in this outbox', self.ctl('cancel', os.path.join(self.mount.directory, 'a.eml'), status=1))
        self.assertTrue(os.path.exists(os.path.join(self.mount.directory, 'a.eml')))
        self.assertEqual(set(self.listed()), {'failed/a.eml'})

    def test_scratch_is_listed_and_not_sent(self):
        self.letter('.draft')
        self.assertEqual(self.listed()['.draft']['state'], 'scratch')
        self.assertIn('never sent', self.ctl('retry', '.draft', status=1))

    def test_columns_stand_below_each_other_and_names_move_no_cursor(self):
        self.postfix.stop()
        self.letter('a\033[2J\n\udc80.eml')
        self.wait_state('a\033[2J\n\ufffd.eml', 'retry')
        self.letter('long.eml', text='At noon? ' * 200)
        said = self.ctl()
        lines = [line for line in said.splitlines() if not line.startswith(' ')]
        self.assertRegex(lines[0], r' a\?\[2J\?\?\.eml$')
        self.assertNotIn('\033', said)
        self.assertEqual(re.search('a.*eml', lines[0]).start(), lines[1].index('long.eml'))


class Elsewhere(OutboxCase):
    """Servers that a real one cannot be made to be, and mounts without an outbox."""

    def scripted(self, places, **keys):
        server = self.enterContext(mailtest.ScriptedSmtp(places))
        self.start(smtp=f'smtp+insecure://localhost:{server.port}', **keys)
        return server

    def test_one_that_is_being_sent_is_left_alone(self):
        self.scripted({'.': STALL})
        self.letter('a.eml')
        self.wait_state('a.eml', 'sending')
        self.assertEqual(self.ctl('cancel', 'a.eml', status=1), 'mailfsctl: a.eml: it is being sent and cannot be cancelled any more\n')
        self.assertEqual(self.ctl('retry', 'a.eml', status=1), 'mailfsctl: a.eml: it is being sent\n')
        self.assertEqual(set(self.listed()), {'a.eml'})

    def test_an_uncertain_one_is_sent_again_when_its_owner_says_so(self):
        server = self.scripted({'.': [DISCONNECT]})
        self.letter('a.eml')
        self.wait_state('failed/a.eml', 'uncertain')
        self.ctl('retry', 'a.eml')
        self.wait_sent()
        self.assertEqual(len(server.accepted()), 1)

    def test_a_hold_is_ended(self):
        server = self.scripted({}, outbox_hold='600')
        self.letter('a.eml')
        self.assertRegex(self.ctl(), r'\Aheld +\d+ B  in (9 min 5\d s|10 min)  a\.eml\n\Z')
        self.assertEqual(server.messages, [])
        self.ctl('retry', 'a.eml')
        self.wait_sent()
        self.assertEqual(len(server.accepted()), 1)

    def test_a_mount_that_does_not_send_and_no_mount_say_so(self):
        self.start()
        self.assertIn('it has no outbox', self.ctl(status=1))
        result = self.mount.ctl('outbox', '/', check=False)
        self.assertEqual((result.returncode, result.stdout), (1, ''))
        self.assertIn('not a mailfs mount', result.stderr)

    def test_what_makes_no_sense_is_told_the_usage(self):
        self.start()
        for arguments in ([], [self.mount.path, 'send'], [self.mount.path, 'retry'], [self.mount.path, 'list', 'x'],
                          [self.mount.path, '--json', 'cancel', 'x']):
            result = self.mount.ctl('outbox', *arguments, check=False)
            self.assertEqual(result.returncode, 1, arguments)
            self.assertIn('usage: mailfsctl outbox', result.stderr, arguments)


if __name__ == '__main__':
    mailtest.main()
