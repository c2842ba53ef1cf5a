#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""mount(8) and fstab(5): `mount -t fuse.mailfs ACCOUNT DIR`, a line of fstab, by root and by the person whose mail it is.

In a mount namespace of its own, where mailfs is installed, /etc/fstab is the test's, and there is one user more.
"""

import contextlib
import os
import shutil
import stat
import subprocess
import sys
import unittest

import mailtest

INSTALLED = '/usr/local/sbin'       # mount(8) takes $PATH away: sh looks in its own
UID = GID = 20471
PERSON = 'mailfs-test'
USAGE, UNREACHABLE, REFUSED, CONFIGURATION = 1, 75, 77, 78
FSTAB_OPTIONS = 'noauto,user,noatime,_netdev,nofail,x-systemd.automount,x-systemd.idle-timeout=60,x-gvfs-show,comment=mail'


def bind(source, target):
    subprocess.run(['mount', '--bind', source, target], check=True)


def escaped(text):
    return text.replace(' ', r'\040')


def mounted(path):
    """(source, type, options) of what is mounted there, or None."""
    with open('/proc/self/mountinfo', encoding='utf-8') as file:
        for line in file:
            fields = line.split()
            if fields[4] == escaped(path):
                kind, source = fields[fields.index('-') + 1:][:2]
                return source, kind, fields[5].split(',')
    return None


def daemons(path):
    """Processes of mailfs for a mountpoint."""
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        with contextlib.suppress(OSError), open(f'/proc/{pid}/cmdline', 'rb') as file:
            arguments = file.read().split(b'\0')
            if os.path.basename(arguments[0]) == b'mailfs' and path.encode() in arguments:
                found.append(int(pid))
    return found


class ByMount(mailtest.Mount):
    """Mounted by a command that ends when the mount stands."""

    by = []

    def command(self, foreground=True):
        return self.by

    def mount_by(self, *command):
        """(exit status, what it wrote)."""
        self.by = list(command)
        return self.start_in_background()


@unittest.skipUnless(shutil.which('mount') and shutil.which('mount.fuse', path='/sbin:/usr/sbin'), 'no mount(8) with mount.fuse')
class MountEight(mailtest.MountTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.directory = mailtest.temporary_directory()
        shutil.copy(shutil.which(os.environ.get('MAILFS', 'mailfs')), os.path.join(cls.directory, 'mailfs'))
        bind(cls.directory, INSTALLED)
        device = os.path.join(cls.directory, 'fuse')    # for everybody, as udev makes it; containers' is root's alone
        os.mknod(device, stat.S_IFCHR | 0o666, os.stat('/dev/fuse').st_rdev)
        os.chmod(device, 0o666)
        bind(device, '/dev/fuse')
        if os.path.isdir('/run/mount'):
            subprocess.run(['mount', '-t', 'tmpfs', 'tmpfs', '/run/mount'], check=True)
        cls.server = mailtest.Dovecot().start()
        cls.addClassCleanup(cls.server.stop)
        cls.server.fill(3)
        cls.section = mailtest.account(cls.server)

    def make(self, section=None, name='test'):
        mount = ByMount(section or self.section, name=name)
        self.addCleanup(mailtest.mount.lazily_unmount, mount.path)
        return mount

    def replace(self, path, text):
        """A file of the system's has another text, in this namespace."""
        copy = os.path.join(mailtest.temporary_directory(), 'file')
        with open(copy, 'w', encoding='utf-8') as file:
            file.write(text)
        os.chmod(copy, 0o644)
        if not os.path.exists(path):
            open(path, 'w', encoding='utf-8').close()
        bind(copy, path)
        self.addCleanup(subprocess.run, ['umount', path], check=True)

    def fstab(self, mount, options):
        """A file of one line; its name."""
        path = os.path.join(mount.directory, 'fstab')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(f'{escaped(mount.name)} {escaped(mount.path)} fuse.mailfs config={escaped(mount.config_file)},{options} 0 0\n')
        return path

    def succeeds(self, mount, *command):
        self.assertEqual(mount.mount_by(*command), (0, ''))
        self.assertEqual(len(mount.files()), 3)
        source, kind, options = mounted(mount.path)
        self.assertEqual((source, kind), (escaped(mount.name), 'fuse.mailfs'))
        return options

    def wait_for_end(self, mount):
        mailtest.wait_for(lambda: not daemons(mount.path), 10, 'the end of the daemon')

    def umount(self, mount):
        subprocess.run(['umount', mount.path], check=True)
        self.assertIsNone(mounted(mount.path))
        self.wait_for_end(mount)

    def test_mount_with_a_type_mounts_and_umount_ends_it(self):
        mount = self.make()
        self.succeeds(mount, 'mount', '-t', 'fuse.mailfs', 'test', mount.path, '-o', f'config={mount.config_file},names=uid')
        self.assertRegex(os.path.basename(mount.files()[0]), r'^\d+-1\.eml$')
        self.assertTrue(daemons(mount.path))
        self.umount(mount)

    def test_options_of_the_kernel_take_effect_and_those_of_fstab_are_no_trouble(self):
        mount = self.make()
        options = self.succeeds(mount, 'mount', '-T', self.fstab(mount, FSTAB_OPTIONS), mount.path)
        self.assertLessEqual({'rw', 'noatime', 'nosuid', 'nodev', 'noexec'}, set(options))
        self.umount(mount)
        options = self.succeeds(mount, 'mount', '-T', self.fstab(mount, 'rw,noatime,nosuid,nodev,exec'), mount.path)
        self.assertLessEqual({'rw', 'noatime', 'nosuid', 'nodev'}, set(options))
        self.assertNotIn('noexec', options)
        self.umount(mount)

    def test_read_only_is_read_only(self):
        mount = self.make({**self.section, 'smtp': 'smtp+insecure://localhost:1'})
        for command in (['-r'], ['-o', 'ro']):
            with self.subTest(command):
                self.assertIn('ro', self.succeeds(mount, 'mount', '-t', 'fuse.mailfs', *command, '-o', f'config={mount.config_file}', 'test', mount.path))
                self.assertFalse(os.path.exists(mount / 'outbox'))
                self.umount(mount)

    def test_mount_all_mounts_once(self):
        mount = self.make()
        fstab = self.fstab(mount, 'defaults,_netdev')
        for _ in range(2):
            self.succeeds(mount, 'mount', '-a', '-T', fstab)
        self.assertEqual(len(daemons(mount.path)), 1)
        self.umount(mount)

    def test_blanks_in_names(self):
        mount = self.make(name='my mail')
        mount.path = os.path.join(mount.directory, 'mount point')
        os.mkdir(mount.path)
        self.addCleanup(mailtest.mount.lazily_unmount, mount.path)
        self.succeeds(mount, 'mount', '-T', self.fstab(mount, 'noauto'), mount.path)
        self.umount(mount)

    def test_a_url_is_an_account(self):
        mount = self.make()
        mount.name = self.section['imap']
        options = f'tls-ca={self.section["tls-ca"]},password-command=echo {self.section["password"]}'
        self.succeeds(mount, 'mount', '-t', 'fuse.mailfs', mount.name, mount.path, '-o', options)
        self.umount(mount)

    def test_an_account_that_is_also_the_name_of_a_file(self):
        """mount(8) makes a path of it: at boot, in /, that happens to accounts called home or srv."""
        mount = self.make()
        os.mkdir(os.path.join(mount.directory, mount.name))     # where the command runs
        self.succeeds(mount, 'mount', '-t', 'fuse.mailfs', 'test', mount.path, '-o', f'config={mount.config_file}')
        self.umount(mount)

    def fails(self, mount, status, *words):
        got, text = mount.mount_by('mount', '-T', self.fstab(mount, FSTAB_OPTIONS), mount.path)
        self.assertEqual(got, status, text)
        self.assertEqual(len(text.splitlines()), 1, text)
        self.assertTrue(text.startswith('mailfs: '), text)
        for word in words:
            self.assertIn(word, text)
        self.assertIsNone(mounted(mount.path))
        self.wait_for_end(mount)

    def test_the_status_and_the_line_of_a_failure_arrive(self):
        mount = self.make({**self.section, 'timeout': 'soon'})
        self.fails(mount, CONFIGURATION, mount.config_file + ':', 'timeout')
        self.fails(self.make({**self.section, 'password': 'wrong'}), REFUSED, 'sign-in')
        self.fails(self.make({**self.section, 'imap': f'imaps://alice@localhost:{mailtest.free_port()}'}), UNREACHABLE, 'refused')
        mount = self.make()
        with open(mount / 'file', 'w', encoding='ascii'):
            pass
        self.fails(mount, USAGE, mount.path, 'empty')

    # A person who is not root, with a home and a configuration of her own

    def make_for_person(self):
        mount = self.make()
        home = os.path.join(mount.directory, 'home')
        configuration = os.path.join(home, '.config', 'mailfs', 'mailfs.conf')
        os.makedirs(os.path.dirname(configuration), mode=0o700)
        shutil.copy(mount.config_file, configuration)
        for path in mount.path, home, os.path.join(home, '.config'), os.path.dirname(configuration), configuration:
            os.chown(path, UID, GID)
        os.chmod(configuration, 0o600)
        with open('/etc/passwd', encoding='utf-8') as file:
            self.replace('/etc/passwd', file.read() + f'{PERSON}:x:{UID}:{GID}::{home}:/bin/sh\n')
        for name in 'XDG_CACHE_HOME', 'XDG_STATE_HOME', 'XDG_CONFIG_HOME', 'XDG_RUNTIME_DIR':
            del mount.environment[name]
        mount.environment['HOME'] = home
        return mount, home

    def as_person(self, *command):
        return subprocess.run(command, user=UID, group=GID, extra_groups=[], capture_output=True, text=True, check=False)

    def shows_mail_to_the_person(self, mount, home):
        listing = self.as_person('ls', mount / 'INBOX')
        self.assertEqual(len(listing.stdout.split()), 3, listing)
        self.assertTrue(os.path.isdir(os.path.join(home, '.cache', 'mailfs', 'test')))
        self.assertEqual(os.stat(f'/proc/{daemons(mount.path)[0]}').st_uid, UID)

    def test_a_person_mounts_and_unmounts_what_fstab_allows(self):
        mount, home = self.make_for_person()
        self.replace('/etc/fstab', f'test {mount.path} fuse.mailfs noauto,user,_netdev 0 0\n')
        result = self.as_person('mount', mount.path)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, '', ''))
        self.shows_mail_to_the_person(mount, home)
        self.assertEqual(self.as_person('umount', mount.path).returncode, 0)
        self.wait_for_end(mount)

    def test_at_boot_root_mounts_for_a_person(self):
        mount, home = self.make_for_person()
        self.replace('/etc/fstab', f'test {mount.path} fuse.mailfs setuid={PERSON},_netdev,nofail,delay_connect 0 0\n')
        self.assertEqual(mount.mount_by('mount', '-a'), (0, ''))
        self.shows_mail_to_the_person(mount, home)
        self.umount(mount)


def let_go_of_others():
    """Of the mounts of tests that run beside this one: as long as they stood in this namespace, too, their daemons would not end."""
    with open('/proc/self/mountinfo', encoding='utf-8') as table:
        points = [line.split()[4] for line in table if ' - fuse.mailfs ' in line]
    for point in reversed(points):
        subprocess.run(['umount', '-i', '-l', point], check=False)


if __name__ == '__main__':
    if 'MAILTEST_NAMESPACE' not in os.environ and not mailtest.no_fuse():
        os.environ['MAILTEST_NAMESPACE'] = 'own'
        os.execvp('unshare', ['unshare', '--mount', sys.executable, *sys.argv])
    if os.environ.get('MAILTEST_NAMESPACE') == 'own':
        let_go_of_others()
    mailtest.main()
