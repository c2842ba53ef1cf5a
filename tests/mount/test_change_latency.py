#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""With a slow line, looking at a folder does not wait for the thousands of its messages that are being removed or moved."""

import os
import statistics
import threading
import time

import mailtest
from mailtest import mount as mounting, observer, wait_for
from mailtest.changing import ChangeTestCase

ROUND_TRIP_S = 0.1
COUNT = 3000
CHANGED = 2000
MEDIAN_S = 0.05
LONGEST_S = 1.0 if not mounting.is_sanitized() else 5.0


class SlowLine(ChangeTestCase):
    limit_s = 180
    keys = {'timeout': '15', 'trash-keep': '0'}

    def fill(self):
        super().fill()
        self.server.fill(COUNT, ('Lists',), small=True)

    def port(self):
        return self.enterContext(mailtest.Proxy(self.proxy.port, latency=ROUND_TRIP_S)).port

    def setUp(self):
        super().setUp()
        self.paths = self.mount.files('Lists')
        self.kept = self.paths[::150]
        self.changed = [path for path in self.paths if path not in self.kept][:CHANGED]
        self.cached = {path: self.mount.read(path) for path in self.kept}

    def look(self, durations, until):
        """ls, stat and reads of what is cached, their durations by kind."""
        while not until.is_set() or len(durations['read']) < 20:
            for kind, function in (('ls', lambda _: os.listdir(self.mount / 'Lists')), ('stat', os.stat), ('read', self.mount.read)):
                path = self.kept[len(durations[kind]) % len(self.kept)]
                start = time.monotonic()
                result = function(path)
                durations[kind].append(time.monotonic() - start)
                if kind == 'read':
                    self.assertEqual(result, self.cached[path])

    def while_changing(self, change):
        """The server has to have all of it before the looking ends."""
        done = threading.Event()
        failures = []

        def work():
            try:
                for path in self.changed:
                    change(path)
                self.sync('Lists')
            except Exception as failure:
                failures.append(failure)
            finally:
                done.set()
        worker = threading.Thread(target=work)
        worker.start()
        durations = {'ls': [], 'stat': [], 'read': []}
        try:
            self.look(durations, done)
        finally:
            worker.join(120)
        self.assertEqual(failures, [])
        for kind, times in durations.items():
            said = f'{kind}: {len(times)} times, median {statistics.median(times) * 1000:.1f} ms, longest {max(times) * 1000:.0f} ms'
            if not mounting.is_sanitized():
                self.assertLess(statistics.median(times), MEDIAN_S, said)
            self.assertLess(max(times), LONGEST_S, said)

    def gone(self):
        left = {os.path.basename(path) for path in self.paths} - {os.path.basename(path) for path in self.changed}
        self.assertEqual(self.names('Lists'), left)
        return len(observer.snapshot(self.server, 'Lists')) == len(left)

    def test_while_messages_are_removed(self):
        self.while_changing(os.unlink)
        wait_for(self.gone, 10, 'the removals')
        self.assertEqual(len(observer.snapshot(self.server, 'Trash')), self.folders['Trash'] + len(self.changed))

    def test_while_messages_are_moved(self):
        self.while_changing(lambda path: os.rename(path, path.replace('/Lists/', '/Archive/')))
        wait_for(self.gone, 10, 'the moves')
        self.assertEqual(len(observer.snapshot(self.server, 'Archive')), self.folders['Archive'] + len(self.changed))

    def test_while_flags_are_changed(self):
        self.while_changing(lambda path: os.setxattr(path, 'user.mail.flags', b'+\\Answered'))
        answered = [message for message in observer.snapshot(self.server, 'Lists').values() if '\\Answered' in message.flags]
        self.assertEqual(len(answered), len(self.changed))

    def test_each_change_itself_does_not_wait(self):
        """A round trip each would be minutes."""
        start = time.monotonic()
        for path in self.changed[:500]:
            os.unlink(path)
        self.assertLess((time.monotonic() - start) / 500, ROUND_TRIP_S / 4)
        self.sync('Lists')


if __name__ == '__main__':
    mailtest.main()
