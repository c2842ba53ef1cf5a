#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""As test_change_capabilities.py, with servers that lack several capabilities, response codes, or all extensions that there are."""

import mailtest
from mailtest.changing import EVERYTHING_HIDDEN
from test_change_capabilities import classes

HIDDEN = {
    'MoveAndUidplus': ('MOVE', 'UIDPLUS'), 'Uids': ('COPYUID', 'APPENDUID'), 'Multiappend': ('MULTIAPPEND',), 'Enable': ('ENABLE',), 'Idle': ('IDLE',),
    'Extensions': (*EVERYTHING_HIDDEN, 'IDLE', 'LIST-EXTENDED', 'LIST-STATUS', 'ESEARCH', 'NAMESPACE', 'UNSELECT', 'BINARY', 'ID'),
}
SANITIZED = ('Extensions',)

globals().update(classes(__name__, HIDDEN, SANITIZED))

if __name__ == '__main__':
    mailtest.main()
