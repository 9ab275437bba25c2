"""Each container engine in each configuration, and what every one of them is asked: a line of the table in README.md is made of the
answers (tests/engine_table). A new engine is one more Cell here, a test of its name in tests/slurm/test_engine_matrix.py, and
one in tests/cluster/test_engine_matrix.py for each mode that MPI shall be native in."""

import contextlib
import dataclasses
import json
import os
import pathlib
import re
import typing

from bundles import BUNDLE, BY_TCP, CRUN, HERSELF, HERSELF_FOR_RUNC, IN_A_NAMESPACE, RUNC, bundle, config, slurm_runs
from cluster import HCAS, IMAGE, NATIVE, NODES, PINGPONG, PINGPONG_MPICH, SOURCE, Background, assert_clean, can_raise_limits, must, run, sh, skip, srun, suite, uverbs_of, wait_until
from container_plugin import container_plugin
from engines import bubblewrap, bundle_of_crun, bundle_of_runc, podman, podmans_end
from verbs import by_tcp, has_mpi

ALL = ("bookworm", "trixie", "sid")
# How MPI starts there: the plugins of each suite's Slurm.
STARTS = {"bookworm": ("pmix", "pmi2"), "trixie": ("pmix", "pmi2"), "sid": ("pmi2",)}
SIF = "/usr/local/lib/image.sif"


@dataclasses.dataclass(frozen=True)
class Engine:
    """Of srun's command line: options, and the words before the program's."""

    options: tuple = ()
    words: tuple = ()


@dataclasses.dataclass(frozen=True)
class Cell:
    """An engine in a configuration."""

    name: str
    engine: str  # README's first column
    to_type: str  # the second: what a user has to say for it besides
    enter: typing.Callable  # () -> a context with an Engine
    suites: tuple = ALL  # those whose packages have it
    option: str = ""  # more of --container-ib
    shared: bool = False  # one container for a node's tasks: the devices of all
    mpi: tuple = ("pmix", "pmi2")  # Slurm's plugins that it lets through, the first that a suite has is tried
    daemon: bool = False  # its containers leave the task's processes: only a cgroup, which native nodes lack, ends them with the step


def _plain(*words):
    return lambda: contextlib.nullcontext(Engine(words=words))


@contextlib.contextmanager
def _in_the_task(bundle_of_runtime):
    with bundle_of_runtime() as words:
        yield Engine(words=words)


@contextlib.contextmanager
def _by_slurm(mapping, *runtime, **how):
    with bundle(config(mapping)), slurm_runs(*runtime, **how):
        yield Engine(options=(f"--container={BUNDLE}",))


@contextlib.contextmanager
def _plugin():
    with container_plugin(mpi=STARTS[suite()][0]):
        yield Engine(options=(f"--container-image={IMAGE}",))


@contextlib.contextmanager
def _podman():
    with podmans_end():
        yield Engine(words=podman())


@contextlib.contextmanager
def _apptainer(*options, image=IMAGE):
    if image == SIF and run("n0", "test", "-e", SIF).status != 0:
        must(run("n0", "apptainer", "-q", "build", "--mksquashfs-args", "-no-compression", SIF, IMAGE, timeout=300))
    yield Engine(words=("apptainer", "exec", *options, image))


def _of_apptainer(name, row, *options, **more):
    return Cell(f"apptainer_{name}", f"Apptainer, {row}", "", lambda: _apptainer(*options, **more), suites=("sid",))


_IN_THE_BUNDLE = "in the bundle: `/dev` and the environment"
_FOR_PMI2 = "; for PMI2 `--preserve-fds=40`"
_BEFORE_SLURMS = "site: `container-ib oci %b` before the runtime in `oci.conf` ([oci.md](doc/oci.md))"
_BWRAP_OWN_DEV = ("bwrap", "--ro-bind", IMAGE, "/", "--dev", "/dev", "--dev-bind", "/dev/infiniband", "/dev/infiniband", "--bind", "/dev/shm", "/dev/shm",
                  "--ro-bind", "/sys", "/sys", "--proc", "/proc", "--bind", "/tmp", "/tmp", "--")

