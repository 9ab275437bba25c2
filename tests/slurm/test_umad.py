"""umad=yes, where the site allows it: what a task's container shows of it. On paper nothing can be sent."""

from cluster import HCAS, must, run, sh
from umad import allowed, asked


def node_of(kind, hca):
    """The name of the HCA's node of this class: umad0."""
    found = must(sh("n0", f"grep -lx {hca} /sys/class/infiniband_mad/{kind}*/ibdev")).lines
    return [line.split("/")[4] for line in found]


def test_its_own_umad_is_there_and_no_issm():
    (umad,) = node_of("umad", HCAS["n0"][0])
    with allowed():
        names = must(asked(",umad=yes", "ls /dev/infiniband")).lines
        # Which is root's alone on the node. That there is no such device, as paper has it, is said after that.
        opened = asked(",umad=yes", f"exec 3<> /dev/infiniband/{umad}")
    assert [name for name in names if not name.startswith(("uverbs", "rdma_cm"))] == [umad], names
    assert "Permission denied" not in opened.err and "No such device" in opened.err, opened
    assert node_of("issm", HCAS["n0"][0]), "there is one on the node"


def test_it_is_refused_where_the_site_does_not_allow_it():
    done = asked(",umad=yes", "true")
    assert done.status != 0 and any("umad=yes is not allowed at this site" in line for line in done.ours()), done
    assert run("n0", "test", "-e", "/dev/infiniband/umad0").status == 0, "the node has them"
