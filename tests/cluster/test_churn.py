"""Things taken away while in use, over and over, with the kernel's allocator watching (slub_debug)."""

from cluster import must, sh
from test_two_guests import guest_1_is_booted_again, passes

INSTANCE = "ctest-guests-trixie"


def rounds(count):
    """Each takes seconds on a machine without other work, and a minute on one that has three times too much."""
    with guest_1_is_booted_again():
        passes(f"stress.sh {count}", 60 + 90 * count)
        must(sh("host1", "modprobe -r ib_ipoib && rmmod vhca"))  # which a leaked reference would refuse


def test_taking_things_away_leaves_nothing():
    rounds(5)


def soak_taking_things_away_fifty_times_leaves_nothing():
    rounds(50)
