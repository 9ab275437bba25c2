"""An instance by its name: the folder it lives in, its guests, what is remembered about them, and who is alive.

A process is known by its pid and its start time, so that a pid that was used again is never taken for our QEMU.
"""

import contextlib
import fcntl
import json
import os
import re
import select
import signal
import time
from contextlib import contextmanager
from pathlib import Path

from .files import remove
from .places import state
from .report import Failure

_LOCK_LIMIT_S = 180
_END_LIMIT_S = 5


class _Remembered:
    """Something that has a folder, and in it a file with what is known about it."""

    folder = None

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


class Guest(_Remembered):
    """One virtual machine of an instance, or its one set of namespaces (`native`), running or not."""

    def __init__(self, instance, number):
        self.number = number
        self.native = instance.native
        self._nodes = instance.known.get("nodes", {})
        self.folder = instance.folder / f"guest{number}"

    def nodes(self):
        """Names of the Slurm nodes in it."""
        return [node for node, guest in self._nodes.items() if guest == self.number]

    def paper(self, node):
        """The folder of what is on paper of a native node."""
        return self.folder / "paper" / node

    def first_process(self):
        """Of the namespaces, as a pid of this machine; None when there is none any more."""
        pid = self.known["pid"]
        try:
            with open(f"/proc/{pid}/task/{pid}/children") as file:
                children = file.read().split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return int(children[0]) if children and self.alive() else None

    def alive(self):
        """Is the process we started (QEMU, or unshare) still there?"""
        known = self.known
        return "pid" in known and start_time(known["pid"]) == known["started"]

    def ready(self):
        """Did it come up, and is it still there?"""
        return self.known.get("ready", False) and self.alive()

    def kill(self):
        """Ends it, whatever it does. All processes of namespaces are gone when their first one is."""
        known = self.known
        if not self.alive():
            return
        with contextlib.ExitStack() as stack:
            ours = [known["pid"], self.first_process() if self.native else None]
            descriptors = [_pidfd(pid, stack) for pid in ours if pid]
            if self.alive() and descriptors[0] is not None:  # the descriptor is really our process's
                _kill(descriptors[0])
            for descriptor in descriptors:
                if descriptor is not None:
                    select.select([descriptor], [], [], _END_LIMIT_S)

    def wait_end(self, seconds):
        """Waits for QEMU to end; says whether it did."""
        deadline = time.monotonic() + seconds
        while self.alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True


class Instance(_Remembered):
    """The guests that were booted together."""

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
    def native(self):
        """Is it made of namespaces of this machine?"""
        return self.known.get("native", False)

    @property
    def guests(self):
        return [Guest(self, number) for number in range(self.known.get("guests", 0))]

    @property
    def hosts(self):
        """Names by which a guest itself is meant, with its number."""
        return {"host": 0} | {f"host{guest.number}": guest.number for guest in self.guests}

    def ready(self):
        """Did all guests come up, and are they still there?"""
        return bool(self.guests) and all(guest.ready() for guest in self.guests)

    def condition(self):
        """In a word or a few."""
        guests = self.guests
        if not any(guest.alive() for guest in guests):
            return "dead"
        if any(guest.alive() and not guest.ready() for guest in guests):
            return "coming up"
        gone = [str(guest.number) for guest in guests if not guest.alive()]
        return f"guest {gone[0]} gone" if gone else "up"

    def guest_of(self, place):
        """The guest, which must be up, that a Slurm node is in, or that a name like host1 means."""
        if not self.guests:
            raise Failure(f"'{self.name}' is not up: run 'testbed up{self.option()}' first")
        places = {**self.known.get("nodes", {}), **self.hosts}
        if place not in places:
            raise Failure(f"no node {place} in '{self.name}': it has {', '.join(places)}")
        return self.guest(places[place])

    def guest(self, number):
        """A guest by its number, which must be up."""
        guest = self.guests[number]
        if guest.ready():
            return guest
        if self.condition() == "coming up":
            raise Failure(f"'{self.name}' is still coming up: wait for its 'testbed up'")
        if any(other.ready() for other in self.guests):
            again = f"testbed up --guest {number}{self.option()}"
            raise Failure(f"guest {number} of '{self.name}' is gone: run '{again}'")
        raise Failure(
            f"'{self.name}' died (its {'namespaces are' if self.native else 'QEMU is'} gone): look at "
            f"'testbed logs{self.option()} console', "
            f"then run 'testbed up{self.option()}'"
        )

    def forget(self):
        """Removes all that is left of guests that are not running."""
        for folder in self.known.get("cgroups", ()):
            _remove_cgroups(Path(folder))
        remove(self.folder)

    def option(self):
        return "" if self.name == "default" else f" --name {self.name}"


def every():
    """All instances there are."""
    return [Instance(p.name) for p in sorted(state().glob("[!.]*")) if p.is_dir()] if state().is_dir() else []


def _pidfd(pid, stack):
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    stack.callback(os.close, descriptor)
    return descriptor


def _kill(descriptor):
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)


def _remove_cgroups(folder):
    """Of processes that are gone. The kernel may still be at it for a moment (EBUSY)."""
    deadline = time.monotonic() + _END_LIMIT_S
    for path, _, _ in os.walk(folder, topdown=False):
        while True:
            try:
                os.rmdir(path)
                break
            except FileNotFoundError:
                break
            except OSError as error:
                if time.monotonic() > deadline:
                    raise Failure(f"cgroup {path} cannot be removed: {error.strerror}; see its cgroup.procs") from None
                time.sleep(0.02)


def start_time(pid):
    """When a process began, in the kernel's own unit; None if there is none, or only its remains."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields[19]
