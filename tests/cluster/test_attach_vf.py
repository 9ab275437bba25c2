"""container-ib attach in mode vf: an HCA's VF in the network that a container has already."""

import json

from cluster import contents, journals, must, run, sh
from containers import by_hand
from picture import everything_comes_back
from vfs import CONF, SITE

INSTANCE = "ctest-vf"

ADDRESSES = '[addresses]\npool = "10.40.0.0/16"\nnodes = ["n0"]\n'


def attached(container):
    return json.loads(must(container.attach("--option", "vf,rails=1", "--json")).out)


def test_containers_have_a_vf_each_and_give_it_back():
    with contents(SITE, CONF + ADDRESSES), everything_comes_back():
        with by_hand(network=True) as one, by_hand(network=True) as other:
            first, second = attached(one), attached(other)
            assert first["ports"] != second["ports"] and first["netdevs"] == ["ib0"], (first, second)
            device = first["ports"][0].split(":")[0]
            assert [line.split()[0] for line in must(one.exec("ibv_devices")).lines[2:]] == [device], first
            assert must(one.exec("ls", "/sys/class/infiniband")).out.split() == [device], "the RDMA device is in its namespace"
            must(one.exec("ping", "-c1", "-w10", second["addresses"][0].split("/")[0]))
            must(run("n0", "container-ib", "check"))
            must(one.detach())
            assert one.shown() == [] and len(must(one.exec("ip", "-o", "link")).lines) == 1
            must(sh("n0", f"kill -9 {other.pid}"))
            must(run("n0", "container-ib", "reap"))
            assert journals("n0") == []
