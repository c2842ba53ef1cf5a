#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""contrib/mailfs-sendmail as mail programs, git, cron and people call it, through a real Postfix into a real Dovecot."""

import email
import os
import pathlib
import signal
import subprocess
import time

import mailtest

SENDMAIL = str(pathlib.Path(os.environ.get('MAILFS_SRCDIR', pathlib.Path(__file__).parents[2])) / 'contrib' / 'mailfs-sendmail')
USAGE, DATAERR, NOUSER, UNAVAILABLE, OSFILE, CANTCREAT, IOERR, TEMPFAIL, CONFIG = 64, 65, 67, 69, 72, 73, 74, 75, 78

# In a mount namespace of its own in which only these mounts of mailfs are: other tests have theirs.
ALONE = '''
keep=:$1:
shift
awk '$0 ~ / - fuse\\.mailfs / { print $5 }' /proc/self/mountinfo | tac | while read -r point; do
    case $keep in *":$point:"*) ;; *) umount -i -l "$point" ;; esac
done
exec "$@"
'''


class MountOfAnother(mailtest.Mount):
    """The kernel has it down as nobody's."""

    def command(self, foreground=True):
        return ['setpriv', '--ruid=65534', *super().command(foreground)]


class SendmailTestCase(mailtest.MountTestCase):
    """Two accounts whose names and addresses no other test on this machine has."""

    limit_s = 90

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = cls.enterClassContext(mailtest.Dovecot(special_use={'Sent': '\\Sent'}))
        cls.postfix = cls.enterClassContext(mailtest.Postfix(cls.server))
        cls.unique = str(os.getpid())
        cls.ann = cls.mount('ann')
        cls.eve = cls.mount('eve', user='bob')

    @classmethod
    def address(cls, name):
        return f'{name}-{cls.unique}@example.com'

    @classmethod
    def mount(cls, name, **keys):
        keys = {'from_': f'{name.title()} Sample <{cls.address(name)}>, *@{name}-{cls.unique}.org', 'sent': 'none', **keys}
        section = mailtest.account(cls.server, cls.postfix, **keys)
        return cls.enterClassContext(mailtest.Mount(section, name=f'{name}-{cls.unique}'))

    def setUp(self):
        self.id = f'x{time.monotonic_ns()}'
        self.outbox = os.path.realpath(self.ann / 'outbox')

    def letter(self, header='', body='At noon?\n'):
        return f'To: bob@example.com\nSubject: {self.id}\n{header}\n{body}'.encode()

    def run_sendmail(self, *arguments, data=None, environment=None, program=(SENDMAIL,)):
        """The first account unless the environment says something else."""
        result = subprocess.run([*program, *arguments], input=self.letter() if data is None else data, capture_output=True, check=False,
                                env={**self.ann.environment, 'MAILFS_OUTBOX': self.outbox, **(environment or {})}, timeout=60)
        return result.returncode, result.stderr.decode()

    def send(self, *arguments, **options):
        self.assertEqual(self.run_sendmail(*arguments, **options), (0, ''))

    def send_as_found(self, *arguments, **options):
        """Without MAILFS_OUTBOX."""
        self.send(*arguments, environment={'MAILFS_OUTBOX': ''}, **options)

    def refused(self, status, words, *arguments, **options):
        got, said = self.run_sendmail(*arguments, **options)
        self.assertEqual(got, status, said)
        self.assertEqual(said.count('\n'), 1, said)
        self.assertTrue(said.startswith('mailfs-sendmail: '), said)
        self.assertIn(words, said)
        return said

    def received(self, user='bob'):
        return [data for _, data in self.server.messages(user=user).values() if self.id.encode() in data]

    def wait_received(self, user='bob', count=1):
        mailtest.wait_for(lambda: len(self.received(user)) >= count, 20, f'the message for {user}')
        got = self.received(user)
        self.assertEqual(len(got), count)
        return got[0]

    def queued(self, mount=None):
        return [name for name in os.listdir((mount or self.ann) / 'outbox') if name != 'failed']

    def assert_nothing_sent(self):
        self.assertEqual(self.queued(), [])
        self.postfix.wait_until_delivered()
        self.assertEqual(self.received('alice') + self.received('bob'), [])

    def sender(self, data):
        return email.message_from_bytes(data)['From']


