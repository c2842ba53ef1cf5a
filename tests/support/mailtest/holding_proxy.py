# SPDX-License-Identifier: BSD-2-Clause
"""A proxy before a server that takes its time for one command: it arrives late, or its answer does, while all else passes.

In cleartext, since it looks for the command.
"""

import threading

from .proxy import Proxy


class HoldingProxy(Proxy):
    """
    hold(b'APPEND'): what a client says from the next chunk with these bytes on waits on its connection until release(); `answer`: the
    server hears it, and what it says from then on waits.  A client that closes meanwhile takes nothing back.
    """

    def __init__(self, target_port, **options):
        super().__init__(target_port, **options)
        self.held = threading.Event()
        self._released = threading.Event()
        self._pattern = self._link = None
        self._holds_answer = False

    def hold(self, pattern, answer=False):
        self._released.clear()
        self.held.clear()
        self._holds_answer, self._link, self._pattern = answer, None, pattern

    def release(self):
        self._pattern = None
        self._released.set()

    def stop(self):
        self.release()
        super().stop()

    def _admit(self, data, from_server, link):
        if self._pattern and not from_server and self._pattern in data:
            self._pattern, self._link = None, link
            self.held.set()
        if self._link is link and from_server == self._holds_answer:
            self._released.wait()
        return super()._admit(data, from_server, link)
