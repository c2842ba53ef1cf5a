# SPDX-License-Identifier: BSD-2-Clause
"""The least that any client must wait for: sign-in, EXAMINE and one UID FETCH on a bare TLS socket, the replies counted and thrown away; or
SELECT and changes, one command or many at once."""

import re
import socket
import threading


class BareClient:
    """Knows no more of IMAP than its own tags."""

    def __init__(self, server, user='alice', folder='INBOX', verb='EXAMINE'):
        plain = socket.create_connection((server.host, server.imaps_port), 60)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = server.certificate.client_context().wrap_socket(plain, server_hostname=server.host)
        self._buffer = memoryview(bytearray(1 << 20))
        self._serial = 0
        self._socket.recv_into(self._buffer)
        self.command(f'LOGIN {user} {server.users[user]}')
        self.command(f'{verb} {folder}')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def command(self, text):
        """Returns the number of bytes up to the end of the tagged reply, which must be OK."""
        self._serial += 1
        tag = f'bench{self._serial}'.encode()
        self._socket.sendall(tag + b' ' + text.encode() + b'\r\n')
        # The tagged line is the last thing that the server says: look for it in the last bytes only.
        total, tail = 0, b''
        while True:
            n = self._socket.recv_into(self._buffer)
            if n == 0:
                raise ConnectionError(f'{text}: the server hung up')
            total += n
            tail = (tail + bytes(self._buffer[max(0, n - 1024):n]))[-1024:]
            last_line = tail[tail.rfind(b'\n', 0, -1) + 1:]
            if last_line.endswith(b'\r\n') and last_line.startswith(tag + b' '):
                if not last_line.startswith(tag + b' OK'):
                    raise RuntimeError(f'{text}: {last_line}')
                return total


    def pipeline(self, texts):
        """All of them sent without waiting for an answer; returns when the last is answered, and all must be OK."""
        first = self._serial + 1
        self._serial += len(texts)
        lines = ''.join(f'bench{first + i} {text}\r\n' for i, text in enumerate(texts))
        sending = threading.Thread(target=self._socket.sendall, args=(lines.encode(),))
        sending.start()     # the server stops reading when nobody reads what it says
        last = re.compile(rb'^bench%d .*\r\n' % self._serial, re.MULTILINE)
        said = bytearray()
        while not last.search(said, max(0, len(said) - 65536)):
            n = self._socket.recv_into(self._buffer)
            if n == 0:
                raise ConnectionError('the server hung up')
            said += self._buffer[:n]
        sending.join()
        answered = len(re.findall(rb'^bench\d+ OK', said, re.MULTILINE))
        if answered != len(texts):
            raise RuntimeError(f'{answered} of {len(texts)} commands succeeded: {bytes(said[-400:])}')


def fetch(server, items):
    """All messages of INBOX: the number of bytes received."""
    with BareClient(server) as client:
        return client.command(f'UID FETCH 1:* {items}')
