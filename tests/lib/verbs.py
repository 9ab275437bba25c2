"""Mode verbs as a task sees it."""

import json
import re

from cluster import CPUS, HCAS, IMAGE, NODES, PINGPONG, must, skip, srun, suite, uverbs_of, verbs_bytes

# One line a task: node, local id, CPUs, ports, what /dev/infiniband shows.
ABOUT_ME = (
    "echo $SLURMD_NODENAME $SLURM_LOCALID cpus=$(taskset -cp $$ | sed 's/.*: //') ports=$CONTAINER_IB_PORTS "
    "ucx=$UCX_NET_DEVICES dev=$(ls /dev/infiniband | paste -sd,)"
)
IN_CONTAINER = ("ch-run", IMAGE, "--")


def each_task_has_the_hca_of_its_numa_node_and_no_other(about_me=ABOUT_ME, command=()):
    """Two tasks on each of two nodes."""
    done = must(srun("-N2", "-n4", "--container-ib=verbs", *command, "bash", "-c", about_me))
    lines = []
    for node in NODES:
        for local, (hca, cpu) in enumerate(zip(HCAS[node], CPUS[node])):
            lines.append(f"{node} {local} cpus={cpu} ports={hca}:1 ucx={hca}:1 dev=rdma_cm,{uverbs_of(node, hca)}")
    assert sorted(done.lines) == lines, done


def assert_native(*command, mpi="pmix"):
    """MPI between the nodes, UCX_TLS unset: the counters of the ports say what carried it, and so does the plugin."""
    has_mpi(mpi)
    before = {node: verbs_bytes(node) for node in NODES}
    done = must(srun("-N2", "-n2", f"--mpi={mpi}", "--container-ib=verbs,report=summary", *command, timeout=120))
    assert json.loads(done.out.splitlines()[-1])["ranks"] == 2, done
    payload = 1 << 20  # of the bandwidth test, which sends many of them
    for node in NODES:
        assert verbs_bytes(node) - before[node] > 4 * payload, (node, done)
        assert any(re.match(rf"container-ib: {node}: native: ", line) for line in done.ours()), done


def by_tcp():
    """Words before a command. HCAs on paper carry nothing: there MPI has TCP and shared memory. `env=pmix` leaves the rest of its
    variables to the user.

    With ob1 Open MPI 5 crashes in MPI_Init now and then, when a rank that is ready sends to one that is not
    (https://github.com/open-mpi/ompi/issues/12495), so there, as in MPICH, it is UCX that goes by TCP. bookworm's MPICH 4.0 hangs
    in MPI_Finalize then (contrib/testbed/mpi/pingpong.c says why).
    """
    if suite() == "bookworm":
        own = ("OMPI_MCA_pml=ob1", "OMPI_MCA_btl=^openib,ofi,uct", "PINGPONG_WITHOUT_FINALIZE=1")
    else:
        own = ("OMPI_MCA_pml=ucx", "OMPI_MCA_opal_common_ucx_tls=any", "OMPI_MCA_opal_common_ucx_devices=any")
    return "env", "UCX_TLS=tcp,sm,self", *own


def has_mpi(name):
    """Skips the test where the suite's Slurm has no plugin of that name (sid's has no pmix)."""
    done = must(srun("--mpi=list"))
    if name not in (done.out + done.err).split():
        skip(f"the Slurm of {suite()} has no plugin mpi/{name}")


def mpi_starts(*command, mpi="pmix", option="verbs,env=pmix"):
    """MPI between the nodes finds its two ranks by what Slurm and the plugin have given them."""
    has_mpi(mpi)
    done = must(srun("-N2", "-n2", f"--mpi={mpi}", f"--container-ib={option}", *by_tcp(), *(command or (*IN_CONTAINER, PINGPONG)), timeout=120))
    assert json.loads(done.out.splitlines()[-1])["ranks"] == 2, done
    return done
