"""Rootless podman in a network of the task's own. tests/slurm/test_podman.py has what it shows inside."""

from cluster import contents, must, run, sh, srun
from engines import podman, podmans_end
from picture import everything_comes_back
from vfs import CONF, SITE

INSTANCE = "ctest-trixie"


def test_a_vf_and_its_network_are_what_podman_shows():
    """And not the PF, in a container of this task and in one whose mount namespace is an earlier task's."""
    numvfs = "/sys/class/infiniband/mlx5_0/device/sriov_numvfs"
    whose = must(run("n0", "cat", SITE)).out.partition("[[nodes]]")
    show = "echo $CONTAINER_IB_PORTS $(cut -d: -f1 -s /proc/net/dev) $(stat -c %t:%T /dev/infiniband/uverbs*)"
    with everything_comes_back(), contents(SITE, CONF + "".join(whose[1:])), podmans_end():
        must(sh("n0", f"echo 2 > {numvfs}"))
        try:
            must(srun("-w", "n0", "-n1", "--container-ib=verbs", *podman(), "true", timeout=120))
            done = must(srun("-w", "n0", "-n1", "--container-ib=vf,rails=1,hca=mlx5_0", "sh", "-c", f"{show}; exec {' '.join(podman())} sh -c '{show}'", timeout=120))
            task, container = done.lines
            assert container == task and "ib0" in task and "eth0" not in task and not task.startswith("mlx5_0:"), done
        finally:
            must(sh("n0", f"echo 0 > {numvfs}"))
