# SPDX-License-Identifier: BSD-2-Clause
"""What a submission server can do wrong, a row each: what it says where, and all that must come of it.

A row is of one letter to two recipients. A test sends it to `row.server()`, looks, makes the server well again (`places.clear()`), lets
enough time pass, and looks once more.
"""

import dataclasses
import ssl

from . import certificates
from .scripted_smtp import DISCONNECT, EXTENSIONS, RESET, STALL, ScriptedSmtp

RECIPIENTS = ('bob@example.com', 'carol@example.com')
BOB, CAROL = ((one,) for one in RECIPIENTS)
NOBODY = ()

STATES = ('sent', 'retry', 'failed', 'uncertain')


@dataclasses.dataclass
class Fault:
    name: str
    places: dict            # of ScriptedSmtp
    state: str              # of the letter, once the server has had its say
    error: str = ''         # what user.mail.error says, a regular expression; '': it has none
    took: tuple = NOBODY    # recipients for whom a final dot was accepted
    dots: int = 0           # final dots that the server saw, whatever it said to them
    final: str = ''         # the state once the server is well: of what is in retry, else the same
    refused: tuple = NOBODY     # who is left in failed/ then, where some took it
    is_session: bool = False    # nobody got as far as MAIL: all that waits is `retry`, the log says so once
    tls: str = ''           # 'wrapped' or 'starttls'
    certificate: object = None  # a function of certificates
    asks_certificate: bool = False  # of the client, who has none
    is_stripped: bool = False   # somebody between took STARTTLS out of what the server offers

    def __post_init__(self):
        assert self.state in STATES, self.name
        self.final = self.final or {'retry': 'sent'}.get(self.state, self.state)

    def took_finally(self):
        if self.state != 'retry':
            return self.took
        return tuple(sorted(set(RECIPIENTS) - set(self.refused)))

    def copies(self):
        """In the sent folder, in the end."""
        return 1 if self.took_finally() and self.final != 'uncertain' else 0

    def scheme(self):
        return {'wrapped': 'smtps', 'starttls': 'smtp'}.get(self.tls, 'smtp+insecure')

    def server(self, pipelining=True):
        """A fresh one, not started. What counts once (a list) does so for this one only."""
        options = {}
        if self.tls:
            context = (self.certificate or certificates.good)().server_context()
            if self.asks_certificate:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(certificates.good().ca_file)
            options['context' if self.tls == 'wrapped' else 'starttls'] = context
        if self.is_stripped:
            options = {}
        places = {place: list(what) if isinstance(what, list) else what for place, what in self.places.items()}
        return ScriptedSmtp(places, extensions=[one for one in EXTENSIONS if pipelining or one != 'PIPELINING'], **options)


def then(reply, end):
    """Says that and ends."""
    def act(session, _line):
        session.send(reply)
        return end
    return act


def alert(session, _line):
    """TLS, then a fatal alert in clear, as a middlebox makes it."""
    with open(session.connection.fileno(), 'wb', buffering=0, closefd=False) as raw:
        raw.write(b'\x15\x03\x03\x00\x02\x02\x28')
    return DISCONNECT


LOST = 'reset by peer|connection was lost|closed by the server'
SILENT = 'timed out|no answer in time'
NONSENSE = 'makes no sense'
MAYBE = 'may have been sent'


def session(name, place, what, error, **more):
    return Fault(f'{place}: {name}', {place: what}, 'retry', error, is_session=True, **more)


def _before_mail():
    for place in ('greeting', 'EHLO', 'STARTTLS', 'AUTH'):
        more = {'tls': 'starttls'} if place == 'STARTTLS' else {}
        yield session('4yz', place, b'451 4.3.0 later', '451 4.3.0 later', **more)
        yield session('421 and closed', place, then(b'421 4.3.2 closing', DISCONNECT), '421 4.3.2 closing', **more)
        yield session('closed', place, DISCONNECT, LOST, **more)
        yield session('reset', place, RESET, LOST + '|no connection', **more)
        yield session('stalled', place, STALL, SILENT, **more)
        yield session('garbage', place, b'* OK hello there', 'speak SMTP|no TLS', **more)
        yield session('two codes in one reply', place, b'250-one\r\n550 two', 'speak SMTP|no TLS', **more)
    yield session('5yz', 'greeting', b'554-no mail\r\n554 from there', '554 no mail from there')
    yield session('5yz', 'EHLO', b'550 5.7.1 not you', '550 5.7.1 not you')
    yield session('5yz', 'STARTTLS', b'501 5.5.4 no parameters', '501 5.5.4', tls='starttls')
    yield session('5yz', 'AUTH', b'535 5.7.8 wrong password', '535 5.7.8 wrong password')
    yield session('530', 'AUTH', b'530 5.7.0 TLS first', '530 5.7.0 TLS first')
    yield session('in half a reply', 'greeting', then(b'220-hello', DISCONNECT), LOST)
    yield session('silent in half a reply', 'EHLO', then(b'250-hello', STALL), SILENT)


