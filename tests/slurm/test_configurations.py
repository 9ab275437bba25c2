"""The main job under the ways in which sites configure Slurm. tests/cluster/test_configurations.py has cgroups."""

import contextlib

from cluster import HCAS, NODES, journals, must, run, sh, skip, srun, suite, wait_until, write
from slurm import configured, files, private_tmp, slurm_release, text_of
from steps import SLEEPERS, BackgroundStep, orphans_end
from test_deaths import install_killers
from verbs import each_task_has_the_hca_of_its_numa_node_and_no_other, mpi_starts

INSTANCE = "native-changed"


def main_job_holds():
    each_task_has_the_hca_of_its_numa_node_and_no_other()
    mpi_starts()
    orphans_end()


def test_a_private_tmp_and_all_limits_of_the_user():
    with private_tmp(PropagateResourceLimits="ALL"):
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
        mpi_starts()
        orphans_end()


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
        each_task_has_the_hca_of_its_numa_node_and_no_other()
        mpi_starts()
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
    the step, is then not attached. A negative number ends it. From 25.05 on every number but 0 does."""
    goes_on = slurm_release() < (25, 5)
    install_killers()
    own, alone, nobody = [f"{hca}:1" for hca in HCAS["n0"]], [",".join(f"{hca}:1" for hca in HCAS["n0"])], []
    for where, hook, code, attached in (
        ("before", "init_post_opt", 3000, nobody),
        ("before", "task_post_fork", 3000, alone if goes_on else nobody),
        ("before", "task_init", 3000, alone),
        ("after", "task_init", 3000, own if goes_on else own[:1]),
        ("before", "init_post_opt", -1, nobody),
        ("before", "task_init_privileged", -1, alone),
        ("after", "task_post_fork", -1, nobody),
        ("after", "task_init", -1, own[:1]),
    ):
        option = f"--kill-{where}={hook}:1:{code}"
        done = srun("-w", "n0", "-n2", "--container-ib=verbs", option, "printenv", "CONTAINER_IB_PORTS")
        assert sorted(done.lines) == attached, (option, done)


def job_namespaces(flags):
    """Slurm's namespace/linux, which 25.11 brought."""
    if suite() != "sid":
        skip(f"the Slurm of {suite()} has no namespace/linux")
    text = f"defaults:\n  auto_base_path: true\n  base_path: /var/spool/slurmd/ns\n  clone_ns_flags: {flags}\n"
    return configured({"NamespaceType": "namespace/linux", "PrologFlags": "Contain"}, {"namespace.yaml": text})


def test_a_job_in_a_pid_namespace_of_its_own():
    """slurmstepd and agent are in it, so that the numbers in the journal are not the node's."""
    with job_namespaces("CLONE_NEWNS|CLONE_NEWPID"):
        with BackgroundStep(*SLEEPERS) as step:
            journal = must(sh("n0", "cat /run/container-ib/[0-9]*/journal")).out
            assert f"agent_pid={step.pid('container-ib-ag')} " not in journal, "its number is the node's"
            assert must(run("n0", "container-ib", "list")).out.splitlines()[1].endswith("running")
            assert must(run("n0", "container-ib", "reap")).out == ""
            assert "attachments: 1, as recorded" in must(run("n0", "container-ib", "check")).out
            assert len(step.tasks()) == 2
        wait_until(lambda: not journals("n0"), 30, "the end of the step")


def test_a_job_in_a_user_namespace_is_refused_by_name():
    with job_namespaces("CLONE_NEWNS|CLONE_NEWPID|CLONE_NEWUSER"):
        done = srun("-w", "n0", "-n1", "--container-ib=verbs", "true")
        assert done.status != 0 and "user namespace" in done.err, done
        assert must(srun("-w", "n0", "-n1", "id", "-un")).out == "alice\n"
        assert must(run("n0", "sinfo", "-hn", "n0", "-o", "%t")).out.strip() in ("idle", "comp"), "drained for a user's wish"
