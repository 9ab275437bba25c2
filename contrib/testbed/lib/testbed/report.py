"""What the user reads: progress with times, and failures in one line."""

import sys
import time
from contextlib import contextmanager


class Failure(Exception):
    """A failure told to the user: the cause, with its operand, and what to do next."""


def say(text):
    """One line of progress. Standard error, so that a command's own output stays clean."""
    print(f"testbed: {text}", file=sys.stderr, flush=True)


@contextmanager
def phase(name):
    """Says what begins, and how long it took once it is done. Nothing more is said about a phase that failed."""
    begin = time.monotonic()
    say(f"{name} ...")
    yield
    say(f"{name} {time.monotonic() - begin:.1f} s")