CELLS = (
    Cell("ch_run", "Charliecloud", "", _plain("ch-run", IMAGE, "--")),
    Cell("ch_run_join", "Charliecloud, `--join`", "`scope=node`", _plain("ch-run", "--join", IMAGE, "--"), option=",scope=node", shared=True),
    Cell("bubblewrap", "bubblewrap, `--dev-bind /dev /dev`", "", lambda: contextlib.nullcontext(Engine(words=bubblewrap()))),
    Cell("bubblewrap_own_dev", "bubblewrap, `--dev /dev`", "`--dev-bind /dev/infiniband /dev/infiniband --bind /dev/shm /dev/shm`", _plain(*_BWRAP_OWN_DEV)),
    Cell("crun", "crun, a bundle in the task", _IN_THE_BUNDLE + _FOR_PMI2, lambda: _in_the_task(bundle_of_crun)),
    Cell("runc", "runc, a bundle in the task", _IN_THE_BUNDLE, lambda: _in_the_task(bundle_of_runc), mpi=("pmix",)),
    Cell("slurm_crun", "`srun --container`, crun", _BEFORE_SLURMS + _FOR_PMI2, lambda: _by_slurm(HERSELF, CRUN, verb="run --preserve-fds=40"), suites=("trixie", "sid")),
    Cell("slurm_runc", "`srun --container`, runc", _BEFORE_SLURMS, lambda: _by_slurm(HERSELF_FOR_RUNC, RUNC, IN_A_NAMESPACE), suites=("trixie", "sid"), mpi=("pmix",)),
    Cell("plugin", "a container plugin (pyxis; the test's does the same)", "site: its line in `plugstack.conf` before ours", _plugin, shared=True),
    Cell("podman", "podman, rootless, from 4.4 on", "", _podman, suites=("trixie", "sid"), mpi=("pmix",), daemon=True),
    _of_apptainer("sandbox", "a folder"),
    _of_apptainer("contain", "`--contain`", "--contain"),
    _of_apptainer("containall", "`-C`", "-C"),
    _of_apptainer("cleanenv", "`--cleanenv`", "--cleanenv"),
    _of_apptainer("sif", "a SIF image", image=SIF),
)
BY_NAME = {cell.name: cell for cell in CELLS}

# In this order a cell's tests in tests/cluster are named NAME_MODE.
MODES = ("verbs", "ipoib", "vf")


def results():
    """Where the answers are kept, one file each."""
    return pathlib.Path(os.environ.get("CIB_ENGINE_RESULTS", SOURCE / "build" / "engine-matrix"))


@contextlib.contextmanager
def _recorded(cell, tier, **facts):
    """Writes a cell's answers when all of it held; those of the last time are no longer true when it begins."""
    if suite() not in cell.suites:
        skip(f"{suite()} has no {cell.engine}")
    file = results() / f"{'-'.join([cell.name, suite(), *facts.values()])}.json"
    file.unlink(missing_ok=True)
    yield facts
    assert_clean()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"cell": cell.name, "suite": suite(), "tier": tier, **facts}) + "\n", encoding="utf-8")


# A line for each task; the last rank's exit status is one that nobody else has.
_PROBE = (
    "echo $SLURM_PROCID $CONTAINER_IB_MODE $CONTAINER_IB_PORTS $UCX_NET_DEVICES $OMPI_MCA_pml $NCCL_IB_HCA memlock=$(ulimit -l) "
    "$(cd /dev/infiniband && stat -c %n=%t:%T *) sys=$(ls /sys/class/infiniband | paste -sd,); sleep $0; exit $((SLURM_PROCID == 3 ? 7 : 0))"
)
_NUMBERS = 'for d in /sys/class/infiniband_verbs/uverbs*; do echo "${d##*/} $(cat $d/dev)"; done; stat -c "rdma_cm %t:%T" /dev/infiniband/rdma_cm'


def _devices(node, hcas):
    """The nodes of these HCAs as `stat` shows them, with the numbers that the kernel has for them."""
    numbers = {}
    for line in must(sh(node if NATIVE else "host", _NUMBERS)).lines:
        name, number = line.split()
        major, minor = number.split(":")
        numbers[name] = number if name == "rdma_cm" else f"{int(major):x}:{int(minor):x}"
    names = ["rdma_cm", *sorted(uverbs_of(node, hca) for hca in hcas)]
    return " ".join(f"{name}={numbers[name]}" for name in names)


