# SPDX-License-Identifier: BSD-2-Clause
"""An IMAP server that does exactly what a test says, right or wrong.

A script is a list of steps, gone through on each connection:

    ScriptedImap([send(b'* OK hi\\r\\n'), answer(SIGN_IN), expect(rb'SELECT'), stall()])

In bytes to send, `{tag}` stands for the tag of the client's last command.  A client that does
not do what `expect` wants is noted in `failures`; `check()` raises the first.
"""

import random
import re

from .server import LoopbackServer, end, reset

MAX_LINE = 1 << 24


class ScriptError(AssertionError):
    """The client did something that the script does not have."""


class Conversation:
    """One connection in the eyes of the steps."""

    def __init__(self, server, connection):
        self.server = server
        self.socket = connection
        self.file = connection.makefile('rb')
        self.tag = b'*'
        self.sent = []          # client's lines, CRLF removed, literals as lines of their own

    def read_line(self):
        """The client's next line without its end; ConnectionError when it is gone."""
        line = self.file.readline(MAX_LINE)
        if not line.endswith(b'\n'):
            raise ConnectionError('client closed')
        return line.rstrip(b'\r\n')

    def read_command(self):
        """A whole command with its literals, as (tag, rest)."""
        command = self.read_line()
        while True:
            literal = re.search(rb'\{(\d+)(\+?)\}$', command)
            if not literal:
                break
            if not literal.group(2):
                self.socket.sendall(b'+ go on\r\n')
            command += b'\r\n' + self.file.read(int(literal.group(1))) + self.read_line()
        self.sent.append(command)
        self.server.commands.append(command)
        tag, _, rest = command.partition(b' ')
        self.tag = tag
        return tag, rest

    def send(self, data):
        self.socket.sendall(data.replace(b'{tag}', self.tag))

    def wrap(self, context):
        self.socket = self.server.secure(self.socket, context)
        self.file = self.socket.makefile('rb')

    def wait(self, seconds=None):
        """True when the server stops meanwhile."""
        return self.server.stopping.wait(seconds)


# Steps. Each is a function of the conversation, so a test may write its own.

def send(data):
    return lambda conversation: conversation.send(data)


def expect(pattern):
    """The next command, without its tag, must match (from its beginning, case ignored)."""
    def step(conversation):
        _, rest = conversation.read_command()
        if not re.match(pattern, rest, re.IGNORECASE | re.DOTALL):
            raise ScriptError(f'expected {pattern!r}, client sent {rest!r}')
    return step


def expect_line(pattern):
    """The next line is no command: DONE, a SASL response, a continuation."""
    def step(conversation):
        line = conversation.read_line()
        if not re.match(pattern, line, re.IGNORECASE):
            raise ScriptError(f'expected line {pattern!r}, client sent {line!r}')
    return step


def answer(rules, until=None):
    """
    Answer commands by the first rule that matches: (pattern, bytes or step), in any order and number.
    Ends after a command that matches `until`, which stays unanswered for the next step, or, without it, at LOGOUT.
    """
    def step(conversation):
        while True:
            _, rest = conversation.read_command()
            if until and re.match(until, rest, re.IGNORECASE | re.DOTALL):
                return
            for pattern, reply in rules:
                if re.match(pattern, rest, re.IGNORECASE | re.DOTALL):
                    (reply if callable(reply) else send(reply))(conversation)
                    break
            else:
                raise ScriptError(f'no rule for {rest!r}')
            if re.match(rb'LOGOUT', rest, re.IGNORECASE):
                return
    return step


def in_turn(*steps):
    """Several steps where one is wanted, as the reply of a rule."""
    def step(conversation):
        for each in steps:
            each(conversation)
    return step


def stall(seconds=None):
    """Silence, the connection open; without a time until the test ends."""
    return lambda conversation: conversation.wait(seconds)


def drip(data, bytes_per_second):
    """Byte by byte."""
    def step(conversation):
        for byte in data.replace(b'{tag}', conversation.tag):
            conversation.socket.sendall(bytes([byte]))
            if conversation.wait(1 / bytes_per_second):
                return
    return step


