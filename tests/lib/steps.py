"""Steps that run while a test does something else."""

import shlex

from cluster import Background, journals, must, restart, run, sh, wait_until

SLEEPERS = ("-n2", "--container-ib=verbs", "sh", "-c", "sleep 300; true")


class BackgroundStep(Background):
    """Tasks that sleep on n0, and the processes around them. When they have ended, their job ends, and its epilog reaps, unless
    `job_stays`."""

    def __init__(self, *args, job_stays=False):
        command = ["srun", "--chdir=/tmp", "-w", "n0", *args]
        if job_stays:
            script = f"{shlex.join(command)}; tail -f /dev/null"
            command = ["sbatch", "--wait", "-o", "/dev/null", "-w", "n0", "-n2", "--chdir=/tmp", "--wrap", script]
        super().__init__(*command)

    def __enter__(self):
        wait_until(lambda: len(self.tasks()) == 2, 60, "two sleeping tasks")
        return self

    @staticmethod
    def tasks():
        return run("n0", "pgrep", "-xu", "alice", "sleep").lines

    @staticmethod
    def pid(name):
        # Not the slurmstepd of the job's extern step, and not the agent's other life, the reaper of an earlier job's epilog.
        words = {"slurmstepd": "-f '^slurmstepd: .[0-9]*[.]0.'", "container-ib-ag": "-f 'container-ib-agent step$'"}.get(name, name)
        return must(sh("n0", f"pgrep {words} | head -n 1")).out.strip()


def orphans_end(sleepers=SLEEPERS):
    """slurmstepd killed: its tasks end, and the agent, and nothing is left."""
    with BackgroundStep(*sleepers) as step:
        must(run("n0", "kill", "-9", step.pid("slurmstepd")))
        wait_until(lambda: not step.tasks(), 10, "the end of the orphans")
        wait_until(lambda: run("n0", "pgrep", "container-ib-ag").status == 1, 10, "the end of the agent")
        assert journals("n0") == []


def agents_death_leaves_the_step(sleepers=SLEEPERS, last="mount_devices of task"):
    """The agent killed: the tasks go on, and their step is nobody's leftover. `last`: what it had done last."""
    with BackgroundStep(*sleepers) as step:
        agent = step.pid("container-ib-ag")
        must(run("n0", "kill", "-9", agent))
        # A killed process still ends: what it has is its until then.
        wait_until(lambda: sh("n0", f"! grep -q '^State:.[^Z]' /proc/{agent}/status").status == 0, 10, "the agent's end")
        assert len(step.tasks()) == 2
        listed = must(run("n0", "container-ib", "list")).out
        assert "verbs" in listed and "agent died" in listed, listed
        others = run("n0", "container-ib", "list", user="bob")
        assert others.status == 2 and "only root can see attachments" in others.err, others
        assert must(run("n0", "container-ib", "reap")).out == "", "a running step is nobody's leftover"
        assert len(step.tasks()) == 2
        must(run("n0", "pkill", "-xu", "alice", "sleep"))
        done = step.end()
        assert done.err.count(f"n0: the agent of this step died after {last}") == 1, done
    wait_until(lambda: not journals("n0"), 30, "slurmstepd's reaping")
    must(sh("n0", "grep ' mount_devices ' /run/container-ib/died/*"))  # the journal that slurmstepd found


def both_killed_is_reaped_by_hand(sleepers):
    with BackgroundStep(*sleepers, job_stays=True) as step:
        must(run("n0", "kill", "-9", step.pid("container-ib-ag"), step.pid("slurmstepd")))
        assert len(step.tasks()) == 2, "nobody is left to end them"
        reaped = must(run("n0", "container-ib", "reap"))
        assert "gave back" in reaped.out, reaped
        assert step.tasks() == []


def both_killed_is_reaped_by_the_epilog(sleepers):
    with BackgroundStep(*sleepers) as step:
        must(run("n0", "kill", "-9", step.pid("container-ib-ag"), step.pid("slurmstepd")))
    wait_until(lambda: not journals("n0"), 30, "the epilog's reaping")
    assert BackgroundStep.tasks() == []


def slurmd_restarted_spares_the_running_step_and_reaps_the_dead_one(sleepers):
    with BackgroundStep(*sleepers) as dead:
        processes = [dead.pid("container-ib-ag"), dead.pid("slurmstepd")]
        with Background("srun", "--chdir=/tmp", "-w", "n0", "-n1", "--container-ib=verbs", "tail", "-f", "/dev/null"):
            wait_until(lambda: len(journals("n0")) == 2, 60, "a second step")
            must(run("n0", "kill", "-9", *processes))
            restart("n0", "slurmd")
            wait_until(lambda: len(journals("n0")) == 1, 20, "slurmd's reaping")
            assert dead.tasks() == []
            assert run("n0", "pgrep", "-xu", "alice", "tail").status == 0, "the living step goes on"
            listed = must(run("n0", "container-ib", "list")).out
            assert "running" in listed and "died" not in listed, listed


def deaths_leave_nothing(sleepers, left=lambda: journals("n0")):
    """slurmstepd killed: its agent gives back. Both killed: a reaper does. `left`: what there is of a step on n0."""
    with BackgroundStep(*sleepers) as step:
        must(run("n0", "kill", "-9", step.pid("slurmstepd")))
        wait_until(lambda: left() == [], 20, "the agent gives back what the orphans had")
    with BackgroundStep(*sleepers) as step:
        must(run("n0", "kill", "-9", step.pid("slurmstepd"), step.pid("container-ib-ag")))
        assert "gave back" in must(run("n0", "container-ib", "reap")).out
        assert left() == []


def root_does_inside(sleepers, commands):
    """Each of these in the networks of a step's tasks, which then ends."""
    for command in commands:
        with BackgroundStep(*sleepers) as step:
            for pid in step.tasks():
                must(run("n0", "nsenter", "-t", pid, "-n", "sh", "-c", command))
