"""Mode vf between two nodes that have a kernel each, as real ones do."""

import contextlib

import vfs
from cluster import IMAGE, NODES, PINGPONG, must, srun
from faults import sweep, telling
from test_two_guests import kernel_log_is_clean

INSTANCE = "ctest-guests-trixie"


@contextlib.contextmanager
def nodes_with_vfs():
    with vfs.nodes_with_vfs():
        yield
    for node in NODES:
        kernel_log_is_clean(node)


def test_mpi_in_containers_goes_from_vf_to_vf():
    with nodes_with_vfs():
        command = ("ch-run", IMAGE, "--", PINGPONG)
        done = must(srun("-N2", "-n2", "--mpi=pmix", "--container-ib=vf,rails=1,report=full", *command, timeout=150))
        assert '"ranks": 2' in done.out, done
        for node in ("n0", "n1"):
            assert any(line.startswith(f"container-ib: {node}: native:") for line in done.ours()), done


def test_the_node_is_as_before_whichever_step_is_interrupted():
    """The agent is killed at every third step; test_crash_sweep.py has all of them and the other faults."""
    with nodes_with_vfs():
        sweep("vf,rails=1", lambda changes: [fault for fault in telling(changes) if fault.endswith("after agent")][::3])
