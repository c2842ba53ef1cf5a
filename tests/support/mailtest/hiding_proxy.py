# SPDX-License-Identifier: BSD-2-Clause
"""An IMAP proxy in cleartext before a real server, which makes that server one that can less.

Capabilities are taken out of all that tells of them, response codes out of replies, and a command
that needs what is hidden is answered BAD here and noted in `violations`.  Dovecot's
imap_capability only hides: it still obeys.  Knows lines and literals, so that a message's bytes
are never taken for protocol, in no direction.
"""

import contextlib
import queue
import re
import socket
import threading
import time

from .server import LoopbackServer, end

CHUNK = 65536
_IMPLIED = {'CONDSTORE': ('QRESYNC', 'HIGHESTMODSEQ', 'NOMODSEQ', 'MODIFIED'), 'UIDPLUS': ('COPYUID', 'APPENDUID', 'UIDNOTSTICKY'),
            'LITERAL+': ('LITERAL-',), 'SPECIAL-USE': ('CREATE-SPECIAL-USE',)}

# What a command looks like, its tag and strings taken away, that needs the capability.
_NEEDS = {
    'MOVE': rb'(UID )?MOVE ',
    'UIDPLUS': rb'UID EXPUNGE',
    'ENABLE': rb'ENABLE',
    'CONDSTORE': rb'(SELECT|EXAMINE) .*\((CONDSTORE|QRESYNC)|.*(CHANGEDSINCE|\bMODSEQ|HIGHESTMODSEQ)',
    'QRESYNC': rb'(SELECT|EXAMINE) .*\(QRESYNC|.*\bVANISHED',
    'SPECIAL-USE': rb'LIST .*SPECIAL-USE|CREATE .*\(USE',
    'LITERAL+': rb'.*\{\d+\+\}',
    'BINARY': rb'.*(~\{|BINARY)',
    'LIST-EXTENDED': rb'LIST (\(|.*RETURN)',
    'LIST-STATUS': rb'LIST .*RETURN \(.*STATUS',
    'ESEARCH': rb'(UID )?SEARCH RETURN',
    'IDLE': rb'IDLE',
    'ID': rb'ID ',
    'NAMESPACE': rb'NAMESPACE',
    'UNSELECT': rb'UNSELECT',
    'QUOTA': rb'(GET|SET)QUOTA',
    'ACL': rb'MYRIGHTS|LISTRIGHTS|(GET|SET|DELETE)ACL',
    'NOTIFY': rb'NOTIFY',
}
_LITERAL = re.compile(rb'\{(\d+)(\+?)\}\r\n$')
_STATUS = re.compile(rb'(\S+ (?:OK|NO|BAD|PREAUTH|BYE) )(?:\[([^\] ]+)([^\]]*)\] ?)?', re.IGNORECASE)
_QUOTED = rb'"(?:[^"\\\r\n]|\\.)*"'
_SPECIAL_USES = rb'\\(?:All|Archive|Drafts|Flagged|Important|Junk|Sent|Trash)\b'


class HidingProxy(LoopbackServer):
    """
    hide: names of capabilities, and of response codes (COPYUID …) that shall be missing alone.  May be changed before a connection.
    offer: names of capabilities that the server has not, and of which it is told that it does.
    A capability takes along what needs it: CONDSTORE hides QRESYNC too, UIDPLUS the codes COPYUID and APPENDUID.
    """

    def __init__(self, target_port, hide=(), offer=()):
        super().__init__()
        self.offer = offer
        self.target_port = target_port
        self.hide = hide
        self.commands = []      # what clients sent, tags and literals taken away: b'UID MOVE 3 "Archive"'
        self.violations = []    # those of them that need what is hidden
        self.refusals = []      # to which the server said NO, or READ-ONLY, and when: (command, seconds, monotonic)

    def hidden(self):
        return {word for name in self.hide for word in (name.upper(), *_IMPLIED.get(name.upper(), ()))}

    def handle(self, connection):
        with socket.create_connection(('127.0.0.1', self.target_port), 10) as upstream:
            upstream.settimeout(None)
            upstream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link = _Link(self, connection, upstream)
            back = threading.Thread(target=link.run, args=(link.serve_replies,), daemon=True)
            back.start()
            link.run(link.serve_commands)
            back.join()


