#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Reading a whole folder through a new mount, against mbsync pulling it: both from the start of the program to the last byte.

One Dovecot, over TLS, its caches warmed by one pull that does not count. mbsync writes a new Maildir without fsync; mailfs has an empty
cache, and `find` and `md5sum` read every message, which shows that each has the right bytes, and costs little beside. (`cat` maps and
unmaps a buffer for each file: on a slow machine that takes as long again as all the rest.) Runs take turns. Then the same again from
both, all of it cached: told, without a bound.
Nothing is deleted before the end: ext4 makes new files slowly where thousands were deleted a moment ago (recently_deleted()).
"""

import argparse
import hashlib
import os
import subprocess
import sys

import figures
import mailtest

AT_MOST = 2.0

MBSYNCRC = '''FSync no
IMAPAccount server
Host localhost
Port {port}
User alice
Pass {password}
{tls}
CertificateFile {ca_file}
AuthMechs PLAIN

IMAPStore far
Account server

MaildirStore near
Path {directory}/
Inbox {directory}/INBOX

Channel all
Far :far:
Near :near:
Patterns INBOX
Sync Pull
Create Near
Remove None
Expunge None
SyncState *
'''


def mbsync_tls():
    """1.5 renamed the key."""
    version = subprocess.run(['mbsync', '--version'], capture_output=True, text=True, check=True).stdout.split()[-1]
    return 'SSLType IMAPS' if version.startswith(('1.3', '1.4')) else 'TLSType IMAPS'


def pull(server):
    """Seconds that mbsync takes; how many messages it kept: it fetches those without an empty line after the headers, too, but drops them; seconds to
    read the Maildir."""
    directory = mailtest.temporary_directory('bench-mbsync-')
    configuration = os.path.join(directory, 'mbsyncrc')
    with open(configuration, 'w', encoding='utf-8') as file:
        file.write(MBSYNCRC.format(port=server.imaps_port, password=server.users['alice'], ca_file=server.ca_file,
                                   directory=directory, tls=mbsync_tls()))
    with figures.Stopwatch() as pulling:
        subprocess.run(['mbsync', '-qq', '-c', configuration, 'all'], check=True, stdin=subprocess.DEVNULL)
    inbox = os.path.join(directory, 'INBOX')
    kept = sum(len(os.listdir(os.path.join(inbox, name))) for name in ('cur', 'new'))
    with figures.Stopwatch() as reading:
        read_all(inbox)
    return pulling.seconds, kept, reading.seconds


def read_all(directory):
    """The sums of all files, sorted."""
    result = subprocess.run(['find', '.', '-type', 'f', '-exec', 'md5sum', '{}', '+'], cwd=directory, stdout=subprocess.PIPE, check=True)
    return sorted(line.split()[0].lstrip(b'\\').decode() for line in result.stdout.splitlines())


def read_cold(server, sums):
    """Seconds until mounted, from then on until all is read, and to read it again."""
    mount = mailtest.Mount(mailtest.account(server))
    with figures.mounted(mount) as mounting_s:
        with figures.Stopwatch() as reading:
            got = read_all(mount / 'INBOX')
        if got != sums:
            raise RuntimeError(f'{len(got)} messages read, {len(set(sums) - set(got))} are missing or differ:\n{mount.log()}')
        with figures.Stopwatch() as again:
            read_all(mount / 'INBOX')
    return mounting_s, reading.seconds, again.seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--messages', type=int, default=10000)
    parser.add_argument('--runs', type=int, default=3)
    arguments = parser.parse_args()
    with mailtest.Dovecot() as server:
        server.fill(arguments.messages)
        held = [data for _, data in server.messages().values()]
        sums = sorted(hashlib.md5(data).hexdigest() for data in held)
        table = figures.Figures(f'cold read of {arguments.messages} messages, {sum(map(len, held)) / 1e6:.1f} MB')
        table.note('mbsync keeps', f'{pull(server)[1]} messages')
        pulls, reads = [], []
        for _ in range(arguments.runs):
            pulls.append(pull(server))
            reads.append(read_cold(server, sums))
        base = table.seconds('mbsync', [run[0] for run in pulls])
        table.seconds('mailfs: mount', [run[0] for run in reads])
        table.seconds('mailfs: list and read', [run[1] for run in reads])
        total = table.seconds('mailfs: mount, list and read', [run[0] + run[1] for run in reads])
        table.ratio('mailfs / mbsync', total, base, AT_MOST)
        maildir = table.seconds('Maildir: read again', [run[2] for run in pulls])
        again = table.seconds('mailfs: read again', [run[2] for run in reads])
        table.ratio('mailfs / Maildir', again, maildir)
    return table.exit_status()


if __name__ == '__main__':
    sys.exit(main())
