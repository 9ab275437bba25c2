"""Each process of a step is killed at each point; nothing waits for the dead and nothing is left.

The runner checks after every test that both nodes are clean and idle."""

import pathlib

from cluster import HCAS, Background, journals, must, run, sh, srun, wait_until, write
from steps import (
    agents_death_leaves_the_step,
    both_killed_is_reaped_by_hand,
    both_killed_is_reaped_by_the_epilog,
    orphans_end,
    slurmd_restarted_spares_the_running_step_and_reaps_the_dead_one,
)

INSTANCE = "native-changed"

ALONE = ("-n2", "--container-ib=verbs", "sleep", "300")
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


def test_slurmstepd_killed_ends_its_orphans():
    orphans_end()


def test_the_agent_killed_before_the_tasks_reach_it():
    install_killers()
    killed = ("-w", "n0", "-n2", "--kill-before=task_init_privileged:agent", "sh", "-c", REPORT)
    done = srun("--container-ib=verbs", *killed)
    assert done.status != 0 and done.out == "", done
    assert "the agent on this node died; see its syslog and try again" in "\n".join(done.ours()), done
    done = must(srun("--container-ib", *killed))
    assert sorted(line.strip() for line in done.lines) == ["task 0", "task 1"], done
    assert len([line for line in done.ours() if "going on without InfiniBand: the agent" in line]) == 2, done


def test_the_agent_stopped_while_the_tasks_wait_for_it():
    install_killers()
    command = ("srun", "--chdir=/tmp", "-w", "n0", "-n2", "--container-ib=verbs", "--kill-before=task_init_privileged:pause", "sh", "-c", REPORT)
    for signal in ("CONT", "KILL"):
        with Background(*command) as step:
            # Tasks that have become the user and not yet its program.
            wait_until(lambda: len(run("n0", "pgrep", "-u", "alice", "slurmstepd").lines) == 2, 60, "two waiting tasks")
            assert set(run("n0", "ps", "-o", "state=", "-C", "container-ib-ag").out.split()) == {"T"}
            must(run("n0", "pkill", f"-{signal}", "container-ib-ag"))
            done = step.end()
        if signal == "CONT":
            assert sorted(must(done).lines) == [f"task {task} {hca}:1" for task, hca in enumerate(HCAS["n0"])], done
        else:
            assert done.status != 0 and done.out == "" and "the agent on this node died" in "\n".join(done.ours()), done


def test_the_agent_killed_leaves_the_tasks_running_and_its_journal_is_reaped():
    agents_death_leaves_the_step()


# Where a step has no cgroup its journal names its tasks, and nobody finds the children of one whose step is dead.
def test_both_killed_is_reaped_by_hand():
    both_killed_is_reaped_by_hand(ALONE)


def test_both_killed_is_reaped_by_the_epilog():
    both_killed_is_reaped_by_the_epilog(ALONE)


def test_slurmd_restarted_spares_the_running_step_and_reaps_the_dead_one():
    slurmd_restarted_spares_the_running_step_and_reaps_the_dead_one(ALONE)


def test_a_job_that_is_requeued_gets_its_ports_again():
    script = (
        "#!/bin/sh\nsrun -n1 sh -c 'echo run=$SLURM_RESTART_COUNT ports=$CONTAINER_IB_PORTS; "
        '[ "$SLURM_RESTART_COUNT" ] || sleep 300\'\n'
    )
    write("n0", "/home/alice/again.sh", script, "755")
    # Without --wait: sbatch may see the job when its first run has just ended, and takes that for its end.
    options = ("--requeue", "--chdir=/home/alice", "-o", "again.out", "--open-mode=append", "-w", "n0", "-n1")
    must(run("n0", "rm", "-f", "/home/alice/again.out"))
    with Background("sbatch", *options, "--container-ib=verbs", "again.sh") as submission:
        must(submission.end())
        wait_until(lambda: run("n0", "pgrep", "-xu", "alice", "sleep").status == 0, 60, "the first run")
        must(sh("n0", "scontrol requeue $(squeue -hu alice -o %i)"))
        # Slurm has it start two minutes after it has seen the first run end, so not before then is it told otherwise. A credential that
        # is made in the second of that end is revoked with the first run's ("already killed, do not launch batch job").
        wait_until(lambda: run("n0", "squeue", "-hu", "alice", "-o", "%T").lines == ["PENDING"], 60, "the end of the first run")
        assert journals("n0") == []
        must(sh("n0", "scontrol update jobid=$(squeue -hu alice -o %i) starttime=now+2seconds"))
        wait_until(lambda: run("n0", "squeue", "-hu", "alice").out == "", 60, "the end of the second run")
    said = must(run("n0", "cat", "/home/alice/again.out")).out
    lines = [line for line in said.splitlines() if line.startswith("run=")]
    ports = ",".join(f"{hca}:1" for hca in HCAS["n0"])
    assert lines == [f"run= ports={ports}", f"run=1 ports={ports}"], said
