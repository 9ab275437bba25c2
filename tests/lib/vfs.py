"""What mode vf needs: the site's leave, and on nodes that were booted without any, VFs."""

import contextlib

from cluster import contents, must, sh
from picture import everything_comes_back

SITE = "/etc/slurm/container-ib.conf"
CONF = """[devices]
drivers = ["vhca"]
[modes]
allow = ["verbs", "vf", "ipoib"]
[vf]
guids = "generate"
"""
_NODES = ("n0", "n1")


@contextlib.contextmanager
def nodes_with_vfs(more=""):
    """In an instance of two guests: two VFs of each node's mlx5_0 without a GUID, as new ones are, and the site's leave to
    use them. All of it is as before then."""
    numvfs = "/sys/class/infiniband/mlx5_0/device/sriov_numvfs"
    with contextlib.ExitStack() as stack:
        for node in _NODES:
            stack.enter_context(contents(SITE, CONF + more, node))
            stack.callback(lambda node=node: must(sh(node, f"echo 0 > {numvfs}")))
            must(sh(node, f"echo 2 > {numvfs}"))
        for node in _NODES:
            stack.enter_context(everything_comes_back(node))
        yield