def _of_tls():
    for tls in ('wrapped', 'starttls'):
        yield Fault(f'{tls}: a certificate for another name', {}, 'retry', 'certificate is for mail.example.net', is_session=True, tls=tls,
                    certificate=certificates.wrong_host)
        yield Fault(f'{tls}: an expired certificate', {}, 'retry', 'certificate expired', is_session=True, tls=tls, certificate=certificates.expired)
        yield Fault(f'{tls}: nobody knows who signed it', {}, 'retry', 'unknown authority', is_session=True, tls=tls,
                    certificate=certificates.other_ca)
        yield Fault(f'{tls}: an alert instead of the reply to MAIL', {'MAIL': [alert]}, 'retry', '.', tls=tls)
        yield Fault(f'{tls}: an alert instead of the reply to DATA', {'DATA': [alert]}, 'retry', '.', tls=tls)
        yield Fault(f'{tls}: an alert instead of the reply to the final dot', {'.': [alert]}, 'uncertain', MAYBE, tls=tls, dots=1)
    yield Fault('starttls: taken out of what EHLO offers', {}, 'retry', 'offers no STARTTLS', is_session=True, tls='starttls', is_stripped=True)
    yield Fault('wrapped: it wants a certificate of ours', {}, 'retry', '.', is_session=True, tls='wrapped', asks_certificate=True)


def _about_the_message():
    yield Fault('nothing', {}, 'sent', took=RECIPIENTS, dots=1)
    yield Fault('MAIL: 4yz', {'MAIL': b'451 4.3.0 later'}, 'retry', '451 4.3.0 later')
    yield Fault('MAIL: 5yz', {'MAIL': b'550 5.7.1 not from you'}, 'failed', '550 5.7.1 not from you')
    yield Fault('RCPT: 4yz for all', {'RCPT': b'450 4.2.1 full'}, 'retry', '450 4.2.1 full')
    yield Fault('RCPT: 5yz for all', {'RCPT': b'550 5.1.1 unknown'}, 'failed', '550 5.1.1 unknown')
    yield Fault('RCPT: 4yz for one', {'RCPT bob@example.com': b'450 4.2.1 full'}, 'retry', '450 4.2.1 full', took=CAROL, dots=1)
    yield Fault('RCPT: 5yz for one', {'RCPT bob@example.com': b'550 5.1.1 unknown'}, 'failed', '550 5.1.1 unknown', took=CAROL, dots=1, refused=BOB)
    yield Fault('RCPT: 4yz for one, 5yz for the other', {'RCPT bob@example.com': b'450 4.2.1 full', 'RCPT carol@example.com': b'550 5.1.1 unknown'},
                'retry', '450 4.2.1 full|550 5.1.1 unknown', final='failed', refused=CAROL)
    yield Fault('RCPT: 452 for the second, who is one too many', {'RCPT': [b'250 2.1.5 ok', b'452 4.5.3 too many']}, 'retry', '452 4.5.3 too many', took=BOB, dots=1)
    yield Fault('RCPT: forwarded', {'RCPT': b'251 2.1.5 will forward'}, 'sent', took=RECIPIENTS, dots=1)
    yield Fault('DATA: 4yz', {'DATA': b'451 4.3.0 later'}, 'retry', '451 4.3.0 later')
    yield Fault('DATA: 5yz', {'DATA': b'554 5.5.1 no'}, 'failed', '554 5.5.1 no')
    yield Fault('.: 4yz', {'.': b'452 4.3.1 full'}, 'retry', '452 4.3.1 full', dots=1)
    yield Fault('.: 5yz of several lines', {'.': b'554-5.7.1 spam\r\n554 5.7.1 see there'}, 'failed', '554 5.7.1 spam see there', dots=1)
    yield Fault('.: 5yz, one recipient 4yz', {'RCPT bob@example.com': b'450 4.2.1 full', '.': b'554 5.7.1 spam'}, 'retry', '554|450', dots=1,
                final='failed', refused=CAROL)
    yield Fault('.: 4yz, one recipient 5yz', {'RCPT bob@example.com': b'550 5.1.1 unknown', '.': b'451 4.3.0 later'}, 'retry', '451|550', dots=1,
                final='failed', refused=BOB)
    yield Fault('.: an odd 2yz of several lines', {'.': b'299-odd\r\n299 but fine'}, 'sent', took=RECIPIENTS, dots=1)
    for place, dots in (('MAIL', 0), ('RCPT', 0), ('DATA', 0), ('.', 1)):
        yield Fault(f'{place}: 421 and closed', {place: then(b'421 4.3.2 closing', DISCONNECT)}, 'retry', '421 4.3.2 closing', dots=dots)
        yield Fault(f'{place}: 530', {place: b'530 5.7.0 sign in'}, 'retry', '530 5.7.0 sign in', dots=dots)


