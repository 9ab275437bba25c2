"""The three runs: how each is started, and what came of it."""

import shlex
from dataclasses import asdict, dataclass, field

from . import judge, output
from .counters import Counters
from .process import TIMED_OUT
from .progress import CannotRun, phase

_LIMIT_S = 120

# Few, because everything is emulated, and yet so many that messages are far more than what else Slurm moves.
_SMALL, _LARGE = 100, 8
_PINGPONG = f"{_SMALL} {_LARGE}"
# Each way, and once more to set the connection up; pingpong.c has the sizes.
PAYLOAD = 2 * ((_SMALL + 1) * 8 + (_LARGE + 1) * (1 << 20))

_IMAGE = "/var/lib/testbed/image"
# Container engines give a container a /dev of its own. Charliecloud shows it the node's, so the InfiniBand devices
# are covered by a folder that is empty on every Debian.
_NO_DEVICES = "-b /mnt:/dev/infiniband"

_BY_HAND = "set by hand, by UCX_NET_DEVICES"


@dataclass
class NodeResult:
    """A node's part of a run."""

    rank: int | None
    devices: list[str]
    ports: str
    why: str
    counted: Counters
    verdict: str
    plugin_verdict: str = ""
    plugin_reason: str = ""


@dataclass
class Outcome:
    """All there is to tell about a run."""

    number: int
    name: str
    failure: str = ""
    seconds: float = 0
    latency_us: float | None = None
    bandwidth_mb_s: float | None = None
    nodes: dict[str, NodeResult] = field(default_factory=dict)

    def numbers(self):
        """For JSON."""
        numbers = asdict(self) | {"payload_bytes": PAYLOAD}
        for node, result in self.nodes.items():
            counted = {"verbs": result.counted.verbs, "tcp": result.counted.tcp, **numbers["nodes"][node].pop("counted")}
            numbers["nodes"][node]["bytes"] = counted
        return numbers


def all_three(cluster, option):
    """Runs them in their order."""
    today = _run(cluster, 1, "container as today", [], _in_container(_NO_DEVICES), _without_devices)
    ours = [f"--container-ib={option},report=full"]
    verbs = _run(cluster, 2, f"--container-ib={option}", ours, _in_container(), _by_plugin)
    # The same HCAs, so that what differs is only the container and who chose; without, what a host job must know itself.
    ports = {node: verbs.nodes[node].ports or f"{place.hcas[0]}:1" for node, place in cluster.places.items()}
    well_tuned = ["--propagate=NONE"]  # else the login's memlock limit is passed on, too little for UCX
    bare = _run(cluster, 3, "bare on the node", well_tuned, _bare(ports), lambda node, _: (ports[node], _BY_HAND))
    return today, verbs, bare


def _in_container(binds=""):
    return f"exec ch-run {binds} {_IMAGE} -- sh -c {shlex.quote(output.task(_PINGPONG))}"


def _bare(ports):
    cases = " ".join(f"{node}) export UCX_NET_DEVICES={names};;" for node, names in ports.items())
    return f"case $SLURMD_NODENAME in {cases} esac; export OMPI_MCA_pml=ucx; {output.task(_PINGPONG)}"


# Which ports a task had, and why.


def _without_devices(node, told):
    return "", "devices in the container" if told.devices.get(node) else "no device in the container"


def _by_plugin(node, told):
    return told.ports.get(node, ""), told.why.get(node, "no report")


def _run(cluster, number, name, options, script, choice):
    try:
        with phase(f"run {number}, {name}"):
            before = cluster.counters_now()
            result, seconds = cluster.srun(options, script, _LIMIT_S)
            after = cluster.counters_now()
    except ValueError as error:
        raise CannotRun(str(error)) from None
    told = output.parse(result.out, result.err)
    outcome = Outcome(number, name, _failure(result, told), seconds, told.latency_us, told.bandwidth_mb_s)
    for node in cluster.places:
        counted = after[node] - before[node]
        ports, why = choice(node, told)
        outcome.nodes[node] = NodeResult(
            told.rank.get(node), told.devices.get(node, []), ports, why, counted, judge.verdict(counted, PAYLOAD),
            told.verdict.get(node, ""), told.reason.get(node, ""),
        )  # fmt: skip
    return outcome


def _failure(result, told):
    if result.status == TIMED_OUT:
        return f"took longer than {_LIMIT_S} s"
    if result.status != 0:
        return f"exit status {result.status}: {told.complaint or 'no message'}"
    if sorted(told.hosts) != ["n0", "n1"]:
        return f"the ping-pong was not between the nodes but on {', '.join(told.hosts) or 'none'}"
    return ""
