"""Slurm's own containers (srun --container), with container-ib before the runtime in oci.conf. The bundle has a /dev of its own,
in which nothing of the node's is."""

import contextlib
import json

from bundles import AS_ROOT, BUNDLE, BY_TCP, CRUN, HERSELF, HERSELF_FOR_RUNC, IN_A_NAMESPACE, RUNC, bind, bundle, config, slurm_runs
from cluster import PINGPONG, PINGPONG_MPICH, must, srun
from verbs import each_task_has_the_hca_of_its_numa_node_and_no_other, has_mpi

SUITES = "trixie sid"  # what Slurm 22.05 lacks: test_oci_early.py

CONTAINER = f"--container={BUNDLE}"
ABOUT_ME = (
    "echo $SLURMD_NODENAME $SLURM_LOCALID cpus=$(grep Cpus_allowed_list /proc/self/status | cut -f2) "
    "ports=$CONTAINER_IB_PORTS ucx=$UCX_NET_DEVICES dev=$(ls /dev/infiniband | paste -sd,)"
)
# Each task of a node waits for a file that the other one has made there.
MEET_IN_SHM = (
    "touch /dev/shm/oci.$SLURM_LOCALID; for _ in $(seq 100); do "
    "[ -e /dev/shm/oci.0 ] && [ -e /dev/shm/oci.1 ] && echo met && break; sleep 0.05; done; sleep 0.2; rm -f /dev/shm/oci.$SLURM_LOCALID"
)


@contextlib.contextmanager
def by_crun(mapping=None, **of_bundle):
    with bundle(config(mapping or HERSELF, **of_bundle)), slurm_runs(CRUN):
        yield


def tasks_have_their_own_hcas():
    each_task_has_the_hca_of_its_numa_node_and_no_other(ABOUT_ME, (CONTAINER,))
    met = must(srun("-N2", "-n4", "--container-ib=verbs", CONTAINER, "sh", "-c", MEET_IN_SHM))
    assert met.lines == ["met"] * 4, met


def mpi_starts(program=PINGPONG, mpi="pmix"):
    has_mpi(mpi)
    done = must(srun("-N2", "-n2", f"--mpi={mpi}", "--container-ib=verbs,env=pmix", CONTAINER, *BY_TCP, program, timeout=120))
    assert json.loads(done.out.splitlines()[-1])["ranks"] == 2, done
    return done


def test_slurms_containers_by_crun():
    with by_crun():
        tasks_have_their_own_hcas()
        assert "note:" not in mpi_starts().err


def test_slurms_containers_by_runc():
    with bundle(config(HERSELF_FOR_RUNC)), slurm_runs(RUNC, IN_A_NAMESPACE):
        tasks_have_their_own_hcas()
        mpi_starts()


def test_a_step_without_the_option_has_what_the_bundle_says():
    with by_crun():
        done = must(srun("-w", "n0", "-n1", CONTAINER, "sh", "-c", "ls /dev/infiniband; grep ' /dev/shm ' /proc/self/mountinfo"))
    assert "rw" in done.out and " - tmpfs shm " in done.out and "uverbs" not in done.out, done


def test_a_bundle_that_binds_dev_is_left_as_it_is():
    with by_crun(dev=[bind("/dev")]):
        each_task_has_the_hca_of_its_numa_node_and_no_other(ABOUT_ME, (CONTAINER,))
        done = must(srun("-w", "n0", "-n1", "--container-ib=verbs", CONTAINER, "cat", "/proc/self/mountinfo"))
    assert sum(" /dev/infiniband " in line and " - tmpfs container-ib " in line for line in done.lines) == 1, done


def test_mpi_starts_by_pmi2_whose_descriptor_is_preserved():
    with bundle(config(HERSELF)), slurm_runs(CRUN, verb="run --preserve-fds=40"):
        mpi_starts(PINGPONG_MPICH, "pmi2")


def test_a_root_inside_has_its_own_hca_and_is_told_that_pmix_refuses_it():
    # That it does is its own affair: ranks that hang, and at times a slurmstepd that never ends.
    has_mpi("pmix")
    with by_crun(AS_ROOT, uid=0):
        each_task_has_the_hca_of_its_numa_node_and_no_other(ABOUT_ME, (CONTAINER,))
        done = must(srun("-w", "n0", "-n1", "--mpi=pmix", "--container-ib=verbs", CONTAINER, "true"))
    note = "note: PMIx refuses another user: the bundle's process.user.uid is 0 and the task's 1000; map the user to itself"
    assert note in done.err, done


def test_a_runtime_that_is_not_there_is_named():
    with bundle(config(HERSELF)), slurm_runs("no-such-runtime"):
        done = srun("-w", "n0", "-n1", "--container-ib=verbs", CONTAINER, "true")
    assert done.status != 0 and "container-ib oci: run no-such-runtime: No such file or directory" in done.err, done
