# SPDX-License-Identifier: BSD-2-Clause
"""An SMTP server that records messages byte for byte, and answers, stalls or drops out where told.

    ScriptedSmtp({'RCPT bob@example.com': b'550 5.1.1 no such user', '.': DISCONNECT})

The places: greeting, EHLO, STARTTLS, AUTH, MAIL, RCPT, `RCPT address`, DATA, `data` (while the
message comes), `.` (after it), RSET, QUIT.  A place holds a reply, an action, a function of
(session, line) that returns one of those, or a list of these for one time after another.
"""

import base64
import contextlib
import re
import ssl

from .server import LoopbackServer, reset

DISCONNECT = object()   # close in order
RESET = object()        # close with RST
STALL = object()        # say nothing more, keep the connection

EXTENSIONS = ('PIPELINING', 'SIZE 10485760', '8BITMIME', 'ENHANCEDSTATUSCODES', 'DSN', 'SMTPUTF8')

_DEFAULT = {
    'greeting': b'220 mail.example.com ESMTP', 'STARTTLS': b'220 2.0.0 ready', 'AUTH': b'235 2.7.0 welcome',
    'MAIL': b'250 2.1.0 ok', 'RCPT': b'250 2.1.5 ok', 'DATA': b'354 go ahead', '.': b'250 2.0.0 queued',
    'RSET': b'250 2.0.0 ok', 'NOOP': b'250 2.0.0 ok', 'QUIT': b'221 2.0.0 bye',
}


class Message:
    """What came between MAIL and the final dot."""

    def __init__(self, mail):
        self.sender = re.search(rb'<([^>]*)>', mail).group(1).decode()
        self.mail_parameters = mail.partition(b'>')[2].split()
        self.recipients = []            # accepted ones
        self.recipient_parameters = []
        self.data = b''                 # as sent, dots removed
        self.reply = None               # ours to the final dot; None when we said nothing


class _Ended(Exception):
    pass


class ScriptedSmtp(LoopbackServer):
    """
    users: {name: password} for PLAIN and LOGIN; None takes any.
    starttls: a server's TLS context to offer it; context: one for TLS from the first byte.
    messages: every message whose final dot arrived.  commands: all lines of all sessions but data.
    """

    def __init__(self, places=None, *, users=None, extensions=EXTENSIONS, mechanisms='PLAIN LOGIN', starttls=None, context=None,
                 inject=b''):
        super().__init__()
        self.places = dict(places or {})
        self.users = users
        self.extensions = extensions
        self.mechanisms = mechanisms
        self.starttls, self.context = starttls, context
        self.inject = inject            # after the reply to STARTTLS, in the same packet
        self.messages = []
        self.commands = []
        self.partial = []               # data of messages whose final dot never came

    def accepted(self):
        """Messages to whose final dot we said 2yz."""
        return [message for message in self.messages if message.reply and message.reply.startswith(b'2')]

    def at(self, place):
        """The script's entry for a place, one of a list used up."""
        with self._lock:
            entry = self.places.get(place)
            if isinstance(entry, list):
                entry = entry.pop(0) if entry else None
        return entry

    def handle(self, connection):
        if self.context:
            connection = self.secure(connection, self.context)
        with contextlib.suppress(_Ended):
            _Session(self, connection).run()


