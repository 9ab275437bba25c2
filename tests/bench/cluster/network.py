"""Data by IP: what a task sends by its own interface, against the node's own IPoIB interface. Each function returns the
lines of its report."""

import json
import re

import cluster
from measurements import SITE, ratio_line
from ratios import Spread
from vfs import nodes_with_vfs

_POOL = '[addresses]\npool = "10.40.0.0/16"\nnodes = ["n[0-1]"]\nper_node = 4\n'
# The node's own address of n1 (contrib/testbed/README.md), and what a lone task of n1 has of the pool.
_NODES_OWN, _TASKS_OWN = "10.20.0.2", "10.40.0.5"
_SECONDS, _PINGS = 3, 50

# Of two tasks the second serves one client and ends; the first prints the mean round trip in milliseconds, then iperf3's
# report.
_TALK = f"""
if [ $SLURM_PROCID = 1 ]; then exec iperf3 -s -1 > /dev/null; fi
for _ in {{1..100}}; do ping -q -c 1 -W 1 $0 > /dev/null && break; done
ping -q -i 0.02 -c {_PINGS} $0 | sed -n 's/^rtt [^=]* = //p'
for _ in {{1..100}}; do report=$(iperf3 -J -t {_SECONDS} -c $0) && break; sleep 0.1; done # refused until it listens
echo "$report"
"""


def ipoib(rounds):
    """Two nodes of one guest, shared RDMA mode."""
    modes = '[modes]\nallow = ["verbs", "ipoib"]\n' + _POOL
    with cluster.contents(SITE, modes + cluster.must(cluster.run("n0", "cat", SITE)).out):
        return _compared("an IPoIB child", "ipoib,rails=1", rounds)


def vf(rounds):
    """Two guests, exclusive mode; also the cable between them is emulated."""
    with nodes_with_vfs(_POOL):
        return _compared("a VF", "vf,rails=1", rounds)


def _compared(what, option, rounds):
    got = {"own": [], "task": []}
    for number in range(rounds + 1):
        order = list(got)
        for whose in order if number % 2 else reversed(order):
            said = _talk(_TASKS_OWN, option) if whose == "task" else _talk(_NODES_OWN, "none")
            if number:  # the first only warms up
                got[whose].append(said)
    trip, rate = ({whose: [said[index] for said in results] for whose, results in got.items()} for index in (0, 1))
    return [
        f"{what}: TCP/IP between tasks on two nodes, {rounds} rounds; by the nodes' own IPoIB interfaces "
        f"{Spread.of(trip['own'])} ms, {Spread.of(rate['own'])} Mb/s",
        ratio_line("round trip, node / task", trip["own"], trip["task"], "at least 0.98"),
        ratio_line("throughput, task / node", rate["task"], rate["own"], "at least 0.98", max),
    ]


def _talk(address, option):
    """The mean round trip in ms and the throughput in Mb/s to n1 at that address."""
    done = cluster.must(cluster.srun("-N2", "-n2", f"--container-ib={option}", "bash", "-c", _TALK, address, timeout=120))
    round_trip, report = done.out.split("\n", 1)
    trips = re.fullmatch(r"[\d.]+/([\d.]+)/[\d.]+/[\d.]+ ms.*", round_trip)
    return float(trips[1]), json.loads(report)["end"]["sum_received"]["bits_per_second"] / 1e6
