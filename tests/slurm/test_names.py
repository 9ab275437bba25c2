"""Nodes whose names in Slurm are not their host names (NodeName=hpc-0 NodeHostname=n0)."""

from cluster import must, run, srun

INSTANCE = "native-names"


def test_steps_are_placed_by_slurms_names_and_run_on_the_hosts():
    done = must(srun("-w", "hpc-1", "-n1", "--container-ib=verbs", "sh", "-c", "echo $SLURMD_NODENAME $(hostname) $CONTAINER_IB_PORTS"))
    assert done.lines == ["hpc-1 n1 mlx5_0:1,mlx5_1:1"], done
    assert must(run("n0", "sinfo", "-hN", "-o", "%N")).lines == ["hpc-0", "hpc-1"]
