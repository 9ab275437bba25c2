"""Nodes whose names in Slurm are not their host names (NodeName=hpc-0 NodeHostname=n0)."""

import json

from cluster import must, run, srun
from slurm import files

INSTANCE = "native-names"


def test_steps_are_placed_by_slurms_names_and_run_on_the_hosts():
    done = must(srun("-w", "hpc-1", "-n1", "--container-ib=verbs", "sh", "-c", "echo $SLURMD_NODENAME $(hostname) $CONTAINER_IB_PORTS"))
    assert done.lines == ["hpc-1 n1 mlx5_0:1,mlx5_1:1"], done
    assert must(run("n0", "sinfo", "-hN", "-o", "%N")).lines == ["hpc-0", "hpc-1"]


def test_the_sites_rules_and_what_is_said_go_by_slurms_names():
    rules = 'modes.allow = ["verbs"]\n[[nodes]]\nname = "hpc-1"\nhca = ["mlx5_1"]\n[[nodes]]\nname = "n*"\nhca = []\n'
    with files({"container-ib.conf": rules}):
        done = must(srun("-w", "hpc-1", "-n1", "--container-ib=verbs,report=full", "printenv", "CONTAINER_IB_PORTS"))
        assert done.lines == ["mlx5_1:1"], done
        assert any(line.startswith("container-ib: hpc-1: rank 0 uses mlx5_1:1") for line in done.ours()), done
        # A shell on the node knows the host's name only.
        plan = ("container-ib", "plan", "--json", "--tasks", "1")
        assert json.loads(must(run("n1", *plan), 1).out)["tasks"][0]["ports"] == []
        assert json.loads(must(run("n1", *plan, "--node", "hpc-1")).out)["tasks"][0]["ports"] == ["mlx5_1:1"]