def flood(piece, limit, start=b''):
    """`start`, then `piece` again and again until `limit` bytes are out or the client is gone: an endless line, a literal …"""
    def step(conversation):
        conversation.send(start)
        block = piece * (65536 // len(piece) + 1)
        sent = 0
        while sent < limit and not conversation.server.stopping.is_set():
            conversation.socket.sendall(block)
            sent += len(block)
            conversation.server.flooded = sent
    return step


def endless_line(start=b'* OK ', limit=1 << 30):
    return flood(b'x', limit, start)


def huge_literal(announced=1 << 32, limit=1 << 30, start=b'* 1 FETCH (UID 1 BODY[] '):
    """Announce a literal, and send up to `limit` bytes of it."""
    return flood(b'literal ', limit, start + b'{%d}\r\n' % announced)


def garbage(length=4096, seed=1):
    """Random bytes."""
    return send(random.Random(seed).randbytes(length).replace(b'{', b'['))


def starttls(context, inject=b''):
    """The next command must be STARTTLS: answer OK (and `inject` in the same packet, as an attacker would), then TLS."""
    def step(conversation):
        expect(rb'STARTTLS$')(conversation)
        conversation.send(b'{tag} OK begin\r\n' + inject)
        conversation.wrap(context)
    return step


def close():
    def step(conversation):
        end(conversation.socket)
        raise ConnectionError('closed by script')
    return step


def abort():
    """Close with a reset."""
    def step(conversation):
        reset(conversation.socket)
        raise ConnectionError('reset by script')
    return step


OK = b'{tag} OK done\r\n'


def _authenticate(conversation):
    """AUTHENTICATE of any mechanism that needs one response, given at once or asked for."""
    if len(conversation.sent[-1].split()) < 4:
        conversation.send(b'+ \r\n')
        conversation.read_line()
    conversation.send(OK)


def capability(words=b'IMAP4rev1'):
    return b'* CAPABILITY ' + words + b'\r\n' + OK


# Rules for `answer`: enough to sign in and to see one folder.
SIGN_IN = [
    (rb'CAPABILITY', capability(b'IMAP4rev1 AUTH=PLAIN')),
    (rb'LOGIN |AUTHENTICATE LOGIN', OK),
    (rb'AUTHENTICATE', _authenticate),
    (rb'ID ', b'* ID NIL\r\n' + OK),
    (rb'ENABLE', b'* ENABLED\r\n' + OK),
    (rb'NAMESPACE', b'* NAMESPACE (("" "/")) NIL NIL\r\n' + OK),
    (rb'LOGOUT', b'* BYE bye\r\n' + OK),
    (rb'NOOP|CHECK|UNSELECT|CLOSE|EXAMINE ""', OK),
]


def one_folder(message=b'Subject: x\r\n\r\nx\r\n', uidvalidity=1, size=None):
    """
    Rules for an INBOX with one message, UID 1, on a server that can nothing beyond IMAP4rev1.
    The first rule that matches counts: put your own before these to change an answer.  size: a wrong RFC822.SIZE to tell.
    """
    selected = (b'* FLAGS (\\Seen \\Deleted)\r\n* OK [PERMANENTFLAGS (\\Seen \\Deleted \\*)] ok\r\n* 1 EXISTS\r\n* 0 RECENT\r\n'
                b'* OK [UIDVALIDITY %d] ok\r\n* OK [UIDNEXT 2] ok\r\n' % uidvalidity)
    return SIGN_IN + [
        (rb'(LIST|LSUB) "" ""', b'* LIST (\\Noselect) "/" ""\r\n' + OK),
        (rb'LIST|LSUB', b'* LIST (\\HasNoChildren) "/" INBOX\r\n' + OK),
        (rb'STATUS', b'* STATUS INBOX (MESSAGES 1 UIDNEXT 2 UIDVALIDITY %d UNSEEN 1)\r\n' % uidvalidity + OK),
        (rb'SELECT', selected + b'{tag} OK [READ-WRITE] done\r\n'),
        (rb'EXAMINE', selected + b'{tag} OK [READ-ONLY] done\r\n'),
        (rb'UID FETCH', fetch(message, size)),
    ]


_SECTION = re.compile(rb'BODY(?:\.PEEK)?(\[([^]]*)\])(?:<(\d+)\.(\d+)>)?', re.IGNORECASE)


def fetch(message, size=None):
    """The answer to a FETCH of the only message: what is asked of its body and header, and all else that there is."""
    header = message.partition(b'\r\n\r\n')[0] + b'\r\n\r\n'

    def step(conversation):
        items = [b'UID 1 FLAGS () INTERNALDATE "01-Apr-2026 10:00:00 +0000" RFC822.SIZE %d'
                 % (len(message) if size is None else size)]
        for name, section, start, length in _SECTION.findall(conversation.sent[-1]):
            data = header if section.upper().startswith(b'HEADER') else message
            if start:
                name += b'<%s>' % start
                data = data[int(start):int(start) + int(length)]
            items.append(b'BODY%s {%d}\r\n%s' % (name, len(data), data))
        conversation.send(b'* 1 FETCH (' + b' '.join(items) + b')\r\n' + OK)
    return step


class ScriptedImap(LoopbackServer):
    """
    steps: a list for every connection, or a list of lists: the first connection gets the first, and so on, the last one repeated.
    context: a server's TLS context for TLS from the first byte.
    """

    def __init__(self, steps, context=None):
        super().__init__()
        self._scripts = steps if steps and isinstance(steps[0], list) else [list(steps)]
        self._context = context
        self.commands = []      # of all connections, as they came
        self.flooded = 0        # bytes that the last flood got rid of
        self.finished = 0       # connections whose script came to its end

    def handle(self, connection):
        script = self._scripts[min(self.connections, len(self._scripts)) - 1]
        if self._context:
            connection = self.secure(connection, self._context)
        conversation = Conversation(self, connection)
        for step in script:
            step(conversation)
        self.finished += 1

    def check(self):
        """Raise what a client did against the script."""
        if self.failures:
            raise self.failures[0]