class _Link:
    """One connection, a thread each way."""

    def __init__(self, proxy, client, server):
        self.proxy = proxy
        self.hidden = proxy.hidden()
        self.client, self.server = client, server
        self.from_client, self.from_server = client.makefile('rb'), server.makefile('rb')
        self.writing = threading.Lock()         # to the client: replies of the server and of our own
        self.said = {}                          # commands by their tags
        self.waiting_tag = None                 # of an APPEND that waits for the server to say `+`
        self.verdicts = queue.Queue()           # what the server said to it: True to go on

    def run(self, direction):
        try:
            direction()
        except (OSError, EOFError):
            pass
        except Exception as failure:
            self.proxy.failures.append(failure)
        finally:
            self.verdicts.put(False)
            end(self.client)
            end(self.server)

    def tell_client(self, data):
        with self.writing:
            self.client.sendall(data)

    # Commands

    def serve_commands(self):
        while line := self.from_client.readline():
            tag, _, rest = line.partition(b' ')
            if re.match(rb'APPEND ', rest, re.IGNORECASE):
                self.append(tag, line)
            else:
                self.command(tag, self.collect(line))

    def collect(self, line):
        """A command whole: lines and the literals between them."""
        parts = [line]
        while literal := _LITERAL.search(parts[-1]):
            if not literal.group(2):
                self.tell_client(b'+ go on\r\n')
            parts += [read_exactly(self.from_client, int(literal.group(1))), self.from_client.readline()]
        return parts

    def command(self, tag, parts):
        text = self.note(parts[::2])
        if re.match(rb'ENABLE ', text, re.IGNORECASE) and 'ENABLE' not in self.hidden:
            self.enable(tag, text)
        elif not self.refused(tag, text):
            parts[:-1:2] = [_LITERAL.sub(rb'{\1+}\r\n', line) for line in parts[:-1:2]]
            self.server.sendall(b''.join(parts))

    def enable(self, tag, text):
        """What a server does not know it leaves out, says RFC 5161."""
        known = [word for word in text.split()[1:] if word.decode().upper() not in self.hidden]
        if known:
            self.server.sendall(b'%s ENABLE %s\r\n' % (tag, b' '.join(known)))
        else:
            self.tell_client(b'* ENABLED\r\n%s OK Enabled.\r\n' % tag)

    def append(self, tag, line):
        """Passed on as it comes: the server may refuse it before its literal."""
        refused = self.refused(tag, self.note([line]))
        while literal := _LITERAL.search(line):
            self.waiting_tag = None if literal.group(2) else tag
            if not refused:
                self.server.sendall(line)
            if not literal.group(2) and (refused or not self.verdicts.get()):
                return
            self.pass_literal(int(literal.group(1)), refused)
            line = self.from_client.readline()
            if line.strip() and 'MULTIAPPEND' in self.hidden:
                self.proxy.violations.append(b'APPEND of several')
        if not refused:
            self.server.sendall(line)

    def pass_literal(self, size, thrown_away):
        while size:
            piece = read_exactly(self.from_client, min(size, CHUNK))
            size -= len(piece)
            if not thrown_away:
                self.server.sendall(piece)

    def note(self, lines):
        """The command without tag, strings' and literals' contents; kept with its strings in `commands`."""
        tag, _, text = b' '.join(line.rstrip(b'\r\n') for line in lines).partition(b' ')
        self.said[tag] = text
        self.proxy.commands.append(text)
        return re.sub(_QUOTED, b'""', text)

    def refused(self, tag, text):
        for word, pattern in _NEEDS.items():
            if word in self.hidden and re.match(pattern, text, re.IGNORECASE):
                self.proxy.violations.append(text)
                self.tell_client(b'%s BAD %s is unknown here\r\n' % (tag, word.encode()))
                return True
        return False

    # Replies

    def serve_replies(self):
        while line := self.from_server.readline():
            parts = [line]
            while not _STATUS.match(line) and (literal := _LITERAL.search(parts[-1])):
                parts += [read_exactly(self.from_server, int(literal.group(1))), self.from_server.readline()]
            parts[::2] = [self.without_hidden(part, line) for part in parts[::2]]
            if re.match(rb'[^*+ ]\S* (NO |OK \[READ-ONLY\])', line):
                self.proxy.refusals.append((self.said.get(line.partition(b' ')[0]), time.monotonic()))
            self.tell_client(b''.join(parts))
            self.note_verdict(line)

    def note_verdict(self, line):
        tag = self.waiting_tag
        if tag and (line.startswith(b'+') or line.startswith(tag + b' ')):
            self.waiting_tag = None
            self.verdicts.put(line.startswith(b'+'))

    def without_hidden(self, part, line):
        """A line of a reply, or of one the part between two literals, whose first line is `line`."""
        status = _STATUS.match(line)
        if status:
            return self.without_code(status, line)
        kind = line.upper()
        if kind.startswith((b'* CAPABILITY ', b'* ENABLED')):
            return self.without_words(part.rstrip(b'\r\n')) + b'\r\n'
        if kind.startswith((b'* LIST ', b'* LSUB ')) and 'SPECIAL-USE' in self.hidden:
            return re.sub(rb'^(\* \w+ \()([^)]*)', without_special_uses, part)
        if 'CONDSTORE' in self.hidden and re.match(rb'\* (\d+ FETCH|STATUS) ', kind):
            return re.sub(_QUOTED + rb'|(?<=\()MODSEQ \(\d+\) ?| ?MODSEQ \(\d+\)|(?<=\()HIGHESTMODSEQ \d+ ?| ?HIGHESTMODSEQ \d+',
                          lambda match: match.group() if match.group().startswith(b'"') else b'', part)
        return part

    def without_words(self, text):
        words = [word for word in text.split(b' ') if word.decode('latin-1').upper() not in self.hidden]
        return b' '.join(words + [word.encode() for word in self.proxy.offer if b'IMAP4rev1' in words])

    def without_code(self, status, line):
        code = (status.group(2) or b'').decode('latin-1').upper()
        if code == 'CAPABILITY':
            return status.group(1) + b'[CAPABILITY' + self.without_words(status.group(3)) + b'] ' + line[status.end():]
        if code in self.hidden:
            return status.group(1) + line[status.end():]
        return line


def without_special_uses(match):
    return match.group(1) + b' '.join(word for word in match.group(2).split() if not re.fullmatch(_SPECIAL_USES, word, re.IGNORECASE))


def read_exactly(file, size):
    data = file.read(size)
    if len(data) < size:
        raise EOFError
    return data
