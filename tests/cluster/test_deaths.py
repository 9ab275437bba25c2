"""Deaths in which cgroups matter: what the kernel kills, and whom a reaper finds. tests/slurm/test_deaths.py has the others."""

import re

from cluster import Background, journals, must, run, sh, wait_until
from steps import (
    SLEEPERS,
    both_killed_is_reaped_by_hand,
    both_killed_is_reaped_by_the_epilog,
    slurmd_restarted_spares_the_running_step_and_reaps_the_dead_one,
)

INSTANCE = "ctest ctest-trixie ctest-sid"  # soak: ctest-trixie


def test_a_task_out_of_memory():
    """The limit is the kernel's own, of the step's cgroup, as ConstrainRAMSpace sets it."""
    with Background("srun", "--chdir=/tmp", "-w", "n0", "-n1", "--container-ib=verbs", "sh", "-c", "until [ -e /tmp/go ]; do sleep 0.1; done; exec tail /dev/zero") as step:
        wait_until(lambda: journals("n0"), 60, "the step")
        must(sh("n0", "echo 64M > $(dirname $(find /sys/fs/cgroup -path '*/step_0/user/memory.max'))/memory.max && touch /tmp/go"))
        done = step.end()
    must(run("n0", "rm", "/tmp/go"))
    assert done.status != 0 and re.search("oom|out of memory|killed", done.err, re.IGNORECASE), done


def test_both_killed_is_reaped_by_hand_with_all_its_processes():
    both_killed_is_reaped_by_hand(SLEEPERS)


def test_both_killed_is_reaped_by_the_epilog_with_all_its_processes():
    both_killed_is_reaped_by_the_epilog(SLEEPERS)


def test_slurmd_restarted_spares_the_running_step_and_reaps_the_dead_one_with_all_its_processes():
    slurmd_restarted_spares_the_running_step_and_reaps_the_dead_one(SLEEPERS)
