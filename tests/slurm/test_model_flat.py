"""A node that tells nobody where its devices are, with two-port HCAs, VFs, and a model file of one's own; its neighbour has
another model.

flat-dual-port.toml, with two VFs on each HCA."""

from cluster import must, sh, srun, testbed

INSTANCE = "native-unequal"

PORTS = """\
mlx5_0/1 state=active speed=HDR width=4 pkeys=0xffff,0x8001,0x8002,0x7fff
mlx5_0/2 state=active speed=HDR width=4 pkeys=0xffff,0x8001,0x8002,0x7fff
mlx5_1/1 state=active speed=EDR width=4 pkeys=0xffff,0x8005
mlx5_1/2 state=down speed=EDR width=4 pkeys=0xffff,0x8005
"""


def test_the_ports_are_as_the_model_says():
    assert must(testbed("fabric", "n1")).out.startswith(PORTS)
    assert len(must(testbed("fabric", "n0")).lines) == 8, "and n0's as its own model says"


def test_no_hca_tells_its_numa_node():
    hcas = must(sh("n1", "cat /sys/class/infiniband/mlx5_[01]/device/numa_node; ls -d /sys/devices/system/node/node*")).lines
    assert hcas == ["-1", "-1", "/sys/devices/system/node/node0"], hcas


def test_tasks_share_the_connectors_that_are_up():
    done = must(srun("-w", "n1", "-n2", "--container-ib=verbs,rails=1", "printenv", "CONTAINER_IB_PORTS"))
    assert len(set(done.lines)) == 2 and set(done.lines) < {"mlx5_0:1", "mlx5_0:2", "mlx5_1:1"}, done


def test_the_vfs_were_there_before_slurm():
    vfs = must(sh("n1", "for hca in 0 1; do cat /sys/class/infiniband/mlx5_$hca/device/sriov_numvfs; done; ls /sys/class/infiniband")).lines
    assert vfs == ["2", "2", *(f"mlx5_{number}" for number in range(6))], vfs
    of = must(sh("n1", "for vf in 2 3 4 5; do basename $(readlink -f /sys/class/infiniband/mlx5_$vf/device/physfn/infiniband/*); done")).lines
    assert of == ["mlx5_0", "mlx5_0", "mlx5_1", "mlx5_1"], of
    guids = must(sh("n1", "cat /sys/class/infiniband/mlx5_[2-5]/node_guid")).lines
    assert len(set(guids)) == 4 and "0000:0000:0000:0000" not in guids, guids


def test_a_node_that_the_model_does_not_have_is_named():
    for done in (testbed("exec", "n7", "true"), testbed("fabric", "n7")):
        assert done.status == 1 and "no node n7 in 'native-unequal-" in done.err and ": it has n0, n1, host, host0" in done.err, done


def test_a_step_over_unlike_nodes_gives_each_what_it_has():
    done = must(srun("-N2", "-n2", "--container-ib=verbs,rails=1", "sh", "-c", "echo $SLURMD_NODENAME $CONTAINER_IB_PORTS"))
    ports = dict(line.split() for line in done.lines)
    assert ports["n0"].endswith(":1") and ports["n1"] in ("mlx5_0:1", "mlx5_0:2", "mlx5_1:1"), done
