"""Modes vf and device with RoCE on a node of the RDMA subsystem's exclusive mode, which has PFs of both kinds."""

import contextlib
import re

from cluster import contents, must, run, sh, srun, wait_until
from ethernet import POOL, assert_attacks_fail
from faults import every, sweep, telling
from many_steps import in_a_row
from picture import everything_comes_back
from steps import BackgroundStep
from test_modes_on_roce import RDMA_CM, verdicts

INSTANCE = "ctest-roce-vf"

_SITE = "/etc/slurm/container-ib.conf"
_MODES = '[modes]\nallow = ["verbs", "vf", "device"]\n'
_VF = '[vf]\nvlan = 7\nqos = 3\nmax_tx_mbps = 5000\nspoof_check = true\ntrust = true\nguids = "generate"\n'


def site(more=""):
    return contents(_SITE, must(run("n0", "cat", _SITE)).out + _MODES + POOL + more)


def vfs_of(device):
    """What the PF says of its VFs."""
    shown = must(sh("n0", f"ip link show $(ls /sys/class/infiniband/{device}/device/net)")).out
    return [line.strip() for line in shown.splitlines() if line.strip().startswith("vf ")]


@contextlib.contextmanager
def without_vfs():
    """Devices with VFs are not given as a whole."""
    files = must(sh("n0", "ls -d /sys/class/infiniband/*/device/sriov_numvfs")).lines
    counts = must(sh("n0", "cat " + " ".join(files))).lines
    must(sh("n0", "; ".join(f"echo 0 > {file}" for file in files)))
    try:
        yield
    finally:
        must(sh("n0", "; ".join(f"echo {count} > {file}" for file, count in zip(files, counts) if count != "0")))


def test_a_vf_has_what_the_site_sets_and_afterwards_what_it_had():
    with site(_VF), everything_comes_back():
        before = vfs_of("mlx5_1")
        with BackgroundStep("-n2", "--container-ib=vf,rails=1,roce=only,hca=mlx5_1", "sleep", "300") as step:
            for line in vfs_of("mlx5_1"):
                assert re.search(r"vlan 7, qos 3.*spoof checking on.*trust on", line) and "max_tx_rate 5000Mbps" in line, line
            must(run("n0", "container-ib", "check"))
            for pid in step.tasks():
                shown = must(run("n0", "nsenter", "-t", pid, "-n", "sh", "-c", "ip -br link; rdma dev")).out
                assert "eth0" in shown and shown.count("mlx5_") == 1, shown
            # The PF's own interface is in no VLAN, and reaches nobody in one.
            must(sh("n0", "ip addr add 10.40.0.200/16 dev $(ls /sys/class/infiniband/mlx5_1/device/net)"))
            try:
                assert sh("n0", "ping -c 1 -W 2 10.40.0.1").status == 1
            finally:
                must(sh("n0", "ip addr del 10.40.0.200/16 dev $(ls /sys/class/infiniband/mlx5_1/device/net)"))
        wait_until(lambda: vfs_of("mlx5_1") == before, 20, "the VFs as they were")


def test_root_of_a_user_namespace_reaches_nothing_of_the_node_or_of_others():
    sleepers = ("-n2", "--container-ib=vf,rails=1,roce=only,hca=mlx5_1", "sleep", "300")
    with site(_VF), everything_comes_back(), BackgroundStep(*sleepers) as step:
        for option in ("vf,rails=1,roce=only", "vf,rails=1,roce=only,scope=node"):
            assert_attacks_fail(step.tasks()[0], option)


def test_settings_of_ethernet_are_no_hindrance_for_vfs_of_infiniband():
    with site(_VF), everything_comes_back():
        done = must(srun("-n1", "-w", "n0", "--container-ib=vf,rails=1", "sh", "-c", "echo $CONTAINER_IB_NETDEV"))
        assert done.lines == ["ib0"], done


def test_a_task_with_vfs_of_both_kinds():
    with site(), everything_comes_back():
        done = must(srun("-n1", "-w", "n0", "--container-ib=vf,roce=yes,rails=2,hca=mlx5_0+mlx5_1", "sh", "-c", "echo $CONTAINER_IB_NETDEV $(ls /dev/infiniband)"))
        words = done.out.split()
        assert sorted(words[0].split(",")) == ["eth0", "ib0"] and len(words) == 4, done


def test_rdma_cm_works_between_vfs():
    with site(_VF), everything_comes_back():
        done = must(srun("-w", "n0", "-n2", "--container-ib=vf,rails=1,roce=only", "bash", "-c", RDMA_CM, "-", "10.40.0.1", "10.40.0.2", timeout=60))
        assert sorted(done.lines) == ["10.40.0.1 reached 10.40.0.2", "10.40.0.2 reached 10.40.0.1"], done


def test_a_whole_device_is_the_tasks_alone():
    with site(), without_vfs(), everything_comes_back():
        for kind, netdev, address in (("", "ib0", "10.20.0.1/24"), (",roce=only", "eth0", "10.60.0.1/24")):
            look = f"ip -4 -br addr show {netdev}; ls /sys/class/infiniband /dev/infiniband | wc -w"
            done = must(srun("-w", "n0", "-n1", f"--container-ib=device,rails=1{kind},report=summary", "sh", "-c", look))
            assert address in done.lines[0] and done.lines[1] == "5", done  # a device, a node, rdma_cm, and two names of folders
            assert verdicts(done) == ["shm-only"], done


def test_the_node_is_as_before_whichever_step_of_giving_a_device_fails_or_is_interrupted():
    with site(), without_vfs():
        sweep("device,rails=1", telling)


def soak_the_node_is_as_before_whichever_step_of_giving_a_vf_fails_or_is_interrupted():
    with site(_VF):
        sweep("vf,rails=1,roce=only", telling)


def soak_the_node_is_as_before_whichever_step_of_giving_a_roce_device_fails_or_is_interrupted():
    with site(), without_vfs():
        sweep("device,rails=1,roce=only", every)


def test_forty_steps_in_a_row_leave_nothing():
    with site(_VF):
        in_a_row(40, "vf,rails=1,roce=only")


def soak_forty_steps_with_whole_devices_leave_nothing():
    with site(), without_vfs():
        in_a_row(40, "device,rails=1")
        in_a_row(40, "device,rails=1,roce=only")
