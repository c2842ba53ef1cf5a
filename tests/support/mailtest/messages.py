# SPDX-License-Identifier: BSD-2-Clause
"""Messages of the kinds that real mailboxes hold, each determined by a number, a date and a seed.

`varied()` goes round all kinds; `KINDS[name](Source(...))` makes one of a certain kind.  The kinds
stand in `kinds_text` (headers, charsets, raw bytes) and `kinds_mime` (structure); those that are
large or slow come only once in so many.
"""

import base64
import email.utils
import random

from . import texts

KINDS = {}
_common = []
_rare = []


def kind(rare=0):
    """Register a maker of messages: one in `rare`, or in turn with the others."""
    def register(function):
        KINDS[function.__name__] = function
        if rare:
            _rare.append((rare, function))
        else:
            _common.append(function)
        return function
    return register


class Source:
    """What a message is made of: its number and date, and choices that the seed determines."""

    def __init__(self, number=0, date=1760000000, seed=1):
        self.number = number
        self.date = date
        self.random = random.Random(seed * 1000003 + number)
        self.sender = self.random.choice(texts.PEOPLE)
        self.recipient = self.random.choice(texts.PEOPLE[:4])
        self.message_id = f'<{number}.{seed}@mail.example.com>'

    def headers(self, subject=None, **replaced):
        """
        The usual header block as a dict, name to text or raw bytes.
        Names are given with `_` for `-`; None leaves a header out.
        """
        block = {
            'Return-Path': f'<{self.sender[1]}>',
            'Received': 'from mail.example.org (mail.example.org [192.0.2.25])\r\n\tby mx.example.com (Postfix) with ESMTPS'
                        f' id {self.random.randrange(1 << 40):X}\r\n\tfor <{self.recipient[1]}>; {self.date_text()}',
            'From': mailbox(*self.sender),
            'To': mailbox(*self.recipient),
            'Subject': encoded(subject) if subject is not None else self.random.choice(texts.SUBJECTS),
            'Date': self.date_text(),
            'Message-ID': self.message_id,
            'MIME-Version': '1.0',
        }
        for name, value in replaced.items():
            block[name.replace('_', '-')] = value
        return {name: value for name, value in block.items() if value is not None}

    def date_text(self):
        return email.utils.formatdate(self.date)

    def text(self, script='latin', most=6000):
        return texts.paragraphs(self.random, script, self.random.randrange(80, most))

    def bytes(self, length):
        """Incompressible-looking bytes, quickly: a piece of one random pool."""
        start = self.random.randrange(len(_pool) - 1)
        return (_pool[start:] + _pool * (length // len(_pool) + 1))[:length]

    def boundary(self):
        return f'=_{self.random.randrange(1 << 64):016x}'


_pool = random.Random(0).randbytes(1 << 20)


def encoded(text, charset='utf-8', encoding='b'):
    """A header text as RFC 2047 encoded words of at most 75 characters, if it is not ASCII."""
    if text.isascii():
        return text
    words, piece = [], ''
    for character in text:
        if len(_encoded_word(piece + character, charset, encoding)) > 75:
            words.append(_encoded_word(piece, charset, encoding))
            piece = ''
        piece += character
    return '\r\n '.join(words + [_encoded_word(piece, charset, encoding)])


def _encoded_word(text, charset, encoding):
    raw = text.encode(charset)
    if encoding == 'b':
        coded = base64.b64encode(raw).decode('ascii')
    else:
        coded = ''.join(chr(byte) if chr(byte).isalnum() and byte < 128 else '_' if byte == 32 else f'={byte:02X}' for byte in raw)
    return f'=?{charset}?{encoding}?{coded}?='


def mailbox(name, address):
    if not name:
        return address
    if not name.isascii():
        return f'{encoded(name)} <{address}>'
    if not name.replace(' ', '').isalnum():
        escaped = name.replace('"', '\\"')
        return f'"{escaped}" <{address}>'
    return f'{name} <{address}>'


def assemble(headers, body=b''):
    """Header block, empty line, body; str become UTF-8."""
    lines = [name.encode() + b': ' + (value if isinstance(value, bytes) else value.encode()) for name, value in headers.items()]
    return b'\r\n'.join(lines) + b'\r\n\r\n' + (body if isinstance(body, bytes) else body.encode())


def base64_lines(data):
    return base64.encodebytes(data).replace(b'\n', b'\r\n')


def small(number, date):
    """Half a kilobyte, made without any choice: for folders of a hundred thousand."""
    name, address = texts.PEOPLE[number % 6]
    return (f'From: {mailbox(name, address)}\r\nTo: alice@example.com\r\nSubject: Message number {number} of a large folder\r\n'
            f'Date: {email.utils.formatdate(date)}\r\nMessage-ID: <small.{number}@example.com>\r\n'
            f'Content-Type: text/plain; charset=utf-8\r\n\r\n{_SMALL_BODY}').encode()


_SMALL_BODY = texts.SENTENCES['latin'].replace('. ', '.\r\n')


def varied(number, date, seed=1):
    """Message `number` of a varied folder."""
    for every, function in _rare:
        if number % every == every // 2:
            return function(Source(number, date, seed))
    return _common[number % len(_common)](Source(number, date, seed))


def letter(sender='alice@example.com', recipient='bob@example.com', subject='A letter', body='Hello,\r\nthis is a letter.\r\n',
           **headers):
    """A plain message to send.  Further headers by keyword, `_` for `-`; None leaves one out."""
    block = {'From': sender, 'To': recipient, 'Subject': subject, 'Date': email.utils.formatdate(1760000000),
             'Message-ID': email.utils.make_msgid(domain='example.com')}
    block.update((name.replace('_', '-'), value) for name, value in headers.items())
    return assemble({name: value for name, value in block.items() if value is not None}, body)


def large(size=20 << 20, seed=1):
    """A message with one attachment; about `size` bytes on the wire."""
    return KINDS['attachment'](Source(0, seed=seed), size * 57 // 78)
