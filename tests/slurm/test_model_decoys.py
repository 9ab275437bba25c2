"""Among ports that no MPI job should use, only good ones are used, and it is said why the others are not.

contrib/testbed/models/decoys.toml, with a VF on each HCA that has no GUID yet, as new VFs have none."""

import json

from cluster import CPUS, must, run, srun_bound, write

INSTANCE = "native-decoys"

GOOD = {"mlx5_1:1", "mlx5_4:1"}
WHY_NOT = {
    "mlx5_0:1": "state DOWN",
    "mlx5_2:1": "state INIT: no subnet manager has configured it",
    "mlx5_3:1": "10 Gb/s is below 0.5 of this node's best 200; slower than its siblings: 10 Gb/s, others of its model (15b3:101b) 200",
    "roce0:1": "unknown driver, allowed are mlx5_core, mlx4_core, vhca",
}
SITE = "/etc/slurm/container-ib.conf"


def verdicts(*args):
    """What `topo` says of each port: its reason, empty for those that may be used."""
    ports = json.loads(must(run("n0", "container-ib", "topo", "--json", *args)).out)["ports"]
    return {f"{port['name']}:{port['port']}": port["why_not"] for port in ports}


def ports_of_tasks(option):
    cpus = CPUS["n0"]  # tasks go round the sockets
    done = must(srun_bound((*cpus, *cpus), option, "sh", "-c", "echo $SLURM_LOCALID $CONTAINER_IB_PORTS"))
    return dict(line.split() for line in done.lines)


def test_no_task_gets_a_decoy():
    # those of NUMA node 0 have a port that is down, a slow one and RoCE beside the good one
    assert ports_of_tasks("--container-ib=verbs") == {"0": "mlx5_1:1", "1": "mlx5_4:1", "2": "mlx5_1:1", "3": "mlx5_4:1"}


def test_nor_by_another_placement_or_more_rails():
    for option in ("place=nearest", "place=spread", "rails=4"):
        given = {port for ports in ports_of_tasks(f"--container-ib=verbs,{option}").values() for port in ports.split(",")}
        assert given == GOOD, (option, given)


def test_topo_names_why():
    told = verdicts()
    vfs = {f"mlx5_{number}:1" for number in range(5, 10)}
    assert set(told) == GOOD | set(WHY_NOT) | vfs, told
    assert {port for port, why in told.items() if not why} == GOOD, told
    for port, why in WHY_NOT.items():
        assert told[port] == why, (port, told[port])


def test_vfs_without_guids_are_used_by_nobody():
    guids = must(run("n0", "sh", "-c", "cat /sys/class/infiniband/mlx5_[5-9]/node_guid")).lines
    assert guids == ["0000:0000:0000:0000"] * 5
    write("n0", "/tmp/any.conf", "[devices]\ndrivers = []\n")
    told = verdicts("--config", "/tmp/any.conf")
    assert all(told[f"mlx5_{number}:1"] == "a VF; only mode vf hands it out, unless hca= names it" for number in range(5, 10)), told


def test_a_roce_port_is_ethernet_where_its_driver_is_allowed():
    write("n0", "/tmp/any.conf", "[devices]\ndrivers = []\n")
    assert verdicts("--config", "/tmp/any.conf")["roce0:1"] == "Ethernet; roce=yes would allow it"
