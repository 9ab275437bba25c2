"""The main job under the ways in which sites configure Slurm. Its default here: cgroup v2, tasks bound to cores, devices
constrained, an own slurmd on each node that reads /etc/slurm."""

import contextlib

from cluster import HCAS, NODES, must, run, sh, srun, write
from slurm import configured, files, text_of
from test_deaths import (
    install_killers,
    test_slurmstepd_killed_ends_its_orphans,
    test_the_agent_killed_leaves_the_tasks_running_and_its_journal_is_reaped,
)
from test_verbs import test_each_task_has_the_hca_of_its_numa_node_and_no_other, test_mpi_between_nodes_is_native_in_the_container

INSTANCE = "ctest ctest-trixie"  # soak: ctest


def main_job_holds():
    test_each_task_has_the_hca_of_its_numa_node_and_no_other()
    test_mpi_between_nodes_is_native_in_the_container()
    test_slurmstepd_killed_ends_its_orphans()


# A job's own /tmp and /dev/shm, in a mount namespace that all of its tasks join. /var/spool/slurmd is each node's own.
PRIVATE_TMP = "AutoBasePath=true\nBasePath=/var/spool/slurmd/private\n"


def test_a_private_tmp_and_all_limits_of_the_user():
    settings = {"JobContainerType": "job_container/tmpfs", "PrologFlags": "Contain", "PropagateResourceLimits": "ALL"}
    with configured(settings, {"job_container.conf": PRIVATE_TMP}):
        must(srun("-w", "n0", "touch", "/tmp/of-an-earlier-job"))
        assert must(srun("-w", "n0", "--container-ib=verbs", "ls", "/tmp")).out == "", "this is no private /tmp"
        main_job_holds()


def test_without_cgroups_and_without_masks():
    with configured({"ProctrackType": "proctrack/linuxproc", "TaskPlugin": "task/none"}):
        # each may run on all of the node's CPUs: its MPI library chooses, unless the user counts the ports
        said = ("sh", "-c", "echo $SLURMD_NODENAME $CONTAINER_IB_PORTS $(nproc)")
        done = must(srun("-N2", "-n4", "--container-ib=verbs", *said))
        both = {node: ",".join(f"{hca}:1" for hca in HCAS[node]) for node in NODES}
        assert sorted(done.lines) == [f"{node} {both[node]} 2" for node in NODES for _ in range(2)], done
        done = must(srun("-N2", "-n4", "--container-ib=verbs,rails=1", *said))
        assert sorted(done.lines) == [f"{node} {hca}:1 2" for node in NODES for hca in HCAS[node]], done
        test_mpi_between_nodes_is_native_in_the_container()
        test_slurmstepd_killed_ends_its_orphans()


V1 = "/run/cgroup-v1"
V1_CONF = f"CgroupPlugin=cgroup/v1\nCgroupMountpoint={V1}\nConstrainDevices=yes\n"


@contextlib.contextmanager
def controllers_of_v1():
    """Mounts freezer and devices, which v2 does not use, as v1 hierarchies beside it: a hybrid node. The others belong
    to v2's tree for as long as a node's cgroup uses them. Only outside of cgroup namespaces a hierarchy can be made."""
    places = ("host", *NODES)
    for node in places:
        must(sh(node, f"mkdir -p {V1} && mount -t tmpfs tmpfs {V1} && mkdir {V1}/freezer {V1}/devices"))
        must(sh(node, f"for c in freezer devices; do mount -t cgroup -o $c cgroup {V1}/$c || exit; done"))
    try:
        yield
    finally:
        sh("host", f"find {V1} -mindepth 2 -depth -type d -exec rmdir {{}} +")  # else the hierarchies stay
        for node in reversed(places):
            must(sh(node, f"umount -R {V1}"))


