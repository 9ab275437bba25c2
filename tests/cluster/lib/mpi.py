"""MPI that starts and ends, with more tasks on a node than it has CPUs."""

from cluster import must, run, srun, write

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


def started(tasks, option):
    """`tasks` ranks on n0 find each other by PMIx, and each reaches its PMI2 server, from private networks."""
    if run("n0", "test", "-x", _PROGRAM).status != 0:
        write("n0", "/usr/local/src/hello.c", _SOURCE)
        must(run("n0", "mpicc", "-o", _PROGRAM, "/usr/local/src/hello.c", timeout=60))
    where = ("-w", "n0", f"-n{tasks}", "--overcommit", f"--container-ib={option}")
    # More ranks than CPUs: who waits for another lets it run.
    done = must(srun(*where, "--mpi=pmix", "env", "OMPI_MCA_mpi_yield_when_idle=1", _PROGRAM, timeout=300))
    assert done.lines == [f"all {tasks}"], done
    done = must(srun(*where, "--mpi=pmi2", "bash", "-c", _PMI2, timeout=120))
    mode = option.split(",")[0]
    answers = [line for line in done.lines if line.startswith(f"{mode} cmd=response_to_init")]
    assert len(answers) == tasks, done
