"""Slurm 24.05 and later can run user_init, task_post_fork and task_exit in the job's mount namespace, in a process that
shares slurmstepd's memory (contain_spank)."""

from cluster import must, srun
from slurm import private_tmp
from test_configurations import main_job_holds

SUITES = "trixie sid"


def test_the_main_job_holds_with_contain_spank():
    with private_tmp(SlurmdParameters="contain_spank"):
        must(srun("-w", "n0", "touch", "/tmp/of-an-earlier-job"))
        assert must(srun("-w", "n0", "--container-ib=verbs", "ls", "/tmp")).out == "", "this is no private /tmp"
        main_job_holds()