class _Session:
    def __init__(self, server, connection):
        self.server = server
        self.connection = connection
        self.file = connection.makefile('rb')
        self.encrypted = isinstance(connection, ssl.SSLSocket)
        self.message = None
        self.judged = None              # the message whose final dot is being answered

    def run(self):
        self.reply('greeting')
        while True:
            line = self.read_line()
            self.server.commands.append(line)
            verb = line.split(b' ')[0].upper().decode('ascii', 'replace')
            handler = getattr(self, 'on_' + verb.lower(), None)
            if handler:
                handler(line)
            elif verb in _DEFAULT:
                self.reply(verb, line)
            else:
                self.send(b'500 5.5.2 what?')

    def read_line(self):
        line = self.file.readline(1 << 20)
        if not line.endswith(b'\n'):
            raise _Ended
        return line.rstrip(b'\r\n')

    def send(self, reply):
        if self.judged:
            self.judged.reply = reply       # before the client can know it
        self.connection.sendall(reply if reply.endswith(b'\n') else reply + b'\r\n')

    def reply(self, place, line=b'', detail=None):
        """Do what the script says at this place, or the usual; returns the reply sent."""
        action = self.server.at(f'{place} {detail}') if detail else None
        if action is None:
            action = self.server.at(place)
        if callable(action):
            action = action(self, line)
        if action is None:
            action = _DEFAULT[place]
        self.act(action)
        return action

    def act(self, action):
        if action is STALL:
            self.server.stopping.wait()
            raise _Ended
        if action is RESET:
            reset(self.connection)
            raise _Ended
        if action is DISCONNECT:
            raise _Ended
        self.send(action)

    def on_ehlo(self, line):
        words = list(self.server.extensions)
        if self.server.starttls and not self.encrypted:
            words.append('STARTTLS')
        if self.server.mechanisms:
            words.append('AUTH ' + self.server.mechanisms)
        lines = ['mail.example.com'] + words
        usual = '\r\n'.join('250' + ('-' if at < len(lines) - 1 else ' ') + text for at, text in enumerate(lines)).encode()
        action = self.server.at('EHLO')
        if callable(action):
            action = action(self, line)
        self.act(usual if action is None else action)

    on_helo = on_ehlo

    def on_starttls(self, line):
        if not self.server.starttls:
            self.send(b'502 5.5.1 not here')
            return
        action = self.server.at('STARTTLS')
        if callable(action):
            action = action(self, line)
        if action is not None:
            self.act(action)
            return
        self.connection.sendall(_DEFAULT['STARTTLS'] + b'\r\n' + self.server.inject)
        self.connection = self.server.secure(self.connection, self.server.starttls)
        self.file = self.connection.makefile('rb')
        self.encrypted = True

    def on_auth(self, line):
        words = line.split()
        mechanism = words[1].upper()
        answers = words[2:]
        if not answers:
            self.send(b'334 ' + (base64.b64encode(b'Username:') if mechanism == b'LOGIN' else b''))
            answers = [self.read_line()]
        if mechanism == b'LOGIN':
            self.send(b'334 ' + base64.b64encode(b'Password:'))
            answers.append(self.read_line())
        if self.server.users is not None and not self.knows(mechanism, [base64.b64decode(text) for text in answers]):
            self.send(b'535 5.7.8 authentication failed')
            return
        self.reply('AUTH', line)

    def knows(self, mechanism, answers):
        user, password = answers if mechanism == b'LOGIN' else answers[0].split(b'\0')[-2:]
        return self.server.users.get(user.decode()) == password.decode()

    def on_mail(self, line):
        if self.reply('MAIL', line).startswith(b'2'):
            self.message = Message(line)

    def on_rcpt(self, line):
        address = re.search(rb'<([^>]*)>', line).group(1).decode()
        if self.message is None:
            self.send(b'503 5.5.1 MAIL first')
        elif self.reply('RCPT', line, address).startswith(b'2'):
            self.message.recipients.append(address)
            self.message.recipient_parameters.append(line.partition(b'>')[2].split())

    def on_rset(self, line):
        self.message = None
        self.reply('RSET', line)

    def on_data(self, line):
        if self.message is None or not self.message.recipients:
            self.send(b'554 5.5.1 no valid recipients')
            return
        if not self.reply('DATA', line).startswith(b'3'):
            return
        lines = []
        try:
            self.read_data(lines)
        except (_Ended, OSError):
            self.server.partial.append(b''.join(lines))
            raise
        message, self.message = self.message, None
        message.data = b''.join(lines)
        self.server.messages.append(message)
        self.judged = message
        try:
            self.reply('.')
        finally:
            self.judged = None

    def read_data(self, lines):
        action = self.server.at('data')
        while True:
            line = self.file.readline(1 << 26)
            if line == b'.\r\n':
                return
            if not line.endswith(b'\n'):
                raise _Ended
            lines.append(line[1:] if line.startswith(b'.') else line)
            if action is not None and len(lines) >= 3:
                self.act(action)

    def on_quit(self, line):
        self.reply('QUIT', line)
        raise _Ended
