"""Steps in a row, and everything counted that one of them could leave."""

from cluster import LEFTOVERS, must, run, sh, wait_until
from picture import PICTURE, is_again

_HELD_BY_SLURMD = "ls /proc/$(pgrep -ox slurmd)/fd | wc -l; ls /sys/class/infiniband_verbs | wc -l"


def _node():
    return must(sh("n0", f"{_HELD_BY_SLURMD}; {PICTURE}{LEFTOVERS}")).out


def _run(count, option):
    steps = f"for i in $(seq {count}); do srun -n2 --overcommit --container-ib={option} true || exit 1; done"
    must(run("n0", "salloc", "-w", "n0", "-n1", "--chdir=/tmp", "bash", "-c", steps, user="alice", timeout=60 + 15 * count))
    wait_until(lambda: not sh("n0", LEFTOVERS).lines, 20, "the end of the last step")


def in_a_row(count, option):
    """`count` steps of two tasks on n0, in one allocation."""
    _run(1, option)  # what is made once for all steps
    before = _node()
    _run(count, option)
    is_again(before, _node, f"after {count} steps the node as it was")
