"""Mode ipoib: many steps."""

from many_steps import in_a_row
from test_ipoib import site

INSTANCE = "ctest"


def test_forty_steps_in_a_row_leave_nothing():
    with site():
        in_a_row(40, "ipoib,rails=1")


def soak_five_hundred_steps_in_a_row_leave_nothing():
    with site():
        in_a_row(500, "ipoib,rails=1")
