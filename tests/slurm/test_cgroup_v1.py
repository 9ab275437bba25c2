"""Nodes with cgroups of version 1 of their own (up --cgroup v1), where this kernel has such hierarchies."""

import cluster
from cluster import must, run, sh, skip, srun, tool
from steps import agents_death_leaves_the_step, orphans_end
from verbs import each_task_has_the_hca_of_its_numa_node_and_no_other

INSTANCE = "native-changed"


def test_the_main_job_holds_and_down_removes_the_cgroups():
    around, own = cluster.INSTANCE, f"{cluster.INSTANCE}-v1"
    done = tool("up", "--native", "--cgroup", "v1", "--suite", cluster.suite(), "--name", own)
    if "this machine has no v1 hierarchy" in done.err:
        skip(done.err.splitlines()[-1])
    folders = cluster.instance.Instance(own).known["cgroups"]
    try:
        must(done)
        cluster.use(own)
        in_v1 = "grep -cE ':(freezer|devices|cpuset):.*/job_[0-9]+/step_0' /proc/self/cgroup"
        assert must(srun("-w", "n0", "--container-ib=verbs", "sh", "-c", in_v1)).out == "3\n"
        each_task_has_the_hca_of_its_numa_node_and_no_other()
        orphans_end()
        agents_death_leaves_the_step()
        assert must(sh("n0", "ls /sys/fs/cgroup/freezer/slurm* | head -n 1")).out, "the node's own root"
        must(run("n0", "sh", "-c", "! ls -d /sys/fs/cgroup/freezer/testbed-*"))
    finally:
        must(tool("down", "--name", own))
        cluster.use(around)
    for folder in folders:
        assert not cluster.pathlib.Path(folder).exists(), folder
