"""Mode ipoib: many steps, and many tasks in one."""

from many_steps import in_a_row
from mpi import started
from test_ipoib import site

INSTANCE = "ctest"


def test_forty_steps_in_a_row_leave_nothing():
    with site():
        in_a_row(40, "ipoib,rails=1")


def soak_five_hundred_steps_in_a_row_leave_nothing():
    with site():
        in_a_row(500, "ipoib,rails=1")


def test_mpi_starts_whatever_the_number_of_tasks():
    with site():
        for tasks, scope in ((1, "task"), (8, "task"), (8, "node")):
            started(tasks, f"ipoib,rails=1,scope={scope}")
