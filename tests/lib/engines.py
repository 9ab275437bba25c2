"""Container engines that a user starts inside the task."""

import contextlib
import json

from cluster import IMAGE, NODES, must, run, sh, write

# What Charliecloud shows of the node. PMIx compares user ids, so the user has the same inside.
_SHARED = ("/dev", "/proc", "/sys", "/tmp")


def bubblewrap():
    binds = [word for path in _SHARED for word in ("--dev-bind", path, path)]
    return ("bwrap", "--ro-bind", IMAGE, "/", *binds, "--")


# Before the program's words: a bundle of the task's own, in which the task's environment and they are handed over.
_IN_A_BUNDLE = """own=/tmp/bundle/$SLURM_PROCID; mkdir -p $own && cd $own && export -p > environment &&
bash -c 'printf "%q " "$@"' - "$@" > command && sed "s,@OWN@,$own," ../config.json > config.json &&
exec {runtime} --root=$own/state run {options} task$SLURM_PROCID"""


def podman(*own):
    """Rootless podman with nothing but what says where the image is, and the user's `own` words. The image is read-only, and a
    folder, as there is no registry."""
    return ("podman", "run", "--rm", "--read-only", *own, "--rootfs", IMAGE)


@contextlib.contextmanager
def podmans_end():
    """What rootless podman leaves running for its user, which holds a mount namespace, and where that is written down."""
    try:
        yield
    finally:
        for node in NODES:
            sh(node, "pkill -9 -u alice '^(podman|catatonit)'; rm -rf /tmp/storage-run-1000 /tmp/containers-1000")


@contextlib.contextmanager
def _bundle(runtime, mapping, options=""):
    """Words that run the words behind them by an OCI runtime, in a bundle of the task's own. Its namespaces need no root: alice keeps
    her uid inside, by which PMIx knows her. A bundle has an environment of its own, so the task's is handed over."""
    config = {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 1000, "gid": 1000},
            "cwd": "/",
            "env": ["PATH=/usr/bin", "OWN=@OWN@"],
            "args": ["sh", "-c", '. $OWN/environment; eval exec "$(cat $OWN/command)"'],
        },
        "root": {"path": IMAGE, "readonly": True},
        "mounts": [{"destination": path, "source": path, "type": "none", "options": ["rbind"]} for path in _SHARED],
        "linux": {"namespaces": [{"type": "user"}, {"type": "mount"}], "uidMappings": mapping, "gidMappings": mapping},
    }
    for node in NODES:
        write(node, "/tmp/bundle/config.json", json.dumps(config))
        must(run(node, "chown", "alice", "/tmp/bundle"))
    try:
        yield "sh", "-c", _IN_A_BUNDLE.format(runtime=runtime, options=options), "sh"
    finally:
        for node in NODES:
            must(run(node, "rm", "-r", "/tmp/bundle"))


def _one_id(inside, outside):
    return {"containerID": inside, "hostID": outside, "size": 1}


def bundle_of_crun():
    """PMI2's descriptor is among those that it keeps open."""
    return _bundle("crun --cgroup-manager=disabled", [_one_id(1000, 1000)], "--preserve-fds=40")


def bundle_of_runc():
    """runc insists on being root and on a root inside. So alice is root of namespaces around it, where her subordinate uids
    begin with 1, and that is root inside."""
    return _bundle("unshare -rm --map-auto runc", [_one_id(0, 1), _one_id(1000, 0)])
