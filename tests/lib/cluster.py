"""The testbed as a test sees it, in virtual machines or native: commands on its nodes, and what must not be left behind on
them."""

import concurrent.futures
import contextlib
import dataclasses
import pathlib
import re
import shlex
import subprocess
import sys
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
TESTBED = SOURCE / "contrib" / "testbed" / "testbed"
sys.path.append(str(TESTBED.parent / "lib"))
from testbed import access, instance  # noqa: E402  (the path above comes first)

INSTANCE, NODES, NATIVE = "", (), False  # set by `use`
IMAGE = "/var/lib/testbed/image"
PINGPONG = "/usr/lib/testbed/pingpong"
PINGPONG_MPICH = "/usr/lib/testbed/pingpong-mpich"
# HCAs of each node of model small, that of NUMA node 0 first (contrib/testbed/README.md), and the first CPU of each NUMA node;
# set by `use`, as what two nodes in one guest share native ones each have for themselves.
HCAS, CPUS = {}, {}
_IN_A_GUEST = {"n0": ("mlx5_0", "mlx5_1"), "n1": ("mlx5_2", "mlx5_3")}, {"n0": ("0", "2"), "n1": ("1", "3")}


@dataclasses.dataclass
class Result:
    """What a command did. `err` holds what the user would read on the terminal beside the output."""

    status: int
    out: str
    err: str

    @property
    def lines(self):
        return self.out.splitlines()

    def ours(self):
        """The lines that container-ib told the user, without Slurm's prefix."""
        lines = [line[line.index("container-ib") :] for line in self.err.splitlines() if "container-ib" in line]
        return [line for line in lines if not (_NO_MEMLOCK in line and not can_raise_limits())]

    def __str__(self):
        return f"status {self.status}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


# What a native node's agent says, and rightly so, where this machine's root is not allowed to raise limits (containers often
# lack CAP_SYS_RESOURCE). Memory limits are tested in virtual machines.
_NO_MEMLOCK = "read the memlock limit of pid "
_CAP_SYS_RESOURCE = 24


def can_raise_limits():
    """Whether root of this machine's namespaces may."""
    text = pathlib.Path("/proc/self/status").read_text()
    return not NATIVE or bool(int(re.search(r"^CapBnd:\s*([0-9a-f]+)", text, re.M)[1], 16) >> _CAP_SYS_RESOURCE & 1)


def use(name):
    """From here on everything is asked of this instance."""
    global INSTANCE, NODES, NATIVE
    INSTANCE = name
    known = instance.Instance(name)
    if not known.ready():
        raise SystemExit(f"instance {name} is {known.condition()}: ctest boots it")
    NODES, NATIVE = tuple(known.known["nodes"]), known.native
    HCAS.clear()
    CPUS.clear()
    if NATIVE:
        HCAS.update({node: ("mlx5_0", "mlx5_1") for node in NODES})
        CPUS.update({node: _first_cpus(known.guests[0].paper(node)) for node in NODES})
    else:
        HCAS.update(_IN_A_GUEST[0])
        CPUS.update(_IN_A_GUEST[1])


def suite():
    """The Debian suite of the instance."""
    return instance.Instance(INSTANCE).known["suite"]


def hosts():
    """The machines that the nodes are in: of two guests each has files of its own."""
    return tuple(f"host{guest.number}" for guest in instance.Instance(INSTANCE).guests)


def _first_cpus(paper):
    """The first CPU of each NUMA node, as the node has them on paper."""
    lists = sorted(paper.glob("sys/devices/system/node/node*/cpulist"))
    return tuple(text.split(",")[0] for text in (file.read_text().strip() for file in lists) if text)


def testbed_status():
    """A line for each instance that this machine knows."""
    return tool("status").lines


def tool(*words, timeout=120):
    """The testbed's own tool."""
    done = subprocess.run([str(TESTBED), *words], capture_output=True, text=True, timeout=timeout, check=False)
    return Result(done.returncode, done.stdout, done.stderr)


def testbed(command, *args, timeout=60):
    """The same, of this instance."""
    return tool(command, "--name", INSTANCE, *args, timeout=timeout)


def run(node, *command, user="root", timeout=60, stdin=None):
    """Runs a command in a node; never longer than `timeout` seconds."""
    try:
        done = subprocess.run(**_exec(node, user, timeout, command), input=stdin, capture_output=True, text=True, timeout=timeout + 30, check=False)
    except subprocess.TimeoutExpired as late:
        said = b"".join(part or b"" for part in (late.stdout, late.stderr)).decode(errors="replace")
        raise AssertionError(f"{node} did not end {command} after {timeout} s, nor half a minute later; it had said\n{said}") from None
    return Result(done.returncode, done.stdout, done.stderr)


