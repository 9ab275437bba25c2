"""The way into a guest: one ssh connection, kept open, over which every command is a session of its own."""

import os
import shlex
import signal
import subprocess
import sys

from .report import Failure

_CONNECT_LIMIT_S = 15
_MARGIN_S = 10  # what the guest gets on top of a command's time limit to enforce it itself


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
    """Runs a command in a node with our own standard streams; returns its exit status."""
    words = ["exec", "/usr/lib/testbed/enter", node, user, str(seconds), *command]
    remote = "exec " + " ".join(shlex.quote(word) for word in words[1:])
    terminal = ["-tt"] if sys.stdin.isatty() else ["-T"]
    argv = [*_base(), *terminal, "testbed", remote]
    process = subprocess.Popen(argv, cwd=instance.folder)
    # What ends us must end the command; what the terminal sends, ssh gets as well and knows better what to do with.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: process.terminate())
    try:
        status = process.wait(timeout=seconds + _MARGIN_S if seconds else None)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return 124
    if status < 0:
        return 128 - status
    if status == 255 and _ssh(instance, ["-O", "check"], limit=5) != 0:
        raise Failure(f"lost the connection to '{instance.name}' during '{command[0]}': look at 'testbed logs console'")
    return status


def quietly(instance, command, limit):
    """Runs a command in the guest itself and does not care how it ends."""
    _ssh(instance, ["-T"], "testbed", shlex.join(command), limit=limit)


def _base():
    return ["ssh", "-F", "none", "-S", "ssh", "-o", "LogLevel=ERROR", "-o", "ControlMaster=no", "-o", "BatchMode=yes",
            "-o", "ProxyCommand=false"]  # fmt: skip


def _ssh(instance, options, *rest, limit):
    if not (instance.folder / "ssh").exists():
        return 255
    argv = [*_base(), *options, *(rest or ["testbed"])]
    null = subprocess.DEVNULL
    try:
        return subprocess.run(argv, cwd=instance.folder, stdin=null, stdout=null, stderr=null, timeout=limit).returncode
    except subprocess.TimeoutExpired:
        return 255
