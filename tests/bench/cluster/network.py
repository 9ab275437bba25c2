"""Data by TCP/IP: what MPI moves by the tasks' own interfaces, against the nodes' own IPoIB interfaces. Each function returns
the lines of its report."""

import cluster
from measurements import SITE, pingpong, ratio_line
from ratios import Spread
from vfs import nodes_with_vfs

_POOL = '[addresses]\npool = "10.40.0.0/16"\nnodes = ["n[0-1]"]\nper_node = 4\n'
_NODES_OWN, _TASKS_OWN = "10.20.0.0/24", "10.40.0.0/16"  # the former: contrib/testbed/README.md
_MESSAGES = (300, 8)  # TCP takes the emulator ten times as long as verbs
_BY_TCP = ("env", "OMPI_MCA_pml=ob1", "OMPI_MCA_btl=tcp,self")


def ipoib(rounds, messages=_MESSAGES):
    """Two nodes of one guest, shared RDMA mode."""
    modes = '[modes]\nallow = ["verbs", "ipoib"]\n' + _POOL
    with cluster.contents(SITE, modes + cluster.must(cluster.run("n0", "cat", SITE)).out):
        return _compared("ipoib", rounds, messages)


def overlay(rounds, messages=_MESSAGES):
    """Two nodes of one guest, shared RDMA mode: an overlay against the nodes' own IPoIB, and against IPoIB children."""
    modes = '[modes]\nallow = ["verbs", "ipoib", "overlay"]\n' + _POOL + '[[overlay]]\nnodes = ["n[0-1]"]\nfirst = "10.20.0.1/24"\n'
    with cluster.contents(SITE, modes + cluster.must(cluster.run("n0", "cat", SITE)).out):
        return _compared("overlay", rounds, messages) + _compared("overlay", rounds, messages, "ipoib,rails=1")


def vf(rounds, messages=_MESSAGES):
    """Two guests, exclusive mode; the cable between them is emulated too."""
    with nodes_with_vfs(_POOL):
        return _compared("vf", rounds, messages)


def _compared(mode, rounds, messages, base="none"):
    got = {base: [], f"{mode},rails=1": []}
    for number in range(rounds + 1):
        order = list(got)
        for option in order if number % 2 else reversed(order):
            network = _NODES_OWN if option == "none" else _TASKS_OWN
            result = pingpong(option, (*_BY_TCP, f"OMPI_MCA_btl_tcp_if_include={network}"), messages)
            if number:  # the first only warms up
                got[option].append(result)
    own, task = got.values()
    whose = "the nodes' own" if base == "none" else "tasks'"
    aim = "none, it is the slow one" if mode == "overlay" else "at least 0.98"
    trip, rate = ([[result[key] for result in results] for results in (own, task)] for key in ("latency_us", "bandwidth_mb_s"))
    return [
        f"{mode}: MPI between two nodes by TCP/IP, {rounds} rounds; by {whose} IPoIB interfaces {Spread.of(trip[0])} us, "
        f"{Spread.of(rate[0])} MB/s",
        ratio_line(f"latency, {whose} / {mode}", trip[0], trip[1], aim),
        ratio_line(f"bandwidth, {mode} / {whose}", rate[1], rate[0], aim, max),
    ]
