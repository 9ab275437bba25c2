"""MPI is native in every engine. tests/slurm/test_engine_matrix.py has what they show inside; README's table is made of the answers."""

from engine_matrix import prove
from test_ipoib import children, site
from cluster import wait_until

INSTANCE = "ctest-trixie"


def test_ch_run_verbs():
    prove("ch_run")


def test_bubblewrap_verbs():
    prove("bubblewrap")


def test_crun_verbs():
    prove("crun")


def test_runc_verbs():
    prove("runc")


def test_slurm_crun_verbs():
    prove("slurm_crun")


def test_plugin_verbs():
    prove("plugin")


def test_podman_verbs():
    prove("podman")


def _in_ipoib(name, **how):
    """The interfaces are given back."""
    with site():
        prove(name, "ipoib", **how)
        wait_until(lambda: children() == [], 20, "no child is left")


def test_ch_run_ipoib():
    _in_ipoib("ch_run")


def test_slurm_crun_ipoib():
    _in_ipoib("slurm_crun")


def test_plugin_ipoib():
    _in_ipoib("plugin")
