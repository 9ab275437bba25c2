"""Modes vf and ipoib: a network namespace of its own for each task, MPI in it, and everything back whatever dies.

What a node looks like from outside is taken before and after: names, settings, places of links and RDMA devices."""

import contextlib
import pathlib
import threading
import time

from cluster import PINGPONG, contents, journals, must, run, sh, srun, wait_until
from test_deaths import BackgroundStep

INSTANCE = "ctest-vf"

BARE = (pathlib.Path(__file__).parent / "bare_attach.sh").read_text(encoding="utf-8")
SITE = "/etc/slurm/container-ib.conf"
CONF = """[devices]
drivers = ["vhca"]
[modes]
allow = ["verbs", "vf", "ipoib"]
[vf]
guids = "generate"
"""


def site(more=""):
    return contents(SITE, CONF + more)


def picture():
    """Links without their index, queueing and QPN, which a device that is made anew changes."""
    return must(
        sh(
            "n0",
            "ip -o link | sed 's/^[0-9]*: //; s/ qdisc.*//' | sort; "
            "for pf in ib0 ib1 ib2; do ip link show $pf | grep 'vf '; done; "
            "rdma dev | sed 's/^[0-9]*: //' | sort; ls /dev/infiniband | wc -l; ls /run/container-ib/claims 2> /dev/null; true",
        )
    ).out


@contextlib.contextmanager
def everything_comes_back():
    before = picture()
    yield
    wait_until(lambda: picture() == before, 20, f"the node as it was:\n{before}\nnow:\n{picture()}")


def vf_step(*args, **kwargs):
    return srun("-n2", "--mpi=pmix", *args, timeout=100, **kwargs)


def test_mpi_over_vfs_is_native_and_everything_comes_back():
    with site(), everything_comes_back():
        done = must(vf_step("--container-ib=vf,rails=1,report=full", "env", "UCX_TLS=rc,self", PINGPONG))
        assert '"ranks": 2' in done.out, done
        assert any(line.startswith("container-ib: n0: native:") for line in done.ours()), done


def test_inside_a_node_mpi_stays_on_shared_memory():
    with site(), everything_comes_back():
        done = must(vf_step("--container-ib=vf,rails=1,report=summary", PINGPONG))
        assert any("n0: shm-only:" in line for line in done.ours()), done


def test_each_task_sees_its_own_vf_and_nothing_else():
    look = "ls /sys/class/infiniband /dev/infiniband | tr '\\n' ' '; ip -o link | wc -l; echo $CONTAINER_IB_PORTS $CONTAINER_IB_NETDEV"
    with site(), everything_comes_back():
        done = must(srun("-n2", "--container-ib=vf,rails=1", "--label", "sh", "-c", look))
        ports = sorted(line.split()[1] for line in done.lines if line.endswith(" ib0"))
        assert len(set(ports)) == 2, done
        for line in done.lines:
            if "rdma_cm" in line:
                assert line.count("uverbs") == 1 and line.count("mlx5_") == 1 and line.endswith(" 2"), done


def test_the_tasks_of_a_node_share_one_network_with_scope_node():
    with site(), everything_comes_back():
        done = must(vf_step("--container-ib=vf,rails=1,scope=node", "sh", "-c", f"readlink /proc/self/ns/net >&2; exec {PINGPONG}"))
        assert len({line for line in done.err.splitlines() if line.startswith("net:")}) == 1, done
        assert '"ranks": 2' in done.out, done


class SixSleepers(BackgroundStep):
    """A step whose tasks have all VFs of the model: two of each of three HCAs."""

    def __init__(self):
        super().__init__("-n6", "--overcommit", "--container-ib=vf,rails=1", "sh", "-c", "sleep 300; true")

    def __enter__(self):
        wait_until(lambda: len(self.tasks()) == 6, 60, "six sleeping tasks")
        return self


def test_of_steps_that_want_the_last_vf_one_gets_it_and_the_others_are_told_or_wait():
    one_more = ("-n1", "--overcommit")
    with site(), everything_comes_back():
        with SixSleepers():
            refused = srun(*one_more, "--container-ib=vf,rails=1", "true")
            assert refused.status != 0 and ": 1 task needs a VF, and 0 are free (mlx5_" in "\n".join(refused.ours()), refused
            waiting = threading.Thread(target=lambda: results.append(srun(*one_more, "--container-ib=vf,rails=1,wait=60", "true")))
            results = []
            waiting.start()
            time.sleep(5)
            assert results == [], "it waits"
            must(run("n0", "pkill", "-xu", "alice", "sleep"))
            waiting.join()
            must(results[0])


