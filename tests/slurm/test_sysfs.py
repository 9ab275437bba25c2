"""/sys/class of a task shows its own HCAs, in a form that what looks for HCAs there accepts."""

from cluster import HCAS, must, run, sh, srun, uverbs_of
from engines import bubblewrap
from umad import allowed
from verbs import IN_CONTAINER

FIRST, SECOND = HCAS["n0"]
CLASSES = "cd /sys/class && echo $(ls infiniband infiniband_verbs infiniband_mad)"


def shown(*command, option="verbs", tasks=2):
    return sorted(must(srun("-w", "n0", f"-n{tasks}", f"--container-ib={option}", *command)).lines)


def classes(*hcas, umad=()):
    verbs = " ".join(["abi_version", *(uverbs_of("n0", hca) for hca in hcas)])
    return f"infiniband: {' '.join(hcas)} infiniband_mad: {' '.join(['abi_version', *umad])} infiniband_verbs: {verbs}"


def test_each_task_sees_its_own_hca_and_no_other():
    own = sorted(classes(hca) for hca in (FIRST, SECOND))
    for engine in ((), IN_CONTAINER, bubblewrap()):
        assert shown(*engine, "sh", "-c", CLASSES) == own, engine
    assert shown("sh", "-c", CLASSES, option="verbs,scope=node") == 2 * [classes(FIRST, SECOND)]
    assert SECOND in must(sh("n0", "ls /sys/class/infiniband")).lines, "the node sees all"


def test_umad_is_there_for_who_may_have_it():
    with allowed():
        (line,) = shown("sh", "-c", CLASSES, option="verbs,rails=1,umad=yes", tasks=1)
    assert line == classes(FIRST, umad=["umad0"]), line


def test_what_looks_for_hcas_there_finds_it():
    reads = f"cat /sys/class/infiniband/{FIRST}/node_guid /sys/class/infiniband_verbs/{uverbs_of('n0', FIRST)}/ibdev"
    guid = must(run("n0", "cat", f"/sys/class/infiniband/{FIRST}/node_guid")).out.strip()
    assert shown("sh", "-c", reads, option="verbs,rails=1", tasks=1) == sorted([guid, FIRST])
    # libibverbs, hwloc, libibumad, and whoever goes by the device's place on the PCI bus, as UCX does
    for command in ("ibv_devices | sed 1,2d | awk '{ print $1 }'", "lstopo-no-graphics --only osdev 2>/dev/null | grep -o 'mlx5_[0-9]*'",
                    "ibstat -l 2>/dev/null", "basename $(realpath /sys/class/infiniband/*)"):
        assert shown("sh", "-c", command) == [FIRST, SECOND], command
