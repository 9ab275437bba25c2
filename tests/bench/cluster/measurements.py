"""What is measured on an instance of the testbed that is up; each function returns the lines of its report."""

import json
import pathlib
import re

import cluster
from ratios import Spread, ratios, undisturbed

HERE = pathlib.Path(__file__).resolve().parent
SYSLOG, SYSLOGD_PID = "/run/measure.syslog", "/run/syslogd.pid"
# Enough that a message which is late by chance does not decide.
LATENCY_RUNS, BANDWIDTH_RUNS = 1000, 40


def launch(rounds):
    """`srun -n2 true` without the plugin, with the option none, and with verbs; and the agent's phases of the latter."""
    cluster.must(cluster.run("host", "busybox", "syslogd", "-O", SYSLOG, "-l", "8"))
    try:
        script = (HERE / "launch.sh").read_text(encoding="utf-8")
        done = cluster.must(cluster.run("n0", "bash", "-s", str(rounds), stdin=script, timeout=120 + 60 * rounds))
        log = cluster.must(cluster.run("host", "cat", SYSLOG)).out
    finally:
        cluster.sh("host", f"kill $(cat {SYSLOGD_PID}); rm -f {SYSLOG}")
    took = {"absent": [], "none": [], "verbs": []}
    for line in done.lines:
        number, what, seconds = line.split()
        if number != "0":  # the warm-up
            took[what].append(float(seconds))
    return [
        f"launch: srun -n2 true, {rounds} rounds; without the plugin {Spread.of(took['absent'])} s",
        ratio_line("none / without", took["none"], took["absent"], "at most 1.02"),
        ratio_line("verbs / without", took["verbs"], took["absent"], "at most 1.10"),
        *phase_lines(log),
    ]


def phase_lines(log):
    """The agent's debug lines as one line per phase, in their order."""
    phases = {}
    for line in log.splitlines():
        if "container-ib: step " in line:
            for name, ms in re.findall(r"(\w+) ([0-9.]+) ms", line):
                phases.setdefault(name, []).append(float(ms))
    return [f"  agent: {name:<10} {Spread.of(took)} ms" for name, took in phases.items()]


def ratio_line(what, values, base, aim, best=min):
    return f"  {what:<28} {ratios(values, base)}, fastest runs {undisturbed(values, base, best):.3f}   aim: {aim}"


def data(rounds):
    """MPI between two nodes, in a container and bare, with the same option and so the same HCAs and environment."""
    got = {"container": [], "bare": []}
    for number in range(rounds + 1):
        order = list(got.items())
        for what, results in order if number % 2 else reversed(order):
            result = pingpong(("ch-run", cluster.IMAGE, "--") if what == "container" else ())
            if number:  # the first only warms up
                results.append(result)
    column = {(what, key): [r[key] for r in results] for what, results in got.items() for key in ("latency_us", "bandwidth_mb_s")}
    return [
        f"data: MPI between two nodes by verbs, {rounds} rounds; bare {Spread.of(column['bare', 'latency_us'])} us, "
        f"{Spread.of(column['bare', 'bandwidth_mb_s'])} MB/s",
        ratio_line("latency, bare / container", column["bare", "latency_us"], column["container", "latency_us"], "at least 0.98"),
        ratio_line(
            "bandwidth, container / bare", column["container", "bandwidth_mb_s"], column["bare", "bandwidth_mb_s"], "at least 0.98", max
        ),
    ]


def pingpong(engine):
    done = cluster.srun(
        "-N2", "-n2", "--mpi=pmix", "--container-ib=verbs,report=summary", *engine, cluster.PINGPONG,
        str(LATENCY_RUNS), str(BANDWIDTH_RUNS), timeout=300,
    )  # fmt: skip
    if sum(": native: " in line for line in cluster.must(done).ours()) != len(cluster.NODES):
        raise AssertionError(f"not measured by verbs\n{done}")
    return json.loads(done.lines[-1])
