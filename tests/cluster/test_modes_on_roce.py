"""Modes macvlan, overlay and device between two guests, whose HCAs are InfiniBand and RoCE: what natively cannot be had of them
is in here (tests/slurm has the rest)."""

import contextlib
import json

from cluster import PINGPONG, contents, must, run, sh, srun, wait_until
from ethernet import POOL
from picture import everything_comes_back, picture
from steps import BackgroundStep
from verbs import by_tcp

INSTANCE = "ctest-roce ctest-roce-trixie"  # soak: ctest-roce-trixie

_SITE = "/etc/slurm/container-ib.conf"
_MORE = (
    '[modes]\nallow = ["verbs", "ipoib", "vf", "macvlan", "overlay", "device"]\n'
    '[[overlay]]\nnodes = ["n[0-1]"]\nfirst = "10.20.0.1/24"\n'  # ib0
)


@contextlib.contextmanager
def site(more=POOL):
    """The modes allowed, beside what the testbed has in the file of each guest."""
    with contextlib.ExitStack() as files:
        for node in ("n0", "n1"):
            files.enter_context(contents(_SITE, must(run(node, "cat", _SITE)).out + _MORE + more, node))
        yield


@contextlib.contextmanager
def one_vf(*nodes, hca="mlx5_1"):
    """A VF of that HCA on each of these nodes."""
    numvfs = f"/sys/class/infiniband/{hca}/device/sriov_numvfs"
    for node in nodes:
        must(sh(node, f"echo 1 > {numvfs}"))
    try:
        yield
    finally:
        for node in nodes:
            must(sh(node, f"echo 0 > {numvfs}"))


def mpi(option, *words, tasks=("-N2", "-n2")):
    """MPI by UCX, and what is told about it."""
    done = must(srun(*tasks, "--mpi=pmix", f"--container-ib={option},report=summary", *words, "OMPI_MCA_pml=ucx", PINGPONG, timeout=120))
    assert json.loads(done.lines[-1])["ranks"] == 2, done
    return done


def verdicts(done):
    return sorted(line.split(": ")[2] for line in done.ours() if any(f": {word}: " in line for word in ("native", "not native", "shm-only", "unknown")))


# Each task listens by rdma_cm at its own address, and connects to the other's.
RDMA_CM = """
mine=${CONTAINER_IB_ADDRESS%/*}; other=$1; [ $mine = $1 ] && other=$2
rping -s -a $mine -C 2 > /dev/null & server=$!
for _ in $(seq 20); do timeout 10 rping -c -a $other -C 2 > /dev/null 2>&1 && break; sleep 0.5; done && echo $mine reached $other
wait $server
"""


def test_mpi_over_macvlan_is_native_by_the_gid_of_the_tasks_address():
    with site(), everything_comes_back():
        done = mpi("macvlan,rails=1", "env")
        assert verdicts(done) == ["native", "native"], done


def test_inside_a_node_mpi_over_macvlan_stays_on_shared_memory():
    with site():
        done = mpi("macvlan,rails=1", "env", tasks=("-w", "n0", "-n2"))
        assert verdicts(done) == ["shm-only"], done


def test_rdma_cm_works_between_macvlan_networks():
    with site():
        done = must(srun("-N2", "-n2", "--container-ib=macvlan,rails=1", "bash", "-c", RDMA_CM, "-", "10.40.0.1", "10.40.0.9", timeout=60))
        assert sorted(done.lines) == ["10.40.0.1 reached 10.40.0.9", "10.40.0.9 reached 10.40.0.1"], done


def test_mpi_over_vfs_of_roce_is_native():
    with one_vf("n0", "n1"), site(more="[vf]\nvlan = 7\n" + POOL), everything_comes_back():
        done = mpi("vf,rails=1,roce=only,hca=mlx5_1", "env")
        assert verdicts(done) == ["native", "native"], done


def test_a_vf_can_be_the_parent_of_macvlan():
    with one_vf("n0"):
        vf = must(sh("n0", "ls /sys/class/infiniband/mlx5_1/device/virtfn0/infiniband")).out.strip()
        must(sh("n0", "ip link set $(ls /sys/class/infiniband/mlx5_1/device/virtfn0/net) up"))
        with site(), contents(_SITE, must(run("n0", "cat", _SITE)).out.replace('"mlx5_3"]', f'"mlx5_3", "{vf}"]'), "n0"):
            done = must(srun("-w", "n0", "-n1", f"--container-ib=macvlan,hca={vf}", "sh", "-c", "echo $CONTAINER_IB_PORTS $CONTAINER_IB_NETDEV $UCX_IB_GID_INDEX"))
            ports, netdev, index = done.out.split()
            assert (ports, netdev) == (f"{vf}:1", "eth0") and int(index) > 1, done


