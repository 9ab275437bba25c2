"""The shapes that jobs come in: each step that asks has its ports, whatever Slurm puts around it."""

import json
import re

from cluster import HCAS, PINGPONG, PINGPONG_MPICH, must, run, sh, skip, srun, suite
from jobs import MPIRUN, WHO, both, said, sbatch, script
from slurm import configured
from verbs import IN_CONTAINER, by_tcp, mpi_starts


def export():
    """The same in a script."""
    return f"export {' '.join(by_tcp()[1:])}\n"


def test_two_jobs_of_an_array_at_once_with_steps_one_after_the_other_and_overlapping():
    script(
        "array.sh",
        "touch $SLURM_ARRAY_TASK_ID.here; until [ -e 0.here ] && [ -e 1.here ]; do sleep 0.1; done\n"
        "one() { srun --overlap -n1 --mem=0 sh -c \"echo $1 \\$CONTAINER_IB_PORTS\"; }\n"
        "one first; one second & one third & wait\n"
        "srun -n1 --container-ib=none sh -c 'echo none $CONTAINER_IB_PORTS'\n",
    )
    must(sh("n0", "rm -f /home/alice/*.here"))
    out = sbatch("--array=0-1", "-w", "n0", "-n1", "--container-ib=verbs", "array.sh")
    expected = [f"{step} {both('n0')}" for step in ("first", "second", "third")] + ["none"]
    assert sorted(said(out)) == sorted(expected * 2), out


def test_the_components_of_a_heterogeneous_step():
    """srun keeps one value of the option for all components, so they all ask."""
    command = ("sh", "-c", "echo $SLURMD_NODENAME $SLURM_PROCID $CONTAINER_IB_PORTS")
    done = must(srun("-w", "n0", "-n1", "--container-ib=verbs,rails=1", *command, ":", "-w", "n1", "-n2", *command, timeout=150))
    # What a component has is its own node's.
    assert [line.split()[:2] for line in sorted(done.lines)] == [["n0", "0"], ["n1", "1"], ["n1", "2"]], done
    ports = {node: [line.split()[2] for line in sorted(done.lines) if line.startswith(node)] for node in HCAS}
    assert ports["n0"][0] in [f"{hca}:1" for hca in HCAS["n0"]], done
    assert sorted(ports["n1"]) == [f"{hca}:1" for hca in HCAS["n1"]], done


def test_a_batch_script_is_attached_when_it_asks():
    script("batch.sh", "echo script=$CONTAINER_IB_PORTS $(ls /dev/infiniband | grep -c uverbs)\n")
    out = sbatch("-w", "n0", "-n1", "--container-ib=verbs,batch=yes", "batch.sh")
    assert said(out) == [f"script={both('n0')} 2"], out


def test_a_terminal():
    inner = "srun --pty -w n0 -n1 --container-ib=verbs sh -c 'tty; echo ports=$CONTAINER_IB_PORTS'"
    done = must(run("n0", "script", "-qec", inner, "/dev/null", user="alice", timeout=90))
    assert re.search(r"/dev/pts/\d+", done.out) and f"ports={both('n0')}" in done.out, done


def test_128_tasks_on_a_node_whose_structure_is_not_known_yet():
    must(run("n0", "rm", "-f", "/run/container-ib/inventory"))
    done = must(srun("-w", "n0", "-n128", "--overcommit", "--container-ib=verbs", "printenv", "CONTAINER_IB_PORTS", timeout=240))
    # All of them run on CPU 0, whose HCA therefore gets more of them, but not all.
    near, far = (done.lines.count(f"{hca}:1") for hca in HCAS["n0"])
    assert near + far == 128 and near > far > 0, (near, far)


def test_an_mpi_that_starts_over_pmi2_and_mpi_none():
    mpi_starts(*IN_CONTAINER, PINGPONG_MPICH, mpi="pmi2")
    done = must(srun("-w", "n0", "-n1", "--mpi=none", "--container-ib=verbs", "bash", "-c", "echo $CONTAINER_IB_PORTS ${PMI_FD-no} ${PMIX_RANK-no}"))
    assert done.out == f"{both('n0')} no no\n", done


def test_mpirun_in_a_batch_script_and_in_salloc():
    """mpirun starts the rank of its own node itself, outside of any step that asked, and that of n1 by a daemon step."""
    if suite() == "sid":
        skip("Open MPI 6.0rc2 finds no way between the nodes by TCP, with the plugin and without")
    options = ("-N2", "--ntasks-per-node=1", "--container-ib=verbs")
    ranks = {"rank on n0:", f"rank on n1: {both('n1')}"}
    script("mpirun.sh", f"{export()}{MPIRUN} -n 2 sh -c '{WHO}; exec {PINGPONG}'\n")
    out = sbatch(*options, "mpirun.sh", timeout=240)
    assert ranks <= set(said(out)) and json.loads(said(out)[-1])["ranks"] == 2, out
    # Open MPI shows what its daemon steps say to those who debug them.
    command = f"cd /tmp; exec salloc {' '.join(options)} {MPIRUN} --debug-daemons -n 2 sh -c '{WHO}'"
    done = must(run("n0", "bash", "-c", command, user="alice", timeout=240))
    assert ranks <= set(said(done)), done
    line = f"container-ib: n1: mpirun starts the ranks here itself, so they share the node's ports {both('n1')}; srun would"
    assert (done.out + done.err).count(line) == 1, done


def test_hydra_in_a_batch_script():
    """It starts a daemon step on each node, its own too, so that every rank has its node's ports."""
    script("hydra.sh", f"{export()}mpiexec.hydra -n 2 -ppn 1 sh -c '{WHO}; exec {PINGPONG_MPICH}'\n")
    out = sbatch("-N2", "--ntasks-per-node=1", "--container-ib=verbs", "hydra.sh", timeout=240)
    assert {f"rank on {node}: {both(node)}" for node in HCAS} <= set(said(out)) and json.loads(said(out)[-1])["ranks"] == 2, out


def test_extern_and_interactive_steps():
    with configured({"PrologFlags": "contain", "LaunchParameters": "use_interactive_step"}):
        done = must(srun("-w", "n0", "-n1", "--container-ib=verbs,report=summary", "printenv", "CONTAINER_IB_PORTS"))
        assert said(done) == [both("n0")] and len(done.ours()) == 1, "the extern step says nothing"
        for asked, shell in (("verbs", ""), ("verbs,batch=yes", both("n0"))):
            say = "echo shell=$CONTAINER_IB_PORTS; srun -n1 sh -c 'echo step=$CONTAINER_IB_PORTS'; exit\n"
            inner = f"salloc -w n0 -n1 --container-ib={asked}"
            done = must(run("n0", "script", "-qec", inner, "/dev/null", user="alice", timeout=120, stdin=say))
            assert {f"shell={shell}", f"step={both('n0')}"} <= set(said(done)), done
