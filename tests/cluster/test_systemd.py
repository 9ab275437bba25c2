"""A node as its distribution starts it: systemd and udevd, slurmd as a service with Delegate=yes, steps in the scope that
Slurm asks systemd for."""

import re

from cluster import HCAS, must, run, sh, srun, uverbs_of, wait_until
from steps import SLEEPERS, BackgroundStep, orphans_end

INSTANCE = "ctest-systemd ctest-sid-systemd"


def cgroup_of(pid):
    return must(run("n0", "cat", f"/proc/{pid}/cgroup")).out.strip().removeprefix("0::")


def test_slurmd_and_udevd_are_services_and_steps_have_a_scope_of_systemds():
    assert must(run("n0", "cat", "/proc/1/comm")).out == "systemd\n"
    assert must(run("n0", "systemctl", "is-active", "slurmd", "systemd-udevd")).lines == ["active"] * 2
    assert must(run("n0", "udevadm", "info", "-q", "property", "/sys/class/infiniband/mlx5_0")).out, "udev knows no HCA"
    step = must(srun("-n1", "cat", "/proc/self/cgroup")).out
    assert re.search(r"/system\.slice/\w*slurmstepd\.scope/(job_\d+|s\w+)/step_0/", step), step  # since 26.05 a SLUID


def test_each_task_has_the_hca_of_its_numa_node():
    script = "echo $SLURM_LOCALID $CONTAINER_IB_PORTS $(ls /dev/infiniband | paste -sd,) $(ulimit -l)"
    done = must(srun("-n2", "--cpu-bind=map_cpu:0,2", "--container-ib=verbs", "bash", "-c", script))
    assert sorted(done.lines) == [f"{task} {hca}:1 rdma_cm,{uverbs_of('n0', hca)} unlimited" for task, hca in enumerate(HCAS["n0"])], done


def test_the_agent_is_outside_the_step_and_the_service_and_outlives_slurmds_restart():
    with BackgroundStep(*SLEEPERS) as step:
        agent = step.pid("container-ib-ag")
        cgroup = cgroup_of(agent)
        assert "slurmstepd.scope/" in cgroup and "/step_" not in cgroup, cgroup
        must(run("n0", "systemctl", "restart", "slurmd"))
        must(run("n0", "systemctl", "daemon-reload"))
        wait_until(lambda: sh("n0", "sinfo -hN -o %T").out in ("mixed\n", "allocated\n"), 30, "slurmd is back")
        assert step.pid("container-ib-ag") == agent and cgroup_of(agent) == cgroup
        assert len(step.tasks()) == 2
        assert "verbs" in must(run("n0", "container-ib", "list")).out
    wait_until(lambda: run("n0", "pgrep", "container-ib-ag").status == 1, 10, "the end of the agent, and of the epilog's reaper")


def test_slurmstepd_killed_leaves_nothing():
    orphans_end()
