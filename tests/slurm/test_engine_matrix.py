"""Each engine in each configuration: devices by number, variables, MPI's start, the step's end and what it leaves. README's table is
made of the answers (tests/lib/engine_matrix.py)."""

from engine_matrix import check


def test_ch_run():
    check("ch_run")


def test_ch_run_join():
    check("ch_run_join")


def test_bubblewrap():
    check("bubblewrap")


def test_bubblewrap_own_dev():
    check("bubblewrap_own_dev")


def test_crun():
    check("crun")


def test_runc():
    check("runc")


def test_slurm_crun():
    check("slurm_crun")


def test_slurm_runc():
    check("slurm_runc")


def test_plugin():
    check("plugin")


def test_podman():
    check("podman")


def test_apptainer_sandbox():
    check("apptainer_sandbox")


def test_apptainer_contain():
    check("apptainer_contain")


def test_apptainer_containall():
    check("apptainer_containall")


def test_apptainer_cleanenv():
    check("apptainer_cleanenv")


def test_apptainer_sif():
    check("apptainer_sif")
