"""Steps that ask for management datagrams, where the site allows them."""

from cluster import HCAS, srun
from slurm import files, text_of

# A container that has them: the node's own tree, in mount and user namespaces of its own.
CONTAINER = ("bwrap", "--ro-bind", "/", "/", "--dev-bind", "/dev", "/dev", "--bind", "/tmp", "/tmp", "--")


def allowed():
    site = text_of("container-ib.conf") or ""
    assert "[users]" not in site, site
    return files({"container-ib.conf": f"{site}\n[users]\nallow_umad = true\n"})


def asked(option, script, user="alice"):
    """A task of n0's first HCA, in a container."""
    hca = HCAS["n0"][0]
    return srun("-w", "n0", "-n1", f"--container-ib=verbs,hca={hca}{option}", *CONTAINER, "sh", "-c", script, user=user, timeout=120)
