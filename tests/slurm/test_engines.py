"""Engines that a user starts inside the task, other than Charliecloud: what each shows inside, and that MPI starts there."""

from cluster import HCAS, IMAGE, PINGPONG, Background, must, run, srun, wait_until
from engines import bubblewrap, bundle_of_crun, bundle_of_runc
from verbs import by_tcp, each_task_has_the_hca_of_its_numa_node_and_no_other, has_mpi, mpi_starts

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


def reported(*command, tasks=2, option="verbs,report=summary,rails=1"):
    """What is said of n0 at the end of a step whose tasks ran that long enough to be looked into."""
    done = must(srun("-w", "n0", f"-n{tasks}", f"--container-ib={option}", *command, timeout=120))
    return [line for line in done.ours() if " rank " in line]


def test_a_container_that_shows_something_else_is_told_of_at_the_end():
    first, second = HCAS["n0"]
    hidden = ("bwrap", "--bind", "/", "/", "--dev", "/dev", "sleep", "3")
    assert reported(*hidden) == [
        f"container-ib: n0: rank {rank}: the container that it has started does not show {hca}, which is its own; mount "
        "/dev/infiniband into it (apptainer --bind, podman -v, bwrap --dev-bind)" for rank, hca in enumerate((first, second))
    ]
    # Charliecloud's --join, without saying that its tasks share a container: the second is in the first's.
    joined = reported("sh", "-c", f"exec ch-run --join {IMAGE} -- sleep 3")
    assert len(joined) == 1 and "shows" in joined[0] and "this task was not given" in joined[0], joined
    assert not reported("bwrap", "--dev-bind", "/", "/", "sleep", "3")
    assert not reported("sleep", "3")


def test_check_looks_into_the_containers_too():
    with Background("srun", "--chdir=/tmp", "-w", "n0", "-n1", "--container-ib=verbs,rails=1", "sh", "-c", "bwrap --bind / / --dev /dev sleep 60; true"):
        wait_until(lambda: run("n0", "pgrep", "-xu", "alice", "sleep").lines, 30, "a sleeping task")
        checked = run("n0", "container-ib", "check")
        assert checked.status == 1 and "does not show mlx5_0" in checked.err, checked


def test_shared_memory_between_containers_of_their_own():
    """By UCX, which before 1.16 dies of links in /proc to the other's memory. It wants TCP besides, to begin with."""
    has_mpi("pmix")
    ucx = ("UCX_TLS=tcp,posix,self", "UCX_NET_DEVICES=all", "OMPI_MCA_opal_common_ucx_tls=any", "OMPI_MCA_opal_common_ucx_devices=any", "PINGPONG_WITHOUT_FINALIZE=1")
    done = must(srun("-w", "n0", "-n2", "--mpi=pmix", "--container-ib=verbs", "env", *ucx, *bubblewrap(), PINGPONG, timeout=120))
    assert '"ranks": 2' in done.out, done


def test_apptainer_is_told_what_the_task_has():
    show = "echo $SLURM_PROCID $APPTAINER_BIND $APPTAINERENV_SLURM_PROCID $APPTAINERENV_CONTAINER_IB_PORTS"
    first, second = HCAS["n0"]
    words = ("-w", "n0", "-n2", "--container-ib=verbs", "sh", "-c")
    done = must(run("n0", "env", "APPTAINER_BIND=/scratch", "APPTAINERENV_SLURM_PROCID=7", "srun", "--chdir=/tmp", *words, f": apptainer; {show}", user="alice"))
    assert sorted(done.lines) == [f"{rank} /scratch,/dev/infiniband {rank} {hca}:1" for rank, hca in enumerate((first, second))], done
    done = must(srun(*words, show))
    assert sorted(done.lines) == ["0 /dev/infiniband", "1 /dev/infiniband"], done


def test_ranks_that_are_jobs_of_their_own_are_told_of():
    """MPI without PMIx's variables: each rank ends well."""
    has_mpi("pmix")
    alone = ("env", "-u", "PMIX_NAMESPACE", "-u", "PMIX_RANK", "-u", "PMIX_SERVER_URI2", "-u", "PMIX_SERVER_URI21", "-u", "PMIX_SERVER_URI3",
             "-u", "PMIX_SERVER_URI4", "-u", "PMIX_SERVER_URI41")

    def said(*command):
        done = must(srun("-w", "n0", "-n2", "--mpi=pmix", "--container-ib=verbs,env=pmix,report=summary", *command, timeout=120))
        return [line for line in done.ours() if "PMIx server" in line]

    assert len(said(*bubblewrap(), *alone, "true")) == 1
    assert not said("true"), "no engine, and nothing says that this is MPI"
    assert not said(*by_tcp(), *bubblewrap(), PINGPONG)
