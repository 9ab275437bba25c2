"""The processes of a step and what they have of each other: ADR 1. What follows when one of them dies: test_deaths.py."""

from cluster import must, run, sh, srun
from steps import SLEEPERS, BackgroundStep


def test_the_agent_is_a_process_of_its_own():
    """A child of init, in a session of its own, with an empty environment and nothing open but sockets and what it looks at."""
    with BackgroundStep(*SLEEPERS) as step:
        agent, slurmstepd = step.pid("container-ib-ag"), step.pid("slurmstepd")
        parent, session = must(run("n0", "ps", "-o", "ppid=,sid=", "-p", agent)).out.split()
        assert parent == "1" and session not in (agent, must(run("n0", "ps", "-o", "sid=", "-p", slurmstepd)).out.strip())
        assert must(run("n0", "cat", f"/proc/{agent}/environ")).out == ""
        assert must(run("n0", "readlink", f"/proc/{agent}/exe")).out.endswith("/container-ib-agent\n")
        links = "for fd in /proc/%s/fd/*; do readlink $fd; done | grep -o '^socket:.*\\|^/.*' | sort"
        of_slurmstepd = set(must(sh("n0", links % slurmstepd)).lines)
        shared = [link for link in must(sh("n0", links % agent)).lines if link in of_slurmstepd and link != "/dev/null"]
        assert shared == [], f"of slurmstepd's: {shared}"


def test_the_users_program_has_nothing_of_ours_open():
    """Channel, lifeline and namespaces. Pipes are Slurm's, which has sometimes more open than the three (22.05)."""
    # The shell lists the folder too that it reads, and has closed it by then: readlink's status says nothing.
    look = "for fd in /proc/$$/fd/*; do readlink $fd; done; true"
    done = must(srun("--container-ib=verbs", "-w", "n0", "-n1", "sh", "-c", look))
    assert len(done.lines) >= 3 and all(line.startswith(("pipe:", "/dev/null", "/proc/")) for line in done.lines), done


def test_hidden_devices_are_seen_through_a_process_that_has_them():
    """Hiding is a convenience: whoever may look into one of his processes outside of the step sees the node's devices there."""
    every = set(must(run("n0", "ls", "/dev/infiniband")).lines)
    look = "echo $(ls /dev/infiniband); echo $(ls /proc/$(pgrep -nxu alice tail)/root/dev/infiniband)"
    with BackgroundStep("-n2", "sh", "-c", "tail -f /dev/null & sleep 300; true"):
        done = must(srun("-w", "n0", "-n1", "--overlap", "--container-ib=verbs,rails=1", "sh", "-c", look))
    own, elsewhere = (set(line.split()) for line in done.lines)
    assert own < every and elsewhere == every, done
