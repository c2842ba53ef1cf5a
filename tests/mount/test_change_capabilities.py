#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Flags, removals, moves and uploads with servers that lack a capability, one at a time and all at once.

What is tested stands in the programs that these classes come from; here it runs again before a server that answers BAD to a command
that needs what it lacks, and no such command may have been sent.
"""

import mailtest
from mailtest.changing import EVERYTHING_HIDDEN, ChangeTestCase
from test_change_append import Appends
from test_change_flags import FlagChanges
from test_change_move import Moves
from test_change_remove import Removals

HIDDEN = {
    'Move': ('MOVE',), 'Uidplus': ('UIDPLUS',), 'MoveAndUidplus': ('MOVE', 'UIDPLUS'), 'Copyuid': ('COPYUID', 'APPENDUID'), 'Condstore': ('CONDSTORE',),
    'Qresync': ('QRESYNC',), 'LiteralPlus': ('LITERAL+',), 'SpecialUse': ('SPECIAL-USE',), 'Multiappend': ('MULTIAPPEND',), 'Enable': ('ENABLE',),
    'Idle': ('IDLE',), 'Extensions': (*EVERYTHING_HIDDEN, 'IDLE', 'LIST-EXTENDED', 'LIST-STATUS', 'ESEARCH', 'NAMESPACE', 'UNSELECT', 'BINARY', 'ID'),
}

# FlagChangesWithoutMove and so on.
for what in (FlagChanges, Removals, Moves, Appends):
    for name, words in HIDDEN.items():
        title = f'{what.__name__}Without{name}'
        globals()[title] = type(title, (what, ChangeTestCase), {'hidden': words, '__module__': __name__})


if __name__ == '__main__':
    mailtest.main()
