"""Container engines that a user starts inside the task."""

import contextlib
import json

from cluster import IMAGE, NODES, must, run, write

# What Charliecloud shows of the node. PMIx compares user ids, so the user has the same inside.
_SHARED = ("/dev", "/proc", "/sys", "/tmp")


def bubblewrap():
    binds = [word for path in _SHARED for word in ("--dev-bind", path, path)]
    return ("bwrap", "--ro-bind", IMAGE, "/", *binds, "--")


@contextlib.contextmanager
def _bundle(runtime, mapping, *command):
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
        "mounts": [{"destination": path, "source": path, "type": "none", "options": ["rbind"]} for path in _SHARED],
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


def _one_id(inside, outside):
    return {"containerID": inside, "hostID": outside, "size": 1}


def bundle_of_crun(*command):
    return _bundle("crun --cgroup-manager=disabled", [_one_id(1000, 1000)], *command)


def bundle_of_runc(*command):
    """runc insists on being root and on a root inside. So alice is root of namespaces around it, where her subordinate uids
    begin with 1, and that is root inside."""
    return _bundle("unshare -rm --map-auto runc", [_one_id(0, 1), _one_id(1000, 0)], *command)
