"""Launchers other than srun, whose ranks use the HCAs. tests/slurm/test_shapes.py has the shapes of jobs, and who gets what."""

import json

from cluster import PINGPONG, PINGPONG_MPICH, verbs_bytes
from jobs import MPIRUN, sbatch, script
from verbs import IN_CONTAINER, assert_native

INSTANCE = "ctest ctest-trixie"  # soak: ctest


def test_an_mpi_that_starts_over_pmi2_is_native():
    assert_native(*IN_CONTAINER, PINGPONG_MPICH, mpi="pmi2")


def native_in_a_batch_script(name, text):
    script(name, text)
    before = verbs_bytes("n1")
    out = sbatch("-N2", "--ntasks-per-node=1", "--container-ib=verbs", name, timeout=240)
    assert json.loads(out.lines[-1])["ranks"] == 2, out
    assert verbs_bytes("n1") > before + (4 << 20), "no verbs"


def test_mpirun_in_a_batch_script_is_native():
    native_in_a_batch_script("mpirun.sh", f"export OMPI_MCA_pml=ucx\n{MPIRUN} -n 2 {PINGPONG}\n")


def test_hydra_in_a_batch_script_is_native():
    native_in_a_batch_script("hydra.sh", f"mpiexec.hydra -n 2 -ppn 1 {PINGPONG_MPICH}\n")
