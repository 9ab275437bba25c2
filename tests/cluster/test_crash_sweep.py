"""Mode vf: every step of an attach and of its undo fails, or the agent, slurmstepd or the task is killed there."""

from faults import every, sweep, telling
from test_private_network import site

INSTANCE = "ctest-vf"


def test_the_node_is_as_before_whichever_step_fails_or_is_interrupted():
    with site('[addresses]\npool = "10.40.0.0/16"\nnodes = ["n[0-7]"]\nper_node = 8\n'):
        sweep("vf,rails=1", telling)


def soak_the_node_is_as_before_after_every_fault_at_every_call():
    with site():
        sweep("vf,rails=1", every)
