"""Whose bytes a port's counters count: the verdict of a step says so where others have its ports too."""

import contextlib
import re

from cluster import HCAS, NODES, PINGPONG, Background, journals, must, run, sh, wait_until
from verbs import has_mpi

INSTANCE = "ctest ctest-trixie"  # soak: ctest-trixie

_IDLE = "echo runs; read -r word"
_OPTION = "--container-ib=verbs,report=summary"
# Steps of one job, each of which has a task on each node; every step's words are in a file.
_STEP = "srun --chdir=/tmp --overlap -N2 -n2"


def _mpi(name, times=1):
    again = "; ".join([PINGPONG] * times)
    return f"{_STEP} --mpi=pmix {_OPTION} sh -c '{again}' < /dev/null > /tmp/{name}.out 2> /tmp/{name}.err"


def _idle(name):
    return f"{_STEP} {_OPTION} sh -c '{_IDLE}' < /tmp/end > /tmp/{name}.out 2> /tmp/{name}.err"


def _job(script):
    return Background("salloc", "-Q", "--chdir=/tmp", "--exclusive", "-N2", "-n4", "bash", "-c", script)


def _verdicts(name):
    """By node, of the step whose words are in that file."""
    text = must(run("n0", "cat", f"/tmp/{name}.err")).out
    found = dict(re.findall(r"container-ib: (n\d): ([a-z-]+(?: native)?: .*)", text))
    assert sorted(found) == sorted(NODES), text
    return found


@contextlib.contextmanager
def _files():
    remove = "rm -f /tmp/first.* /tmp/second.* /tmp/end"
    must(sh("n0", remove))
    try:
        yield
    finally:
        must(sh("n0", remove))


def test_a_step_that_only_has_the_same_port_takes_nothing_from_the_verdict():
    has_mpi("pmix")
    runs = "until [ $(grep -c runs /tmp/first.out) = 2 ]; do sleep 0.2; done; sleep 2"  # a look at the ports
    script = f"mkfifo /tmp/end; exec 3<> /tmp/end; {_idle('first')} & {runs}; {_mpi('second')}; echo > /tmp/end; wait"
    with _files(), _job(script) as job:
        must(job.end())
        for node, line in _verdicts("second").items():
            assert line.startswith("native: "), (node, line)
        # The other way round the bytes are not its own.
        for node, line in _verdicts("first").items():
            assert re.search(r"^unknown: .*, but step \d+\.1 (had queue pairs on \S+|used the same port) meanwhile$", line), (node, line)


def test_two_steps_that_use_the_same_port_name_each_other():
    has_mpi("pmix")
    with _files(), _job(f"{_mpi('first', 2)} & sleep 1; {_mpi('second', 2)} & wait") as job:
        must(job.end())
        for name, other in (("first", 1), ("second", 0)):
            for node, line in _verdicts(name).items():
                assert re.search(rf"^unknown: .*, but step \d+\.{other} .* meanwhile$", line), (name, node, line)


@contextlib.contextmanager
def _stranger(hca):
    """A process of no step that has a queue pair and waits for who never comes; its number."""
    must(sh("n0", f"setsid ibv_rc_pingpong -d {hca} -p 18999 > /tmp/stranger 2>&1 < /dev/null & echo $! > /tmp/stranger.pid"))
    pid = must(run("n0", "cat", "/tmp/stranger.pid")).out.strip()
    try:
        wait_until(lambda: f"pid {pid} " in must(run("n0", "rdma", "resource", "show", "qp")).out, 20, "it has a queue pair")
        yield pid
    finally:
        must(sh("n0", f"kill {pid}; rm -f /tmp/stranger /tmp/stranger.pid"))


def test_a_process_of_no_step_is_named():
    has_mpi("pmix")
    hca = HCAS["n0"][0]
    mpi = ("srun", "--chdir=/tmp", "-N2", "-n2", "--mpi=pmix", _OPTION, PINGPONG)
    with _stranger(hca) as pid:
        done = must(run("n0", *mpi, user="alice", timeout=120))
    assert any(re.search(rf"n0: unknown: .*, but pid {pid} \(ibv_rc_pingpong\) had queue pairs on {hca}:1 meanwhile$", line) for line in done.ours()), done
    assert any(re.search(r"n1: native: ", line) for line in done.ours()), done
    done = must(run("n0", *mpi, user="alice", timeout=120))
    assert all("native: " in line for line in done.ours()), done
    assert not journals("n0")
