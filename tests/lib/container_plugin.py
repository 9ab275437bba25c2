"""A SPANK plugin that makes one container for the tasks of a node, as pyxis does (container_plugin.c)."""

import contextlib
import pathlib

import cluster
from cluster import NODES, must, run, sh, write
from slurm import configured, files
from verbs import has_mpi

PLUGIN = "/usr/local/lib/test_container.so"
OTHER = f"required {PLUGIN}\n"
OURS = "required container_ib.so config=/etc/slurm/container-ib.conf\n"

# The plugin's engine ends with the step where Slurm tracks more than the tasks and their children: a cgroup, or a group.
_TRACKED = {"ProctrackType": "proctrack/pgid"}


@contextlib.contextmanager
def container_plugin(plugstack=OTHER + OURS, mpi="pmix"):
    """Slurm with both plugins, in this order. Skipped where its MPI plugin is missing."""
    has_mpi(mpi)
    source = "/usr/local/src/test_container.c"
    write("n0", source, pathlib.Path(__file__).with_suffix(".c").read_text(encoding="utf-8"))
    must(run("n0", "gcc", "-shared", "-fPIC", "-o", PLUGIN, source, timeout=60))
    texts = {"plugstack.conf": plugstack}
    try:
        with configured(_TRACKED, texts) if cluster.NATIVE else files(texts):
            yield
    finally:
        for node in NODES:
            must(sh(node, "rm -f /tmp/test_container.*"))
