# SPDX-License-Identifier: BSD-2-Clause
"""A file system of its own that can be full: a tmpfs, which needs root."""

import contextlib
import glob
import os
import subprocess
import unittest

from . import process

PAGE = os.sysconf('SC_PAGE_SIZE')   # what a file's room is counted in


class SmallDisk:
    """A directory `path` on `size_bytes` of room, from `with` or `start()` on."""

    def __init__(self, size_bytes=8 << 20):
        if os.geteuid() != 0:
            raise unittest.SkipTest('a small disk needs root')
        self.size_bytes = size_bytes
        self.path = process.temporary_directory('mailtest-disk-')

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        process.at_exit(self.stop)
        process.note('unmount', self.path)
        subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={self.size_bytes},mode=700', 'mailtest', self.path], check=True)
        return self

    def stop(self):
        process.cancel(self.stop)
        subprocess.run(['umount', '-l', self.path], check=True)
        process.unnote('unmount', self.path)

    @property
    def _ballast(self):
        return os.path.join(self.path, 'ballast')

    def fill(self, pages_left=0):
        """Nothing but that many pages is free any more."""
        with open(self._ballast, 'ab', buffering=0) as file:
            with contextlib.suppress(OSError):
                while file.write(bytes(1 << 20)):
                    pass
            with contextlib.suppress(OSError):
                while file.write(bytes(PAGE)):
                    pass
            file.truncate(max(0, os.path.getsize(self._ballast) // PAGE - pages_left) * PAGE)

    def pin(self, pid):
        """What that process has open here and unlinked takes room until the returned ExitStack is closed, also when it has closed it."""
        pinned = contextlib.ExitStack()
        for link in glob.glob(f'/proc/{pid}/fd/*'):
            with contextlib.suppress(OSError):
                target = os.readlink(link)
                if target.startswith(self.path + '/') and target.endswith(' (deleted)'):
                    pinned.callback(os.close, os.open(link, os.O_RDONLY))
        return pinned

    def empty(self):
        """All room but what others took is free again."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._ballast)
