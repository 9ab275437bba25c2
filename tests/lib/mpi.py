"""MPI that starts and ends, with more tasks on a node than it has CPUs."""

from cluster import must, run, srun, write
from verbs import has_mpi

_SOURCE = """
#include <mpi.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    int rank, size;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == 0)
        printf("all %d\\n", size);
    MPI_Finalize();
    return 0;
}
"""
_PROGRAM = "/usr/local/bin/hello"
_PMI2 = 'echo "cmd=init pmi_version=2 pmi_subversion=0" >&$PMI_FD; read -r -t 20 answer <&$PMI_FD; echo $CONTAINER_IB_MODE $answer'


def _asked(tasks, option):
    return ("-w", "n0", f"-n{tasks}", "--overcommit", f"--container-ib={option}")


def mpi_starts(tasks, option):
    """`tasks` ranks on n0, in private networks, find each other by PMIx."""
    has_mpi("pmix")
    if run("n0", "test", "-x", _PROGRAM).status != 0:
        write("n0", "/usr/local/src/hello.c", _SOURCE)
        must(run("n0", "mpicc", "-o", _PROGRAM, "/usr/local/src/hello.c", timeout=60))
    # More ranks than CPUs: who waits for another lets it run. The queue pairs of a great many take emulated CPUs minutes.
    own = ["OMPI_MCA_mpi_yield_when_idle=1"]
    if tasks > 8:
        own += ["OMPI_MCA_pml=ob1", "OMPI_MCA_btl=^tcp,openib,uct,ofi"]  # shared memory
    done = must(srun(*_asked(tasks, option), "--mpi=pmix", "env", *own, _PROGRAM, timeout=600))
    assert done.lines == [f"all {tasks}"], done


def pmi2_answers(tasks, option):
    """Each of `tasks` on n0 reaches its PMI2 server."""
    done = must(srun(*_asked(tasks, option), "--mpi=pmi2", "bash", "-c", _PMI2, timeout=120))
    mode = option.split(",")[0]
    answers = [line for line in done.lines if line.startswith(f"{mode} cmd=response_to_init")]
    assert len(answers) == tasks, done
