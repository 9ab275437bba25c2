"""The trees that mmdebstrap makes: the nodes' root and the container image, and QEMU for guests."""

import secrets
import shutil
import subprocess

from .chroot import logged
from .report import Failure

# Users as a site has them, so that tests can tell users from root and from each other.
_USERS = {"alice": 1000, "bob": 1001}

# Documentation is a fifth of the size and of the time.
_LEAN = [f"--dpkgopt=path-exclude=/usr/share/{what}/*" for what in ("man", "doc", "info", "locale", "doc-base")]


def tree(suite, folder):
    """Builds the nodes' root tree in `folder/root`, with the key that opens it in `folder/id`."""
    root = folder / "root"
    _debootstrap(suite, suite.tree, root, folder / "log")
    for user, uid in _USERS.items():
        _in(root, "useradd", "--uid", str(uid), "--create-home", "--shell", "/bin/bash", user)
    _in(root, "usermod", "--shell", "/bin/sh", "root")  # every `testbed exec` passes it, and it starts twice as fast
    # The first start of sshd, munged and slurmd must find all they need: a guest has no time for key making.
    folders = [f"/{name}/munge" for name in ("etc", "var/lib", "var/log")]
    _in(root, "install", "-d", "-m", "700", "-o", "munge", "-g", "munge", *folders)
    (root / "etc/munge/munge.key").write_bytes(secrets.token_bytes(128))
    _in(root, "chmod", "400", "/etc/munge/munge.key")
    _in(root, "chown", "munge:", "/etc/munge/munge.key")
    for old in (root / "etc/ssh").glob("ssh_host_*"):
        old.unlink()
    _keygen(root / "etc/ssh/ssh_host_ed25519_key")
    _keygen(folder / "id")
    (root / "root/.ssh").mkdir(mode=0o700, exist_ok=True)
    shutil.copy(folder / "id.pub", root / "root/.ssh/authorized_keys")
    host_key = (root / "etc/ssh/ssh_host_ed25519_key.pub").read_text()
    (folder / "known_hosts").write_text(f"testbed {host_key}")


def container(suite, folder):
    """Builds the container image in `folder/root`."""
    root = folder / "root"
    _debootstrap(suite, suite.container, root, folder / "log")
    # What a container runtime mounts over has to be there, whether a package made it or not.
    for name in ("dev", "proc", "sys", "tmp", "home", "run", "mnt", "var/tmp", "usr/lib/testbed", "var/lib/testbed"):
        (root / name).mkdir(parents=True, exist_ok=True)


def machine(suite, folder):
    """QEMU and its libraries in `folder/root`, unpacked and no more: they are run from there (qemu.py)."""
    _debootstrap(suite, suite.machine, folder / "root", folder / "log", variant="extract")


def _debootstrap(suite, packages, root, log, variant="apt"):
    options = [f"--aptopt={option}" for option in ('APT::Install-Recommends "false"', *suite.apt)]
    # In a PID namespace of its own: an interrupted build leaves neither a process nor a mount.
    isolate = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    # INITRD=No: the guest brings its own initramfs, so the kernel package need not make one.
    argv = [*isolate, "env", "INITRD=No", "mmdebstrap", f"--variant={variant}", "--mode=root", "--format=directory", *_LEAN]
    argv += ["--dpkgopt=force-unsafe-io", *options, f"--include={','.join(packages)}", suite.name, root]
    if not shutil.which("mmdebstrap"):
        raise Failure("mmdebstrap is not installed: run contrib/bootstrap")
    logged(argv, log, f"mmdebstrap {suite.name} failed")


def _in(root, *command):
    subprocess.run(["chroot", str(root), *command], check=True)


def _keygen(path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "testbed", "-f", str(path)], check=True)
