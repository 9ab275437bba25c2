"""The shapes that jobs come in: each step that asks has its ports, whatever Slurm puts around it."""

import json
import re

from cluster import HCAS, PINGPONG, PINGPONG_MPICH, must, run, sh, srun, verbs_bytes, write
from slurm import configured
from test_verbs import IN_CONTAINER, assert_native

INSTANCE = "ctest ctest-trixie"  # soak: ctest

BOTH = {node: ",".join(f"{hca}:1" for hca in hcas) for node, hcas in HCAS.items()}


def said(result):
    """What the tasks wrote, where a job's output has our lines too. A lone task has both ports, the nearer one first."""
    lines = [line.strip() for line in result.lines if not line.startswith("container-ib: ")]
    return [line.replace("mlx5_1:1,mlx5_0:1", BOTH["n0"]) for line in lines]


def script(name, text):
    """A file of alice's that sbatch can run."""
    write("n0", f"/home/alice/{name}", "#!/bin/bash\n" + text, "755")


def sbatch(*args, timeout=150):
    """Runs a job to its end; returns what it wrote, array tasks one after the other."""
    must(sh("n0", "rm -f /home/alice/shape.*.out"))
    options = ("--wait", "--chdir=/home/alice", "-o", "shape.%a.out", "--propagate=NONE")
    done = must(run("n0", "sbatch", *options, *args, user="alice", timeout=timeout))
    return must(sh("n0", "cat /home/alice/shape.*.out")), done


def test_two_jobs_of_an_array_at_once_with_steps_one_after_the_other_and_overlapping():
    script(
        "array.sh",
        "touch $SLURM_ARRAY_TASK_ID.here; until [ -e 0.here ] && [ -e 1.here ]; do sleep 0.1; done\n"
        "one() { srun --overlap -n1 --mem=0 sh -c \"echo $1 \\$CONTAINER_IB_PORTS\"; }\n"
        "one first; one second & one third & wait\n"
        "srun -n1 --container-ib=none sh -c 'echo none $CONTAINER_IB_PORTS'\n",
    )
    must(sh("n0", "rm -f /home/alice/*.here"))
    out, _ = sbatch("--array=0-1", "-w", "n0", "-n1", "--container-ib=verbs", "array.sh")
    expected = [f"{step} {BOTH['n0']}" for step in ("first", "second", "third")] + ["none"]
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
    out, _ = sbatch("-w", "n0", "-n1", "--container-ib=verbs,batch=yes", "batch.sh")
    assert said(out) == [f"script={BOTH['n0']} 2"], out


def test_a_terminal():
    inner = "srun --pty -w n0 -n1 --container-ib=verbs sh -c 'tty; echo ports=$CONTAINER_IB_PORTS'"
    done = must(run("n0", "script", "-qec", inner, "/dev/null", user="alice", timeout=90))
    assert re.search(r"/dev/pts/\d+", done.out) and f"ports={BOTH['n0']}" in done.out, done


def test_128_tasks_on_a_node_whose_structure_is_not_known_yet():
    must(run("n0", "rm", "-f", "/run/container-ib/inventory"))
    done = must(srun("-w", "n0", "-n128", "--overcommit", "--container-ib=verbs", "printenv", "CONTAINER_IB_PORTS", timeout=240))
    # All of them run on CPU 0, whose HCA therefore gets more of them, but not all.
    near, far = (done.lines.count(f"{hca}:1") for hca in HCAS["n0"])
    assert near + far == 128 and near > far > 0, (near, far)


def test_an_mpi_that_starts_over_pmi2_is_native_and_mpi_none_has_none():
    assert_native(*IN_CONTAINER, PINGPONG_MPICH, mpi="pmi2")
    done = must(srun("-w", "n0", "-n1", "--mpi=none", "--container-ib=verbs", "bash", "-c", "echo $CONTAINER_IB_PORTS ${PMI_FD-no} ${PMIX_RANK-no}"))
    assert done.out == f"{BOTH['n0']} no no\n", done


MPIRUN = "mpirun --map-by ppr:1:node"
WHO = "echo rank on $(hostname): $CONTAINER_IB_PORTS"
RANKS = {"rank on n0:", f"rank on n1: {BOTH['n1']}"}


def test_mpirun_in_a_batch_script_and_in_salloc():
    """mpirun starts the rank of its own node itself, outside of any step that asked, and that of n1 by a daemon step."""
    options = ("-N2", "--ntasks-per-node=1", "--container-ib=verbs")
    script("mpirun.sh", f"export OMPI_MCA_pml=ucx\n{MPIRUN} -n 2 sh -c '{WHO}; exec {PINGPONG}'\n")
    before = verbs_bytes("n1")
    out, _ = sbatch(*options, "mpirun.sh", timeout=240)
    assert RANKS <= set(said(out)) and json.loads(out.lines[-1])["ranks"] == 2, out
    assert verbs_bytes("n1") > before + (4 << 20), "no verbs"
    # Open MPI shows what its daemon steps say to those who debug them.
    command = f"cd /tmp; exec salloc {' '.join(options)} {MPIRUN} --debug-daemons -n 2 sh -c '{WHO}'"
    done = must(run("n0", "bash", "-c", command, user="alice", timeout=240))
    assert RANKS <= set(said(done)), done
    line = f"container-ib: n1: mpirun starts the ranks here itself, so they share the node's ports {BOTH['n1']}; srun would"
    assert (done.out + done.err).count(line) == 1, done


def test_hydra_in_a_batch_script():
    """It starts a daemon step on each node, its own too, so that every rank has its node's ports."""
    script("hydra.sh", f"mpiexec.hydra -n 2 -ppn 1 sh -c '{WHO}; exec {PINGPONG_MPICH}'\n")
    before = verbs_bytes("n1")
    out, _ = sbatch("-N2", "--ntasks-per-node=1", "--container-ib=verbs", "hydra.sh", timeout=240)
    assert {f"rank on {node}: {BOTH[node]}" for node in HCAS} <= set(said(out)) and json.loads(out.lines[-1])["ranks"] == 2, out
    assert verbs_bytes("n1") > before + (4 << 20), "no verbs"


def test_extern_and_interactive_steps():
    with configured({"PrologFlags": "contain", "LaunchParameters": "use_interactive_step"}):
        done = must(srun("-w", "n0", "-n1", "--container-ib=verbs", "printenv", "CONTAINER_IB_PORTS"))
        assert said(done) == [BOTH["n0"]] and len(done.ours()) == 1, "the extern step says nothing"
        for asked, shell in (("verbs", ""), ("verbs,batch=yes", BOTH["n0"])):
            say = "echo shell=$CONTAINER_IB_PORTS; srun -n1 sh -c 'echo step=$CONTAINER_IB_PORTS'; exit\n"
            inner = f"salloc -w n0 -n1 --container-ib={asked}"
            done = must(run("n0", "script", "-qec", inner, "/dev/null", user="alice", timeout=120, stdin=say))
            assert {f"shell={shell}", f"step={BOTH['n0']}"} <= set(said(done)), done
