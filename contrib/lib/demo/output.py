"""What a run printed: the ping-pong's numbers, what its tasks saw, and the plugin's report."""

import json
import re
from dataclasses import dataclass, field

_SEES = re.compile(r"demo: rank (?P<rank>\d+) on (?P<node>\S+) sees ?(?P<devices>.*)")
_CHOICE = re.compile(r"container-ib: (?P<node>\S+): rank \d+ uses (?P<ports>\S+) \((?P<why>.*)\)")
_VERDICT = re.compile(r"container-ib: (?P<node>\S+): (?P<verdict>native|shm-only|not native|unknown): (?P<reason>.*)")
_OURS = "container-ib: "


@dataclass
class Output:
    """By node what belongs to a node."""

    latency_us: float | None = None
    bandwidth_mb_s: float | None = None
    hosts: list[str] = field(default_factory=list)
    rank: dict[str, int] = field(default_factory=dict)
    devices: dict[str, list[str]] = field(default_factory=dict)
    ports: dict[str, str] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    verdict: dict[str, str] = field(default_factory=dict)
    reason: dict[str, str] = field(default_factory=dict)
    complaint: str = ""  # what was wrong, where something was


# What a task runs: it says what it sees before it becomes the ping-pong.
def task(arguments):
    """The shell commands of a task."""
    return (
        'echo "demo: rank $SLURM_PROCID on $SLURMD_NODENAME sees" $(ls /dev/infiniband 2> /dev/null); '
        f"exec /usr/lib/testbed/pingpong {arguments}"
    )


def parse(out, err):
    """Standard output and error of srun."""
    result = Output()
    for line in out.splitlines():
        if match := _SEES.fullmatch(line):
            names = match["devices"].split()
            result.rank[match["node"]] = int(match["rank"])
            result.devices[match["node"]] = [name for name in names if name.startswith("uverbs")]
        elif line.startswith("{"):
            numbers = json.loads(line)
            result.latency_us = numbers["latency_us"]
            result.bandwidth_mb_s = numbers["bandwidth_mb_s"]
            result.hosts = [rank["host"] for rank in numbers["where"]]
    for line in err.splitlines():
        if match := _CHOICE.fullmatch(line):
            node = match["node"]
            result.ports[node] = match["ports"]
            result.why[node] = match["why"]
        elif match := _VERDICT.fullmatch(line):
            result.verdict[match["node"]] = match["verdict"]
            result.reason[match["node"]] = match["reason"]
    result.complaint = _complaint(err.splitlines())
    return result


def _complaint(lines):
    """The line of standard error that most likely says why a run failed: the plugin's own before all others."""
    for line in lines:
        before, ours, reason = line.partition(_OURS)
        if ours and before:  # slurmstepd passes it on
            return reason
        if ours and not _CHOICE.fullmatch(line) and not _VERDICT.fullmatch(line):
            return reason
    return next((line for line in reversed(lines) if line.strip()), "")
