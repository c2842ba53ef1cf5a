# SPDX-License-Identifier: BSD-2-Clause
"""Another client of the same account, which does things while a mount looks on.

    with mailtest.OtherClient(server) as other:
        other.mark_deleted([3, 4])
"""

import re
import time

from . import utf7


class OtherClient:
    """A folder is given as the server's methods take it; each call selects the one that it needs.  RuntimeError on a NO."""

    def __init__(self, server, user='alice'):
        self.server = server
        self.client = server.imap(user)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.logout()

    def _select(self, folder):
        self._ok(self.client.select(utf7.quote(self.server.name(folder))))

    @staticmethod
    def _ok(reply):
        if reply[0] != 'OK':
            raise RuntimeError(str(reply[1]))
        return reply[1]

    def store(self, uids, what, words, folder='INBOX'):
        """what: '+FLAGS', '-FLAGS' or 'FLAGS'."""
        self._select(folder)
        self._ok(self.client.uid('STORE', uid_set(uids), what, f'({words})'))

    def mark_deleted(self, uids, folder='INBOX'):
        self.store(uids, '+FLAGS', '\\Deleted', folder)

    def expunge(self, uids, folder='INBOX'):
        """These for good, and nothing else."""
        self.mark_deleted(uids, folder)
        self._ok(self.client.uid('EXPUNGE', uid_set(uids)))

    def move(self, uids, target, folder='INBOX'):
        self._select(folder)
        self._ok(self.client.uid('MOVE', uid_set(uids), utf7.quote(self.server.name(target))))

    def append(self, data, folder='INBOX', flags='', date=None):
        """Returns its UID.  date: seconds since 1970."""
        date_time = f'"{time.strftime("%d-%b-%Y %H:%M:%S +0000", time.gmtime(date))}"' if date is not None else None
        reply = self._ok(self.client.append(utf7.quote(self.server.name(folder)), f'({flags})', date_time, data))
        return int(re.search(rb'APPENDUID \d+ (\d+)', reply[0]).group(1))


def uid_set(uids):
    return ','.join(map(str, sorted(uids)))
