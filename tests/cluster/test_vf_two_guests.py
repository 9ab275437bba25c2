"""Mode vf between two nodes that have a kernel each, as real ones do."""

import contextlib

import vfs
from cluster import NODES
from engine_matrix import prove
from faults import sweep, telling
from test_two_guests import kernel_log_is_clean

INSTANCE = "ctest-guests-trixie"


@contextlib.contextmanager
def nodes_with_vfs():
    with vfs.nodes_with_vfs():
        yield
    for node in NODES:
        kernel_log_is_clean(node)


def test_ch_run_vf():
    with nodes_with_vfs():
        prove("ch_run", "vf")


def test_slurm_crun_vf():
    """A bundle without a network of its own has its task's, with the VF in it."""
    with nodes_with_vfs():
        prove("slurm_crun", "vf")


def test_the_node_is_as_before_whichever_step_is_interrupted():
    """The agent is killed at every third step; test_crash_sweep.py has all of them and the other faults."""
    with nodes_with_vfs():
        sweep("vf,rails=1", lambda changes: [fault for fault in telling(changes) if fault.endswith("after agent")][::3])
