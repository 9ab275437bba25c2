"""OCI bundles and the runtimes that run them: by Slurm (srun --container), or by a user inside the task."""

import contextlib
import json

from cluster import IMAGE, NODES, must, sh, write
from slurm import files

CRUN = "crun --cgroup-manager=disabled"
RUNC = "runc"
IN_A_NAMESPACE = "unshare -rm --map-auto "  # before runc
BUNDLE = "/tmp/bundle"
_STATE = "/tmp/oci-%u-%j-%s-%t"
_NAME = "job%j.%s.%t"


# As verbs.by_tcp() is for others. There Open MPI 5.0.7 goes by UCX, which in Slurm's containers, without an HCA that can be opened,
# ends MPI_Init with a call of nothing (opal_progress), with the plugin or without.
BY_TCP = ("env", "UCX_TLS=tcp,sm,self", "UCX_NET_DEVICES=all", "OMPI_MCA_pml=ob1", "OMPI_MCA_btl=^openib,ofi,uct")


def one_id(inside, outside):
    return {"containerID": inside, "hostID": outside, "size": 1}


# alice keeps her uid inside, by which PMIx knows her; or she is root there, as `runc spec --rootless` has it. runc insists on a
# root in its user namespace, so there is another namespace around it, where her subordinate uids begin with 1.
HERSELF = [one_id(1000, 1000)]
AS_ROOT = [one_id(0, 1000)]
HERSELF_FOR_RUNC = [one_id(0, 1), one_id(1000, 0)]


def own_dev():
    """A /dev as `runc spec` writes it: nothing of the node's is in it."""
    return [
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
    ]


def tmpfs(path, *options):
    return {"destination": path, "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", *options]}


def bind(path):
    return {"destination": path, "type": "none", "source": path, "options": ["rbind"]}


def config(mapping, uid=1000, dev=None, **more):
    process = {"user": {"uid": uid, "gid": uid}, "cwd": "/", "env": ["PATH=/usr/bin"], "args": ["true"], "noNewPrivileges": True}
    return {
        "ociVersion": "1.0.2",
        "process": process,
        "root": {"path": IMAGE, "readonly": True},
        # Slurm mounts its spool directory in /var/run, or 26.05 where it is; the runtime makes the last part of the path.
        "mounts": [bind("/proc"), bind("/sys"), *(own_dev() if dev is None else dev), bind("/tmp"), *(tmpfs(path, "mode=755") for path in ("/run", "/var/spool"))],
        "linux": {"namespaces": [{"type": "user"}, {"type": "mount"}], "uidMappings": mapping, "gidMappings": mapping},
        **more,
    }


@contextlib.contextmanager
def bundle(contents):
    """On both nodes."""
    for node in NODES:
        write(node, f"{BUNDLE}/config.json", json.dumps(contents))
        must(sh(node, f"ln -sfn {IMAGE} {BUNDLE}/rootfs && chown -R -h alice {BUNDLE}"))  # rootfs: whatever the bundle says, Slurm 22.05 wants it
    try:
        yield
    finally:
        for node in NODES:
            must(sh(node, f"rm -rf {BUNDLE} /tmp/oci-*"))


@contextlib.contextmanager
def slurm_runs(runtime, around="", verb="run"):
    """oci.conf for srun --container, as Slurm's documentation has it for rootless runtimes, with ours before it."""
    command = f"{runtime} --root={_STATE}"
    lines = [
        f'RunTimeQuery="{command} state {_NAME}"',
        f'RunTimeKill="{command} kill {_NAME} SIGKILL"',
        f'RunTimeDelete="{command} delete --force {_NAME}"',
        f'RunTimeRun="exec container-ib oci %b {around}{command} {verb} --bundle %b {_NAME}"',
    ]
    with files({"oci.conf": "\n".join(lines) + "\n"}):
        yield
