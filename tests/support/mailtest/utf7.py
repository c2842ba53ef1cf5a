# SPDX-License-Identifier: BSD-2-Clause
"""Modified UTF-7 (RFC 3501 5.1.3), in which IMAP servers name their folders, and quoting.

Independent of the program under test on purpose.
"""

import base64
import re


def encode(name):
    """The folder name as it goes over the wire, unquoted: str to str."""
    def shifted(match):
        text = match.group().encode('utf-16-be')
        return '&' + base64.b64encode(text).decode('ascii').rstrip('=').replace('/', ',') + '-'
    return re.sub('[^ -~]+', shifted, name.replace('&', '&-'))


def decode(wire):
    """The folder name for people."""
    def plain(match):
        text = match.group(1)
        if not text:
            return '&'
        padded = text.replace(',', '/') + '=' * (-len(text) % 4)
        return base64.b64decode(padded).decode('utf-16-be')
    return re.sub('&([^-]*)-', plain, wire)


def quote(name):
    """A quoted string for imaplib, which quotes nothing by itself."""
    return '"' + encode(name).replace('\\', '\\\\').replace('"', '\\"') + '"'
