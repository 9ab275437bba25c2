"""The main job under configurations of Slurm in which cgroups matter. Its default here: cgroup v2, tasks bound to cores, devices
constrained. tests/slurm/test_configurations.py has the others."""

import contextlib

from cluster import NODES, PINGPONG, must, sh, srun
from slurm import configured, private_tmp
from steps import agents_death_leaves_the_step, orphans_end
from verbs import IN_CONTAINER, assert_native, each_task_has_the_hca_of_its_numa_node_and_no_other

INSTANCE = "ctest ctest-trixie ctest-sid"  # soak: ctest


def soak_a_private_tmp_and_all_limits_of_the_user():
    with private_tmp(PropagateResourceLimits="ALL"):
        each_task_has_the_hca_of_its_numa_node_and_no_other()
        assert_native(*IN_CONTAINER, PINGPONG)
        orphans_end()


V1 = "/run/cgroup-v1"
V1_CONF = f"CgroupPlugin=cgroup/v1\nCgroupMountpoint={V1}\nConstrainDevices=yes\n"


@contextlib.contextmanager
def controllers_of_v1():
    """Mounts freezer and devices, which v2 does not use, as v1 hierarchies beside it: a hybrid node. The others belong
    to v2's tree for as long as a node's cgroup uses them. Only outside of cgroup namespaces a hierarchy can be made."""
    places = ("host", *NODES)
    for node in places:
        must(sh(node, f"mkdir -p {V1} && mount -t tmpfs tmpfs {V1} && mkdir {V1}/freezer {V1}/devices"))
        must(sh(node, f"for c in freezer devices; do mount -t cgroup -o $c cgroup {V1}/$c || exit; done"))
    try:
        yield
    finally:
        sh("host", f"find {V1} -mindepth 2 -depth -type d -exec rmdir {{}} +")  # else the hierarchies stay
        for node in reversed(places):
            must(sh(node, f"umount -R {V1}"))


def test_cgroup_v1():
    with configured({}, {"cgroup.conf": V1_CONF}, around=controllers_of_v1()):
        in_v1 = "grep -cE ':(freezer|devices):.*/job_[0-9]+/step_0' /proc/self/cgroup"
        assert must(srun("-w", "n0", "--container-ib=verbs", "sh", "-c", in_v1)).out == "2\n"
        each_task_has_the_hca_of_its_numa_node_and_no_other()
        orphans_end()
        agents_death_leaves_the_step()
        # of a killed slurmstepd empty ones may stay
        held = must(sh("n0", f"find {V1} -path '*/job_*/cgroup.procs' -exec cat {{}} +")).lines
        assert held == [], held
