#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The outbox and a real submission server: what arrives, what each fault leaves behind, and a daemon killed again and again.
"""
import collections
import contextlib
import email.message
import email.policy
import errno
import os
import random
import signal
import subprocess
import threading
import time
import unittest

import mailtest
from mailtest import scripted_smtp
from outbox_program import Outbox, letter


class RealServer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dovecot = mailtest.Dovecot({'alice': 'secret', 'bob': 'secret'}).start()
        cls.postfix = mailtest.Postfix(cls.dovecot).start()

    @classmethod
    def tearDownClass(cls):
        cls.postfix.stop()
        cls.dovecot.stop()

    def outbox(self, scheme, port):
        return Outbox(f'{scheme}://alice@localhost:{port}', '-c', self.postfix.ca_file)

    def arrived(self, subject, user='bob'):
        def found():
            return [data for _, data in self.dovecot.messages(user=user).values() if f'Subject: {subject}\r\n'.encode() in data]
        mailtest.wait_for(found, 10, f'{subject} at {user}')
        return found()

    def test_letters_arrive_once_by_starttls_and_by_tls(self):
        for scheme, port in (('smtp', self.postfix.submission_port), ('smtps', self.postfix.smtps_port)):
            with self.outbox(scheme, port) as outbox:
                for number in range(5):
                    self.assertEqual(outbox.send(f'{number}.eml', letter(f'{scheme}-{number}')), 0)
                self.assertEqual(outbox.settle(), 0)
                self.assertEqual(outbox.list(), {})
                outbox.wait_for_copies(5)
            for number in range(5):
                self.assertEqual(len(self.arrived(f'letter {scheme}-{number}')), 1)
            self.assertEqual(len(outbox.copies()), 5)

    def test_bcc_is_delivered_not_shown_and_kept_in_the_copy(self):
        data = b'To: bob@example.com\nBcc: alice@example.com\nSubject: secretly\nMessage-ID: <bcc@example.com>\n\n.\n..\nhi\n'
        with self.outbox('smtps', self.postfix.smtps_port) as outbox:
            self.assertEqual(outbox.send('m', data), 0)
            outbox.wait_for_copies(1)
        for user in ('alice', 'bob'):
            message, = self.arrived('secretly', user)
            self.assertNotIn(b'Bcc', message)
            self.assertTrue(message.endswith(b'\r\n\r\n.\r\n..\r\nhi\r\n'))
            self.assertIn(b'From: alice@example.com\r\n', message)
            self.assertIn(b'\r\nDate: ', message)
        self.assertIn(b'Bcc: alice@example.com\r\n', outbox.copy('<bcc@example.com>'))

    def test_unknown_recipient_stays_in_failed_and_the_others_get_it(self):
        with self.outbox('smtps', self.postfix.smtps_port) as outbox:
            self.assertEqual(outbox.send('m', letter('partly', 'bob@example.com, nobody@example.com')), 0)
            self.assertEqual(outbox.settle(), 0)
            mailtest.wait_for(lambda: outbox.list() == {'m': 'failed'}, 5, 'the refused recipient')
            self.assertIn('550', outbox.attribute('failed', 'm', 'error'))
        self.assertEqual(len(self.arrived('letter partly')), 1)

    def test_wrong_password_keeps_the_message_and_is_said_once(self):
        outbox = Outbox(f'smtps://bob@localhost:{self.postfix.smtps_port}', '-c', self.postfix.ca_file)
        outbox.arguments[-2] = 'wrong'
        outbox.kill()
        outbox.start()
        for number in range(3):
            self.assertEqual(outbox.send(f'{number}', letter(f'wrong-{number}')), 0)
        mailtest.wait_for(lambda: set(outbox.list().values()) == {'retry'}, 10, 'retry')
        self.assertEqual(outbox.close().count('messages wait'), 1)

    def test_untrusted_certificate_gets_nothing(self):
        with Outbox(f'smtps://alice@localhost:{self.postfix.smtps_port}') as outbox:
            self.assertEqual(outbox.send('m', letter('untrusted')), 0)
            mailtest.wait_for(lambda: outbox.list() == {'m': 'retry'}, 10, 'retry')


class Large(unittest.TestCase):
    """A message that fills all buffers on its way; what faults do to a small one: test_outbox_faults.py."""

    def attempt(self, places):
        data = letter(1) + b'and another line\n' * 200000
        with scripted_smtp.ScriptedSmtp(places) as server:
            with Outbox(f'smtp+insecure://alice@localhost:{server.port}', '-t', '1') as outbox:
                self.assertEqual(outbox.send('m', data), 0)
                self.assertEqual(outbox.settle(), 0)
                mailtest.wait_for(lambda: outbox.list() or outbox.copies(), 5, 'a verdict')
                return outbox.list().get('m', 'sent'), len(server.accepted())

    def test_lost_in_the_middle_of_a_large_message_is_tried_again(self):
        self.assertEqual(self.attempt({'data': scripted_smtp.DISCONNECT}), ('retry', 0))
        self.assertEqual(self.attempt({'.': scripted_smtp.RESET}), ('uncertain', 0))
        self.assertEqual(self.attempt({}), ('sent', 1))


class WithoutEightBit(unittest.TestCase):
    """A server that takes ASCII alone gets the same content."""

    def written(self):
        message = email.message.EmailMessage(policy=email.policy.SMTP.clone(cte_type='8bit'))
        message['From'], message['To'], message['Subject'], message['Message-ID'] = 'alice@example.com', 'bob@example.com', 'parts', '<parts@example.com>'
        message.set_content('Grüße = 1 \n.\n\nund noch eine Zeile\n', cte='8bit')
        message.add_alternative('<p>Grüße</p>' + 'x' * 3000 + '\n', subtype='html', cte='8bit')
        inner = email.message_from_bytes('Subject: inner\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n'
                                         'Content-Transfer-Encoding: 8bit\r\n\r\ninnen ä\r\n'.encode(), policy=message.policy)
        message.add_attachment(inner)
        message.add_attachment(bytes(range(256)) * 20, maintype='image', subtype='png', filename='all.png')
        return message

    def contents(self, message):
        return [(part.get_content_type(), part.get_filename(), None if part.is_multipart() else part.get_payload(decode=True)) for part in message.walk()]

    def test_it_gets_the_same_content(self):
        written = self.written()
        with scripted_smtp.ScriptedSmtp(extensions=('PIPELINING',)) as server:
            with Outbox(f'smtp+insecure://alice@localhost:{server.port}') as outbox:
                self.assertEqual(outbox.send('m', written.as_bytes()), 0)
                mailtest.wait_for(lambda: outbox.copies(), 10, 'the copy')
                self.assertEqual(outbox.list(), {})
        sent, = server.accepted()
        self.assertTrue(sent.data.isascii())
        self.assertLessEqual(max(len(line) for line in sent.data.split(b'\r\n')), 998)
        received = email.message_from_bytes(sent.data, policy=email.policy.SMTP)
        self.assertEqual(self.contents(received), self.contents(email.message_from_bytes(written.as_bytes(), policy=email.policy.SMTP)))


class Parallel(unittest.TestCase):
    number = 60

    def setUp(self):
        self.lock = threading.Lock()
        self.now = self.most = self.greetings = 0

    def slowly(self, *_):
        """At the final dot: how many sessions are there at once."""
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.05)
        with self.lock:
            self.now -= 1

    def first_only(self, *_):
        with self.lock:
            self.greetings += 1
            return None if self.greetings == 1 else b'421 4.7.0 one at a time'

    def send_all(self, server, connections):
        """The states that were seen on the way."""
        seen = set()
        with Outbox(f'smtp+insecure://alice@localhost:{server.port}', '-n', str(connections)) as outbox:
            for number in range(self.number):
                self.assertEqual(outbox.send(f'{number}.eml', letter(number)), 0)
                seen |= set(outbox.list().values())
            self.assertEqual(outbox.settle(20), 0)
            outbox.wait_for_copies(self.number)
            self.assertEqual(outbox.list(), {})
        self.assertEqual(len(server.accepted()), self.number)
        self.assertEqual(len({message.data for message in server.accepted()}), self.number)
        return seen

    def test_a_long_queue_has_as_many_sessions_as_are_allowed(self):
        for connections in (1, 3):
            self.most = 0
            with self.subTest(connections=connections), scripted_smtp.ScriptedSmtp({'.': self.slowly}) as server:
                self.send_all(server, connections)
                self.assertEqual(self.most, connections)

    def test_a_server_that_lets_one_in_gets_all_through_that_one(self):
        with scripted_smtp.ScriptedSmtp({'.': self.slowly, 'greeting': self.first_only}) as server:
            self.assertNotIn('retry', self.send_all(server, 4))
        self.assertGreater(self.greetings, 1)
        self.assertEqual(self.most, 1)

    def test_no_more_a_minute_than_the_limit(self):
        with scripted_smtp.ScriptedSmtp() as server:
            with Outbox(f'smtp+insecure://alice@localhost:{server.port}', '-m', '5') as outbox:
                for number in range(12):
                    self.assertEqual(outbox.send(f'{number}.eml', letter(number)), 0)
                outbox.wait_for_copies(5)
                self.assertEqual(outbox.settle(1), errno.ETIMEDOUT)
                self.assertEqual(list(outbox.list().values()), ['queued'] * 7)
            self.assertEqual(len(server.accepted()), 5)


def check_after_kills(test, server, outbox, number_of_letters, most_uncertain):
    """Of letters whose closes all returned 0, named NUMBER.anything: each was accepted once and has its copy, or is uncertain and listed. Ends the outbox."""
    test.assertEqual(outbox.settle(20), 0)
    mailtest.wait_for(lambda: not {'queued', 'sending'} & set(outbox.list().values()), 10, 'rest')
    left = outbox.list()
    outbox.wait_for_copies(number_of_letters - list(left.values()).count('uncertain'))
    outbox.close()
    times = {number: 0 for number in range(number_of_letters)}
    for message in server.accepted():
        times[int(message.data.split(b'Message-ID: <')[1].split(b'@')[0])] += 1
    uncertain = {int(name.split('.')[0]) for name, state in left.items() if state == 'uncertain'}
    test.assertEqual({number for number, n in times.items() if n > 1}, set())
    test.assertEqual({number for number, n in times.items() if n == 0} - uncertain, set())
    test.assertLessEqual(len(uncertain), most_uncertain)
    test.assertEqual({state for state in left.values()} - {'uncertain', 'scratch', 'failed'}, set())
    copies = {int(name.strip('<>').split('@')[0]) for name in outbox.copies()}
    test.assertEqual(set(times) - uncertain - copies, set())


class Kills(unittest.TestCase):
    limit_s = 120
    connections = 4

    def test_killed_again_and_again_loses_nothing_and_sends_nothing_twice(self):
        number_of_letters = 100
        dice = random.Random(int(os.environ.get('MAILTEST_SEED', '1')))
        with scripted_smtp.ScriptedSmtp() as server:
            outbox = Outbox(f'smtp+insecure://alice@localhost:{server.port}', '-n', str(self.connections))
            missing = list(range(number_of_letters))
            kills = 0
            while missing:
                # However slow the machine is, after enough of it they get through.
                killer = None
                if kills < 100:
                    killer = subprocess.Popen(['sh', '-c', f'sleep {dice.uniform(0, 0.05):.4f}; kill -9 {outbox.child.pid}'])
                try:
                    while missing:
                        self.assertIn(outbox.send(f'{missing[0]}.{kills}.eml', letter(missing[0])), (0, errno.EEXIST))
                        missing.pop(0)
                except BrokenPipeError:
                    pass
                if killer:
                    killer.wait()
                    outbox.child.communicate()
                    outbox.start()
                    kills += 1
            check_after_kills(self, server, outbox, number_of_letters, kills * self.connections)


class PointsInFlight(unittest.TestCase):
    """Killed at each named point, with fifty letters on their way through four sessions."""

    limit_s = 300
    number_of_letters = 50
    connections = 4

    def start(self, server, *options):
        return Outbox(f'smtp+insecure://alice@localhost:{server.port}', '-n', str(self.connections), *options)

    def send_all(self, outbox, missing, suffix):
        """Those that could not be sent, since it died, stay in `missing`."""
        with contextlib.suppress(BrokenPipeError):
            while missing:
                self.assertIn(outbox.send(f'{missing[0]}.{suffix}', letter(missing[0])), (0, errno.EEXIST))
                missing.pop(0)
            if suffix == 'first':
                mailtest.wait_for(lambda: outbox.settle() == 0 and len(outbox.copies()) == self.number_of_letters, 20, 'all')

    def points(self):
        """How often it comes to each."""
        with scripted_smtp.ScriptedSmtp() as server:
            outbox = self.start(server, '-k', '1000000')
            missing = list(range(self.number_of_letters))
            self.send_all(outbox, missing, 'first')
            return collections.Counter(line for line in outbox.close().splitlines() if not line.startswith('mailfs: '))

    def die_at(self, name, times):
        with scripted_smtp.ScriptedSmtp() as server:
            outbox = self.start(server, '-k', f'{times}:{name}')
            missing = list(range(self.number_of_letters))
            self.send_all(outbox, missing, 'first')
            outbox.child.communicate()
            self.assertEqual(outbox.child.returncode, -signal.SIGKILL)
            outbox.arguments = [word for word in outbox.arguments if word not in ('-k', f'{times}:{name}')]
            outbox.start()
            self.send_all(outbox, missing, 'second')
            check_after_kills(self, server, outbox, self.number_of_letters, self.connections)

    def test_at_each_of_them(self):
        points = self.points()
        self.assertGreater(len(points), 20)
        for name, times in points.items():
            with self.subTest(name):
                self.die_at(name, times // 2)


class Points(unittest.TestCase):
    """Killed at each named point there is, from the first byte on this disk to the record of the verdict, each step of SMTP included."""

    limit_s = 120
    refusal = {'RCPT carol@example.com': b'550 5.1.1 no such user'}
    data = letter(1, 'bob@example.com, carol@example.com') + b'and another line\n' * 5000      # two blocks

    def die(self, server, number):
        """Killed at the point after so many, and started again: which points it came to, and what is left. False where there are not so many."""
        outbox = Outbox(f'smtp+insecure://alice@localhost:{server.port}', '-k', str(number))
        closed = False
        points = ''
        try:
            closed = outbox.send('m', self.data) == 0
            mailtest.wait_for(lambda: outbox.list() == {'m': 'failed'}, 10, 'the verdict')
        except BrokenPipeError as error:
            points = str(error)
        points += outbox.child.communicate()[1]
        is_dead = outbox.child.returncode == -signal.SIGKILL
        outbox.arguments = [word for word in outbox.arguments if word not in ('-k', str(number))]
        outbox.start()
        self.check(server, outbox, closed, points.splitlines())
        return is_dead

    def check(self, server, outbox, closed, points):
        """What was closed is with bob once and with its sender for carol, or uncertain; what was not, either that or still being written."""
        def settled():
            return outbox.settle() == 0 and (outbox.list() or not (closed or server.accepted()))
        mailtest.wait_for(settled, 10, f'a verdict after {points}')
        left = outbox.list().get('m')
        self.assertLessEqual(len(server.accepted()), 1, points)
        if left == 'uncertain':
            self.assertIn('send: before the mark', points)
            self.assertNotIn('verdict: recorded', points)
        elif closed or server.accepted():
            self.assertEqual((len(server.accepted()), left), (1, 'failed'), points)
            self.assertEqual(outbox.attribute('failed', 'm', 'rcpt'), 'carol@example.com')
            self.assertEqual(outbox.copies(), ['<1@example.com>'])
        outbox.close()

    def die_everywhere(self, extensions):
        number = 0
        is_dead = True
        while is_dead:
            with scripted_smtp.ScriptedSmtp(self.refusal, extensions=extensions) as server:
                is_dead = self.die(server, number)
            number += 1
        self.assertGreater(number, 50)

    def test_with_pipelining(self):
        self.die_everywhere(scripted_smtp.EXTENSIONS)

    def test_without_pipelining(self):
        self.die_everywhere(())


if __name__ == '__main__':
    mailtest.main()
