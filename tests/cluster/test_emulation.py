"""The guest itself: a kernel that patches its own code goes on, under emulation too (contrib/testbed/tcg_int3)."""

from cluster import must, sh

INSTANCE = "ctest ctest-trixie"

# A switch of the scheduler, which is code that the kernel patches, under as many context switches as there can be.
SWITCH = r"""
for pair in 1 2 3 4 5 6; do
    perl -e 'pipe A, B; pipe C, D; my $byte;
             if (fork) { close A; close D; sysread C, $byte, 1 while syswrite B, "x" }
             else { close B; close C; syswrite D, "x" while sysread A, $byte, 1 }' &
done
for change in $(seq 40); do
    echo $((change % 2)) > /proc/sys/kernel/sched_schedstats
done
kill $(jobs -p)
"""


def test_the_kernel_patches_code_that_all_cpus_run():
    must(sh("host", SWITCH))
