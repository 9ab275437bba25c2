"""container-ib attach in mode ipoib: an interface in the network that a container has already."""

import json

from cluster import contents, journals, must, run, sh
from containers import by_hand, of_crun
from picture import everything_comes_back

INSTANCE = "ctest ctest-trixie"  # soak: ctest

CONF = '[modes]\nallow = ["verbs", "ipoib"]\n[addresses]\npool = "10.40.0.0/16"\nnodes = ["n0", "n1"]\nper_node = 8\n'


SITE = "/etc/slurm/container-ib.conf"


def site():
    return contents(SITE, CONF + must(run("n0", "cat", SITE)).out)


def attached(container):
    done = must(container.attach("--option", "ipoib,rails=1", "--json"))
    return json.loads(done.out)


def links(container):
    return [line.split(": ")[1].split("@")[0] for line in must(container.exec("ip", "-o", "link")).lines]


def test_two_containers_reach_each_other_and_give_everything_back():
    with site(), everything_comes_back(), everything_comes_back("n1"):
        with by_hand("n0", network=True) as one, by_hand("n1", network=True) as other:
            first, second = attached(one), attached(other)
            assert first["netdevs"] == ["ib0"] and first["addresses"] == ["10.40.0.1/16"], first
            assert second["addresses"] == ["10.40.0.9/16"], second
            must(one.exec("ping", "-c1", "-w10", "10.40.0.9"))
            assert "uverbs" in must(one.exec("ls", "/dev/infiniband")).out
            assert len(must(one.exec("ibv_devices")).lines) > 2
            for container in (one, other):
                must(run(container.node, "container-ib", "check"))
                must(container.detach())
                assert links(container) == ["lo"] and container.shown() == []


def test_what_is_in_the_containers_network_stays():
    """Also a child of ours that has lost its tag, and one of somebody else's."""
    with site(), everything_comes_back():
        with by_hand("n0", network=True) as container:
            must(container.exec("ip", "link", "add", "ib0", "type", "dummy"))
            told = attached(container)
            assert told["netdevs"] == ["ib1"], told
            must(container.exec("ip", "link", "set", "ib1", "alias", "mine"))
            must(container.detach())
            assert sorted(links(container)) == ["ib0", "lo"]


def test_what_an_engines_cgroup_keeps_from_its_container_is_given_and_taken_again():
    with everything_comes_back(), of_crun("n0", cgroup="/attached") as container:
        (cgroup,) = [line.rpartition(":")[2] for line in must(run("n0", "cat", f"/proc/{container.pid}/cgroup")).lines if line.startswith("0::")]

        def opened():
            # who joins the container's namespaces by hand is not in its cgroup yet
            join = f"echo $$ > /sys/fs/cgroup{cgroup}/cgroup.procs && exec nsenter -t {container.pid} -m --"
            return sh("n0", f"{join} ibv_devinfo 2>&1 | grep -c PORT_ACTIVE; {join} sh -c ': < /dev/infiniband/rdma_cm'")

        from_there = f"echo $$ > /sys/fs/cgroup{cgroup}/cgroup.procs && : < /dev/"
        assert "Operation not permitted" in sh("n0", from_there + "infiniband/rdma_cm").err
        told = json.loads(must(container.attach("--option", "verbs,rails=1", "--json")).out)
        done = opened()
        assert done.lines[0] == "1" and done.status == 0, (told, done)
        assert "Operation not permitted" in sh("n0", from_there + "kmsg").err
        must(run("n0", "container-ib", "check"))
        must(container.attach("--option", "verbs"), status=1)
        must(container.detach())
        assert "Operation not permitted" in sh("n0", from_there + "infiniband/rdma_cm").err


def test_a_container_of_crun_that_has_ended_is_reaped():
    with site(), everything_comes_back():
        with of_crun("n0", network=True) as container:
            attached(container)
            assert len(must(container.exec("ibv_devices")).lines) > 2
            must(sh("n0", f"kill -9 {container.pid}"))
            must(run("n0", "container-ib", "reap"))
            assert journals("n0") == []
