#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""mailfsctl check, status and warm against real servers."""

import json
import os
import pty
import re
import signal
import subprocess

import mailtest
from mailtest import certificates


def is_cached(path):
    return os.getxattr(path, 'user.mail.cached') == b'1'


class Checking(mailtest.MountTestCase):
    """Nothing is mounted here: a Mount only brings the configuration."""

    def check(self, section, status):
        mount = mailtest.Mount(section)
        result = mount.ctl('check', '--config', mount.config_file, 'test', check=False)
        self.assertEqual(result.returncode, status, result.stdout + result.stderr)
        return result.stdout + result.stderr

    def test_tells_tls_sign_in_and_capabilities_of_both_servers(self):
        with mailtest.Dovecot() as server, mailtest.Postfix(server) as postfix:
            said = self.check(mailtest.account(server, postfix), 0)
        self.assertIn(f'imaps://localhost:{server.imaps_port}, as alice\n', said)
        self.assertIn(f'smtps://localhost:{postfix.smtps_port}, as alice\n', said)
        self.assertEqual(said.count('Certificate: ok'), 2)
        self.assertEqual(len(re.findall(r'TLSv?1\.3', said)), 2)
        self.assertIn('SCRAM-SHA-256', said)
        self.assertRegex(said, r'Capabilities: .*IMAP4rev1')
        self.assertRegex(said, r'Capabilities: .*8BITMIME')
        self.assertNotIn('secret', said)

    def test_a_wrong_password_is_told_with_advice(self):
        with mailtest.Dovecot() as server:
            said = self.check(mailtest.account(server, password='wrong'), 1)
        self.assertRegex(said, r'FAILED: .*sign-in refused')
        self.assertIn('app password', said)

    def test_no_secret_goes_to_a_server_with_a_bad_certificate(self):
        with mailtest.Dovecot(certificate=certificates.self_signed()) as server:
            said = self.check(mailtest.account(server), 1)
            self.assertEqual(server.count('auth failed|Login:'), 0)
        self.assertRegex(said, r'FAILED: .*self-signed certificate; to trust it: tls-fingerprint')

    def test_one_failing_server_does_not_hide_the_other(self):
        with mailtest.Dovecot() as server:
            said = self.check(mailtest.account(server, smtp=f'smtps://alice@localhost:{mailtest.free_port()}'), 1)
        self.assertIn('SCRAM-SHA-256', said)
        self.assertRegex(said, r'FAILED: .*[Cc]onnect')
        self.assertIn('are host and port right?', said)

    def test_an_account_that_is_not_there_is_told(self):
        mount = mailtest.Mount({'imap': 'imaps://alice@localhost'})
        result = mount.ctl('check', '--config', mount.config_file, 'home', check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn('no section [home]', result.stderr)


class Mounted(mailtest.MountTestCase):
    """Two hundred messages in two folders."""

    def setUp(self):
        self.server = self.enterContext(mailtest.Dovecot())
        self.server.fill(150)
        self.server.fill(50, ('Lists', 'users'), seed=2)
        self.mount = self.enterContext(mailtest.Mount(mailtest.account(self.server)))


class Status(Mounted):
    def test_any_path_below_and_none_at_all_find_the_mount(self):
        self.mount.files()
        by_path = self.mount.ctl('status', self.mount / 'INBOX').stdout
        self.assertTrue(by_path.startswith(f'{os.path.realpath(self.mount.path)}: test\n'), by_path)
        self.assertIn('online', by_path)
        self.assertIn(os.path.realpath(self.mount.path), self.mount.ctl('status', check=False).stdout)

    def test_json_is_the_daemons_own_on_one_line(self):
        self.mount.files()
        said = self.mount.ctl('status', '--json', self.mount.path).stdout
        self.assertEqual(said.count('\n'), 1)
        status = json.loads(said)
        self.assertEqual(status['state'], 'online')
        self.assertEqual(status['messages'], self.mount.status()['messages'])

    def test_elsewhere_is_an_error(self):
        result = self.mount.ctl('status', '/', check=False)
        self.assertEqual((result.returncode, result.stdout), (1, ''))
        self.assertIn('not a mailfs mount', result.stderr)

    def test_watch_repeats_until_interrupted(self):
        with subprocess.Popen([os.environ['MAILFSCTL'], 'status', '--json', '--watch', self.mount.path],
                              stdout=subprocess.PIPE, text=True) as watch:
            for _ in range(2):
                self.assertEqual(json.loads(watch.stdout.readline())['account'], 'test')
            watch.send_signal(signal.SIGINT)
            self.assertEqual(watch.wait(10), 130)


class Warm(Mounted):
    def test_all_below_is_cached_and_a_second_run_has_nothing_to_do(self):
        said = self.mount.ctl('warm', self.mount.path).stdout
        self.assertIn('200 messages fetched', said)
        self.assertIn('0 were cached before', said)
        self.assertTrue(all(is_cached(path) for folder in ('INBOX', 'Lists/users') for path in self.mount.files(folder)))
        bodies = self.server.sessions
        said = self.mount.ctl('warm', self.mount.path).stdout
        self.assertIn('0 messages fetched', said)
        self.assertIn('200 were cached before', said)
        self.assertEqual(bodies(), self.server.sessions())

    def test_what_was_warmed_can_be_read_without_the_server(self):
        before = self.server.messages()
        self.mount.ctl('warm', self.mount / 'INBOX')
        self.server.stop()
        self.assertEqual(self.mount.by_uid(), {uid: data for uid, (_, data) in before.items()})
        self.server.start()
        self.assertEqual(self.server.messages(), before)

    def test_a_single_message_and_nothing_else(self):
        first, second = self.mount.files()[:2]
        self.assertIn('1 messages fetched', self.mount.ctl('warm', first).stdout)
        self.assertTrue(is_cached(first))
        self.assertFalse(is_cached(second))

    def test_failures_are_named(self):
        files = self.mount.files()
        self.server.stop()
        result = self.mount.ctl('warm', files[0], files[1], check=False)
        self.assertEqual(result.returncode, 1)
        for path in files[:2]:
            self.assertIn(f'mailfsctl: {path}: ', result.stderr)
        self.assertIn('2 failed', result.stderr)

    def test_on_a_terminal_there_is_a_bar(self):
        ours, its = pty.openpty()
        with subprocess.Popen([os.environ['MAILFSCTL'], 'warm', self.mount.path], stdout=its, env=self.mount.environment) as warm:
            os.close(its)
            said = b''
            while True:
                try:
                    said += os.read(ours, 4096)
                except OSError:     # what Linux says when the other end is closed
                    break
            self.assertEqual(warm.wait(), 0)
        os.close(ours)
        self.assertIn(b' of 200 messages', said)
        self.assertIn(b'\r\x1b[K', said)
        self.assertIn(b'200 messages fetched', said)


class Interrupted(mailtest.MountTestCase):
    def test_ctrl_c_sums_up_and_the_next_run_goes_on(self):
        with mailtest.Dovecot() as server:
            server.fill(100)
            with mailtest.Proxy(server.imaps_port) as proxy:
                with mailtest.Mount(mailtest.account(server, imap=f'imaps://alice@localhost:{proxy.port}', read_ahead='0')) as mount:
                    some = mount.files()[:10]
                    mount.ctl('warm', *some)
                    proxy.stall()
                    with subprocess.Popen([os.environ['MAILFSCTL'], 'warm', mount / 'INBOX'], stdout=subprocess.PIPE, text=True) as warm:
                        mailtest.wait_for(lambda: len(os.listdir(f'/proc/{warm.pid}/task')) > 1, 10, 'the readers')
                        warm.send_signal(signal.SIGINT)
                        self.assertEqual(warm.wait(10), 130)
                        self.assertIn('interrupted', warm.stdout.read())
                    proxy.resume()
                    self.assertRegex(mount.ctl('warm', mount / 'INBOX').stdout, '1[0-4] were cached before')


class Usage(mailtest.MountTestCase):
    def test_what_makes_no_sense_is_an_error_with_the_synopsis(self):
        for arguments in ([], ['frobnicate'], ['status', '--nothing'], ['status', 'a', 'b'], ['warm'], ['warm', '--jobs', '0', '/'], ['check']):
            result = subprocess.run([os.environ['MAILFSCTL'], *arguments], capture_output=True, text=True, check=False)
            self.assertEqual((result.returncode, result.stdout), (1, ''), arguments)
            self.assertIn('mailfsctl', result.stderr)


if __name__ == '__main__':
    mailtest.main()
