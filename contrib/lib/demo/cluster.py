"""The virtual cluster, by way of contrib/testbed: prepared, brought up and down, and asked."""

import os
import signal
import time
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL

from . import counters, machine
from .process import STDERR, TIMED_OUT, run
from .progress import CannotRun, phase, say

NAME = "demo"

_CONTRIB = Path(__file__).resolve().parents[2]
_TESTBED = _CONTRIB / "testbed" / "testbed"
_DOWN_HINT = f"end it by 'contrib/testbed/testbed down --name {NAME}'"

# Generous, as they are there for what hangs: the first image and build are downloads and compilation.
_PREPARE_LIMIT_S = 3600
_UP_LIMIT_S = 400
_DOWN_LIMIT_S = 60
_QUICK_LIMIT_S = 60


def check():
    """Fails where nothing of the demo can work, before anything is installed."""
    try:
        release = Path("/etc/os-release").read_text()
    except OSError:
        release = ""
    if reason := machine.unfit(release):
        raise CannotRun(reason)
    if os.geteuid() != 0:
        raise CannotRun("not root; say 'sudo contrib/demo'")
    _check_free()


def prepare():
    """Installs and builds what is missing; quick when nothing is."""
    steps = (
        ("what this machine needs (contrib/bootstrap)", [_CONTRIB / "bootstrap"]),
        ("what the cluster runs (testbed image)", [_TESTBED, "image"]),
        ("this checkout, built for it (testbed build)", [_TESTBED, "build"]),
    )
    for name, argv in steps:
        _must(name, argv, _PREPARE_LIMIT_S)


@contextmanager
def up(keep, guests):
    """A freshly booted cluster, which is gone afterwards, however that comes about, unless it is to be kept."""
    _check_free()  # again, as building may have taken minutes
    done = False
    try:
        _must("the cluster boots (testbed up)", [_TESTBED, "up", "--name", NAME, "--guests", guests], _UP_LIMIT_S)
        yield Cluster(counters.ONE_GUEST if guests == 1 else counters.TWO_GUESTS)
        done = True
    finally:
        if not (keep and done):
            _down()


class Cluster:
    """Two nodes that are up."""

    def __init__(self, places):
        self.places = places

    def counters_now(self):
        """The kernel's counters of all nodes, by node."""
        counted = {}
        for node, place in self.places.items():
            # A node may have a network namespace of its own; the ports of all HCAs count in the guest's own sysfs.
            ports = _ask(place.guest, "grep -H . /sys/class/infiniband/*/ports/*/counters/port_*_data")
            counted[node] = counters.parse(node, place, ports, _ask(node, "cat /proc/net/dev"))
        return counted

    @staticmethod
    def srun(options, script, limit):
        """A step of one task on each node, as user alice: its result, and the seconds it took."""
        begin = time.monotonic()
        step = ["srun", "-N2", "-n2", "--mpi=pmix", *options, "sh", "-c", script]
        result = run([*_exec("n0", limit), *step], limit + 30, capture=True)
        return result, time.monotonic() - begin


def by_hand(option):
    """What to try in a cluster that was left up."""
    testbed = f"{_relative(_TESTBED)} %s --name {NAME}"
    return (
        "",
        "The cluster is up. To look around in a node, to run the container by hand, and to end it:",
        f"  {testbed % 'exec'} n0 bash",
        f"  {testbed % 'exec'} --user alice n0 srun -N2 --mpi=pmix \\",
        f"      --container-ib={option},report=full ch-run /var/lib/testbed/image -- /usr/lib/testbed/pingpong",
        f"  {testbed % 'down'}",
    )


def _down():
    # An impatient second Ctrl-C must not leave a virtual machine behind.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with phase("the cluster ends (testbed down)"):
        status = run([_TESTBED, "down", "--name", NAME], _DOWN_LIMIT_S).status
    if status != 0:
        say(f"it may still be there: {_DOWN_HINT}")


def _must(name, argv, limit):
    with phase(name):
        # bootstrap tells what it installs on standard output, testbed only where its files are
        status = run(argv, limit, results=DEVNULL if argv[0] == _TESTBED else STDERR).status
        if status == TIMED_OUT:
            raise CannotRun(f"'{_relative(argv[0])}' took longer than {limit} s")
        if status != 0:
            words = " ".join(str(word) for word in (_relative(argv[0]), *argv[1:]))
            raise CannotRun(f"'{words}' failed with exit status {status}; its reason is above")


def _check_free():
    # Nobody's cluster is taken away: neither another demo's nor one that was kept to work in.
    listed = run([_TESTBED, "status"], _QUICK_LIMIT_S, capture=True).out.splitlines()
    words = next((line.split() for line in listed if line.startswith(f"{NAME}: ")), [])
    if words and words[1] != "dead":
        raise CannotRun(f"a cluster named '{NAME}' is there already, from another demo or from --keep: {_DOWN_HINT}")


def _exec(node, limit, user="alice"):
    return [_TESTBED, "exec", "--name", NAME, "--user", user, "-t", limit, node]


def _ask(node, script):
    result = run([*_exec(node, _QUICK_LIMIT_S, "root"), "sh", "-c", script], _QUICK_LIMIT_S + 30, capture=True)
    if result.status != 0:
        lines = result.err.strip().splitlines() or ["no message"]
        raise CannotRun(f"cannot read the counters of {node}: {lines[-1]}")
    return result.out


def _relative(file):
    try:
        return Path(file).relative_to(Path.cwd())
    except ValueError:
        return file
