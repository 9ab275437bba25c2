"""What is measured on an instance of the testbed that is up; each function returns the lines of its report."""

import base64
import contextlib
import json
import os
import pathlib
import re

import cluster
from ratios import Interval, Spread, added, ratios, undisturbed

HERE = pathlib.Path(__file__).resolve().parent
SYSLOG, SYSLOGD_PID = "/run/measure.syslog", "/run/syslogd.pid"
_BY_VERBS = ("verbs", "macvlan", "device")
# Messages of a run for its latency and for its bandwidth: enough that one which is late by chance does not decide.
MESSAGES = (1000, 40)


def launch(rounds):
    """A step of one task a node on native nodes: without the plugin, with the plugin unused, and with verbs; on 2 nodes with the
    agent's phases, on many with the CPU time of a node."""
    many = len(cluster.NODES) > 2
    with agents_lines() as lines:
        took, ticks = {}, {}
        for round_, what, seconds, ticked in timed("launch.sh", rounds, "host", str(len(cluster.NODES))):
            if round_:
                took.setdefault(what, []).append(1000 * float(seconds))
                ticks.setdefault(what, []).append(1000 * float(ticked) / os.sysconf("SC_CLK_TCK") / len(cluster.NODES))
        phases = {}
        for step in lines():
            for name, ms in step.items():
                phases.setdefault(name, []).append(ms)
    report = [f"launch: srun -N{len(cluster.NODES)} true, {rounds} rounds; without the plugin {Interval.of(took['absent']).text(' ms')}"]
    report += [_added(f"{what} - without", took[what], took["absent"]) for what in ("unused", "verbs")]
    if many:
        report.append(f"  CPU time of a node without the plugin {Interval.of(ticks['absent']).text(' ms')}")
        report += [_added(f"CPU time of a node, {what} - without", ticks[what], ticks["absent"]) for what in ("unused", "verbs")]
    else:
        report += [f"  agent: {name:<10} {Spread.of(ms)} ms" for name, ms in phases.items()]
    return report


def _added(what, values, base):
    return f"  {what:<38} {added(values, base).text(' ms', 1, '+')}, times {Interval.of([v / b for v, b in zip(values, base)]).text('', 2)}"


def timed(script, rounds, node, *arguments):
    """Runs a script of this folder, and returns the words of its lines, each with its round as a number first."""
    text = (HERE / script).read_text(encoding="utf-8")
    done = cluster.must(cluster.run(node, "bash", "-s", str(rounds), *arguments, stdin=text, timeout=120 + 60 * rounds))
    return [(int(number), *words) for number, *words in (line.split() for line in done.lines)]


@contextlib.contextmanager
def agents_lines():
    """Keeps syslog meanwhile. Gives a function that returns what each step's agent said of its phases, in milliseconds."""
    cluster.write("host", "/run/syslog.pl", (HERE / "syslog.pl").read_text(encoding="utf-8"))
    cluster.must(cluster.sh("host", f"setsid perl /run/syslog.pl {SYSLOG} > /dev/null 2>&1 < /dev/null & echo $! > {SYSLOGD_PID}; until [ -e {SYSLOG} ]; do sleep 0.05; done"))

    def steps():
        lines = cluster.must(cluster.run("host", "cat", SYSLOG)).lines
        found = (re.findall(r"(\w+) ([0-9.]+) ms", line) for line in lines if "container-ib: step " in line)
        return [{name: float(ms) for name, ms in phases} for phases in found]

    try:
        yield steps
    finally:
        cluster.sh("host", f"kill $(cat {SYSLOGD_PID}); rm -f {SYSLOG} {SYSLOGD_PID} /run/syslog.pl /dev/log")


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
        took = {}
        for round_, what, seconds in timed("attach.sh", rounds, "n0", parent):
            if round_:
                took.setdefault(what, []).append(float(seconds))
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


_POOL = '[addresses]\npool = "10.40.0.0/16"\nnodes = ["n[0-1]"]\nper_node = 4\n'
# What tasks have, and the same device on the node.
_PAIRS = (
    ("macvlan,rails=1", "verbs,rails=1,roce=only"),
    ("device,rails=1,roce=only", "verbs,rails=1,roce=only"),
    ("device,rails=1", "verbs,rails=1"),
)


def modes(rounds, messages=MESSAGES):
    """MPI by verbs between tasks that have interfaces or devices of their own, against tasks in the node's network on the same
    device, in turn. What the median of the ratios lies in says whether anything is shown."""
    allowed = '[modes]\nallow = ["verbs", "macvlan", "device"]\n' + _POOL
    report = [f"modes: MPI between two nodes by verbs, {rounds} rounds; ratios with what their median lies in (95 %)"]
    with cluster.contents(SITE, allowed + cluster.must(cluster.run("n0", "cat", SITE)).out):
        for option, base in _PAIRS:
            got = {option: [], base: []}
            for number in range(rounds + 1):
                for which in list(got) if number % 2 else reversed(list(got)):
                    result = pingpong(which, (), messages)
                    if number:  # the first only warms up
                        got[which].append(result)
            own, node = got.values()
            for name, key, sign in (("latency, node / mode", "latency_us", -1), ("bandwidth, mode / node", "bandwidth_mb_s", 1)):
                both = [(mine[key] / its[key]) ** sign for mine, its in zip(own, node, strict=True)]
                report.append(f"  {option:<26} {name:<24} {Interval.of(both).text('', 3)}   aim: at least 0.98")
    return report


