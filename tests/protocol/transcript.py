# SPDX-License-Identifier: BSD-2-Clause
"""Conversations written down: what an IMAP server says and what must be on the wire.

    S: * OK hi              the server sends this line; {tag} is the tag of the client's last command
    C: EXAMINE "INBOX"$     the client's next command, its tag left out, matches this regular expression
    c: [A-Za-z0-9=]+$       the client's next line, which is no command
    S| * OK no line end     the server sends this without a line end; \\r, \\n, \\0 and \\xNN stand for bytes

Empty lines mean nothing.  `play` runs imap_client against such a server and gives back what it printed.
"""

import os
import subprocess

from mailtest import ScriptedImap, scripted_imap

CLIENT = os.path.join(os.path.dirname(os.environ.get('MAILFS', './mailfs')), 'tests', 'protocol', 'imap_client')

SIGN_IN = '''
    S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi
    C: AUTHENTICATE PLAIN$
    S: +
    c: AGFsaWNlAHNlY3JldA==$
    S: {tag} OK [CAPABILITY %s] signed in
'''


def signed_in(capabilities='IMAP4rev1'):
    return SIGN_IN % capabilities


def _bytes(text):
    return text.encode('latin-1').decode('unicode_escape').encode('latin-1') if '\\' in text else text.encode()


def steps(text):
    """The steps of a transcript for ScriptedImap."""
    result = []
    for line in text.splitlines():
        kind, _, rest = line.strip().partition(' ')
        if kind == 'S:':
            result.append(scripted_imap.send(rest.encode() + b'\r\n'))
        elif kind == 'S|':
            result.append(scripted_imap.send(_bytes(rest)))
        elif kind == 'C:':
            result.append(scripted_imap.expect(rest.encode()))
        elif kind == 'c:':
            result.append(scripted_imap.expect_line(rest.encode()))
        elif kind:
            raise ValueError(f'no line of a transcript: {line!r}')
    return result


class Played:
    """What came of it."""

    def __init__(self, process, server):
        self.text = process.stdout
        self.lines = process.stdout.splitlines()
        self.status = process.returncode
        self.commands = server.commands
        self.stderr = process.stderr

    def error(self):
        """The last error's name, or None."""
        errors = [line.split()[1] for line in self.lines if line.startswith('error ')]
        return errors[-1] if errors else None


def run(server, arguments, *, scheme='imap+insecure', options=(), password='secret'):
    command = [CLIENT, *options, f'{scheme}://alice@localhost:{server.port}', password, *arguments]
    return subprocess.run(command, capture_output=True, text=True, errors='backslashreplace', timeout=50, check=False)


def play(conversation, *arguments, context=None, check=True, **how):
    """
    conversation: a transcript, a list of steps, or a list of these for one connection after the other.
    check: the client must have kept to it (what it says after the end of the last one does not matter).
    """
    if isinstance(conversation, str):
        conversation = steps(conversation)
    conversation = [steps(one) if isinstance(one, str) else one for one in conversation]
    with ScriptedImap(conversation, context) as server:
        process = run(server, arguments, **how)
        if check:
            server.check()
        return Played(process, server)
