# SPDX-License-Identifier: BSD-2-Clause
"""Hundreds of folders with the names that servers can hold and file systems cannot.

`names()` makes them; `create()` puts them on a server of `SERVER` options, the one layout of
Dovecot that holds all of them: CREATE refuses control characters below U+0020, but a directory of
that name is served.
"""

import random

from . import maildir, texts, utf7

# For Dovecot(**SERVER): `^` is the delimiter, so that `/` is an ordinary character.
SERVER = dict(layout='fs', separator='^', plugins=['listescape'])

ODD = ['a/b', '/', '100%', '%2F', 'a&b', '&', '&-', 'a.b', '.hidden', '.', '..', '...', '~', '~user', 'say "hello"', 'back\\slash', ' lead',
       'trail ', 'two  spaces', 'star*', 'outbox', 'OutBox', 'inbox', 'Inbox', '.mailfs', '.text', 'a\x7fb', 'a\x80b', 'a\u200eb', '\u2028',
       'e\u0301', '\xe9', '\U0001f600', '%', '{5}', '(paren)', '[x]', "it's", '#news', 'x' * 200, '名' * 60, 'new/tmp', 'name.eml', 'a\u00a0b']
CONTROL = ['tab\there', 'line\nend', 'return\rhere', 'bell\x07', '\x01', 'escape\x1b[31m', 'unit\x1fseparator']


def names(count=500, depth=12, seed=1):
    """
    `count` different folders as tuples of name parts, parents before children, up to `depth` parts.
    Every odd name at least once where there is room, the rest words of many scripts.
    """
    chooser = random.Random(seed)
    words = [word for script in texts.FOLDER_WORDS.values() for word in script]
    top = [name for name in ODD + CONTROL if name.lower() != 'inbox']
    deepest = tuple(chooser.choice(words) for _ in range(depth))
    folders = [(name,) for name in top + ['Odd']] + [('Odd', name) for name in ODD + CONTROL]
    folders += [deepest[:length] for length in range(1, depth + 1)]
    folders = dict.fromkeys(folders[:count])
    parents = list(folders)
    while len(folders) < count:
        parent = chooser.choice(parents)
        name = chooser.choice(ODD + CONTROL if chooser.random() < 0.3 else words)
        folder = parent + (name if chooser.random() < 0.5 else f'{name} {chooser.randrange(1000)}',)
        if len(folder) <= depth and folder not in folders and sum(len(part) for part in folder) < 150:
            folders[folder] = None
            parents.append(folder)
    return sorted(folders, key=lambda folder: (len(folder), folder))


def is_creatable(folder):
    """Whether Dovecot's CREATE takes the name."""
    return all(ord(character) >= 0x20 for part in folder for character in part)


def create(server, folders, user='alice', message=None):
    """
    Make the folders on a `Dovecot(**SERVER)`, with a message each: that one, or one whose subject is the folder's name.
    Returns {folder: message}.
    """
    contents = {folder: message or b'Subject: %s\r\n\r\n%s\r\n' % (b'folder', repr(folder).encode()) for folder in folders}
    with server.imap(user) as client:
        for folder in filter(is_creatable, folders):
            name = utf7.quote(server.name(folder))
            for status, reply in (client.create(name), client.append(name, None, None, contents[folder])):
                if status != 'OK':
                    raise RuntimeError(f'{folder!r}: {reply}')
    for folder in folders:
        if not is_creatable(folder):
            maildir.deliver(server.make_folder_on_disk(folder, user), contents[folder], owner=server.mail_owner())
    return contents