def _lost():
    ends = {'closed': (DISCONNECT, LOST), 'reset': (RESET, LOST), 'stalled': (STALL, SILENT)}
    usual = {'MAIL': b'250 2.1.0 ok', 'RCPT': b'250 2.1.5 ok', 'DATA': b'354 go ahead'}
    for name, (end, error) in ends.items():
        for place, reply in usual.items():
            yield Fault(f'{place}: {name}', {place: end}, 'retry', error)
            # Where DATA's reply was read, the final dot may be on its way before the end is seen.
            if end is not STALL and place != 'DATA':
                yield Fault(f'{place}: {name} behind the reply', {place: then(reply, end)}, 'retry', error)
        yield Fault(f'.: {name}', {'.': end}, 'uncertain', MAYBE, dots=1)
        yield Fault(f'.: {name} in half a reply', {'.': then(b'250-ok', end)}, 'uncertain', MAYBE, dots=1)
        yield Fault(f'.: {name}, one recipient 5yz', {'RCPT bob@example.com': b'550 5.1.1 unknown', '.': end}, 'uncertain', MAYBE, dots=1)
        yield Fault(f'RCPT: {name} at the second', {'RCPT carol@example.com': end}, 'retry', error)
        yield Fault(f'QUIT: {name}', {'QUIT': end}, 'sent', took=RECIPIENTS, dots=1)
    yield Fault('.: closed behind the reply', {'.': then(b'250 2.0.0 queued', DISCONNECT)}, 'sent', took=RECIPIENTS, dots=1)
    yield Fault('DATA: closed, one recipient 5yz', {'RCPT bob@example.com': b'550 5.1.1 unknown', 'DATA': DISCONNECT}, 'retry', LOST)


def _nonsense():
    for name, said in (('garbage', b'hello?'), ('two codes in one reply', b'250-one\r\n550 two'), ('nothing but a line end', b'\r\n'),
                       ('bytes', b'\xff\x00\xfe'), ('an endless line', b'250 ' + b'x' * 100000), ('an endless reply', b'250-ok\r\n' * 20000)):
        for place in ('MAIL', 'RCPT', 'DATA'):
            yield Fault(f'{place}: {name}', {place: said}, 'retry', NONSENSE + '|503 5.5.1|554 5.5.1')     # or what it said to the RCPT or DATA that followed
        yield Fault(f'.: {name}', {'.': said}, 'uncertain', MAYBE, dots=1)
    yield Fault('RCPT: 354', {'RCPT': b'354 go on'}, 'retry', NONSENSE + '|554 5.5.1')
    yield Fault('DATA: 250', {'DATA': b'250 ok'}, 'retry', NONSENSE)
    yield Fault('.: 354', {'.': b'354 more'}, 'uncertain', MAYBE, dots=1)
    yield Fault('MAIL: several lines', {'MAIL': b'250-2.1.0 yes\r\n250-2.1.0 indeed\r\n250 2.1.0 ok'}, 'sent', took=RECIPIENTS, dots=1)


def table():
    """All rows, by name."""
    rows = [*_before_mail(), *_of_tls(), *_about_the_message(), *_lost(), *_nonsense()]
    by_name = {row.name: row for row in rows}
    assert len(by_name) == len(rows)
    return by_name
