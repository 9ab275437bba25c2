"""The way into a guest: one ssh connection, kept open, over which every command is a session of its own. Into namespaces
of this machine it is nsenter."""

import os
import shlex
import subprocess

from .report import Failure

_CONNECT_LIMIT_S = 60  # with much else to do on this machine; else it takes one

# A session of the open connection or nothing: were that gone, ssh would try to connect by itself.
_BASE = ("ssh", "-F", "none", "-S", "ssh", "-o", "LogLevel=ERROR", "-o", "ControlMaster=no", "-o", "ProxyCommand=false")


def keep_keys(instance, image):
    """Copies what a connection needs, so that the instance stands on its own."""
    for name in ("id", "known_hosts"):
        (instance.folder / name).write_bytes((image.tree / name).read_bytes())
    (instance.folder / "id").chmod(0o600)


def connect(guest, port):
    """Opens the connection."""
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": _CONNECT_LIMIT_S,
        "ControlPersist": "yes",
        "HostKeyAlias": "testbed",
        "IdentitiesOnly": "yes",
        "IdentityFile": "../id",
        "KexAlgorithms": "curve25519-sha256",
        "LogLevel": "ERROR",
        "ServerAliveInterval": 10,  # a guest that hangs ends every command in it after a minute
        "ServerAliveCountMax": 6,
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": "../known_hosts",
    }
    argv = ["ssh", "-F", "none", "-M", "-S", "ssh", "-N", "-f", "-p", str(port)]
    argv += [word for option in options.items() for word in ("-o", "{}={}".format(*option))]
    try:
        result = subprocess.run(
            [*argv, "root@127.0.0.1"], cwd=guest.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, timeout=_CONNECT_LIMIT_S + 5,
        )  # fmt: skip
    except FileNotFoundError:
        raise Failure("ssh is not installed: run contrib/bootstrap")
    except subprocess.TimeoutExpired:
        raise Failure(f"no ssh connection to the guest on 127.0.0.1 port {port} within {_CONNECT_LIMIT_S} s")
    if result.returncode != 0:
        raise Failure(f"no ssh connection to the guest on 127.0.0.1 port {port}: {result.stderr.strip()}")


def disconnect(guest):
    """Closes the connection if there is one."""
    _ssh(guest, ["-O", "exit"], limit=5)


def run(guest, node, user, command, seconds=0):
    """Becomes a command in a node: this process is replaced, so that streams, signals and exit status are its own.

    The exit status 255 may also mean that the connection was lost, which ssh then says.
    """
    argv = words(guest, node, user, command, seconds, "-tt" if os.isatty(0) else "-T")
    os.chdir(guest.folder)
    os.execvp(argv[0], argv)


def ask(guest, command, limit):
    """Runs a command in the guest itself; its exit status and what it printed, on both streams, without the last
    newline."""
    argv = words(guest, "host", "root", command, limit)
    result = subprocess.run(
        argv, cwd=guest.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return result.returncode, result.stdout.rstrip("\n")


def quietly(guest, command, limit):
    """Runs a command in the guest itself and does not care how it ends."""
    _ssh(guest, ["-T"], "testbed", shlex.join(command), limit=limit)


def words(guest, node, user, command, seconds=0, terminal="-T"):
    """The command line that runs a command in a node, from the guest's folder."""
    # The far end knows no other guest than its own.
    node = "host" if node.startswith("host") else node
    enter = ["/usr/lib/testbed/enter", node, user, str(seconds), *command]
    if not guest.native:
        return [*_BASE, terminal, "testbed", "exec " + shlex.join(enter)]
    first = guest.first_process()
    if first is None:
        raise Failure("its namespaces have just ended: look at 'testbed status'")
    return ["nsenter", f"--target={first}", "--mount", "--net", "--pid", "--ipc", "--uts", "--", *enter]


def _ssh(guest, options, *rest, limit):
    if not (guest.folder / "ssh").exists():
        return 255
    argv = [*_BASE, *options, *(rest or ["testbed"])]
    null = subprocess.DEVNULL
    try:
        return subprocess.run(argv, cwd=guest.folder, stdin=null, stdout=null, stderr=null, timeout=limit).returncode
    except subprocess.TimeoutExpired:
        return 255
