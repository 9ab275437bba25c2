"""HCAs that Slurm counts (gres/nic) and keeps from who has not asked for them (ConstrainDevices, cgroup v2)."""

import contextlib

from cluster import HCAS, NODES, must, srun, uverbs_of
from slurm import configured, text_of

INSTANCE = "ctest ctest-trixie"  # soak: ctest-trixie

OPENED = "echo $CONTAINER_IB_PORTS $(ibv_devinfo -d ${CONTAINER_IB_PORTS%%:*} | grep -c PORT_ACTIVE)"


@contextlib.contextmanager
def counted_hcas():
    """Each HCA is one `nic` of its node."""
    nodes = "".join(f"{line} Gres=nic:{len(HCAS['n0'])}\n" for line in text_of("nodes.conf").splitlines())
    gres = [f"NodeName={node} Name=nic File=/dev/infiniband/{uverbs_of(node, hca)}\n" for node in NODES for hca in HCAS[node]]
    with configured({"GresTypes": "nic"}, {"nodes.conf": nodes, "gres.conf": "".join(gres)}):
        yield


def test_a_step_has_the_hcas_that_slurm_gave_it_and_no_others():
    with counted_hcas():
        words = ("-w", "n0", "-n1", "--container-ib=verbs,rails=1", "sh", "-c", OPENED)
        given = must(srun("--gres=nic:1", *words))
        (line,) = given.lines
        assert line in [f"{hca}:1 1" for hca in HCAS["n0"]], given
        both = must(srun("--gres=nic:2", "-w", "n0", "-n2", "--container-ib=verbs,rails=1", "sh", "-c", OPENED))
        assert sorted(both.lines) == [f"{hca}:1 1" for hca in HCAS["n0"]], both
        none = srun(*words)
        assert none.status != 0 and any("Slurm keeps" in text and "--gres=nic" in text for text in none.ours()), none
