"""Modes vf and ipoib: a network namespace of its own for each task, MPI in it, and everything back whatever dies."""

import pathlib
import threading
import time

from cluster import PINGPONG, contents, journals, must, run, sh, srun, wait_until
from kept import ENDED, what_is_kept
from many_steps import in_a_row
from mpi import mpi_starts, pmi2_answers
from picture import everything_comes_back
from steps import BackgroundStep
from vfs import CONF, SITE

INSTANCE = "ctest-vf"

BARE = (pathlib.Path(__file__).parent / "bare_attach.sh").read_text(encoding="utf-8")


def site(more=""):
    return contents(SITE, CONF + more)


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


def test_mpi_starts_in_a_network_for_each_vf_of_a_node():
    with site(), everything_comes_back():
        mpi_starts(6, "vf,rails=1,scope=task")
        pmi2_answers(6, "vf,rails=1,scope=task")


def soak_mpi_starts_whatever_the_number_of_tasks():
    """A task has a VF, of which there are six, or all share those that their places want."""
    with site(), everything_comes_back():
        for tasks, scope in ((1, "task"), (6, "task"), (8, "node"), (32, "node")):
            mpi_starts(tasks, f"vf,rails=1,scope={scope}")
        for scope in ("task", "node"):
            pmi2_answers(6, f"vf,rails=1,scope={scope}")


def all_give_back_is_over():
    """The step's end, the agent's and the epilog's reaper, between which there is a time without any of them."""

    def over():
        return must(run("n0", "squeue", "-h")).out == "" and run("n0", "pgrep", "container-ib-ag").status == 1

    wait_until(over, 20, "the end of the job, of its agent and of its epilog")


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


# What a user can try who is root of a user namespace in his task. PID is a task of another job, with a VF of its own.
ATTACKS = """
try() { timeout 5 "$@" > /dev/null 2>&1 && echo "BROKEN: $*"; }
# its own interface, the settings of its VF and of the PF
try ip link set ib0 down
try ip link set ib0 name x
try ip link del ib0
try ip link set ib0 mtu 1500
try ip link set ib0 netns 1
try ip link set ib0 netns PID
try ip link set ib0 vf 0 node_guid 00:11:22:33:44:55:66:77
try ip link set ib0 vf 0 state disable
try rdma dev set "$(ls /sys/class/infiniband | head -n 1)" name mine
try rdma system set netns shared
for file in /sys/bus/pci/devices/*/sriov_numvfs /sys/bus/pci/drivers/vhca/unbind; do try sh -c "echo 0 > $file"; done
# the node's sysfs and devices below ours, other devices
try umount /sys
try umount /dev/infiniband
try unshare -m umount -l /sys
try unshare -m umount -l /dev/infiniband
try mount -t sysfs none /mnt
try mknod /dev/infiniband/more c 231 193
try rm /dev/infiniband/rdma_cm
for minor in 192 193 194; do try mknod /tmp/u$minor c 231 $minor; done
# other namespaces: the node's, another job's, by process and by the file that keeps it
try nsenter -t 1 -n true
try nsenter -t PID -n true
try sh -c 'for file in /run/container-ib/*/netns*; do nsenter --net=$file true && exit; done; false'
# services of the node's loopback and of its networks: slurmd's, and one that listens on the loopback alone
for where in 127.0.0.1/6818 10.9.0.1/6818 10.20.0.1/6818 127.0.0.1/4242; do try bash -c "echo > /dev/tcp/$where"; done
# the agent and its state
try sh -c 'cat /run/container-ib/inventory /run/container-ib/*/* /run/container-ib/claims/* | grep -q .'
try kill -9 $(pgrep -x container-ib-ag)
ls /sys/class/infiniband | sed 's/^/device /'
ip -o link | cut -d: -f2 | sed 's/^/link/'
ls /dev/infiniband | sed 's/^/node /'
"""


def test_root_of_a_user_namespace_reaches_nothing_of_the_node_or_of_others():
    with site(), everything_comes_back():
        must(sh("n0", "iperf3 -s -B 127.0.0.1 -p 4242 -D"))
        try:
            with BackgroundStep("-n2", "--container-ib=vf,rails=1", "sh", "-c", "sleep 300; true") as step:
                pids = step.tasks()
                for option in ("vf,rails=1", "vf,rails=1,scope=node"):
                    command = ("unshare", "-Ur", "bash", "-c", ATTACKS.replace("PID", pids[0]))
                    done = must(srun("-n1", "--overcommit", f"--container-ib={option}", *command))
                    assert "BROKEN" not in done.out, done
                    seen = [line.split()[0] for line in done.lines]
                    assert seen.count("device") == 1 and seen.count("link") == 2 and seen.count("node") == 2, done
                assert step.tasks() == pids
        finally:
            must(sh("n0", "pkill -x iperf3"))


def test_a_vf_that_is_handed_over_ends_what_was_open_of_its_device():
    """test_vf_shared.py shows the same where it does not."""
    with site(), everything_comes_back():
        seen = what_is_kept()
    assert seen == ENDED, seen


def test_slurmstepd_killed_ends_its_orphans_and_their_vfs_come_back():
    with site(), everything_comes_back():
        with BackgroundStep("-n2", "--container-ib=vf,rails=1", "sh", "-c", "sleep 300; true") as step:
            must(run("n0", "kill", "-9", step.pid("slurmstepd")))
            wait_until(lambda: not step.tasks(), 10, "the end of the orphans")
            wait_until(lambda: journals("n0") == [], 20, "what it had is given back")


