"""Containers that no step knows of, as an administrator's docker or podman would have them: root's, by hand."""

import contextlib
import json

from cluster import IMAGE, must, run, sh, wait_until, write


class Container:
    """A process of a container on a node, and what an engine's `exec` is."""

    def __init__(self, node, pid, network=False):
        self.node, self.pid, self.name = node, pid, f"pid-{pid}"
        self._namespaces = ("-m", "-n") if network else ("-m",)

    def exec(self, *command, variables=()):
        return run(self.node, "nsenter", "-t", self.pid, *self._namespaces, "--", "env", *variables, *command)

    def shown(self):
        """What its /dev/infiniband has; none when there is no such folder."""
        return sorted(self.exec("sh", "-c", "ls /dev/infiniband 2> /dev/null || true").out.split())

    def attach(self, *words):
        return run(self.node, "container-ib", "attach", "--pid", self.pid, *words)

    def detach(self):
        return run(self.node, "container-ib", "detach", "--pid", self.pid)


def _ends(node, pid):
    must(sh(node, f"kill -9 {pid} 2> /dev/null; true"))
    wait_until(lambda: sh(node, f"[ -e /proc/{pid}/ns/mnt ] && readlink /proc/{pid}/ns/mnt").status != 0, 10, "the end of a container")


@contextlib.contextmanager
def by_hand(node="n0", cpu=None, network=False):
    """unshare(1) and a tmpfs for a /dev; with a network of its own, and the sysfs of that."""
    dev = "mount -t tmpfs -o mode=755 tmpfs /dev && : > /dev/null"
    sysfs = " && mount -t sysfs sysfs /sys && ip link set lo up" if network else ""
    bound = f"taskset -c {cpu} " if cpu else ""
    start = f"{bound}unshare -m {'-n' if network else ''} sh -c '{dev}{sysfs} && exec sleep 300' < /dev/null > /dev/null 2>&1 & echo $!"
    pid = must(sh(node, start)).out.strip()
    try:
        wait_until(lambda: run(node, "cat", f"/proc/{pid}/comm").out == "sleep\n", 10, "a container by hand")
        yield Container(node, pid, network)
    finally:
        _ends(node, pid)


def _kept_back(cgroup):
    return {"cgroupsPath": cgroup, "resources": {"devices": [{"allow": False, "access": "rwm"}]}}


@contextlib.contextmanager
def of_crun(node="n0", network=False, cgroup=None):
    """A bundle whose /dev is its own and has no InfiniBand; with a `cgroup` it has that one, which keeps all devices from it but those
    that every container has, as docker's does."""
    bundle = "/tmp/attached"
    crun = ("crun", f"--cgroup-manager={'cgroupfs' if cgroup else 'disabled'}", f"--root={bundle}/state")
    sysfs = {"destination": "/sys", "type": "sysfs", "source": "sysfs"} if network else {"destination": "/sys", "source": "/sys", "type": "none", "options": ["rbind"]}
    namespaces = ["mount", *(["network"] if network else [])]
    config = {
        "ociVersion": "1.0.2",
        "process": {"user": {"uid": 0, "gid": 0}, "cwd": "/", "env": ["PATH=/usr/bin:/bin:/usr/sbin:/sbin"], "args": ["sleep", "300"]},
        "root": {"path": IMAGE, "readonly": True},
        "mounts": [
            {"destination": "/proc", "source": "/proc", "type": "none", "options": ["rbind"]},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
            sysfs,
        ],
        "linux": {"namespaces": [{"type": kind} for kind in namespaces], **(_kept_back(cgroup) if cgroup else {})},
    }
    write(node, f"{bundle}/config.json", json.dumps(config))
    try:
        must(sh(node, f"{' '.join(crun)} run --detach --bundle {bundle} attached < /dev/null > /dev/null 2> {bundle}/log || {{ cat {bundle}/log; false; }}"))
        pid = str(json.loads(must(run(node, *crun, "state", "attached")).out)["pid"])
        try:
            yield Container(node, pid, network)
        finally:
            _ends(node, pid)  # without a cgroup crun kills nobody
    finally:
        run(node, *crun, "delete", "--force", "attached")
        must(run(node, "rm", "-r", bundle))


@contextlib.contextmanager
def of_a_user(node="n0"):
    """alice's, in a user namespace of hers."""
    mounts = f"--ro-bind {IMAGE} / --dev /dev --bind /proc /proc --ro-bind /sys /sys"
    must(sh(node, f"bwrap {mounts} sleep 300 < /dev/null > /dev/null 2>&1 &", user="alice"))
    wait_until(lambda: run(node, "pgrep", "-xu", "alice", "sleep").status == 0, 10, "a user's container")
    pid = must(run(node, "pgrep", "-xu", "alice", "sleep")).out.strip()
    try:
        yield Container(node, pid)
    finally:
        _ends(node, pid)
