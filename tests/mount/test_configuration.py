#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Bad configuration and bad mountpoints: file, line, and what to write instead; nothing is mounted. And limits that are none of the user's doing."""

import os
import resource

import mailtest

USAGE, CONFIGURATION = 1, 78


class Configuration(mailtest.MountTestCase):
    """No server is needed: all of it is refused before one is asked."""

    GOOD = {'imap': 'imaps://alice@localhost:1', 'password': 'secret'}

    def refused(self, mount, status, *words):
        got, text = mount.start_expect_failure()
        self.assertEqual(got, status, text)
        self.assertEqual(len(text.splitlines()), 1, text)
        for word in words:
            self.assertIn(word, text)

    def refused_by_check(self, mount, *words):
        result = mount.ctl('check', '--config', mount.config_file, mount.name, check=False)
        self.assertEqual((result.returncode, result.stdout), (1, ''), result.stderr)
        for word in words:
            self.assertIn(word, result.stderr)

    def with_keys(self, **keys):
        return mailtest.Mount({**self.GOOD, **keys})

    def test_an_unknown_key_is_named_with_its_line_and_the_nearest_key(self):
        mount = self.with_keys(conections='3')
        self.refused(mount, CONFIGURATION, mount.config_file + ':4', 'conections', 'connections')

    def test_a_bad_url_says_what_to_write(self):
        self.refused(self.with_keys(imap='http://localhost'), CONFIGURATION, ':2', 'imaps://')

    def test_no_tls_to_another_host_is_refused(self):
        self.refused(self.with_keys(imap='imap+insecure://alice@mail.example.com'), CONFIGURATION, ':2', 'TLS')

    def test_a_number_that_is_none(self):
        self.refused(self.with_keys(timeout='soon'), CONFIGURATION, ':4', 'timeout', 'seconds')

    def test_a_file_that_others_can_read(self):
        mount = self.with_keys()
        os.chmod(mount.config_file, 0o644)
        self.refused(mount, CONFIGURATION, mount.config_file, 'chmod 600')

    def test_a_file_that_is_not_there(self):
        mount = self.with_keys()
        os.unlink(mount.config_file)
        self.refused(mount, CONFIGURATION, mount.config_file)

    def test_files_that_keys_name_have_to_be_readable(self):
        for key in 'tls-ca', 'tls-cert', 'tls-key', 'password-file', 'smtp-password-file':
            with self.subTest(key):
                other = {'tls-cert': __file__} if key == 'tls-key' else {}
                mount = self.with_keys(**{**other, key: '/nonexistent/file'})
                words = f'{mount.config_file}:{4 + len(other)}: {key}: /nonexistent/file: No such file', 'name a file'
                self.refused(mount, CONFIGURATION, *words)
                self.refused_by_check(mount, *words)
                self.refused(self.with_keys(**{**other, key: '/tmp'}), CONFIGURATION, key, '/tmp: Is a directory')

    def test_a_password_file_that_others_can_read(self):
        mount = self.with_keys()
        path = os.path.join(mount.directory, 'password')
        with open(path, 'w', encoding='ascii') as file:
            file.write('secret')
        os.chmod(path, 0o644)
        mount.configure({'imap': self.GOOD['imap'], 'password-file': path})
        self.refused(mount, CONFIGURATION, mount.config_file + ':3: password-file', 'chmod 600 ' + path)
        self.refused_by_check(mount, mount.config_file + ':3: password-file', 'chmod 600 ' + path)

    def test_a_value_that_would_be_misread_is_an_error_with_its_line(self):
        for key, value, *words in (
                ('folders', '"x', 'quote', '"Bulk mail"'), ('folders', '* "!Junk', 'quote'), ('folders', '""', '*'), ('folders', '* !', '!NAME'),
                ('zone', 'Europe/Berln', 'Europe/Berln', 'Europe/Berlin'), ('zone', '"UTC"', 'UTC'), ('zone', 'Europe', 'Europe/Berlin'),
                ('from', 'Alice', 'alice@example.com'), ('from', 'a@example.com b@example.com', 'commas'),
                ('sent', '/Sent', 'below the mountpoint'), ('sent', '"Sent Items"', 'quotes'),
                ('delete', 'trsh', 'trash, expunge, mark'), ('trash-keep', 'long', '15m'), ('cache-size', '2X', '512M'),
                ('cache-age', '0', 'unlimited'), ('connections', '0', '1 to 32'), ('timeout', '-1', '15m')):
            with self.subTest(f'{key} = {value}'):
                mount = self.with_keys(**{key: value})
                self.refused(mount, CONFIGURATION, f'{mount.config_file}:4: {key}: ', *words)
                self.refused_by_check(mount, f'{mount.config_file}:4: {key}: ', *words)

    def test_what_an_option_gets_wrong_is_said_of_the_option(self):
        self.refused(mailtest.Mount(self.GOOD, ['zone=Europe/Berln']), CONFIGURATION, '-o: zone: ', 'Europe/Berlin')
        self.refused(mailtest.Mount(self.GOOD, ['tls-ca=/nonexistent']), CONFIGURATION, '-o: tls-ca: /nonexistent: No such file')

    def test_a_tls_file_that_holds_something_else_is_a_fault_of_the_configuration(self):
        with mailtest.Dovecot() as server:
            self.refused(mailtest.Mount(mailtest.account(server, tls_ca=__file__)), CONFIGURATION, 'tls-ca', __file__)
            self.refused(mailtest.Mount(mailtest.account(server, tls_cert=__file__)), CONFIGURATION, 'tls-cert', __file__)

    def test_a_section_that_is_not_there_lists_those_that_are(self):
        self.refused(mailtest.Mount('[work]\nimap = imaps://alice@localhost\n'), CONFIGURATION, 'test', 'work')

    def test_a_password_on_the_command_line_is_refused(self):
        mount = mailtest.Mount(self.GOOD, ['password=hunter2'])
        got, text = mount.start_expect_failure()
        self.assertEqual(got, CONFIGURATION, text)
        self.assertNotIn('hunter2', text)

    def test_an_option_without_its_value_says_what_to_write(self):
        for option, word in ('uid=root', 'a number'), ('umask=x', 'octal'), ('uid', 'a number'), ('ro=1', 'no value'):
            with self.subTest(option):
                self.refused(mailtest.Mount(self.GOOD, [option]), USAGE, option, word)

    def test_options_of_every_file_system_are_accepted(self):
        options = ['noatime', 'relatime', 'nodiratime', 'strictatime', 'lazytime', 'defaults', 'user', '_netdev', 'x-systemd.automount']
        status, text = mailtest.Mount(self.GOOD, options).start_expect_failure()
        self.assertNotEqual(status, USAGE, text)

    def test_an_unknown_option_is_refused(self):
        self.refused(mailtest.Mount(self.GOOD, ['colour=blue']), USAGE, 'colour')

    def test_a_mountpoint_that_is_missing(self):
        mount = self.with_keys()
        os.rmdir(mount.path)
        self.refused(mount, USAGE, mount.path)

    def test_a_mountpoint_that_is_not_empty(self):
        mount = self.with_keys()
        with open(mount / 'file', 'w', encoding='utf-8'):
            pass
        self.refused(mount, USAGE, mount.path, 'empty')

    def test_a_mountpoint_that_is_a_file(self):
        mount = self.with_keys()
        os.rmdir(mount.path)
        with open(mount.path, 'w', encoding='utf-8'):
            pass
        self.refused(mount, USAGE, mount.path)

    def test_a_mountpoint_that_is_mounted_already(self):
        with mailtest.Dovecot() as server, mailtest.Mount(mailtest.account(server)) as first:
            second = mailtest.Mount(mailtest.account(server))
            os.rmdir(second.path)
            second.path = first.path
            self.refused(second, USAGE, first.path)

    def test_a_second_mount_of_an_account_names_the_first(self):
        with mailtest.Dovecot() as server, mailtest.Mount(mailtest.account(server)) as first:
            second = mailtest.Mount(mailtest.account(server), directory=first.directory)
            second.path = os.path.join(first.directory, 'other')
            os.mkdir(second.path)
            self.refused(second, USAGE, first.path)


class Limits(mailtest.MountTestCase):
    OPEN = 1100

    def limit_files(self, soft):
        before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (before, hard))

    def test_more_messages_are_open_at_once_than_a_process_may_usually_have_files(self):
        with mailtest.Dovecot() as server:
            server.fill(self.OPEN, small=True)
            self.limit_files(1024)
            with mailtest.Mount(mailtest.account(server)) as mount:
                self.limit_files(2 * self.OPEN)
                files = []
                try:
                    for path in mount.files():
                        files.append(open(path, 'rb'))
                    self.assertEqual(len(files), self.OPEN)
                finally:
                    for file in files:
                        file.close()


if __name__ == '__main__':
    mailtest.main()
