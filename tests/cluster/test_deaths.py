"""Each process of a step is killed at each point; nothing waits for the dead and nothing is left.

The runner checks after every test that both nodes are clean and idle."""

import pathlib

from cluster import INSTANCE, TESTBED, journals, must, run, sh, srun, wait_until, write  # noqa: F401

import subprocess

KILLER = (pathlib.Path(__file__).parent / "killer.c").read_text(encoding="utf-8")
PLUGINS = "/etc/slurm/plugstack.conf.d"
REPORT = "echo task $SLURM_LOCALID $CONTAINER_IB_PORTS"


def install_killers():
    """A SPANK plugin that kills its task in a hook, once before ours in the stack and once after."""
    if run("n0", "test", "-e", "/usr/local/lib/killer_after.so").status == 0:
        return
    write("n0", "/usr/local/src/killer.c", KILLER)
    for where in ("before", "after"):
        must(run("n0", "gcc", "-shared", "-fPIC", f"-DWHERE={where}", "-o", f"/usr/local/lib/killer_{where}.so", "/usr/local/src/killer.c", timeout=60))
    write("n0", f"{PLUGINS}/00-killer.conf", "required /usr/local/lib/killer_before.so\n")
    write("n0", f"{PLUGINS}/zz-killer.conf", "required /usr/local/lib/killer_after.so\n")


def four_tasks_one_killed(where, hook, victim):
    install_killers()
    done = srun("-w", "n0", "-n4", "--overcommit", "--container-ib=verbs", f"--kill-{where}={hook}:{victim}", "sh", "-c", REPORT)
    assert done.status != 0, done
    tasks = sorted(line.split()[1] for line in done.lines if line.startswith("task ") and "mlx5_" in line)
    assert tasks == [str(task) for task in range(4) if task != victim], done


def test_a_task_killed_before_its_namespace_is_made():
    four_tasks_one_killed("before", "task_init_privileged", 0)


def test_a_task_killed_after_its_namespace_is_made():
    four_tasks_one_killed("after", "task_init_privileged", 1)


def test_a_task_killed_before_it_reports():
    four_tasks_one_killed("before", "task_init", 2)


def test_a_task_killed_after_it_is_attached():
    four_tasks_one_killed("after", "task_init", 3)


def test_a_task_killed_while_it_runs():
    script = f"{REPORT}; [ $SLURM_LOCALID != 1 ] || kill -9 $$"
    done = srun("-w", "n0", "-n4", "--overcommit", "--container-ib=verbs", "sh", "-c", script)
    assert done.status != 0 and len(done.lines) == 4, done


class BackgroundStep:
    """Tasks that sleep on n0, and the processes around them."""

    def __init__(self, *args):
        words = [str(TESTBED), "exec", "--name", INSTANCE, "--user", "alice", "-t", "120", "n0", "srun", "--chdir=/tmp", "-w", "n0", *args]
        self.srun = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        wait_until(lambda: len(self.tasks()) == 2, 30, "two sleeping tasks")
        return self

    def __exit__(self, *_):
        must(sh("n0", "scancel -u alice; true"))
        try:
            self.out, self.err = self.srun.communicate(timeout=60)
        finally:
            self.srun.kill()

    @staticmethod
    def tasks():
        return run("n0", "pgrep", "-xu", "alice", "sleep").lines

    @staticmethod
    def pid(name):
        words = name if name != "slurmstepd" else "-f '^slurmstepd: .[0-9]*[.]0.'"  # not that of the job's extern step
        return must(sh("n0", f"pgrep {words} | head -n 1")).out.strip()


SLEEPERS = ("-n2", "--container-ib=verbs", "sh", "-c", "sleep 300; true")


def test_slurmstepd_killed_ends_its_orphans():
    with BackgroundStep(*SLEEPERS) as step:
        must(run("n0", "kill", "-9", step.pid("slurmstepd")))
        wait_until(lambda: not step.tasks(), 10, "the end of the orphans")
        wait_until(lambda: run("n0", "pgrep", "container-ib-ag").status == 1, 10, "the end of the agent")
        assert journals("n0") == []


def test_the_agent_killed_leaves_the_tasks_running_and_its_journal_is_reaped():
    with BackgroundStep(*SLEEPERS) as step:
        must(run("n0", "kill", "-9", step.pid("container-ib-ag")))
        assert len(step.tasks()) == 2
        listed = must(run("n0", "container-ib", "list")).out
        assert "verbs" in listed and "agent died" in listed, listed
        others = run("n0", "container-ib", "list", user="bob")
        assert others.status == 2 and "only root can see attachments" in others.err, others
        assert must(run("n0", "container-ib", "reap")).out == "", "a running step is nobody's leftover"
        assert len(step.tasks()) == 2


def test_both_killed_is_reaped_by_hand():
    with BackgroundStep(*SLEEPERS) as step:
        must(run("n0", "kill", "-9", step.pid("container-ib-ag"), step.pid("slurmstepd")))
        assert len(step.tasks()) == 2, "nobody is left to end them"
        reaped = must(run("n0", "container-ib", "reap"))
        assert "gave back" in reaped.out, reaped
        assert step.tasks() == []


def test_both_killed_is_reaped_by_the_epilog():
    with BackgroundStep(*SLEEPERS) as step:
        must(run("n0", "kill", "-9", step.pid("container-ib-ag"), step.pid("slurmstepd")))
    wait_until(lambda: not journals("n0"), 30, "the epilog's reaping")
    assert BackgroundStep.tasks() == []
