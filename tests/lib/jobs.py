"""Jobs of alice's: their scripts, and what they wrote."""

from cluster import HCAS, must, run, sh, wait_until, write

MPIRUN = "mpirun --map-by ppr:1:node"
WHO = "echo rank on $(hostname): $CONTAINER_IB_PORTS"


def both(node):
    """The ports of a node, as a task has them that may use all."""
    return ",".join(f"{hca}:1" for hca in HCAS[node])


def said(result):
    """What the tasks wrote, where a job's output has our lines too, and srun's of a step that it had to wait for. A lone task has both
    ports, the nearer one first."""
    lines = [line.strip() for line in result.lines if not line.startswith(("container-ib: ", "srun: Step"))]
    return [line.replace("mlx5_1:1,mlx5_0:1", both("n0")) for line in lines]


def script(name, text):
    """A file of alice's that sbatch can run."""
    write("n0", f"/home/alice/{name}", "#!/bin/bash\n" + text, "755")


def sbatch(*args, timeout=150):
    """Runs a job to its end; returns what it wrote, array tasks one after the other."""
    must(sh("n0", "rm -f /home/alice/shape.*.out"))
    submit_and_wait("-o", "shape.%a.out", "--propagate=NONE", *args, timeout=timeout)
    return must(sh("n0", "cat /home/alice/shape.*.out"))


def submit_and_wait(*args, timeout=150):
    """Runs a job to its end, which must be a good one; what sbatch said. `sbatch --wait` would ask at ever longer intervals."""
    done = must(run("n0", "sbatch", "--parsable", "--chdir=/home/alice", *args, user="alice"))
    job = done.out.strip()
    wait_until(lambda: run("n0", "squeue", "-h", "-j", job, "-t", "all", "-o", "%T").out.replace("COMPLETED\n", "") == "", timeout, f"the end of job {job}")
    return done
