"""contain_spank (tests/slurm/test_contain_spank.py) where tasks are in cgroups."""

from cluster import PINGPONG
from slurm import private_tmp
from steps import orphans_end
from verbs import IN_CONTAINER, assert_native, each_task_has_the_hca_of_its_numa_node_and_no_other

INSTANCE = "ctest-trixie"


def soak_the_main_job_holds_with_contain_spank():
    with private_tmp(SlurmdParameters="contain_spank"):
        each_task_has_the_hca_of_its_numa_node_and_no_other()
        assert_native(*IN_CONTAINER, PINGPONG)
        orphans_end()
