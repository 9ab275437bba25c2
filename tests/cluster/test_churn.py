"""Things taken away while in use, over and over, with the kernel's allocator watching (slub_debug)."""

from cluster import must, sh
from test_two_guests import guest_1_is_booted_again, passes

INSTANCE = "ctest-guests-trixie"


def test_fifty_rounds_of_taking_things_away_leave_nothing():
    with guest_1_is_booted_again():
        passes("stress.sh 50", 800)
        must(sh("host1", "modprobe -r ib_ipoib && rmmod vhca"))  # which a leaked reference would refuse
