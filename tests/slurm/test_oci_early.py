"""Slurm 22.05 writes config.json before a plugin has set a variable, and has one task a node with --container. The devices are
there, and the user is told what is not."""

from bundles import BUNDLE, CRUN, HERSELF, bundle, config, slurm_runs
from cluster import must, srun, uverbs_of

SUITES = "bookworm"


def test_the_devices_are_there_and_the_user_is_told_that_the_variables_are_not():
    about = "echo $(ls /dev/infiniband | paste -sd,) ports=$CONTAINER_IB_PORTS"
    with bundle(config(HERSELF)), slurm_runs(CRUN):
        done = must(srun("-w", "n0", "-n1", "--container-ib=verbs,hca=mlx5_1", f"--container={BUNDLE}", "sh", "-c", about))
        without = must(srun("-w", "n0", "-n1", f"--container={BUNDLE}", "sh", "-c", about))
    assert done.lines == [f"rdma_cm,{uverbs_of('n0', 'mlx5_1')} ports="] and "has none of the task's variables" in done.err, done
    assert without.lines == ["ports="] and "note:" not in without.err, without