class Options(SendmailTestCase):
    def test_recipients_are_those_named_and_not_those_of_the_header(self):
        self.send('alice@example.com')
        self.wait_received('alice')
        self.postfix.wait_until_delivered()
        self.assertEqual(self.received('bob'), [])

    def test_t_takes_them_from_the_header_and_bcc_does_not_arrive(self):
        self.send('-t', data=self.letter('Bcc: alice@example.com\n'))
        for user in ('alice', 'bob'):
            self.assertNotIn(b'Bcc', self.wait_received(user))

    def test_t_and_recipients_are_both(self):
        self.send('-t', 'alice@example.com')
        self.wait_received('alice')
        self.wait_received('bob')

    def test_what_programs_add_changes_nothing(self):
        self.send('-oem', '-oi', '-i', '-bm', '-B', '8BITMIME', '-B8BITMIME', '-N', 'failure,delay', '-R', 'hdrs', '-em', '-odb', '-n', '-m',
                  '-h', '3', '-V', 'id', '-O', 'Timeout=1', '--', 'bob@example.com')
        self.wait_received()

    def test_v_says_where_it_is_queued(self):
        status, said = self.run_sendmail('-v', 'bob@example.com')
        self.assertEqual(status, 0)
        self.assertRegex(said, rf'^mailfs-sendmail: queued as {self.outbox}/\S+\.eml\n$')
        self.wait_received()

    def test_the_text_is_what_was_given(self):
        body = 'one\n.\n..two\nFrom three\n>From four\n'
        self.send('-t', data=b'From alice Tue Apr 14 09:30:00 2026\n' + self.letter(body=body))
        got = self.wait_received()
        self.assertTrue(got.endswith(b'\r\n\r\n' + body.replace('\n', '\r\n').encode()), got)
        self.assertNotIn(b'09:30:00 2026', got)

    def test_a_large_message_passes(self):
        body = ''.join(f'{number} of many lines\n' for number in range(200000))
        self.send('-t', data=self.letter(body=body))
        self.assertTrue(self.wait_received().endswith(body.replace('\n', '\r\n').encode()))

    def test_f_name_is_that_of_a_sender_that_the_message_does_not_have(self):
        self.send('-F', 'The Backup', '-t')
        self.assertEqual(self.sender(self.wait_received()), f'The Backup <{self.address("ann")}>')

    def test_a_senders_own_name_stays(self):
        self.send('-F', 'The Backup', '-t', data=self.letter(f'From: Annie <{self.address("ann")}>\n'))
        self.assertEqual(self.sender(self.wait_received()), f'Annie <{self.address("ann")}>')

    def test_modes_that_are_no_sending_are_usage(self):
        for arguments in (['-bs'], ['-bd'], ['-bp'], ['-bi'], ['-q'], ['-q1h'], ['-I'], ['-Z', 'bob@example.com'], ['-f'], [], ['-i', '--']):
            self.refused(USAGE, '-' if arguments not in ([], ['-i', '--']) else 'nobody to send to', *arguments)
        self.assert_nothing_sent()


