"""What is measured on an instance of the testbed that is up; each function returns the lines of its report."""

import base64
import contextlib
import json
import pathlib
import re

import cluster
from ratios import Spread, ratios, undisturbed

HERE = pathlib.Path(__file__).resolve().parent
SYSLOG, SYSLOGD_PID = "/run/measure.syslog", "/run/syslogd.pid"
# Messages of a run for its latency and for its bandwidth: enough that one which is late by chance does not decide.
MESSAGES = (1000, 40)


def launch(rounds):
    """`srun -n2 true` without the plugin, with the option none, and with verbs; and the agent's phases of the latter."""
    with agents_lines() as lines:
        took = timed("launch.sh", rounds)
        phases = {}
        for step in lines():
            for name, ms in step.items():
                phases.setdefault(name, []).append(ms)
    return [
        f"launch: srun -n2 true, {rounds} rounds; without the plugin {Spread.of(took['absent'])} s",
        ratio_line("none / without", took["none"], took["absent"], "at most 1.02"),
        ratio_line("verbs / without", took["verbs"], took["absent"], "at most 1.10"),
        *(f"  agent: {name:<10} {Spread.of(took)} ms" for name, took in phases.items()),
    ]


def timed(script, rounds, *arguments):
    """Runs a script of this folder on n0, and returns what it timed, by name, without the round that only warms up."""
    text = (HERE / script).read_text(encoding="utf-8")
    done = cluster.must(cluster.run("n0", "bash", "-s", str(rounds), *arguments, stdin=text, timeout=120 + 60 * rounds))
    took = {}
    for line in done.lines:
        number, what, seconds = line.split()
        if number != "0":
            took.setdefault(what, []).append(float(seconds))
    return took


@contextlib.contextmanager
def agents_lines():
    """Keeps syslog meanwhile. Gives a function that returns what each step's agent said of its phases, in milliseconds."""
    cluster.must(cluster.run("host", "busybox", "syslogd", "-O", SYSLOG, "-l", "8"))

    def steps():
        lines = cluster.must(cluster.run("host", "cat", SYSLOG)).lines
        found = (re.findall(r"(\w+) ([0-9.]+) ms", line) for line in lines if "container-ib: step " in line)
        return [{name: float(ms) for name, ms in phases} for phases in found]

    try:
        yield steps
    finally:
        cluster.sh("host", f"kill $(cat {SYSLOGD_PID}); rm -f {SYSLOG}")


CNI, CNI_PLUGINS = pathlib.Path("/usr/lib/cni"), ("macvlan", "host-device", "static")
SITE = "/etc/slurm/container-ib.conf"


def attach(rounds):
    """An IPoIB interface for a container: the agent, the same in bare kernel calls, by iproute2, and CNI's nearest, all
    without what the subnet manager takes for the carrier."""
    for plugin in CNI_PLUGINS:
        put("n0", f"/run/attach/{plugin}", (CNI / plugin).read_bytes())
    put("n0", "/run/attach/attach.c", (HERE / "attach.c").read_bytes())
    build = "cd /run/attach && gcc -O2 -Wall -Werror -o attach attach.c $(pkg-config --cflags --libs libnl-3.0)"
    cluster.must(cluster.sh("n0", build))
    parent = cluster.must(cluster.sh("n0", "ls /sys/class/infiniband/mlx5_0/device/net | head -n 1")).out.strip()
    modes = '[modes]\nallow = ["verbs", "ipoib"]\n'
    with cluster.contents(SITE, modes + cluster.must(cluster.run("n0", "cat", SITE)).out), agents_lines() as lines:
        took = timed("attach.sh", rounds, parent)
        # The first step warms up. Before the placement the agent waits for Slurm to start the tasks, and between network
        # and attach for the carrier.
        phases = ("placement", "network", "attach", "answer")
        agent = [sum(step[phase] for phase in phases) / 1000 for step in lines()[1:]]
    return [
        f"attach: an IPoIB interface for a task, {rounds} rounds; the agent {Spread.of(agent)} s",
        ratio_line("agent / bare kernel calls", agent, took["bare"], "at most 2.0"),
        *(ratio_line(f"agent / {what}", agent, took[what], "at most 0.1") for what in ("script", "macvlan", "host-device")),
    ]


def put(node, path, content):
    """A program for a node, which need not be text."""
    cluster.write(node, path + ".base64", base64.encodebytes(content).decode())
    cluster.must(cluster.sh(node, f"base64 -d {path}.base64 > {path} && chmod 755 {path} && rm {path}.base64"))


def ratio_line(what, values, base, aim, best=min):
    return f"  {what:<30} {ratios(values, base)}, fastest runs {undisturbed(values, base, best):.3f}   aim: {aim}"


def data(rounds, messages=MESSAGES):
    """MPI between two nodes, in a container and bare, with the same option and so the same HCAs and environment."""
    got = {"container": [], "bare": []}
    for number in range(rounds + 1):
        order = list(got.items())
        for what, results in order if number % 2 else reversed(order):
            result = pingpong("verbs,report=summary", ("ch-run", cluster.IMAGE, "--") if what == "container" else (), messages)
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


def pingpong(option, command, messages):
    """What the program found between two nodes, in microseconds and MB/s; `command` starts it."""
    program = (*command, cluster.PINGPONG, *map(str, messages))
    words = ("-N2", "-n2", "--mpi=pmix", f"--container-ib={option}", *program)
    done = cluster.must(cluster.srun(*words, timeout=300))
    if "verbs" in option and sum(": native: " in line for line in done.ours()) != len(cluster.NODES):
        raise AssertionError(f"not measured by verbs\n{done}")
    return json.loads(done.lines[-1])
