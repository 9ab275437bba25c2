"""Containers that are not Charliecloud's: engines that a user starts inside the task, and one container that a plugin makes
for all tasks of a node, as pyxis does. What each shows inside, and that MPI starts there."""

import pathlib

from cluster import HCAS, IMAGE, PINGPONG, must, run, srun, uverbs_of, write
from engines import bubblewrap, bundle_of_crun, bundle_of_runc
from slurm import configured, files
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


PLUGIN = "/usr/local/lib/test_container.so"
OTHER = f"required {PLUGIN}\n"
OURS = "required container_ib.so config=/etc/slurm/container-ib.conf\n"


def install_container():
    source = "/usr/local/src/test_container.c"
    write("n0", source, (pathlib.Path(__file__).parent / "container.c").read_text(encoding="utf-8"))
    must(run("n0", "gcc", "-shared", "-fPIC", "-o", PLUGIN, source, timeout=60))


# The plugin's engine ends with the step where Slurm tracks more than the tasks and their children: a cgroup, or a group.
TRACKED = {"ProctrackType": "proctrack/pgid"}


def srun_in_shared_container(plugstack, option, *command):
    with files({"plugstack.conf": plugstack}):
        return srun("-w", "n0", "-n2", "--mpi=pmix", f"--container-ib={option}", f"--test-image={IMAGE}", *command, timeout=120)


ABOUT_ALL = "test -e /usr/bin/srun || echo $CONTAINER_IB_PORTS $UCX_NET_DEVICES $OMPI_MCA_pml $(ls /dev/infiniband | paste -sd,)"


def test_a_container_shared_by_the_tasks_made_by_a_plugin_before_ours():
    has_mpi("pmix")
    install_container()
    with configured(TRACKED):
        made_before_ours()


def made_before_ours():
    both = "rdma_cm," + ",".join(sorted(uverbs_of("n0", hca) for hca in HCAS["n0"]))
    done = must(srun_in_shared_container(OTHER + OURS, "verbs,scope=node", "sh", "-c", ABOUT_ALL))
    assert sorted(done.lines) == [f"{hca}:1 {hca}:1 ^ob1 {both}" for hca in HCAS["n0"]], done
    done = must(srun_in_shared_container(OTHER + OURS, "verbs,scope=node,env=pmix", *by_tcp(), PINGPONG))
    assert '"ranks": 2' in done.out, done
    # each its own devices, which one container cannot have
    done = srun_in_shared_container(OTHER + OURS, "verbs", "true")
    assert done.status != 0 and "add scope=node" in "\n".join(done.ours()), done


def test_a_container_made_by_a_plugin_after_ours_has_the_first_tasks_environment():
    # Why the documentation has ours after it: the devices are right, but every task has the variables of one.
    has_mpi("pmix")
    install_container()
    with configured(TRACKED):
        done = must(srun_in_shared_container(OURS + OTHER, "verbs,scope=node", "sh", "-c", ABOUT_ALL))
    ports, variables = zip(*(line.split(" ", 1) for line in done.lines))
    assert len(set(ports)) == 1 and all(line.startswith("of-the-image:1 ob1 rdma_cm,uverbs") for line in variables), done
