# SPDX-License-Identifier: BSD-2-Clause
"""A TCP proxy in front of a real server, which makes the network worse and counts what passes.

Bytes pass unchanged, TLS included; `sent` and `received` hold the cleartext where there is no
TLS.  All settings may be changed while connections are open.  `down()`, `up()` and
`drop_connections()` come from `LoopbackServer`.
"""

import queue
import socket
import threading
import time

from .server import LoopbackServer, end, reset

CHUNK = 65536


class Link:
    """One connection, as both its directions see it."""

    def __init__(self):
        self.passed = [0, 0]        # bytes from the client, from the server


class Proxy(LoopbackServer):
    """
    latency: seconds of a round trip, half of it in each direction.
    cut_client, cut_server: a connection's end when that many bytes came from that side; the bytes before it pass.
    how: 'close' in order, 'reset', or 'stall': the connection stays, but nothing more comes from that side.
    bytes_per_second: limit from the server, per connection.
    record: keep the bytes.  source: the address to connect from, e.g. '127.0.0.2'.
    """

    def __init__(self, target_port, *, latency=0, cut_client=None, cut_server=None, how='close', bytes_per_second=None,
                 record=False, source='127.0.0.1'):
        super().__init__()
        self.target_port = target_port
        self.latency = latency
        self.cut_client, self.cut_server, self.how = cut_client, cut_server, how
        self.bytes_per_second = bytes_per_second
        self.record = record
        self.source = source
        self.from_client = 0        # bytes that passed, all connections
        self.from_server = 0
        self.sent = bytearray()     # what clients sent, with record
        self.received = bytearray()
        self._flowing = threading.Event()
        self._flowing.set()

    def stall(self):
        """Nothing passes any more, in no direction; connections stay and new ones are accepted."""
        self._flowing.clear()

    def resume(self):
        self._flowing.set()

    def stop(self):
        super().stop()
        self.resume()

    def reset_counters(self):
        with self._lock:
            self.from_client = self.from_server = self.connections = 0
            self.sent, self.received = bytearray(), bytearray()

    def handle(self, connection):
        with socket.create_connection(('127.0.0.1', self.target_port), 10, (self.source, 0)) as upstream:
            upstream.settimeout(None)
            upstream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link = Link()
            back = threading.Thread(target=self._pass, args=(upstream, connection, True, link), daemon=True)
            back.start()
            self._pass(connection, upstream, False, link)
            back.join()

    def _pass(self, source, sink, from_server, link):
        """One direction: a reader that never waits for the latency, a writer that does, and the line between them."""
        line = queue.Queue(maxsize=1024)
        threading.Thread(target=self._read, args=(source, line), daemon=True).start()
        try:
            self._write(line, source, sink, from_server, link)
        except OSError:
            end(source)
            end(sink)
        while line.get()[1]:    # let a reader that waits for room come to its end
            pass

    def _read(self, source, line):
        data = b'first'
        while data:
            try:
                data = source.recv(CHUNK)
            except OSError:
                data = b''
            line.put((time.monotonic() + self.latency / 2, data))

    def _write(self, line, source, sink, from_server, link):
        while True:
            due, data = line.get()
            time.sleep(max(0, due - time.monotonic()))
            self._flowing.wait()
            if not data:
                line.put((due, data))
                sink.shutdown(socket.SHUT_WR)
                return
            data, last = self._admit(data, from_server, link)
            self._count(data, from_server)
            sink.sendall(data)
            if last:
                self._cut(source, sink)
                return

    def _admit(self, data, from_server, link):
        """What of it passes, and whether the connection ends then."""
        limit = self.cut_server if from_server else self.cut_client
        if limit is not None:
            data = data[:max(0, limit - link.passed[from_server])]
        link.passed[from_server] += len(data)
        return data, link.passed[from_server] == limit

    def _count(self, data, from_server):
        with self._lock:
            if from_server:
                self.from_server += len(data)
            else:
                self.from_client += len(data)
            if self.record:
                (self.received if from_server else self.sent).extend(data)
        if from_server and self.bytes_per_second:
            time.sleep(len(data) / self.bytes_per_second)

    def _cut(self, source, sink):
        if self.how != 'stall':
            for side in (source, sink):
                (reset if self.how == 'reset' else end)(side)
