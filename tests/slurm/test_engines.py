"""Engines that a user starts inside the task: what is told of what they show, and what they are told. What each shows, and that MPI
starts there: test_engine_matrix.py."""

from cluster import HCAS, IMAGE, PINGPONG, Background, contents, must, run, skip, srun, suite, uverbs_of, wait_until, write
from engines import bubblewrap
from verbs import by_tcp, has_mpi

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


def test_engines_in_scripts_are_found():
    """By what the script says, however it is started; a comment is nothing that it does."""
    say = ("sh", "-c", "echo cma=$UCX_TLS")
    scripts = {"/tmp/starts.sh": "cd /\nexec bwrap --dev-bind / / ", "/tmp/plain.sh": "# not in bwrap\nexec "}
    for path, text in scripts.items():
        write("n0", path, f'#!/bin/sh\n{text}"$@"\n', "755")

    def told(*command, tasks=2):
        return must(srun("-w", "n0", f"-n{tasks}", "--container-ib=verbs", *command, *say)).lines

    try:
        for command in (("/tmp/starts.sh",), ("./starts.sh",), ("bash", "starts.sh"), ("env", "A=1", "/tmp/starts.sh")):
            assert told(*command) == ["cma=^cma"] * 2, command
        assert told("/tmp/starts.sh", tasks=1) == ["cma="]
        assert told("/tmp/plain.sh") == told("sh", "/tmp/plain.sh") == ["cma="] * 2
    finally:
        run("n0", "rm", *scripts)


def test_what_a_user_sets_against_his_task_is_told():
    """Once in a step, though no report is asked for."""
    first, second = HCAS["n0"]

    def said(variable, *command, nodes="n0"):
        words = ("env", variable, "srun", "--chdir=/tmp", "-w", nodes, "-n2", *command)
        return must(run("n0", *words, user="alice")).ours()

    option = "--container-ib=verbs,rails=1"
    for variable in (f"UCX_NET_DEVICES={first}:1", f"MV2_IBA_HCA={first}"):
        lines = said(variable, option, "true")
        name = variable.partition("=")[0]
        assert len(lines) == 1 and lines[0].startswith(f"container-ib: rank 1: the user's {name} names none "), lines
    assert not said(f"UCX_NET_DEVICES={first}:1,{second}:1", option, "true")
    assert not said(f"UCX_NET_DEVICES={first}:1", option + ",scope=node", "true")
    lines = said("UCX_TLS=rc,sm,self", option, "bwrap", "--dev-bind", "/", "/", "true")
    assert len(lines) == 1 and "UCX_TLS leaves CMA on" in lines[0], lines
    assert not said("UCX_TLS=rc,sm,self", option, "true")


def test_apptainer_is_told_what_the_task_has():
    """By its variables, and its sister by hers, which no suite has a package of."""
    show = "echo $SLURM_PROCID $APPTAINER_BIND $APPTAINERENV_SLURM_PROCID $SINGULARITYENV_SLURM_PROCID $SINGULARITY_BIND $APPTAINERENV_CONTAINER_IB_PORTS"
    first, second = HCAS["n0"]
    words = ("-w", "n0", "-n2", "--container-ib=verbs", "sh", "-c")
    done = must(run("n0", "env", "APPTAINER_BIND=/scratch", "APPTAINERENV_SLURM_PROCID=7", "srun", "--chdir=/tmp", *words, f": singularity; {show}", user="alice"))
    assert sorted(done.lines) == [f"{rank} /scratch,/dev/infiniband {rank} {rank} {hca}:1" for rank, hca in enumerate((first, second))], done
    done = must(srun(*words, show))
    assert sorted(done.lines) == ["0 /dev/infiniband /dev/infiniband", "1 /dev/infiniband /dev/infiniband"], done


_INSIDE = "echo $SLURM_PROCID $SLURMD_NODENAME $CONTAINER_IB_PORTS $(ls /dev/infiniband 2>&1 | paste -sd,)"


def has_apptainer():
    if run("n0", "which", "apptainer").status != 0:
        skip(f"{suite()} has no package of Apptainer")


def in_apptainer(*command, variables=()):
    """Two tasks of n0."""
    words = ("srun", "--chdir=/tmp", "-w", "n0", "-n2", "--container-ib=verbs", *command)
    return must(run("n0", "env", *variables, *words, user="alice"))


def own_devices(done):
    """And not a word about variables that were set for it."""
    wanted = [f"{rank} n0 {hca}:1 rdma_cm,{uverbs_of('n0', hca)}" for rank, hca in enumerate(HCAS["n0"])]
    assert sorted(done.lines) == wanted and "_BIND" not in done.err and "ENV_" not in done.err, done


def test_apptainer_by_its_older_name_and_in_a_shell():
    has_apptainer()
    own_devices(in_apptainer("singularity", "exec", "-C", IMAGE, "sh", "-c", _INSIDE))
    own_devices(in_apptainer("sh", "-c", f"true; exec apptainer exec -C {IMAGE} sh -c '{_INSIDE}'"))


def test_what_a_user_says_to_apptainer_stays():
    has_apptainer()
    look = "echo $(grep -c ' /mnt ' /proc/self/mountinfo) $UCX_TLS"
    for variables in (("APPTAINER_BIND=/mnt", "APPTAINERENV_UCX_TLS=tcp"), ("SINGULARITY_BIND=/mnt", "SINGULARITYENV_UCX_TLS=tcp")):
        done = in_apptainer("apptainer", "exec", "-C", IMAGE, "sh", "-c", look, variables=variables)
        assert done.lines == ["1 tcp"] * 2 and "different values" not in done.err, done
    variables = ("APPTAINER_BIND=/mnt", "APPTAINERENV_SLURM_PROCID=7")  # the latter is of a task, and not a user's to say
    own_devices(in_apptainer("apptainer", "exec", "-C", IMAGE, "sh", "-c", _INSIDE, variables=variables))


def test_apptainer_that_mounts_a_small_dev_or_none():
    """With `no` the site takes the bind too, and Apptainer says so itself."""
    has_apptainer()
    path = "/etc/apptainer/apptainer.conf"
    site = must(run("n0", "cat", path)).out
    assert "\nmount dev = yes\n" in site
    with contents(path, site.replace("mount dev = yes", "mount dev = minimal")):
        own_devices(in_apptainer("apptainer", "exec", IMAGE, "sh", "-c", _INSIDE))
    with contents(path, site.replace("mount dev = yes", "mount dev = no")):
        done = in_apptainer("apptainer", "exec", IMAGE, "sleep", "3")
    assert done.err.count("Skipping /dev/infiniband bind mount") == 2, done


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