class Accounts(SendmailTestCase):
    def test_f_and_r_choose_whose_address_it_is(self):
        for number, arguments in enumerate((['-f', self.address('eve')], ['-f' + self.address('eve')], ['-r', self.address('EVE')],
                                            ['-f', f'any@eve-{self.unique}.org']), 1):
            self.send_as_found(*arguments, '-t')
            self.wait_received(count=number)
        self.assertEqual({self.sender(data) for data in self.received()}, {f'Eve Sample <{self.address("eve")}>'})
        self.assertEqual({email.message_from_bytes(data)['Return-Path'] for data in self.received()}, {f'<{self.address("eve")}>'})

    def test_a_chooses_by_name_and_before_the_environment(self):
        self.send('-a', f'eve-{self.unique}', '-t')
        self.assertEqual(self.sender(self.wait_received()), f'Eve Sample <{self.address("eve")}>')

    def test_the_messages_own_from_chooses_where_nothing_else_does(self):
        for name in ('ann', 'eve'):
            self.setUp()
            self.send_as_found('-t', data=self.letter(f'From: {self.address(name)}\n'))
            self.assertEqual(self.sender(self.wait_received()), self.address(name))

    def test_the_first_one_mounted_else(self):
        self.send_as_found('-t', program=self.alone(self.ann, self.eve))
        self.assertEqual(self.sender(self.wait_received()), f'Ann Sample <{self.address("ann")}>')

    def test_the_only_one(self):
        self.send_as_found('-t', program=self.alone(self.eve))
        self.assertEqual(self.sender(self.wait_received()), f'Eve Sample <{self.address("eve")}>')

    def test_nobodys_address_and_no_such_account_may_be_mounted_later(self):
        for arguments in (['-f', 'nobody@example.net'], ['-a', 'nowhere']):
            self.refused(TEMPFAIL, arguments[1], *arguments, '-t', environment={'MAILFS_OUTBOX': ''})
        self.assert_nothing_sent()

    def test_nothing_mounted_is_temporary(self):
        self.refused(TEMPFAIL, 'mount one', '-t', environment={'MAILFS_OUTBOX': ''}, program=self.alone())
        self.assert_nothing_sent()

    def test_a_mount_without_an_outbox_is_configuration(self):
        with mailtest.Mount(mailtest.account(self.server)) as mount:
            self.refused(CONFIG, 'smtp', '-t', environment={'MAILFS_OUTBOX': ''}, program=self.alone(mount))
        self.assert_nothing_sent()

    def test_a_directory_that_is_no_outbox_gets_nothing(self):
        for directory in (self.ann.directory, self.ann / 'INBOX', self.ann / 'outbox/failed'):
            before = os.listdir(directory)
            self.refused(CONFIG, directory, '-t', environment={'MAILFS_OUTBOX': directory})
            self.assertEqual(os.listdir(directory), before)
        self.assert_nothing_sent()

    def test_an_outbox_that_is_not_mounted_is_temporary(self):
        away = mailtest.Mount(mailtest.account(self.server, self.postfix), name=f'away-{self.unique}')
        self.refused(TEMPFAIL, 'mount it', '-t', environment={'MAILFS_OUTBOX': away / 'outbox'})
        self.assert_nothing_sent()

    def test_what_another_user_has_mounted_is_taken_only_where_it_is_named(self):
        section = mailtest.account(self.server, self.postfix, from_=f'{self.address("mal")}, {self.address("ann")}', sent='none')
        theirs = self.enterContext(MountOfAnother(section, ['allow_other'], name=f'mal-{self.unique}'))
        for arguments in (['-a', f'mal-{self.unique}'], ['-f', self.address('mal')]):
            self.refused(TEMPFAIL, 'mal', *arguments, '-t', environment={'MAILFS_OUTBOX': ''})
        self.refused(TEMPFAIL, 'no mailbox of yours', '-t', environment={'MAILFS_OUTBOX': ''}, program=self.alone(theirs))
        self.assert_nothing_sent()
        self.send('-t', environment={'MAILFS_OUTBOX': theirs / 'outbox'})
        self.assertEqual(self.sender(self.wait_received()), self.address('mal'))

    def test_a_mount_whose_daemon_is_gone_is_none(self):
        dead = mailtest.Mount(mailtest.account(self.server, self.postfix), name=f'dead-{self.unique}').start()
        self.addCleanup(dead.unmount)
        dead.kill9(unmount=False)
        self.addCleanup(mailtest.mount.lazily_unmount, dead.path)
        self.refused(TEMPFAIL, 'mount one', '-t', environment={'MAILFS_OUTBOX': ''}, program=self.alone(dead))
        self.send_as_found('-t', program=self.alone(dead, self.ann))
        self.wait_received()

    def test_without_mailfsctl_it_says_so(self):
        self.refused(OSFILE, 'MAILFSCTL', '-t', environment={'MAILFSCTL': '/nowhere/mailfsctl'})

    def test_it_finds_mailfsctl_beside_itself_whichever_links_lead_there(self):
        place = pathlib.Path(mailtest.process.temporary_directory('mailtest-sendmail-'))
        (place / 'bin').mkdir()
        (place / 'bin/mailfs-sendmail').write_bytes(pathlib.Path(SENDMAIL).read_bytes())
        (place / 'bin/mailfs-sendmail').chmod(0o755)
        (place / 'bin/mailfsctl').symlink_to(os.environ['MAILFSCTL'])
        (place / 'sendmail').symlink_to('bin/mailfs-sendmail')
        self.send('-t', environment={'MAILFSCTL': '', 'PATH': '/usr/bin:/bin'}, program=(str(place / 'sendmail'),))
        self.wait_received()

    def alone(self, *mounts):
        places = ':'.join(os.path.realpath(mount.path) if os.path.ismount(mount.path) else os.path.abspath(mount.path) for mount in mounts)
        return ('unshare', '--mount', '--propagation', 'private', 'sh', '-c', ALONE, 'alone', places, SENDMAIL)


