"""Runs programs so that none outlives us: not after a time-out, nor after Ctrl-C."""

import signal
import subprocess
from dataclasses import dataclass

_GRACE_S = 20  # what `testbed` needs to clean up after an interrupt
STDERR = 2  # our own, as the program's standard output
TIMED_OUT = 124  # as timeout(1) and `testbed exec` have it


@dataclass(frozen=True)
class Result:
    """How a program ended, and what it printed where that was captured."""

    status: int
    out: str = ""
    err: str = ""


def run(argv, limit, capture=False, results=subprocess.DEVNULL):
    """Runs a program for at most `limit` seconds. Its output is captured, or its messages are shown and its standard
    output goes where `results` says."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} if capture else {"stdout": results}
    argv = [str(word) for word in argv]
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, text=True, errors="replace", **streams)
    try:
        out, err = child.communicate(timeout=limit)
        return Result(child.returncode, out or "", err or "")
    except subprocess.TimeoutExpired:
        out, err = _end(child)
        return Result(TIMED_OUT, out or "", err or "")
    except BaseException:
        _end(child)
        raise


def _end(child):
    child.send_signal(signal.SIGINT)
    try:
        return child.communicate(timeout=_GRACE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.communicate()
