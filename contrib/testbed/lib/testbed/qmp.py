"""QEMU's monitor, as little of it as is needed."""

import json
import os
import re
import socket

from .report import Failure

_LIMIT_S = 5


def hmp(folder, line):
    """Runs a line of the human monitor of the QEMU of an instance and returns what it prints."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_LIMIT_S)
        # Through /proc, since a socket's path may be no longer than 107 bytes and the folder's may be.
        descriptor = os.open(folder, os.O_PATH)
        try:
            connection.connect(f"/proc/self/fd/{descriptor}/qmp")
        finally:
            os.close(descriptor)
        with connection.makefile("rw") as stream:
            stream.readline()  # the greeting
            _ask(stream, "qmp_capabilities")
            return _ask(stream, "human-monitor-command", {"command-line": line})


def forwarded_port(folder):
    """The port on our loopback that leads to the guest's sshd."""
    table = hmp(folder, "info usernet")
    found = re.search(r"TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)", table)
    if not found:
        raise Failure(f"QEMU forwards no port to the guest: 'info usernet' says {table!r}")
    return int(found[1])


def _ask(stream, command, arguments=None):
    stream.write(json.dumps({"execute": command, "arguments": arguments or {}}) + "\n")
    stream.flush()
    for line in stream:
        answer = json.loads(line)
        if "return" in answer:
            return answer["return"]
        if "error" in answer:
            raise Failure(f"QEMU refused '{command}': {answer['error']['desc']}")
    raise Failure(f"QEMU closed its monitor during '{command}'")