def _each_task_has_its_devices_and_variables(cell, engine):
    """Two tasks on each of two nodes, and the exit status of the last one."""
    # Charliecloud's task that comes when the first one has ended finds nothing to join.
    probe = ("sh", "-c", _PROBE, "1" if cell.shared else "0")
    done = must(srun("-N2", "-n4", f"--container-ib=verbs{cell.option}", *engine.options, *engine.words, *probe), status=7)
    wanted = []
    for node in NODES:
        nccl = "=" + ",".join(f"{hca}:1" for hca in HCAS[node])  # NCCL's rails are those of the node
        for hca in HCAS[node]:
            shown = HCAS[node] if cell.shared else (hca,)
            limit = "unlimited" if can_raise_limits() else re.search(r"memlock=(\S+)", done.out)[1]
            wanted.append(f"{len(wanted)} verbs {hca}:1 {hca}:1 ^ob1 {nccl} memlock={limit} {_devices(node, shown)} sys={','.join(shown)}")
    assert sorted(done.lines) == wanted, f"wanted {wanted}\n{done}"


def mpi_of(cell, where):
    """The first plugin that a cell lets through of those that the suite has; None if there is none."""
    return next((name for name in cell.mpi if name in STARTS[where]), None)


def _mpi_starts(cell, engine):
    """Two ranks on two nodes find each other. HCAs on paper carry nothing, so they go by TCP."""
    mpi = mpi_of(cell, suite())
    if mpi:
        has_mpi(mpi)
        words = BY_TCP if engine.options else by_tcp()
        program = PINGPONG if mpi == "pmix" else PINGPONG_MPICH
        option = f"--container-ib=verbs,env=pmix{cell.option}"
        done = must(srun("-N2", "-n2", f"--mpi={mpi}", option, *engine.options, *engine.words, *words, program, timeout=120))
        assert json.loads(done.lines[-1])["ranks"] == 2, done
    return mpi


def _sleepers():
    return [node for node in NODES for _ in run(node, "pgrep", "-xf", "(/usr/bin/)?sleep 4321").lines]


def _a_cancelled_step_ends(cell, engine):
    words = ("srun", "--chdir=/tmp", "-N2", "-n4", f"--container-ib=verbs{cell.option}", *engine.options, *engine.words, "sleep", "4321")
    with Background(*words):
        wait_until(lambda: len(_sleepers()) == 4, 60, "four sleeping tasks")
    wait_until(lambda: not _sleepers(), 20, "their end")


def check(name):
    """A cell, natively: all that needs no HCA that carries data."""
    cell = BY_NAME[name]
    with _recorded(cell, "slurm") as facts, cell.enter() as engine:
        _each_task_has_its_devices_and_variables(cell, engine)
        facts["mpi"] = _mpi_starts(cell, engine)
        if not cell.daemon:
            _a_cancelled_step_ends(cell, engine)


# What a rank says of its container before it becomes the MPI program.
_SHOW = "echo in it: $SLURM_PROCID memlock=$(ulimit -l) $(ip -o link | cut -d: -f2 | cut -d@ -f1) >&2; exec "


def prove(name, mode="verbs", mpi="pmix"):
    """A cell where HCAs carry data: MPI between the nodes is native, by the counters, in a container that may lock all its memory. In
    `ipoib` and `vf` the container has the network that its task has, and no other."""
    cell = BY_NAME[name]
    with _recorded(cell, "cluster", mode=mode), cell.enter() as engine:
        program = PINGPONG if mpi == "pmix" else PINGPONG_MPICH
        option = f"--container-ib={mode},rails=1,report=full{cell.option}"
        done = must(srun("-N2", "-n2", f"--mpi={mpi}", option, *engine.options, *engine.words, "sh", "-c", _SHOW + program, timeout=240))
        assert json.loads(done.lines[-1])["ranks"] == 2, done
        shown = sorted(line.partition("in it: ")[2] for line in done.err.splitlines() if "in it: " in line)
        for rank, (node, line) in enumerate(zip(NODES, shown, strict=True)):
            assert any(re.match(rf"container-ib: {node}: native: ", line) for line in done.ours()), (node, done)
            of_rank, limit, *links = line.split()
            assert (of_rank, limit) == (str(rank), "memlock=unlimited"), shown
            assert mode == "verbs" or links == ["lo", "ib0"], shown
        if cell.daemon:
            _a_cancelled_step_ends(cell, engine)
        return done