class Refusals(SendmailTestCase):
    def refused_file(self, said):
        """The file that the line names: it stands in failed/, and no other of this name or of a scratch file is left."""
        path = said.removeprefix('mailfs-sendmail: ').partition(': ')[0]
        self.assertEqual(os.path.dirname(path), os.path.join(self.outbox, 'failed'))
        self.assertEqual(self.queued(), [])
        self.assertIn(os.getxattr(path, 'user.mail.error').decode(), said)
        self.addCleanup(os.unlink, path)
        return path

    def test_what_is_no_message(self):
        said = self.refused(DATAERR, 'not a message', 'bob@example.com', data=b'\x7fELF and so on')
        with open(self.refused_file(said), 'rb') as file:
            self.assertEqual(file.read(), b'\x7fELF and so on')

    def test_nothing_at_all(self):
        self.refused(DATAERR, 'empty', 'bob@example.com', data=b'')
        self.assert_nothing_sent()

    def test_somebody_elses_from(self):
        said = self.refused(DATAERR, 'From is none of your own', '-t', data=self.letter('From: mallory@example.org\n'))
        self.refused_file(said)

    def test_no_recipient_in_the_header(self):
        self.refused_file(self.refused(DATAERR, 'no recipient', '-t', data=b'Subject: x\n\ntext\n'))

    def test_recipients_that_are_no_addresses(self):
        for recipient in ('two words', 'unheard-of', ''):
            self.refused(NOUSER, recipient, '--', recipient)
        self.assert_nothing_sent()

    def test_seen_before(self):
        data = self.letter(f'Message-ID: <{self.id}@example.com>\n')
        self.send('-t', data=data)
        self.wait_received()
        self.refused_file(self.refused(DATAERR, 'sent to these recipients before', '-t', data=data))
        self.wait_received()

    def test_outbox_wait_hears_the_server_refuse(self):
        waiting = self.mount('ida', outbox_wait='20')
        environment = {'MAILFS_OUTBOX': os.path.realpath(waiting / 'outbox')}
        said = self.refused(UNAVAILABLE, '550', 'unknown@example.com', environment=environment)
        self.outbox = environment['MAILFS_OUTBOX']
        os.getxattr(said.removeprefix('mailfs-sendmail: ').partition(': ')[0], 'user.mail.error')
        self.send('-t')
        self.assertEqual(self.queued(waiting), [])
        self.wait_received()

    def test_without_a_disk_nothing_is_queued_or_left(self):
        place = mailtest.process.temporary_directory('mailtest-full-')
        subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', place], check=True)
        self.addCleanup(subprocess.run, ['umount', '-l', place], check=True)
        full = mailtest.Mount(mailtest.account(self.server, self.postfix, state_dir=os.path.join(place, 'state')),
                              name=f'full-{self.unique}').start()
        self.addCleanup(full.unmount)
        self.refused(TEMPFAIL, 'not queued', '-t', data=self.letter(body='line\n' * 2000000),
                     environment={'MAILFS_OUTBOX': os.path.realpath(full / 'outbox')})
        self.assertEqual(self.queued(full), [])
        self.assertEqual(os.listdir(full / 'outbox/failed'), [])
        self.assert_nothing_sent()


