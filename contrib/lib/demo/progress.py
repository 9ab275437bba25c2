"""What is told while the demo works: standard error, so that the table alone is on standard output."""

import sys
import time
from contextlib import contextmanager


class CannotRun(Exception):
    """Why the demo cannot show anything on this machine, and what to do about it."""


def say(text):
    """One line of progress."""
    print(f"demo: {text}", file=sys.stderr, flush=True)


@contextmanager
def phase(name):
    """Says what begins, and how long it took once it is done. Nothing more is said about a phase that failed."""
    begin = time.monotonic()
    say(f"{name} ...")
    yield
    say(f"{name} {time.monotonic() - begin:.1f} s")
