"""Mode vf in the RDMA subsystem's shared mode, where the interface is isolated and the device is not (README.md, Limits)."""

from cluster import contents, must, run, sh
from kept import KEPT, what_is_kept
from picture import everything_comes_back
from vfs import CONF, SITE

INSTANCE = "ctest"


def test_what_a_task_has_open_outlives_its_step_in_the_shared_mode():
    """The contrast to test_private_network.py: what would be seen there if a VF were handed over as it is."""
    numvfs = "/sys/class/infiniband/mlx5_0/device/sriov_numvfs"
    whose = must(run("n0", "cat", SITE)).out.partition("[[nodes]]")
    with everything_comes_back(), contents(SITE, CONF + "".join(whose[1:])):
        must(sh("n0", f"echo 2 > {numvfs}"))
        try:
            seen = what_is_kept()
        finally:
            must(sh("n0", f"echo 0 > {numvfs}"))
    assert seen == KEPT, seen