def test_root_of_a_user_namespace_can_change_nothing():
    attack = (
        "ip link set ib0 down && echo BROKEN; ip link set ib0 name x && echo BROKEN; ip link del ib0 && echo BROKEN; "
        "ip link set ib0 vf 0 node_guid 00:11:22:33:44:55:66:77 && echo BROKEN; "
        "mount -t sysfs s /mnt && echo BROKEN; mknod /tmp/u c 231 192 && echo BROKEN; "
        "timeout 5 bash -c 'echo > /dev/tcp/127.0.0.1/6818' && echo BROKEN; timeout 5 bash -c 'echo > /dev/tcp/10.9.0.1/6818' && echo BROKEN; true"
    )
    with site(), everything_comes_back():
        for option in ("vf,rails=1", "vf,rails=1,scope=node"):
            done = must(srun("-n1", f"--container-ib={option}", "unshare", "-Ur", "sh", "-c", attack))
            assert "BROKEN" not in done.out, done


def test_slurmstepd_killed_ends_its_orphans_and_their_vfs_come_back():
    with site(), everything_comes_back():
        with BackgroundStep("-n2", "--container-ib=vf,rails=1", "sh", "-c", "sleep 300; true") as step:
            must(run("n0", "kill", "-9", step.pid("slurmstepd")))
            wait_until(lambda: not step.tasks(), 10, "the end of the orphans")
            wait_until(lambda: journals("n0") == [], 20, "what it had is given back")


def test_the_agent_killed_leaves_the_tasks_their_vfs_until_they_end():
    with site(), everything_comes_back():
        with BackgroundStep("-n2", "--container-ib=vf,rails=1", "sh", "-c", "sleep 300; true") as step:
            must(run("n0", "pkill", "-9", "-f", "^/.*container-ib-agent step"))
            assert len(step.tasks()) == 2
            assert "agent died" in must(run("n0", "container-ib", "list")).out


def test_both_killed_is_reaped_by_hand():
    with site(), everything_comes_back():
        with BackgroundStep("-n2", "--container-ib=vf,rails=1", "sh", "-c", "sleep 300; true") as step:
            must(run("n0", "kill", "-9", step.pid("slurmstepd"), step.pid("container-ib-ag")))
            assert "gave back" in must(run("n0", "container-ib", "reap")).out
            assert step.tasks() == []


def test_the_interface_that_root_renamed_inside_comes_back():
    with site(), everything_comes_back():
        with BackgroundStep("-n2", "--container-ib=vf,rails=1", "sh", "-c", "sleep 300; true"):
            inside = "pgrep -xu alice sleep | while read pid; do nsenter -t $pid -n sh -c 'ip link set ib0 down && ip link set ib0 name mine'; done"
            must(sh("n0", inside))


def test_ipoib_is_refused_where_the_rdma_subsystem_is_exclusive():
    with site():
        done = srun("-n1", "--container-ib=ipoib", "true")
        assert done.status != 0 and "needs the RDMA subsystem's shared mode" in "\n".join(done.ours()), done


def test_addresses_come_from_the_pool():
    pool = '[addresses]\npool = "10.40.0.0/16"\nnodes = ["n[0-7]"]\nper_node = 8\n'
    with site(pool), everything_comes_back():
        done = must(srun("-n2", "--container-ib=vf,rails=1", "sh", "-c", "echo $CONTAINER_IB_ADDRESS; ip -o -4 addr show ib0 | grep -o 'inet [^ ]*'"))
        assert {line for line in done.lines if "inet" not in line} == {"10.40.0.1/16", "10.40.0.2/16"}, done
        assert "inet 10.40.0.1/16" in done.lines and "inet 10.40.0.2/16" in done.lines, done
        two = must(srun("-n1", "--container-ib=vf,rails=2", "sh", "-c", "echo $CONTAINER_IB_NETDEV $CONTAINER_IB_ADDRESS $CONTAINER_IB_PEERS"))
        assert two.lines == ["ib0,ib1 10.40.0.1/16,10.40.0.2/16 n0=10.40.0.1-10.40.0.8"], two


def test_the_order_of_an_attach_in_bare_kernel_calls():
    must(run("n0", "sh", "-c", "cat > /tmp/bare_attach.sh", stdin=BARE))
    done = must(run("n0", "bash", "/tmp/bare_attach.sh", "vf", "3", timeout=200))
    assert "not ok" not in done.out and done.out.count("ok ") == 4, done
