#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Flags, removals, moves and uploads with servers that lack one capability; those that lack several: test_change_extensions.py.

What is tested stands in the programs that these classes come from; here it runs again before a server that answers BAD to a command
that needs what it lacks, and no such command may have been sent.
"""

import mailtest
from mailtest import mount as mounting
from mailtest.changing import ChangeTestCase
from test_change_append import Appends
from test_change_flags import FlagChanges
from test_change_move import Moves
from test_change_remove import Removals

HIDDEN = {
    'Move': ('MOVE',), 'Uidplus': ('UIDPLUS',), 'Condstore': ('CONDSTORE',), 'Qresync': ('QRESYNC',), 'LiteralPlus': ('LITERAL+',),
    'SpecialUse': ('SPECIAL-USE',),
}
# Sanitizers make all of it three times as slow: there, what a change does otherwise without the capability is run alone.
SANITIZED = ('Move',)


def classes(module, hidden, sanitized):
    """{name: class} of FlagChangesWithoutMove and so on, for a module's globals."""
    made = {}
    for what in (FlagChanges, Removals, Moves, Appends):
        for name, words in hidden.items():
            if name in sanitized or not mounting.is_sanitized():
                title = f'{what.__name__}Without{name}'
                made[title] = type(title, (what, ChangeTestCase), {'hidden': words, '__module__': module})
    return made


globals().update(classes(__name__, HIDDEN, SANITIZED))

if __name__ == '__main__':
    mailtest.main()
