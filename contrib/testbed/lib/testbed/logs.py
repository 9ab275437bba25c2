"""`testbed logs` and `testbed status`."""

import re
import shutil
import sys

from . import access, instance
from .report import Failure

_LIMIT_S = 20


def show(of, what):
    """Prints one log; returns the exit status."""
    named = re.fullmatch("(console|kernel)([01]?)", what)
    if of.native and named and what != "console":
        raise Failure(f"logs {what}: native nodes have this machine's kernel, and one console")
    if named and named[1] == "console":
        return _console(of, int(named[2] or 0))
    place, command = "host", ["cat", f"/var/log/slurm/{what}.log"]
    if named:
        place, command = f"host{named[2]}", ["dmesg"]
    elif what != "slurmctld":
        place = what
    return access.run(of.guest_of(place), "host", "root", command, _LIMIT_S)


def _console(of, number):
    """Kept here, it outlives its guest."""
    try:
        with open(of.folder / f"guest{number}" / ("machine.log" if of.native else "console"), errors="replace") as file:
            shutil.copyfileobj(file, sys.stdout)
    except FileNotFoundError:
        raise Failure(f"'{of.name}' has no such console: it was never up with a guest {number}, or is down") from None
    return 0


def status():
    """Prints one line for each instance; 0 when there are some and all of them are up, 1 otherwise."""
    all_of_them = instance.every()
    for one in all_of_them:
        known = one.known
        names = ("suite", "model", "native", "accelerator", "rdma", "guests", "cgroup")
        facts = [f"{name}={known[name]}" for name in names if name in known]
        pids = ",".join(str(guest.known.get("pid", "-")) for guest in one.guests)
        print(f"{one.name}: {one.condition()}", *facts, f"nodes={','.join(known.get('nodes', ()))}", f"pid={pids}")
    if not all_of_them:
        print("nothing is up")
    return 0 if all_of_them and all(one.ready() for one in all_of_them) else 1
