"""--container-ib=verbs does what it promises, on HCAs that carry data. tests/slurm/test_verbs.py has what needs none."""

from cluster import IMAGE, PINGPONG, must, srun, verbs_bytes
from verbs import IN_CONTAINER, assert_native, each_task_has_the_hca_of_its_numa_node_and_no_other, has_mpi

INSTANCE = "ctest ctest-trixie ctest-sid"  # soak: ctest-trixie


def test_each_task_has_the_hca_of_its_numa_node_and_no_other():
    each_task_has_the_hca_of_its_numa_node_and_no_other()


def test_mpi_between_nodes_is_native_in_the_container():
    assert_native(*IN_CONTAINER, PINGPONG)


def test_mpi_between_nodes_is_native_on_the_bare_node():
    assert_native(PINGPONG)


def test_tasks_of_one_container_use_cma():
    has_mpi("pmix")
    shared = ("ch-run", "--join", IMAGE, "--")
    before = verbs_bytes("n0")
    done = must(srun("-w", "n0", "-n2", "--mpi=pmix", "--container-ib=verbs,scope=node", *shared, PINGPONG, timeout=120))
    assert verbs_bytes("n0") - before < 1 << 20, done


def test_memlock_is_raised_although_slurm_propagates_the_users_limit():
    limits = "ulimit -S -l; ulimit -H -l"
    assert must(srun("-n1", "bash", "-c", limits)).lines != ["unlimited"] * 2, "the test needs a user with a low limit"
    assert must(srun("-n1", "--container-ib=verbs", "bash", "-c", limits)).lines == ["unlimited"] * 2
