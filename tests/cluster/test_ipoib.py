"""Mode ipoib: a child of the chosen HCA's IPoIB interface in each task's own network namespace."""

import itertools

from cluster import PINGPONG, contents, journals, must, run, sh, srun, testbed, wait_until
from mpi import mpi_starts, pmi2_answers
from picture import everything_comes_back
from steps import BackgroundStep, deaths_leave_nothing, root_does_inside
from verbs import has_mpi

INSTANCE = "ctest ctest-trixie ctest-sid"

SITE = "/etc/slurm/container-ib.conf"


MODES = '[modes]\nallow = ["verbs", "ipoib"]\n[pkeys]\nallow = [0x8001, 0x8005]\n[timeouts]\ncarrier_s = 3\n'


def site():
    """The modes allowed, beside what the testbed has in the file."""
    return contents(SITE, MODES + must(run("n0", "cat", SITE)).out)


def children():
    """IPoIB interfaces with a parent, on the nodes and in the guest itself, where the kernel sends what outlived its namespace."""
    return [line for node in ("n0", "n1", "host") for line in must(sh(node, "ip -o link | grep -E 'ib[^@]*@|: (cib|dev)'; true")).lines]


def test_mpi_over_two_nodes_is_native_and_the_children_go():  # soak: ctest-trixie
    has_mpi("pmix")
    with site():
        done = must(srun("-N2", "-n2", "--mpi=pmix", "--container-ib=ipoib,rails=1,report=full", "sh", "-c", f"ip -o link >&2; exec {PINGPONG}", timeout=120))
        assert '"ranks": 2' in done.out and done.err.count("ib0@") == 2, done
        for node in ("n0", "n1"):
            assert any(line.startswith(f"container-ib: {node}: native:") for line in done.ours()), done
        wait_until(lambda: children() == [], 20, "no child is left")


def test_the_partition_is_the_one_that_was_asked_for():  # soak: ctest-trixie
    with site():
        done = must(srun("-n1", "-w", "n0", "--container-ib=ipoib,rails=1,pkey=0x8001", "sh", "-c", "ip -d link show ib0; echo $UCX_IB_PKEY"))
        assert "pkey 0x8001" in done.out and done.lines[-1] == "0x0001", done
        refused = srun("-n1", "-w", "n0", "--container-ib=ipoib,rails=1,pkey=0x8005", "true")
        assert refused.status != 0 and "its P_Key table lacks 0x8005" in "\n".join(refused.ours()), refused
        refused = srun("-n1", "-w", "n0", "--container-ib=ipoib,rails=1,pkey=0x8002", "true")
        assert refused.status != 0 and "pkey=0x8002 is not allowed at this site" in "\n".join(refused.ours()), refused
        assert children() == []


def test_no_subnet_manager_is_named_as_the_reason_for_no_carrier():  # soak: ctest-trixie
    with site():
        must(testbed("fabric", "n0", "sm=off"))
        try:
            refused = srun("-n1", "-w", "n0", "--container-ib=ipoib,rails=1,pkey=0x8001", "true")
        finally:
            must(testbed("fabric", "n0", "sm=on"))
        assert refused.status != 0 and "has no carrier after 3 s: the subnet manager" in "\n".join(refused.ours()), refused
        wait_until(lambda: children() == [], 20, "no child is left")


def test_check_and_doctor_know_a_child_by_its_tag():  # soak: ctest-trixie
    inside = "nsenter --net=$(echo /run/container-ib/*/netns-0)"
    with site():
        assert "ok    mode ipoib" in must(run("n0", "container-ib", "doctor")).lines
        with BackgroundStep("-n2", "--container-ib=ipoib,rails=1,pkey=0x8001", "sh", "-c", "sleep 300; true"):
            must(run("n0", "container-ib", "check"))
            must(sh("n0", f"{inside} ip link set ib0 down; {inside} ip link set ib0 name x; {inside} ip link set x up"))
            done = must(run("n0", "container-ib", "check"), status=1)
            assert "ipoib_child: the IPoIB interface tagged container-ib:" in done.err and "is called x instead of ib0" in done.err, done
            must(sh("n0", f"{inside} ip link del x"))
            done = must(run("n0", "container-ib", "check"), status=1)
            assert "ipoib_child: no IPoIB interface tagged container-ib:" in done.err, done
        wait_until(lambda: children() == [], 20, "no child is left")


def test_whoever_is_killed_no_child_is_left():  # soak: ctest-trixie
    sleepers = ("-n2", "--container-ib=ipoib,rails=1", "sh", "-c", "sleep 300; true")
    with site():
        deaths_leave_nothing(sleepers, lambda: journals("n0") + children())


def test_whatever_root_does_to_a_child_inside_and_to_its_parent_nothing_is_left():  # soak: ctest-trixie
    sleepers = ("-n2", "--container-ib=ipoib,rails=1", "sh", "-c", "sleep 300; true")
    inside = ("ip link set ib0 down && ip link set ib0 name mine", "ip link set ib0 alias mine", "ip link del ib0")
    with site(), everything_comes_back():
        root_does_inside(sleepers, inside)
        with BackgroundStep(*sleepers) as step:
            (pid, _) = step.tasks()
            must(sh("n0", "ip link set ib0 down; ip link set ib1 down"))
            try:
                wait_until(lambda: "LOWER_UP" not in must(run("n0", "nsenter", "-t", pid, "-n", "ip", "link", "show", "ib0")).out, 20, "the child loses its carrier")
            finally:
                must(sh("n0", "ip link set ib0 up; ip link set ib1 up"))
        with BackgroundStep(*sleepers) as step:  # the container dies first
            must(run("n0", "kill", "-9", *step.tasks()))
        wait_until(lambda: children() == [], 20, "no child is left")


def test_mpi_starts_in_eight_networks_of_a_node():  # soak: ctest-trixie
    with site():
        mpi_starts(8, "ipoib,rails=1,scope=task")


def soak_mpi_starts_whatever_the_number_of_tasks():
    with site():
        for tasks, scope in itertools.product((1, 8, 32), ("task", "node")):
            mpi_starts(tasks, f"ipoib,rails=1,scope={scope}")
        for scope in ("task", "node"):
            pmi2_answers(8, f"ipoib,rails=1,scope={scope}")
