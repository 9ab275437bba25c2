"""Mode ipoib: every step of an attach and of its undo fails, or the agent, slurmstepd or the task is killed there."""

from faults import every, sweep, telling
from test_ipoib import site

INSTANCE = "ctest"


def test_the_node_is_as_before_whichever_step_fails_or_is_interrupted():
    with site():
        sweep("ipoib,rails=1", telling)


def soak_the_node_is_as_before_after_every_fault_at_every_call():
    with site():
        sweep("ipoib,rails=1", every)
