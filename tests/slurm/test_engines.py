"""Engines that a user starts inside the task, other than Charliecloud: what each shows inside, and that MPI starts there."""

from cluster import PINGPONG
from engines import bubblewrap, bundle_of_crun, bundle_of_runc
from verbs import each_task_has_the_hca_of_its_numa_node_and_no_other, mpi_starts

# What a task finds inside; `taskset` is not in the image.
ABOUT_ME = (
    "echo $SLURMD_NODENAME $SLURM_LOCALID cpus=$(grep Cpus_allowed_list /proc/self/status | cut -f2) "
    "ports=$CONTAINER_IB_PORTS ucx=$UCX_NET_DEVICES dev=$(ls /dev/infiniband | paste -sd,)"
)


def test_bubblewrap():
    each_task_has_the_hca_of_its_numa_node_and_no_other(ABOUT_ME, bubblewrap())
    mpi_starts(*bubblewrap(), PINGPONG)


def test_a_bundle_of_crun():
    with bundle_of_crun(PINGPONG) as command:
        mpi_starts(*command)


def test_a_bundle_of_runc():
    with bundle_of_runc(PINGPONG) as command:
        mpi_starts(*command)
