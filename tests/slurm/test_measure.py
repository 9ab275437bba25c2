"""The measurement of a launch still runs; what it says of a machine that does other things is no test."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench" / "cluster"))

import measurements  # noqa: E402  (the path above comes first)
from cluster import must, sh  # noqa: E402


def test_the_cost_of_a_launch_is_measured_phase_by_phase():
    plugin = must(sh("host", "cat /etc/slurm/plugstack.conf.d/container-ib.conf")).out
    report = measurements.launch(1)
    starts = ("launch: ", "unused - without ", "verbs - without ", *(f"agent: {phase} " for phase in ("start", "inventory", "tasks", "placement", "attach", "answer")))
    assert [line.lstrip().startswith(start) for line, start in zip(report, starts, strict=True)] == [True] * len(starts), report
    assert must(sh("host", "cat /etc/slurm/plugstack.conf.d/container-ib.conf")).out == plugin, "the plugin's line is back"