def _exec(node, user, timeout, command):
    """`testbed exec`, without another Python for it."""
    guest = instance.Instance(INSTANCE).guest_of(node)
    return {"args": access.words(guest, node, user, command, timeout), "cwd": guest.folder}


def sh(node, script, **kwargs):
    return run(node, "bash", "-c", script, **kwargs)


def srun(*args, user="alice", timeout=90):
    """srun as a user, with the working directory that a user has."""
    return run("n0", "srun", "--chdir=/tmp", *args, user=user, timeout=timeout)


def srun_bound(cpus, *args, user="alice"):
    """A step of a task on each of these CPUs of n0, which may be named more than once."""
    bound = (f"-n{len(cpus)}", "--overcommit", f"--cpu-bind=map_cpu:{','.join(cpus)}")
    return run("n0", "salloc", "-Q", "--chdir=/tmp", "--exclusive", "-w", "n0", "srun", *bound, *args, user=user, timeout=90)


class Background:
    """A user's command on n0 that runs while the test does something else; its jobs end with the block."""

    def __init__(self, *command):
        self._process = subprocess.Popen(**_exec("n0", "alice", 150, command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def end(self):
        """The result, once it has ended by itself."""
        out, err = self._process.communicate(timeout=150)
        return Result(self._process.returncode, out, err)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        must(sh("n0", "scancel -u alice; true"))
        try:
            self._process.communicate(timeout=150)
        finally:
            self._process.kill()


def must(result, status=0):
    """The result, if it ended as expected."""
    if result.status != status:
        raise AssertionError(f"expected exit status {status}\n{result}")
    return result


def write(node, path, text, mode="644"):
    """Puts a file in place at once: an epilog may read Slurm's files at any time."""
    script = 'mkdir -p "$(dirname "$1")" && cat > "$1.new" && chmod "$2" "$1.new" && mv "$1.new" "$1"'
    must(run(node, "sh", "-c", script, "-", path, mode, stdin=text))


@contextlib.contextmanager
def contents(path, text, node="n0"):
    """Other contents of a file for the time of a test. The nodes of a guest share their files."""
    original = must(run(node, "cat", path)).out
    write(node, path, text)
    try:
        yield
    finally:
        write(node, path, original)


def plugstack(line):
    """Another line for the plugin, which Slurm reads at each launch."""
    return contents("/etc/slurm/plugstack.conf.d/container-ib.conf", line + "\n")


def restart(where, daemon):
    """Ends a daemon and starts it again, as it was at first."""
    must(sh(where, f"pkill -x {daemon}; while pgrep -x {daemon} > /dev/null; do sleep 0.1; done; {daemon}"))


def verbs_bytes(node):
    """Bytes that the ports of a node's HCAs have sent and received (counters are 32-bit words, IBTA PortXmitData)."""
    files = [f"/sys/class/infiniband/{hca}/ports/1/counters/port_{way}_data" for hca in HCAS[node] for way in ("xmit", "rcv")]
    return 4 * sum(int(word) for word in must(run(node if NATIVE else "host", "cat", *files)).out.split())


def uverbs_of(node, hca):
    """The uverbs node of an HCA, by sysfs and not by its number."""
    script = f"for d in /sys/class/infiniband_verbs/uverbs*; do grep -qx {hca} $d/ibdev && basename $d; done; true"
    return must(sh(node if NATIVE else "host", script)).out.strip()


def wait_until(true, seconds, what):
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.2)


def wait_for_epilogs():
    """Until those of ended jobs are over. A node takes no other job before, and srun would say that its own is queued."""
    wait_until(lambda: run("host", "squeue", "-h", "-t", "CG").out == "", 60, "the epilogs of ended jobs")


def journals(node):
    """The steps and containers that something is attached for; the node's structure is kept beside them."""
    return sh(node, "cd /run/container-ib 2>/dev/null && ls -d [0-9]* pid-* 2>/dev/null").lines


# Prints everything of ours, or of a step, that exists on a node.
LEFTOVERS = f"perl -e {shlex.quote((pathlib.Path(__file__).parent / 'leftovers.pl').read_text())}"


def leftovers(node):
    """Between tests there must be nothing."""
    return must(sh(node, LEFTOVERS)).lines


def assert_clean():
    """Nothing is left on any node, and both take the next job. Slurm's own end of a step takes a moment."""
    left = {}

    def not_idle():
        return [line for line in must(run("n0", "sinfo", "-hN", "-o", "%N %T")).lines if not line.endswith("idle")]

    def clean():
        with concurrent.futures.ThreadPoolExecutor() as pool:
            answers = {"sinfo": pool.submit(not_idle), **{node: pool.submit(leftovers, node) for node in NODES}}
        left.update({where: answer.result() for where, answer in answers.items()})
        return not any(left.values())

    try:
        wait_until(clean, 20, "a clean cluster")
    except AssertionError:
        raise AssertionError(f"left behind: { {where: what for where, what in left.items() if what} }")


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)
