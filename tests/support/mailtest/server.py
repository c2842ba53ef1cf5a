# SPDX-License-Identifier: BSD-2-Clause
"""What the proxies and the scripted servers share: a loopback listener with a thread a connection.

`down()` and `up()` take the listener away and bring it back on the same port, as a server that
restarts or a network that is gone.
"""

import contextlib
import ctypes
import socket
import threading

from . import process

_libc = ctypes.CDLL(None)
_AF_UNSPEC_ADDRESS = bytes(16)


def reset(connection):
    """
    End it with RST: the peer's next read or write fails with ECONNRESET.
    connect(2) to no address does that at once; SO_LINGER would wait until no other thread reads.
    """
    if connection.fileno() < 0 or _libc.connect(connection.fileno(), _AF_UNSPEC_ADDRESS, len(_AF_UNSPEC_ADDRESS)) != 0:
        end(connection)


def end(connection):
    """End it in order, in both directions, also for other threads that read from it."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class LoopbackServer:
    """Subclasses define `handle(connection)`, called in a thread of its own; it may raise OSError."""

    def __init__(self):
        self.port = process.free_port()
        self.host = 'localhost'
        self.connections = 0        # accepted so far
        self.failures = []          # what a thread raised other than OSError: scripts not followed, broken tests
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._open = {}             # accepted socket: the one that is used, TLS or the same
        self._listener = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        process.at_exit(self.stop)
        self.up()
        return self

    def stop(self):
        process.cancel(self.stop)
        self.stopping.set()
        self.down()

    def up(self):
        """Listen; nothing if it does already."""
        if self._listener:
            return
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(('127.0.0.1', self.port))
        listener.listen(64)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def down(self, abruptly=True):
        """Refuse new connections and end the present ones, by reset or by an orderly close."""
        listener, self._listener = self._listener, None
        if listener:
            end(listener)
            listener.close()
        self.drop_connections(abruptly)

    def drop_connections(self, abruptly=True):
        """End the present connections and go on listening."""
        with self._lock:
            present = list(self._open.values())
        for connection in present:
            (reset if abruptly else end)(connection)

    def open_connections(self):
        with self._lock:
            return len(self._open)

    def wait_for_connections(self, count, timeout=10):
        process.wait_for(lambda: self.connections >= count, timeout, f'{count} connections')

    def secure(self, connection, context):
        """Do a server's TLS handshake; returns the socket to use from now on."""
        secured = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with self._lock:
            for accepted, used in self._open.items():
                if used is connection:
                    self._open[accepted] = secured
        secured.do_handshake()
        return secured

    def handle(self, connection):
        raise NotImplementedError

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self.connections += 1
                self._open[connection] = connection
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            self.handle(connection)
        except OSError:
            pass
        except Exception as failure:
            self.failures.append(failure)
        finally:
            with self._lock:
                used = self._open.pop(connection)
            end(used)
            used.close()
