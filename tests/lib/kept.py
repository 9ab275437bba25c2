"""A descriptor of a VF's RDMA device that a user keeps when his step is over (tests/cluster/kept.c)."""

import pathlib
import re

from cluster import Background, journals, must, run, srun, wait_until, write

_SOURCE = pathlib.Path(__file__).resolve().parents[1] / "cluster" / "kept.c"
_PROGRAM = "/usr/local/bin/kept"
_SOCKET = "/tmp/kept.sock"

# A task's VF, and what the program says of its device: "PCI_ADDRESS own: ...".
_ABOUT_ITS_OWN = (
    "device=$(ls /dev/infiniband/uverbs*); "
    "vf=$(basename $(readlink -f /sys/class/infiniband/${CONTAINER_IB_PORTS%%:*}/device)); "
    f'echo "$vf $({_PROGRAM} WORD {_SOCKET} $device)"'
)


# What is seen (`what_is_kept`) where the descriptor ends, and where it does not.
ENDED = (
    "own: Success, kept: Success, anew: Operation not permitted",
    "kept: Input/output error",
    "own: Success, kept: Input/output error, anew: Operation not permitted",
)
KEPT = (
    "own: Success, kept: Success, anew: Success",
    "kept: Success",
    "own: Success, kept: Success, anew: Success",
)


def _step(user, tasks, word):
    """What the program says in each task, by VF. Two tasks have all VFs of mlx5_0."""
    option = "--container-ib=vf,rails=1,hca=mlx5_0"
    done = must(srun("-w", "n0", f"-n{tasks}", "--overcommit", option, "sh", "-c", _ABOUT_ITS_OWN.replace("WORD", word), user=user))
    said = dict(line.split(" ", 1) for line in done.lines)
    assert len(said) == tasks and all(re.fullmatch(r"own: [^,]*, kept: [^,]*, anew: [^,]*", words) for words in said.values()), done
    return said


def what_is_kept():
    """A task of alice's sends its open device to a job of hers that has none. What is seen while her step is there, when it is over,
    and in bob's, when he has the VF."""
    write("n0", "/usr/local/src/kept.c", _SOURCE.read_text(encoding="utf-8"))
    must(run("n0", "gcc", "-Wall", "-o", _PROGRAM, "/usr/local/src/kept.c", timeout=60))
    try:
        with Background("srun", "--chdir=/tmp", "-w", "n0", "-n1", "--overcommit", _PROGRAM, "hold", _SOCKET):
            wait_until(lambda: run("n0", "test", "-S", _SOCKET).status == 0, 60, "the job that keeps it")
            ((vf, meanwhile),) = _step("alice", 1, "give").items()
            wait_until(lambda: journals("n0") == [], 20, "the VF is given back")
            over = must(run("n0", _PROGRAM, "ask", _SOCKET)).out.strip()
            others = _step("bob", 2, "ask")
            assert vf in others, (vf, others)
            return meanwhile, over, others[vf]
    finally:
        must(run("n0", "rm", "-f", _SOCKET))