def test_the_agent_killed_leaves_the_tasks_their_vfs_until_they_end():
    with site(), everything_comes_back():
        with BackgroundStep("-n2", "--container-ib=vf,rails=1", "sh", "-c", "sleep 300; true") as step:
            must(run("n0", "kill", "-9", step.pid("container-ib-ag")))
            assert len(step.tasks()) == 2
            assert "agent died" in must(run("n0", "container-ib", "list")).out


def test_both_killed_is_reaped_by_hand_and_once_only():
    reapers = "for i in 1 2 3 4; do container-ib reap & done; wait"
    with site(), everything_comes_back():
        with BackgroundStep("-n2", "--container-ib=vf,rails=1", "sh", "-c", "sleep 300; true", job_stays=True) as step:
            must(run("n0", "kill", "-9", step.pid("slurmstepd"), step.pid("container-ib-ag")))
            done = must(sh("n0", reapers))
            assert done.out.count("gave back") == 1 and done.err == "", done
            assert step.tasks() == []


def test_the_interface_that_root_renamed_inside_comes_back():
    with site(), everything_comes_back():
        with BackgroundStep("-n2", "--container-ib=vf,rails=1", "sh", "-c", "sleep 300; true"):
            inside = "pgrep -xu alice sleep | while read pid; do nsenter -t $pid -n sh -c 'ip link set ib0 down && ip link set ib0 name mine'; done"
            must(sh("n0", inside))


def test_a_container_that_dies_first_leaves_its_vf_to_be_given_back():
    """Its own network namespace inside of ours keeps the interface from nobody."""
    with site(), everything_comes_back():
        with BackgroundStep("-n2", "--container-ib=vf,rails=1", "unshare", "-Urnm", "sh", "-c", "sleep 300; true") as step:
            must(run("n0", "kill", "-9", step.tasks()[0]))
            must(run("n0", "pkill", "-9", "-xu", "alice", "sh"))


def test_a_pf_that_goes_down_meanwhile_stays_down_and_its_vfs_come_back():
    with site(), everything_comes_back():
        pfs = ("ib0", "ib1", "ib2")
        try:
            with BackgroundStep("-n2", "--container-ib=vf,rails=1", "sh", "-c", "sleep 300; true"):
                for pf in pfs:
                    must(run("n0", "ip", "link", "set", pf, "down"))
            wait_until(lambda: journals("n0") == [], 20, "the VFs are given back")
            assert all("DOWN" in must(run("n0", "ip", "-br", "link", "show", pf)).out for pf in pfs)
        finally:
            for pf in pfs:
                must(run("n0", "ip", "link", "set", pf, "up"))


def test_a_name_that_was_taken_meanwhile_keeps_the_vf_out_of_use_until_it_is_free():
    with site(), everything_comes_back():
        with BackgroundStep("-n2", "--container-ib=vf,rails=1", "sh", "-c", "sleep 300; true"):
            names = must(sh("n0", "cat /run/container-ib/[0-9]*/journal | sed -n 's/.* intent vf_names .*netdev=\\([^ ]*\\).*/\\1/p'")).lines
            assert len(names) == 2, names
            must(run("n0", "ip", "link", "add", names[0], "type", "dummy"))
        try:
            all_give_back_is_over()
            kept = run("n0", "container-ib", "reap")
            assert kept.status == 1 and f"to {names[0]}: File exists" in kept.out + kept.err, kept
            assert len(must(run("n0", "ls", "/run/container-ib/claims")).lines) == 1, "the other one came back"
        finally:
            must(run("n0", "ip", "link", "del", names[0]))
        must(run("n0", "container-ib", "reap"))


def test_two_interfaces_that_have_each_others_name_come_back():
    """As when the kernel made both anew at once and each got the first name that was free."""
    with site(), everything_comes_back():
        with BackgroundStep("-n2", "--container-ib=vf,rails=1", "sh", "-c", "sleep 300; true"):
            names = must(sh("n0", "cat /run/container-ib/[0-9]*/journal | sed -n 's/.* intent vf_names .*netdev=\\([^ ]*\\).* pci=\\([^ ]*\\).*/\\1 \\2/p'")).lines
            (first, first_vf), (second, second_vf) = (line.split() for line in names)
            must(sh("n0", f"ip link add {first} type dummy && ip link add {second} type dummy"))
        all_give_back_is_over()
        exchange = [f"ip link del {first}; ip link del {second}"]
        exchange += [f"ip link set $(ls /sys/bus/pci/devices/{vf}/net) name {name}" for vf, name in ((first_vf, second), (second_vf, first))]
        must(sh("n0", "; ".join(exchange)))
        run("n0", "container-ib", "reap")  # which may come first to the one whose name is not free yet
        must(run("n0", "container-ib", "reap"))


def test_nobody_gets_a_vf_that_an_orphan_holds_until_it_is_dead():
    one_more = ("-n1", "--overcommit", "--container-ib=vf,rails=1", "true")
    with site(), everything_comes_back():
        with SixSleepers() as step:
            must(run("n0", "kill", "-9", step.pid("slurmstepd"), step.pid("container-ib-ag")))
            assert len(step.tasks()) == 6
            refused = srun(*one_more)
            assert refused.status != 0 and "VF" in "\n".join(refused.ours()), refused
            assert len(step.tasks()) == 6
            assert "gave back" in must(run("n0", "container-ib", "reap")).out
            assert step.tasks() == []
            must(srun(*one_more))


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


def test_forty_steps_in_a_row_leave_nothing():
    with site():
        in_a_row(40, "vf,rails=1")


def soak_five_hundred_steps_in_a_row_leave_nothing():
    with site():
        in_a_row(500, "vf,rails=1")
