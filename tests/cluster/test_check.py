"""`container-ib check` and `doctor` on a node with VFs: each thing that is no longer as a step left it has a line, and what
was put right has none."""

import re

from cluster import contents, must, run, sh, wait_until
from picture import everything_comes_back
from steps import BackgroundStep
from test_private_network import site
from vfs import CONF, SITE

INSTANCE = "ctest-vf"

POOL = '[addresses]\npool = "10.40.0.0/16"\nnodes = ["n[0-7]"]\nper_node = 8\n'
SLEEPERS = ("-n2", "--container-ib=vf,rails=1", "sh", "-c", "sleep 300; true")
NETNS = "/run/container-ib/*/netns-0"
INSIDE = f"nsenter --net=$(echo {NETNS})"
ADDRESS = "/run/container-ib/claims/address-0"
VIEW = "nsenter -m -t $(pgrep -nxu alice sleep)"  # of one of the tasks: both have devices of their own


FINE = "attachments: 1, as recorded\n"


def check(*args):
    return run("n0", "container-ib", "check", *args)


def expect_fault(broken, healed, *words):
    """One change is made, has a line, and is put right."""
    done = sh("n0", f"{broken}; container-ib check")
    lines = [line for line in done.err.splitlines() if all(word in line for word in words)]
    assert done.status == 1 and len(lines) == 1 and lines[0].startswith("container-ib check: step "), done
    must(sh("n0", healed))
    wait_until(lambda: check().out == FINE, 20, "no fault is left")


def vf_of_the_first_task():
    """Interface of the PF, number, and the node GUID that the journal has for it."""
    text = must(sh("n0", "cat /run/container-ib/*/journal")).out
    fields = dict(word.split("=", 1) for word in re.search(r"^.* done vf_settings .*$", text, re.M)[0].split() if "=" in word)
    pf = must(sh("n0", f"ls /sys/bus/pci/devices/{fields['physfn']}/net")).out.strip()
    return pf, fields["vf"], int(fields["new_node_guid"]).to_bytes(8, "big").hex(":")


def test_check_names_what_became_of_the_interface():
    with site(POOL), everything_comes_back(), BackgroundStep(*SLEEPERS):
        assert must(check()).out == FINE
        expect_fault(f"{INSIDE} ip link set ib0 down", f"{INSIDE} ip link set ib0 up", "link_up: ", "ib0", "is down")
        expect_fault(f"{INSIDE} ip addr del 10.40.0.1/16 dev ib0", f"{INSIDE} ip addr add 10.40.0.1/16 dev ib0", "link_up: ", "has lost its address 10.40.0.1/16")
        down = f"{INSIDE} ip link set ib0 down; {INSIDE} ip link set ib0 name x; {INSIDE} ip link set x up"
        up = f"{INSIDE} ip link set x down; {INSIDE} ip link set x name ib0; {INSIDE} ip link set ib0 up"
        expect_fault(down, up, "vf_link: ", "is called x instead of ib0")


def test_check_names_what_became_of_claims_device_nodes_and_settings():
    with site(POOL), everything_comes_back(), BackgroundStep(*SLEEPERS):
        expect_fault(f"cp {ADDRESS} /tmp/claim; printf 99.0@1 > {ADDRESS}", f"cp /tmp/claim {ADDRESS}", "claim: ", "address-0 is now that of 99.0@1")
        expect_fault(f"{VIEW} mount -t tmpfs none /dev/infiniband", f"{VIEW} umount /dev/infiniband", "task ", "/dev/infiniband/uverbs", "No such file")
        decoy = f"{VIEW} sh -c 'nodes=$(ls /dev/infiniband); mount -t tmpfs none /dev/infiniband; cd /dev/infiniband; for n in $nodes; do mknod $n c 1 3; done'"
        expect_fault(decoy, f"{VIEW} umount /dev/infiniband", "task ", "is another device")
        pf, number, guid = vf_of_the_first_task()
        expect_fault(f"ip link set {pf} vf {number} node_guid 00:11:22:33:44:55:66:77", f"ip link set {pf} vf {number} node_guid {guid}", "vf_settings: ", "no longer has node_guid=")


def test_check_names_what_has_died_and_what_went_home():
    with site(POOL), everything_comes_back(), BackgroundStep(*SLEEPERS) as step:
        must(check())
        must(sh("n0", "pkill -9 -f '^container-ib-agent relay'"))
        done = must(check(), status=1)
        assert done.err.count("\n") == 1 and "its relay to the PMIx server, pid " in done.err, done
        must(run("n0", "kill", "-9", step.pid("container-ib-ag")))
        done = must(check(), status=1)
        assert done.err.count("\n") == 2 and "its agent, pid " in done.err, done
        device = f"$({INSIDE} rdma dev | sed 's/^[0-9]*: \\([^:]*\\):.*/\\1/')"
        must(sh("n0", f"ip netns attach home $$ && {INSIDE} rdma dev set {device} netns home; status=$?; ip netns del home; exit $status"))
        done = must(check(), status=1)
        assert "rdma_move: the RDMA device of 0000:" in done.err and "but on the node" in done.err and "vf_link: " in done.err, done


def test_check_is_asked_for_one_job():
    with site(), everything_comes_back(), BackgroundStep(*SLEEPERS):
        name = must(sh("n0", "cd /run/container-ib; ls -d [0-9]*")).out.strip()
        for which in (name, name.split(".")[0]):
            assert "attachments: 1" in must(check(which)).out
        assert "nothing of 1.7 is attached" in must(check("1.7"), status=2).err
        assert "only root" in must(run("n0", "container-ib", "check", user="alice"), status=2).err


def doctor(status):
    return must(run("n0", "container-ib", "doctor"), status=status).lines


def test_doctor_tells_what_keeps_the_node_from_the_sites_modes():
    with site():
        lines = doctor(1)
        bad = [line for line in lines if line.startswith("bad")]
        needs = "bad   mode ipoib: needs the RDMA subsystem's shared mode, and this node is in exclusive mode; 'rdma system set netns"
        assert "ok    mode vf" in lines and len(bad) == 1 and bad[0].startswith(needs), lines
        must(run("n0", "chmod", "666", SITE))
        assert any(line.startswith("bad   /etc/slurm/container-ib.conf can be written by others") for line in doctor(1))


def test_doctor_finds_what_was_left():
    with contents(SITE, CONF.replace(', "ipoib"', "")):
        assert not [line for line in doctor(0) if line.startswith("bad")]
        with BackgroundStep(*SLEEPERS) as step:
            assert any("VFs of mlx5_" in line for line in doctor(0)), "a living step is no leftover"
            must(run("n0", "kill", "-9", step.pid("slurmstepd"), step.pid("container-ib-ag")))
            assert [line for line in doctor(1) if "has no living owner; run 'container-ib reap'" in line]
            must(run("n0", "container-ib", "reap"))
        must(sh("n0", "printf 99.0@1 > /run/container-ib/claims/address-5; ip link add left type dummy; ip link set left alias container-ib:99.0@1:netns-0:ib0"))
        try:
            lines = doctor(1)
        finally:
            must(sh("n0", "rm /run/container-ib/claims/address-5; ip link del left"))
        assert sum(line.startswith("bad") for line in lines) == 2, lines
        assert any("claim address-5 is that of '99.0@1', which no journal has" in line for line in lines), lines
        assert any("'ip link del left'" in line for line in lines), lines
