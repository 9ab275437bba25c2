"""`testbed logs` and `testbed status`."""

import shutil
import sys

from . import access, instance
from .report import Failure

# What is asked for in the guest. The console is kept here and outlives it.
_IN_GUEST = {
    "kernel": ["dmesg"],
    "slurmctld": ["cat", "/var/log/slurm/slurmctld.log"],
    "n0": ["cat", "/var/log/slurm/n0.log"],
    "n1": ["cat", "/var/log/slurm/n1.log"],
}
_LIMIT_S = 20


def show(guest, what):
    """Prints one log; returns the exit status."""
    if what == "console":
        try:
            with open(guest.folder / "console", errors="replace") as file:
                shutil.copyfileobj(file, sys.stdout)
        except FileNotFoundError:
            raise Failure(f"'{guest.name}' has no console: it was never up, or is down") from None
        return 0
    guest.expect_ready()
    return access.run(guest, "host", "root", _IN_GUEST[what], _LIMIT_S)


def status():
    """Prints one line for each instance; 0 when there are some and all of them are up, 1 otherwise."""
    guests = instance.every()
    for guest in guests:
        known = guest.known
        word = "up" if guest.ready() else "coming up" if guest.alive() else "dead"
        facts = [f"{name}={known[name]}" for name in ("suite", "accelerator", "rdma", "pid") if name in known]
        print(f"{guest.name}: {word}", *facts)
    if not guests:
        print("nothing is up")
    return 0 if guests and all(guest.ready() for guest in guests) else 1
