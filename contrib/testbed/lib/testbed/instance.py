"""A guest by its name: the folder it lives in, what is remembered about it, and whether it is alive.

A process is known by its pid and its start time, so that a pid that was used again is never taken for our QEMU.
"""

import fcntl
import json
import os
import re
import signal
import time
from contextlib import contextmanager

from .files import remove
from .places import state
from .report import Failure

_LOCK_LIMIT_S = 180


class Instance:
    """One guest, running or not."""

    def __init__(self, name):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
            raise Failure(f"'{name}' cannot be the name of an instance: use letters, digits, '.', '_' and '-'")
        self.name = name
        self.folder = state() / name

    @contextmanager
    def locked(self):
        """Alone with the instance: no two `up` or `down` at the same time."""
        state().mkdir(parents=True, exist_ok=True)
        with open(state() / f".{self.name}.lock", "w") as file:
            deadline = time.monotonic() + _LOCK_LIMIT_S
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise Failure(f"'{self.name}' is busy with another 'testbed up' or 'down': wait for that one")
                    time.sleep(0.1)
            yield

    @property
    def known(self):
        """What `remember` wrote, or nothing."""
        try:
            return json.loads((self.folder / "state.json").read_text())
        except FileNotFoundError:
            return {}

    def remember(self, **facts):
        """Adds to what is known."""
        scratch = self.folder / "state.json.new"
        scratch.write_text(json.dumps({**self.known, **facts}, indent=2))
        scratch.rename(self.folder / "state.json")

    def alive(self):
        """Is the QEMU we started still there?"""
        known = self.known
        return "pid" in known and start_time(known["pid"]) == known["started"]

    def ready(self):
        """Did it come up, and is it still there?"""
        return self.known.get("ready", False) and self.alive()

    def expect_ready(self):
        """Fails with what to do when there is no guest to talk to."""
        if not self.folder.exists():
            raise Failure(f"'{self.name}' is not up: run 'testbed up{self._option()}' first")
        if not self.alive():
            raise Failure(
                f"'{self.name}' died (its QEMU is gone): look at 'testbed logs{self._option()} console', "
                f"then run 'testbed up{self._option()}'"
            )
        if not self.ready():
            raise Failure(f"'{self.name}' is still coming up: wait for its 'testbed up'")

    def kill(self):
        """Ends our QEMU, whatever it does."""
        known = self.known
        if not self.alive():
            return
        try:
            descriptor = os.pidfd_open(known["pid"])
        except ProcessLookupError:
            return
        try:
            if self.alive():  # the descriptor is really our QEMU's
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                self.wait_end(5)
        except ProcessLookupError:
            pass
        finally:
            os.close(descriptor)

    def wait_end(self, seconds):
        """Waits for QEMU to end; says whether it did."""
        deadline = time.monotonic() + seconds
        while self.alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def forget(self):
        """Removes all that is left of a guest that is not running."""
        remove(self.folder)

    def _option(self):
        return "" if self.name == "default" else f" --name {self.name}"


def every():
    """All instances there are."""
    return [Instance(p.name) for p in sorted(state().glob("*")) if p.is_dir()] if state().is_dir() else []


def start_time(pid):
    """When a process began, in the kernel's own unit; None if there is none, or only its remains."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields[19]
