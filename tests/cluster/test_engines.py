"""Containers that are not Charliecloud's: engines that a user starts inside the task, and one container that a plugin makes
for all tasks of a node, as pyxis does. test_verbs has the rest."""

import contextlib
import json
import pathlib

from cluster import HCAS, IMAGE, NODES, PINGPONG, must, run, srun, write
from slurm import files
from test_verbs import assert_native, uverbs_of

INSTANCE = "ctest ctest-trixie"  # soak: ctest-trixie

# What Charliecloud shows of the node. PMIx compares user ids, so the user has the same inside.
SHARED = ("/dev", "/proc", "/sys", "/tmp")


def test_mpi_is_native_in_bubblewrap():
    binds = [word for path in SHARED for word in ("--dev-bind", path, path)]
    assert_native("bwrap", "--ro-bind", IMAGE, "/", *binds, "--", PINGPONG)


@contextlib.contextmanager
def bundle(runtime, mapping, *command):
    """Runs a command by an OCI runtime on both nodes. Its namespaces need no root: alice keeps her uid inside, by which
    PMIx knows her. A bundle has an environment of its own, so the task's is handed over."""
    config = {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 1000, "gid": 1000},
            "cwd": "/",
            "env": ["PATH=/usr/bin"],
            "args": ["sh", "-c", f". /tmp/bundle/environment; exec {' '.join(command)}"],
        },
        "root": {"path": IMAGE, "readonly": True},
        "mounts": [{"destination": path, "source": path, "type": "none", "options": ["rbind"]} for path in SHARED],
        "linux": {"namespaces": [{"type": "user"}, {"type": "mount"}], "uidMappings": mapping, "gidMappings": mapping},
    }
    for node in NODES:
        write(node, "/tmp/bundle/config.json", json.dumps(config))
        must(run(node, "chown", "alice", "/tmp/bundle"))
    try:
        yield "sh", "-c", f"cd /tmp/bundle && export -p > environment && exec {runtime} --root=/tmp/bundle/state run one"
    finally:
        for node in NODES:
            must(run(node, "rm", "-r", "/tmp/bundle"))


def one_id(inside, outside):
    return {"containerID": inside, "hostID": outside, "size": 1}


def test_mpi_is_native_in_a_bundle_of_crun():
    with bundle("crun --cgroup-manager=disabled", [one_id(1000, 1000)], PINGPONG) as command:
        assert_native(*command)


def test_mpi_is_native_in_a_bundle_of_runc():
    # runc insists on being root and on a root inside. So alice is root of namespaces around it, where her
    # subordinate uids begin with 1, and that is root inside.
    with bundle("unshare -rm --map-auto runc", [one_id(0, 1), one_id(1000, 0)], PINGPONG) as command:
        assert_native(*command)


PLUGIN = "/usr/local/lib/test_container.so"
OTHER = f"required {PLUGIN}\n"
OURS = "required container_ib.so config=/etc/slurm/container-ib.conf\n"


def install_container():
    source = "/usr/local/src/test_container.c"
    write("n0", source, (pathlib.Path(__file__).parent / "container.c").read_text(encoding="utf-8"))
    must(run("n0", "gcc", "-shared", "-fPIC", "-o", PLUGIN, source, timeout=60))


def srun_in_shared_container(plugstack, option, *command):
    install_container()
    with files({"plugstack.conf": plugstack}):
        return srun("-w", "n0", "-n2", "--mpi=pmix", f"--container-ib={option}", f"--test-image={IMAGE}", *command, timeout=120)


ABOUT = "test -e /usr/bin/srun || echo $CONTAINER_IB_PORTS $UCX_NET_DEVICES $OMPI_MCA_pml $(ls /dev/infiniband | paste -sd,)"


def test_a_container_shared_by_the_tasks_made_by_a_plugin_before_ours():
    both = "rdma_cm," + ",".join(sorted(uverbs_of(hca) for hca in HCAS["n0"]))
    done = must(srun_in_shared_container(OTHER + OURS, "verbs,scope=node", "sh", "-c", ABOUT))
    assert sorted(done.lines) == [f"{hca}:1 {hca}:1 ^ob1 {both}" for hca in HCAS["n0"]], done
    done = must(srun_in_shared_container(OTHER + OURS, "verbs,scope=node", PINGPONG))
    assert '"ranks": 2' in done.out, done
    # each its own devices, which one container cannot have
    done = srun_in_shared_container(OTHER + OURS, "verbs", "true")
    assert done.status != 0 and "add scope=node" in "\n".join(done.ours()), done


def test_a_container_made_by_a_plugin_after_ours_has_the_first_tasks_environment():
    # Why the documentation has ours after it: the devices are right, but every task has the variables of one.
    done = must(srun_in_shared_container(OURS + OTHER, "verbs,scope=node", "sh", "-c", ABOUT))
    ports, variables = zip(*(line.split(" ", 1) for line in done.lines))
    assert len(set(ports)) == 1 and all(line.startswith("of-the-image:1 ob1 rdma_cm,uverbs") for line in variables), done
