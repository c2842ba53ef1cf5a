# SPDX-License-Identifier: BSD-2-Clause
"""A proxy that cuts one connection in the middle of one command's dialogue, and passes everything afterwards.

In cleartext, since it looks for the command.  Before a HidingProxy it cuts the dialogues of a
server that can less.
"""

import re
import threading

from .proxy import Proxy


NEVER = 1 << 40
_ANSWERED = re.compile(rb'^[^*+ ]\S* (OK|NO|BAD) .*\n', re.MULTILINE)


class CuttingProxy(Proxy):
    """
    arm() for each cut.  A loop over the number of bytes walks through a dialogue; it is at the end when `fired` stays unset:

        for count in range(0, 200, 7):
            proxy.arm(b'UID MOVE', server=count)
            …
            if not proxy.fired.is_set():
                break

    Where that would be too many places, `said` has the dialogue of the last arm(), which may have cut nothing: client=NEVER.
    """

    def __init__(self, target_port, **options):
        super().__init__(target_port, **options)
        self.fired = threading.Event()
        self._pattern = None        # what a client has yet to say
        self._allowed = 0           # bytes from there on, of the one side that counts
        self._counts_server = False
        self._link = None           # the connection on which it was said
        self.said = {}              # by 'client' and 'server': what it said from the pattern to the answer, also what did not pass
        self._tail = {}             # of what each connection's client said last: a pattern may come in two pieces

    def arm(self, pattern, *, client=None, server=None, how='close'):
        """
        Cut the connection on which a client next says `pattern` (bytes): `client` bytes from its beginning on still pass to the
        server, or, counted from that moment, `server` bytes to the client.  0 of the client: the server never hears of the
        command; 0 of the server: it obeys and its reply is lost.
        """
        with self._lock:
            self.fired.clear()
            self.how = how
            self._pattern, self._link = pattern, None
            self._counts_server = client is None
            self._allowed = server if client is None else client
            self.said = {'client': b'', 'server': b''}
            self._tail.clear()

    def disarm(self):
        with self._lock:
            self._pattern = self._link = None

    def _admit(self, data, from_server, link):
        with self._lock:
            start = 0
            if self._pattern and not from_server:
                start = self._start(data, link)
            if self._link is link and not _ANSWERED.search(self.said['server']):
                self.said['server' if from_server else 'client'] += data[start:]
            if self._link is not link or from_server != self._counts_server:
                return data, False
            if from_server and self._allowed == 0 and not data:
                return data, False
            passing = data[:start + self._allowed]
            self._allowed -= len(passing) - start
            return passing, self._is_over(passing, data)

    def _start(self, data, link):
        """Where in the data counting begins: 0, unless the pattern does in it."""
        tail = self._tail.get(link, b'')
        found = (tail + data).find(self._pattern)
        if found < 0:
            self._tail[link] = (tail + data)[-len(self._pattern) + 1:] if len(self._pattern) > 1 else b''
            return 0
        self._pattern, self._link = None, link
        if found >= len(tail) or self._counts_server:
            return max(0, found - len(tail))
        self._allowed = max(0, self._allowed - (len(tail) - found))     # its first bytes are through already
        return 0

    def _is_over(self, passing, data):
        """The limit is reached: at once for the client's side, for the server's with the first byte beyond it."""
        over = self._allowed == 0 and (not self._counts_server or len(passing) < len(data))
        if over:
            self._link = None
            self.fired.set()
        return over