class Ends(SendmailTestCase):
    """A caller or this program that ends in the middle."""

    def start(self):
        child = subprocess.Popen([SENDMAIL, '-t'], stdin=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
                                 env={**self.ann.environment, 'MAILFS_OUTBOX': self.outbox})
        self.addCleanup(child.stderr.close)
        self.addCleanup(child.stdin.close)
        child.stdin.write(self.letter())
        child.stdin.flush()
        mailtest.wait_for(self.queued, 10, 'the file that is written')
        return child

    def test_a_killed_one_sends_nothing(self):
        child = self.start()
        (name,) = self.queued()
        self.assertTrue(name.startswith('.'))
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        self.postfix.wait_until_delivered()
        self.assertEqual(self.received(), [])
        os.unlink(os.path.join(self.outbox, name))

    def test_an_interrupted_one_leaves_nothing(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            child = self.start()
            child.send_signal(number)
            self.assertEqual(child.wait(10), 130)
            self.assertIn(b'nothing is queued', child.stderr.read())
            self.assert_nothing_sent()

    def test_a_standard_input_that_cannot_be_read(self):
        result = subprocess.run(['sh', '-c', '"$0" -t <&-', SENDMAIL], env={**self.ann.environment, 'MAILFS_OUTBOX': self.outbox},
                                capture_output=True, check=False, timeout=60)
        self.assertEqual(result.returncode, IOERR, result.stderr)
        self.assert_nothing_sent()

    def test_many_at_once_deliver_one_each(self):
        children = []
        for number in range(12):
            child = subprocess.Popen([SENDMAIL, '-t'], stdin=subprocess.PIPE, env={**self.ann.environment, 'MAILFS_OUTBOX': self.outbox})
            child.stdin.write(self.letter(body=f'number {number}.\n'))
            children.append(child)
        for child in children:
            child.stdin.close()
        self.assertEqual([child.wait(30) for child in children], [0] * 12)
        self.wait_received(count=12)
        self.assertEqual(len({data.rpartition(b'number')[2] for data in self.received()}), 12)


class Programs(SendmailTestCase):
    """The real ones."""

    def run_program(self, *command, data, **environment):
        result = subprocess.run(command, input=data, capture_output=True, check=False, timeout=60, cwd=self.ann.directory,
                                env={**self.ann.environment, 'MAILFS_OUTBOX': self.outbox, 'LC_ALL': 'C.UTF-8', 'EMAIL': '', **environment})
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def mutt(self, *arguments, data):
        settings = (f'set sendmail="{SENDMAIL}"; set from="Ann <{self.address("ann")}>"; set use_from=yes; set use_envelope_from=yes; '
                    'set copy=no; set use_8bitmime=yes; set dsn_notify="failure"; set dsn_return=hdrs')
        self.run_program('mutt', '-n', '-F', '/dev/null', '-e', settings, *arguments, data=data)

    def test_mutt_sends_a_text(self):
        self.mutt('-s', self.id, '-b', 'alice@example.com', '--', 'bob@example.com', data='Grüße\n.\nend\n'.encode())
        for user in ('bob', 'alice'):
            got = self.wait_received(user)
            self.assertNotIn(b'\nBcc:', got)
            message = email.message_from_bytes(got)
            text = message.get_payload(decode=True).decode(message.get_content_charset())
            self.assertEqual(text, 'Grüße\r\n.\r\nend\r\n')
        self.assertEqual(self.sender(got), f'Ann <{self.address("ann")}>')

    def test_mutt_sends_a_draft(self):
        draft = os.path.join(self.ann.directory, 'draft')
        with open(draft, 'wb') as file:
            file.write(self.letter('Bcc: alice@example.com\n', 'Drafted.\n'))
        self.mutt('-H', draft, data=b'')
        for user in ('bob', 'alice'):
            got = self.wait_received(user)
            self.assertNotIn(b'\nBcc:', got)
            self.assertTrue(got.rstrip().endswith(b'Drafted.'))

    def test_git_send_email(self):
        git = ['git', '-c', 'user.name=Ann', '-c', f'user.email={self.address("ann")}']
        place = mailtest.process.temporary_directory('mailtest-git-')
        for command in (['init', '-q'], ['commit', '-q', '--allow-empty', '-m', self.id], ['commit', '-q', '--allow-empty', '-m', self.id]):
            self.run_program(*git, '-C', place, *command, data=b'')
        self.run_program(*git, '-C', place, 'format-patch', '-q', '--always', '-1', '-o', place, data=b'')
        patches = [str(path) for path in pathlib.Path(place).glob('*.patch')]
        self.run_program(*git, '-C', place, 'send-email', '-q', f'--sendmail-cmd={SENDMAIL}', '--to=bob@example.com', '--bcc=alice@example.com',
                         '--envelope-sender=auto', '--suppress-cc=all', '--confirm=never', *patches, data=b'')
        self.assertIn(f'[PATCH] {self.id}'.encode(), self.wait_received('bob'))
        self.assertNotIn(b'\nBcc:', self.wait_received('alice'))

    def test_mail(self):
        """As Debian's bsd-mailx has it: no From of its own, recipients named."""
        rc = os.path.join(self.ann.directory, 'mailrc')
        with open(rc, 'w', encoding='utf-8') as file:
            file.write(f'set sendmail={SENDMAIL}\n')
        self.run_program('bsd-mailx', '-s', self.id, 'bob@example.com', data=b'From a shell.\n', MAILRC=rc)
        got = self.wait_received()
        self.assertIn(b'From a shell.', got)
        self.assertIn(self.address('ann'), self.sender(got))

    def test_cron(self):
        """What Debian's cron writes, and how it calls; the user is oneself."""
        data = (f'From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@host> {self.id}\nMIME-Version: 1.0\n'
                'Content-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\nX-Cron-Env: <SHELL=/bin/sh>\n'
                'Auto-Submitted: auto-generated\n\ndisk full\n').encode()
        alice = self.mount('cron', from_='Alice <alice@example.com>')
        self.send('-i', '-FCronDaemon', '-B8BITMIME', '-oem', 'root', data=data,
                  environment={'MAILFS_OUTBOX': os.path.realpath(alice / 'outbox')})
        self.assertEqual(self.sender(self.wait_received('alice')), 'CronDaemon <alice@example.com>')


if __name__ == '__main__':
    mailtest.main()
