#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The house rules of src/ that a program can check.

Arrows between the layers point one way; each third-party library has one room; a source file opens with its licence and a
header with a comment that says what it owns. Prints TAP.
"""
import os
import pathlib
import re
import sys

# Whom each layer may include, apart from itself and message.
MAY_INCLUDE = {
    'base': set(),
    'message': {'base'},
    'net': {'base'},
    'backend': {'net', 'base'},
    'store': {'base'},
    'outbox': {'store', 'net', 'base'},
    'mailbox': {'outbox', 'store', 'backend', 'net', 'base'},
    'fs': {'mailbox', 'outbox', 'store', 'base'},
    'ctl': {'fs', 'mailbox', 'outbox', 'store', 'backend', 'net', 'base'},
    'mailfs': {'fs', 'mailbox', 'outbox', 'store', 'backend', 'net', 'base'},
}

# Which files may include a library's headers.
ROOMS = {
    r'fuse': r'^(fs/|mailfs\.c)',
    r'sqlite3\.h': r'^store/',
    r'libetpan/': r'^backend/',
    r'openssl/': r'^net/tls',
    r'curl/': r'^net/',
    r'uni(case|conv|ctype|norm|str|type|width|brk)\.h': r'^message/',
    r'iconv\.h': r'^message/',
    r'jansson\.h': r'^(mailbox|ctl|outbox)/',
}

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')
LICENCE = 'SPDX-License-Identifier: BSD-2-Clause'


def layer_of(path):
    return path.split('/')[0] if '/' in path else 'mailfs'


def includes(text):
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1), match.group(2)


def arrow_faults(path, text):
    layer = layer_of(path)
    allowed = MAY_INCLUDE.get(layer)
    if allowed is None:
        yield f'{path}: no layer of this name in tests/lint/layers.py'
        return
    for number, kind, name in includes(text):
        if kind != '"' or '/' not in name:
            continue
        target = layer_of(name)
        if target in MAY_INCLUDE and target not in allowed | {layer, 'message'}:
            yield f'{path}:{number}: {layer} may not include {name}'


def room_faults(path, text):
    for number, kind, name in includes(text):
        if kind != '<':
            continue
        for library, room in ROOMS.items():
            if re.match(library, name) and not re.match(room, path):
                yield f'{path}:{number}: <{name}> belongs to {room}'


def form_faults(path, text):
    lines = text.splitlines()
    if not lines or LICENCE not in lines[0]:
        yield f'{path}:1: the first line names the licence'
    if path.endswith('.h') and not (len(lines) > 2 and lines[1].strip() == '/*'):
        yield f'{path}:2: a header opens with what it owns'
    if re.search(r'/(util|utils|misc|helpers|common)\.[ch]$', path):
        yield f'{path}: name the file for what it holds'
    if len(lines) > 600:
        yield f'{path}: {len(lines)} lines'


def main():
    root = pathlib.Path(os.environ.get('MAILFS_SRCDIR', '.')) / 'src'
    files = sorted(p for p in root.rglob('*') if p.suffix in ('.c', '.h'))
    checks = [('arrows between layers point down', arrow_faults),
              ('each library stays in its room', room_faults),
              ('each file opens as the house asks', form_faults)]
    failed = False
    print('TAP version 12')
    print(f'1..{len(checks)}')
    for number, (title, check) in enumerate(checks, 1):
        faults = [f for p in files for f in check(p.relative_to(root).as_posix(), p.read_text())]
        failed |= bool(faults) or not files
        print('ok' if files and not faults else 'not ok', number, '-', title)
        for fault in faults:
            print('#', fault)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
