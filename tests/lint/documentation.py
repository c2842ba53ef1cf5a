#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The man pages against the programs: what is documented exists, what exists is documented, and the pages are well formed.

Prints TAP. The keys come from the program's own table (print_keys), the commands from
`mailfsctl --help`, the options from the tables of src/mailfs_arguments.c.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys

SOURCE = pathlib.Path(os.environ.get('MAILFS_SRCDIR', '.'))
PAGES = sorted(p for p in (SOURCE / 'man').iterdir() if re.fullmatch(r'\.[1-9]', p.suffix))


def output(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout


def page(name):
    return (SOURCE / 'man' / name).read_text()


def differences(documented, known, what):
    for name in sorted(known - documented):
        yield f'{what} {name} is not documented'
    for name in sorted(documented - known):
        yield f'{what} {name} is documented, but the program does not know it'


def key_faults():
    documented = set()
    for line in re.findall(r'^\.It Cm .*', page('mailfs.conf.5'), re.M):
        documented.update(re.findall(r'(?:^\.It|,) Cm ([a-z0-9-]+)', line))
    known = set(output('tests/lint/print_keys').split())
    yield from differences(documented, known, 'key')


def command_faults():
    """`mailfsctl --help` prints a synopsis a command, two blanks before it."""
    text = page('mailfsctl.1')
    documented = {}
    for block in re.findall(r'^\.Nm\n\.Cm ([a-z]+)\n(.*?)(?=^\.Nm|^\.Sh)', text, re.M | re.S):
        documented[block[0]] = {o.lstrip('-') for o in re.findall(r'Fl (-?[a-z]+)', block[1])}
    known = {}
    for line in re.findall(r'^  ([a-z]+.*)', output(os.environ['MAILFSCTL'], '--help'), re.M):
        name, synopsis = line.split(maxsplit=1)
        known[name] = set(re.findall(r'\[--?([a-z]+)', synopsis))
    yield from differences(set(documented), set(known), 'command')
    for name in set(documented) & set(known):
        yield from differences(documented[name], known[name], f'{name}: option')
        if not re.search(rf'^\.It Cm {name}\b', text, re.M):
            yield f'command {name} is in the synopsis only'


def option_faults():
    """mailfs(1) against the tables of src/mailfs_arguments.c: flags, long options, and the mount's own -o options."""
    source = (SOURCE / 'src' / 'mailfs_arguments.c').read_text()
    text = page('mailfs.1')
    letters = set(re.search(r'getopt_long\(argc, argv, "([A-Za-z:]+)"', source).group(1)) - {':'}
    table = re.search(r'long_options\[\] = \{(.*?)\};', source, re.S).group(1)
    flags = letters | set(re.findall(r'\{ "([a-z-]+)"', table))
    documented = set()
    for line in re.findall(r'^\.It Fl .*', text, re.M):
        documented.update(re.findall(r'(?:Fl |, (?=-))-?([A-Za-z]+)', line))
    yield from differences(documented, flags, 'flag')
    table = re.search(r'mount_options\[\] = \{(.*?)\};', source, re.S).group(1)
    known = set(re.findall(r'\{ "([a-z_]+)"', table))
    documented = {name for line in re.findall(r'^\.It Cm .*', text, re.M) for name in re.findall(r'Cm ([a-z_]+)', line)}
    yield from differences(documented, known, 'option -o')


def sendmail_faults():
    """mailfs-sendmail(1) against the letters of src/ctl/sendmail_arguments.c."""
    source = (SOURCE / 'src' / 'ctl' / 'sendmail_arguments.c').read_text()
    known = set(re.search(r'option_string\[\] = "\+:([A-Za-z:]+)"', source).group(1)) - {':'}
    documented = set()
    for line in re.findall(r'^\.(?:It )?Fl .*', page('mailfs-sendmail.1'), re.M):
        documented.update(re.findall(r'(?:Fl|,) ([A-Za-z])(?=[ ,]|$)', line))
    yield from differences(documented, known, 'mailfs-sendmail: option')


def form_faults():
    """mandoc's own lint; references to our pages count, those to pages that this machine may not have do not."""
    mandoc = shutil.which('mandoc')
    if not mandoc:
        yield 'mandoc is missing: apt-get install mandoc'
        return
    for p in PAGES:
        # It looks for the pages that are referred to beside this one, too.
        lint = subprocess.run([mandoc, '-Tlint', '-W', 'all', p.name], cwd=p.parent, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        for line in lint.stdout.splitlines():
            foreign = re.search(r'referenced manual not found: Xr (?!mailfs)', line)
            if not foreign and 'mandoc.db' not in line:
                yield line


def path_faults():
    """Whoever looks for the place to change something is not sent to where nothing is."""
    for name in re.findall(r'\b(?:src|tests|man|contrib)/[\w./-]*\w', (SOURCE / 'HACKING').read_text()):
        if 'NAME' not in name and not any((SOURCE / (name + ending)).exists() for ending in ('', '.c')):
            yield f'HACKING: {name} is not there'


def main():
    checks = [('the pages pass mandoc -Tlint', form_faults),
              ('mailfs.conf(5) has the keys that the program knows', key_faults),
              ('mailfsctl(1) has the commands and options that the program knows', command_faults),
              ('mailfs(1) has the flags and options that the program knows', option_faults),
              ('mailfs-sendmail(1) has the options that the program knows', sendmail_faults),
              ('files that HACKING names are there', path_faults)]
    failed = False
    print('TAP version 12')
    print(f'1..{len(checks)}')
    for number, (title, check) in enumerate(checks, 1):
        faults = list(check())
        failed |= bool(faults)
        print('not ok' if faults else 'ok', number, '-', title)
        for fault in faults:
            print('#', fault)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
