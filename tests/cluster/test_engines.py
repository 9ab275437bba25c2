"""MPI is native in engines other than Charliecloud. tests/slurm/test_engines.py has what they show inside."""

from cluster import PINGPONG
from engines import bubblewrap, bundle_of_crun, bundle_of_runc
from verbs import assert_native

INSTANCE = "ctest ctest-trixie"  # soak: ctest-trixie


def test_mpi_is_native_in_bubblewrap():
    assert_native(*bubblewrap(), PINGPONG)


def test_mpi_is_native_in_a_bundle_of_crun():
    with bundle_of_crun(PINGPONG) as command:
        assert_native(*command)


def test_mpi_is_native_in_a_bundle_of_runc():
    with bundle_of_runc(PINGPONG) as command:
        assert_native(*command)
