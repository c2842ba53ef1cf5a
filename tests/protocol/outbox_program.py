# SPDX-License-Identifier: BSD-2-Clause
"""The program outbox_client: the outbox and net/smtp without a mount."""

import contextlib
import json
import os
import subprocess

import mailtest
from mailtest import process

CLIENT = os.environ.get('OUTBOX_CLIENT', 'tests/protocol/outbox_client')


class Outbox:
    """The program outbox_client on a state directory of its own; it can be killed and started again."""

    def __init__(self, url, *options, sender='alice@example.com'):
        self.directory = process.temporary_directory('mailtest-outbox-')
        self.state = os.path.join(self.directory, 'state')
        self.arguments = [CLIENT, *options, self.state, url, 'secret', sender]
        self.start()

    def start(self):
        self.child = subprocess.Popen(self.arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """In order; what it logged."""
        log = self.child.communicate()[1]
        if self.child.returncode:
            raise AssertionError(log)
        return log

    def kill(self):
        self.child.kill()
        self.child.communicate()

    def ask(self, *words):
        with contextlib.suppress(BrokenPipeError):
            print(*words, file=self.child.stdin, flush=True)
        answer = self.child.stdout.readline()
        if not answer:
            raise BrokenPipeError(self.child.stderr.read())
        return answer.rstrip('\n')

    def send(self, name, data):
        path = os.path.join(self.directory, name)
        with open(path, 'wb') as file:
            file.write(data)
        return int(self.ask('send', name, path))

    def settle(self, seconds=10):
        return int(self.ask('settle', seconds))

    def list(self):
        return {entry['name']: entry['state'] for entry in json.loads(self.ask('list'))}

    def attribute(self, place, name, which):
        return self.ask('attribute', place, name, which)

    def copies(self):
        return os.listdir(os.path.join(self.state, 'sent'))

    def wait_for_copies(self, number):
        mailtest.wait_for(lambda: len(self.copies()) >= number, 10, 'the copies')

    def copy(self, message_id):
        with open(os.path.join(self.state, 'sent', message_id), 'rb') as file:
            return file.read()


def letter(number, recipient='bob@example.com'):
    return (f'From: alice@example.com\nTo: {recipient}\nSubject: letter {number}\nMessage-ID: <{number}@example.com>\n\n'
            f'This is letter {number}.\n').encode()
