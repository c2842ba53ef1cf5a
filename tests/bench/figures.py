# SPDX-License-Identifier: BSD-2-Clause
"""Timing, and a table of what was measured: figures as they came, ratios and amounts against their bounds.

Nothing is repeated for a better number: a figure is the median of its runs, a ratio that of two medians of one program run.
"""

import contextlib
import statistics
import time


class Stopwatch:
    """`with Stopwatch() as watch: …; watch.seconds`"""

    def __enter__(self):
        self.seconds = 0.0
        self._start = time.monotonic()
        return self

    def __exit__(self, *_):
        self.seconds = self.so_far()

    def so_far(self):
        """Seconds since it was started."""
        return time.monotonic() - self._start


@contextlib.contextmanager
def mounted(mount):
    """Mounts, yields the seconds that took, and unmounts."""
    with Stopwatch() as watch:
        mount.start()
    try:
        yield watch.seconds
    finally:
        mount.unmount()


class Figures:
    """Prints line by line; `exit_status()` at the end."""

    def __init__(self, title):
        self.over = 0
        print(title, flush=True)

    def seconds(self, label, runs):
        """One or several times; returns the median."""
        runs = [runs] if isinstance(runs, float) else list(runs)
        median = statistics.median(runs)
        others = f'  of {" ".join(f"{run:.2f}" for run in runs)}' if len(runs) > 1 else ''
        self._line(label, f'{median:8.2f} s', others)
        return median

    def ratio(self, label, of, to, at_most=None, at_least=None):
        """Without a bound it is only told."""
        if at_most is not None:
            self._bounded(label, f'{of / to:8.2f} x', of / to <= at_most, f'{at_most:.2f} x')
        elif at_least is not None:
            self._bounded(label, f'{of / to:8.2f} x', of / to >= at_least, f'{at_least:.2f} x', ('at least', 'TOO LITTLE'))
        else:
            self._line(label, f'{of / to:8.2f} x')

    def bound(self, label, value, unit, at_most):
        self._bounded(label, f'{value:8.2f} {unit}', value <= at_most, f'{at_most:g} {unit}')

    def note(self, label, text):
        self._line(label, text)

    def exit_status(self):
        return 1 if self.over else 0

    def _bounded(self, label, text, holds, bound, words=('at most', 'TOO MUCH')):
        self.over += not holds
        self._line(label, text, f'  {words[0]} {bound}: {"ok" if holds else words[1]}')

    @staticmethod
    def _line(label, text, more=''):
        print(f'  {label:<46}{text}{more}', flush=True)