def test_tasks_meet_in_an_overlay_over_ipoib_and_its_bytes_are_no_verbs():
    with site(), everything_comes_back():
        lines = meeting_of_two_guests()
        assert all(line.endswith(" 1994") for line in lines), lines  # of IPoIB's 2044
        tcp = (*by_tcp(), "UCX_NET_DEVICES=eth0", "OMPI_MCA_btl_tcp_if_include=eth0")
        done = must(srun("-N2", "-n2", "--mpi=pmix", "--container-ib=overlay,env=pmix,report=summary", *tcp, PINGPONG, timeout=120))
        assert verdicts(done) == ["not native", "not native"], done


def meeting_of_two_guests():
    """The guests share no files: each task asks the other for its address."""
    script = """
    perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(LocalPort => 4242, Listen => 9) or die; alarm 20; while ($c = $s->accept) { close $c }' & server=$!
    mine=${CONTAINER_IB_ADDRESS%/*}; other=10.40.0.1; [ $mine = $other ] && other=10.40.0.9
    for _ in $(seq 100); do (exec 3<> /dev/tcp/$other/4242) 2> /dev/null && echo "$mine reached $other $(cat /sys/class/net/eth0/mtu)" && break; sleep 0.2; done
    sleep 3; kill $server"""
    lines = must(srun("-N2", "-n2", "--container-ib=overlay", "bash", "-c", script)).lines
    assert sorted(line.split()[0] for line in lines) == ["10.40.0.1", "10.40.0.9"], lines
    return lines


def test_mpi_by_verbs_goes_past_an_overlay():
    with site():
        done = mpi("overlay,rails=1", "env")
        assert verdicts(done) == ["native", "native"], done


def test_a_whole_device_of_either_kind_goes_and_comes_back_with_its_address():
    with site(more=""), everything_comes_back():
        for option, netdev, address in (("device,rails=1", "ib0", "10.20.0."), ("device,rails=1,roce=only", "eth0", "10.60.0.")):
            done = mpi(option, "sh", "-c", f'ip -br addr show {netdev} >&2; exec "$@"', "-", "env")
            assert verdicts(done) == ["native", "native"], done
            assert done.err.count(f" {address}") >= 2, done


def test_steps_that_want_the_same_device_wait_or_are_told():
    sleepers = ("-n2", "--container-ib=device,rails=1", "sleep", "300")
    with site(), everything_comes_back():
        with BackgroundStep(*sleepers):
            assert "device" in must(run("n0", "container-ib", "list")).out
            must(run("n0", "container-ib", "check"))
            one_more = ("-w", "n0", "-n1", "--overcommit")
            refused = srun(*one_more, "--container-ib=device,rails=1", "true")
            assert refused.status != 0 and "1 task needs a whole HCA, and 0 are free" in "\n".join(refused.ours()), refused
            beside = must(srun(*one_more, "--container-ib=verbs,roce=yes", "sh", "-c", "echo $CONTAINER_IB_PORTS"))
            assert beside.lines == ["mlx5_1:1,mlx5_3:1"], beside  # those of InfiniBand are another step's
        with BackgroundStep("-n2", "--container-ib=verbs,rails=1", "sleep", "300"):
            refused = srun("-w", "n0", "-n1", "--overcommit", "--container-ib=device,rails=1", "true")
            assert refused.status != 0 and "uses it" in "\n".join(refused.ours()), refused


def test_whoever_is_killed_a_whole_device_comes_back():
    sleepers = ("-n2", "--container-ib=device,rails=1", "sleep", "300")
    with site(), everything_comes_back():
        with BackgroundStep(*sleepers) as step:
            must(run("n0", "kill", "-9", step.pid("slurmstepd"), step.pid("container-ib-ag")))
            assert "gave back" in must(run("n0", "container-ib", "reap")).out
        before = picture()
        assert "10.20.0.1/24" in before and "10.21.0.1/24" in before, before


def test_a_device_with_vfs_or_routes_is_not_given_and_doctor_says_why():
    netdev = must(sh("n0", "ls /sys/class/infiniband/mlx5_1/device/net")).out.strip()
    with site():
        must(sh("n0", f"echo 1 > /sys/class/infiniband/mlx5_0/device/sriov_numvfs; ip route add 10.99.0.0/24 via 10.60.0.2 dev {netdev}"))
        try:
            lines = run("n0", "container-ib", "doctor").lines
            assert "note  mode device: mlx5_0: has VFs, which mode vf gives" in lines, lines
            assert f"note  mode device: mlx5_1: routes of the node go by {netdev}" in lines, lines
        finally:
            must(sh("n0", f"ip route del 10.99.0.0/24 dev {netdev}; echo 0 > /sys/class/infiniband/mlx5_0/device/sriov_numvfs"))
        wait_until(lambda: "has VFs" not in run("n0", "container-ib", "doctor").out, 20, "no VFs")
