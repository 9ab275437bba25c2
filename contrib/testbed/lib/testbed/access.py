"""The way into a guest: one ssh connection, kept open, over which every command is a session of its own."""

import os
import shlex
import subprocess

from .report import Failure

_CONNECT_LIMIT_S = 15

# A session of the open connection or nothing: were that gone, ssh would try to connect by itself.
_BASE = ("ssh", "-F", "none", "-S", "ssh", "-o", "LogLevel=ERROR", "-o", "ControlMaster=no", "-o", "ProxyCommand=false")


def connect(instance, image, port):
    """Opens the connection. The files it needs are copied, so that the instance stands on its own."""
    folder = instance.folder
    for name in ("id", "known_hosts"):
        (folder / name).write_bytes((image.tree / name).read_bytes())
    (folder / "id").chmod(0o600)
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": _CONNECT_LIMIT_S,
        "ControlPersist": "yes",
        "HostKeyAlias": "testbed",
        "IdentitiesOnly": "yes",
        "IdentityFile": "id",
        "KexAlgorithms": "curve25519-sha256",
        "LogLevel": "ERROR",
        "ServerAliveInterval": 10,  # a guest that hangs ends every command in it after a minute
        "ServerAliveCountMax": 6,
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": "known_hosts",
    }
    argv = ["ssh", "-F", "none", "-M", "-S", "ssh", "-N", "-f", "-p", str(port)]
    argv += [word for option in options.items() for word in ("-o", "{}={}".format(*option))]
    try:
        result = subprocess.run(
            [*argv, "root@127.0.0.1"], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, timeout=_CONNECT_LIMIT_S + 5,
        )  # fmt: skip
    except FileNotFoundError:
        raise Failure("ssh is not installed: run contrib/bootstrap")
    except subprocess.TimeoutExpired:
        raise Failure(f"no ssh connection to the guest on 127.0.0.1 port {port} within {_CONNECT_LIMIT_S} s")
    if result.returncode != 0:
        raise Failure(f"no ssh connection to the guest on 127.0.0.1 port {port}: {result.stderr.strip()}")


def disconnect(instance):
    """Closes the connection if there is one."""
    _ssh(instance, ["-O", "exit"], limit=5)


def run(instance, node, user, command, seconds=0):
    """Becomes a command in a node: this process is replaced, so that streams, signals and exit status are its own.

    The exit status 255 may also mean that the connection was lost, which ssh then says.
    """
    words = ["/usr/lib/testbed/enter", node, user, str(seconds), *command]
    terminal = "-tt" if os.isatty(0) else "-T"
    os.chdir(instance.folder)
    os.execvp("ssh", [*_BASE, terminal, "testbed", "exec " + shlex.join(words)])


def quietly(instance, command, limit):
    """Runs a command in the guest itself and does not care how it ends."""
    _ssh(instance, ["-T"], "testbed", shlex.join(command), limit=limit)


def _ssh(instance, options, *rest, limit):
    if not (instance.folder / "ssh").exists():
        return 255
    argv = [*_BASE, *options, *(rest or ["testbed"])]
    null = subprocess.DEVNULL
    try:
        return subprocess.run(argv, cwd=instance.folder, stdin=null, stdout=null, stderr=null, timeout=limit).returncode
    except subprocess.TimeoutExpired:
        return 255