def test_cgroup_v1():
    with configured({}, {"cgroup.conf": V1_CONF}, around=controllers_of_v1()):
        in_v1 = "grep -cE ':(freezer|devices):.*/job_[0-9]+/step_0' /proc/self/cgroup"
        assert must(srun("-w", "n0", "--container-ib=verbs", "sh", "-c", in_v1)).out == "2\n"
        test_each_task_has_the_hca_of_its_numa_node_and_no_other()
        test_slurmstepd_killed_ends_its_orphans()
        test_the_agent_killed_leaves_the_tasks_running_and_its_journal_is_reaped()
        # of a killed slurmstepd empty ones may stay
        held = must(sh("n0", f"find {V1} -path '*/job_*/cgroup.procs' -exec cat {{}} +")).lines
        assert held == [], held


@contextlib.contextmanager
def no_configuration_of_slurm(node):
    """Leaves a node the plugin's own file. Slurm distributes plugstack.conf, but no file that it does not know."""
    site = text_of("container-ib.conf")
    must(run(node, "mount", "-t", "tmpfs", "tmpfs", "/etc/slurm"))
    try:
        write(node, "/etc/slurm/container-ib.conf", site)
        yield
    finally:
        must(run(node, "umount", "/etc/slurm"))


def test_a_node_that_gets_its_configuration_from_slurmctld():
    with configured(
        {"SlurmctldParameters": "enable_configless"},
        {"plugstack.conf": "required container_ib.so\n"},
        around=no_configuration_of_slurm("n1"),
        slurmd={"n1": ("--conf-server", "host:6817")},
    ):
        test_each_task_has_the_hca_of_its_numa_node_and_no_other()
        test_mpi_between_nodes_is_native_in_the_container()
        on_itself = ("srun", "--chdir=/tmp", "-w", "n1", "--container-ib=verbs", "printenv", "CONTAINER_IB_MODE")
        assert must(run("n1", *on_itself, user="alice")).out == "verbs\n"


OURS = "required container_ib.so config=/etc/slurm/container-ib.conf\n"


def ports_with(plugstack, *options):
    with files({"plugstack.conf": plugstack}):
        return srun("-w", "n0", "-n2", "--container-ib=verbs", *options, "printenv", "CONTAINER_IB_PORTS")


def test_the_plugin_may_be_listed_first_last_or_twice():
    install_killers()
    before, after = (f"required /usr/local/lib/killer_{where}.so\n" for where in ("before", "after"))
    own = [f"{hca}:1" for hca in HCAS["n0"]]
    for plugstack in (OURS, OURS + before + after, before + after + OURS):
        done = must(ports_with(plugstack))
        assert sorted(done.lines) == own and "error" not in done.err, (plugstack, done)
    twice = "listed more than once in plugstack.conf: the first line counts, remove the others"
    for plugstack in (OURS + OURS, OURS + before + OURS, OURS + OURS.replace("config=", "state=/nowhere config=/nowhere")):
        done = must(ports_with(plugstack))
        assert sorted(done.lines) == own and twice in done.err, (plugstack, done)
    done = ports_with(OURS.replace("config=", "config=/nowhere") + OURS)
    assert done.status != 0 and done.out == "" and "/nowhere" in "\n".join(done.ours()), done


def test_what_another_plugin_returns():
    """Up to 24.11 Slurm goes on after a positive number as after 0, but calls that hook of no further plugin: the task, or
    the step, is then not attached. A negative number ends it."""
    install_killers()
    own, alone, nobody = [f"{hca}:1" for hca in HCAS["n0"]], [",".join(f"{hca}:1" for hca in HCAS["n0"])], []
    for where, hook, code, attached in (
        ("before", "init_post_opt", 3000, nobody),
        ("before", "task_post_fork", 3000, alone),
        ("before", "task_init", 3000, alone),
        ("after", "task_init", 3000, own),
        ("before", "init_post_opt", -1, nobody),
        ("before", "task_init_privileged", -1, alone),
        ("after", "task_post_fork", -1, nobody),
        ("after", "task_init", -1, own[:1]),
    ):
        option = f"--kill-{where}={hook}:1:{code}"
        done = srun("-w", "n0", "-n2", "--container-ib=verbs", option, "printenv", "CONTAINER_IB_PORTS")
        assert sorted(done.lines) == attached, (option, done)
