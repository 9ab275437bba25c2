"""`testbed logs` and `testbed status`."""

import sys

from . import access, instance

# The console outlives the guest, so it is read here; the others are asked for in the guest.
_IN_GUEST = {
    "kernel": ["dmesg"],
    "slurmctld": ["cat", "/var/log/slurm/slurmctld.log"],
    "n0": ["cat", "/var/log/slurm/n0.log"],
    "n1": ["cat", "/var/log/slurm/n1.log"],
}
NAMES = ("console", *_IN_GUEST)


def show(guest, what):
    """Prints one log; returns the exit status."""
    if what == "console" and guest.folder.exists():
        sys.stdout.write((guest.folder / "console").read_text(errors="replace"))
        return 0
    guest.expect_ready()
    return access.run(guest, "host", "root", _IN_GUEST[what], seconds=20)


def status():
    """Prints one line for each instance; 0 when all of them are up, 1 otherwise."""
    guests = instance.every()
    for guest in guests:
        known = guest.known
        word = "up" if guest.ready() else "coming up" if guest.alive() else "dead"
        print(f"{guest.name}: {word}", *(f"{name}={known[name]}" for name in ("suite", "accelerator", "rdma", "pid") if name in known))
    if not guests:
        print("nothing is up")
    return 0 if guests and all(guest.ready() for guest in guests) else 1
