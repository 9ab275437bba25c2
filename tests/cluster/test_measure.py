"""The measurements of tests/bench/cluster still run; what they say of a machine that does other things is no test. The cost of
a launch is measured natively (tests/slurm/test_measure.py)."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench" / "cluster"))

import measurements  # noqa: E402  (the path above comes first)
import network  # noqa: E402

FEW = (20, 2)  # messages


def test_an_attach_is_measured_against_what_others_do():
    report = measurements.attach(1)
    starts = ("attach: ", *(f"agent / {other}" for other in ("bare kernel calls", "script", "macvlan", "host-device")))
    assert [line.lstrip().startswith(start) for line, start in zip(report, starts, strict=True)] == [True] * 5, report


def test_mpi_in_a_container_is_measured_against_the_bare_node():  # soak: ctest
    assert len(measurements.data(1, FEW)) == 3


def test_an_ipoib_child_is_measured_against_the_nodes_own_interface():  # soak: ctest
    assert len(network.ipoib(1, FEW)) == 3


def test_an_overlay_is_measured_against_ipoib():  # soak: ctest
    assert len(network.overlay(1, FEW)) == 6


def test_mpi_between_user_namespaces_is_measured_with_and_without_what_it_is_told():  # soak: ctest
    assert len(measurements.apart(1, FEW)) == 19