def pingpong(option, command, messages):
    """What the program found between two nodes, in microseconds and MB/s; `command` starts it."""
    program = (*command, cluster.PINGPONG, *map(str, messages))
    told = option if option == "none" or "report=" in option else f"{option},report=summary"
    words = ("-N2", "-n2", "--mpi=pmix", f"--container-ib={told}", *program)
    done = cluster.must(cluster.srun(*words, timeout=300))
    if option.startswith(_BY_VERBS) and command[:1] != ("env",) and sum(": native: " in line for line in done.ours()) != len(cluster.NODES):
        raise AssertionError(f"not measured by verbs\n{done}")
    return json.loads(done.lines[-1])


def rails(_rounds, messages=(20, 30)):
    """The share of each of n0's ports in what it has sent, when a task a node has so many of them."""
    lines = [f"rails: {cluster.must(cluster.run('n0', 'ucx_info', '-v')).lines[0].lstrip('# ')}, 1 MiB between two nodes"]
    for count in ("1", "2", "4", "all"):
        before = _sent_by_port()
        pingpong(f"verbs,report=summary,rails={count}", (), messages)
        sent = {port: bytes_now - before[port] for port, bytes_now in _sent_by_port().items()}
        shares = {port: round(100 * part / sum(sent.values())) for port, part in sent.items()}
        lines.append(f"  rails={count:<4} " + ", ".join(f"{port} {share} %" for port, share in shares.items() if share))
    return lines


def _sent_by_port():
    script = "cd /sys/class/infiniband && for hca in *; do echo $hca $(cat $hca/ports/1/counters/port_xmit_data); done"
    rows = (line.split() for line in cluster.must(cluster.sh("n0", script)).lines)
    return {hca: 4 * int(words) for hca, words in rows}


# What tasks in a user namespace each are told, what they would do by themselves, and what kept their messages out of the HCA once.
TOLD = ("UCX_TLS=^cma", "UCX_POSIX_USE_PROC_LINK=n")
VARIABLES = {"nothing": (), "what they are told": TOLD, "and no rails": (*TOLD, "UCX_MAX_RNDV_RAILS=0", "UCX_PROTO_ENABLE=n")}
NAMESPACES = {"shared": (), "user": ("-U",), "user, pid": ("-U", "-p", "-f", "--mount-proc"), "user, ipc": ("-U", "-i")}
ONE_NODE, TWO_NODES = ("-w", "n0", "-n2"), ("-N2", "-n4")


def apart(rounds, messages=(100, 10)):
    """MPI between two tasks of a node, and of two nodes that have two each, which do not share namespaces, as between containers of
    their own. The variables change in turn. A quarter of the rounds: there are many of them."""
    rounds = max(rounds // 4, 1)
    lines = [f"apart: {cluster.must(cluster.run('n0', 'ucx_info', '-v')).lines[0].lstrip('# ')}, {rounds} rounds; 1 MiB, medians"]
    for variables, settings in VARIABLES.items():
        shown = cluster.must(cluster.srun("-w", "n0", "-n1", "--container-ib=verbs,rails=1", "env", *settings, "ucx_info", "-e", "-u", "t", "-D", "net"))
        lines.append(f"  to another node, {variables:<20} {'an RDMA lane' if 'rma_bw#0' in shown.out else 'no RDMA lane'}")
    for where, (placed, namespaces) in {f"{place}, {name}": (words, options) for place, words in (("in a node", ONE_NODE), ("between", TWO_NODES))
                                        for name, options in NAMESPACES.items() if place == "in a node" or name == "user"}.items():
        got = {variables: [] for variables in VARIABLES}
        for number in range(rounds):
            order = list(VARIABLES.items())
            for variables, settings in order if number % 2 else reversed(order):
                got[variables].append(_apart_once(placed, namespaces, settings, messages))
        base = got["what they are told"]
        for variables, results in got.items():
            lines.append(f"  {where:<20} {variables:<20} {_apart_text(results, base)}")
    return lines


def _apart_once(placed, namespaces, settings, messages):
    """The program's numbers and the bytes that n0's HCAs have sent and received meanwhile; None when it died."""
    own = ("unshare", "--map-current-user", *namespaces) if namespaces else ()
    before = cluster.verbs_bytes("n0")
    done = cluster.srun(*placed, "-K", "--mpi=pmix", "--container-ib=verbs,rails=1", "env", *settings, *own, cluster.PINGPONG, *map(str, messages), timeout=120)
    if done.status != 0:
        return None
    return {**json.loads(done.lines[-1]), "bytes": cluster.verbs_bytes("n0") - before}


def _apart_text(results, base):
    if None in results:
        return f"dies in {results.count(None)} of {len(results)}"
    rate = [result["bandwidth_mb_s"] for result in results]
    carried = sum(result["bytes"] for result in results) / len(results) / 2**20
    times = ratios(rate, [result["bandwidth_mb_s"] for result in base]) if None not in base else "-"
    return f"{carried:5.1f} MiB by the HCA, {Spread.of(rate)} MB/s, times what they are told {times}"
