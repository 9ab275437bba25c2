"""`testbed fabric` of a guest: what its ports are like, and faults on command."""

import shlex

from . import access, ports
from .report import Failure

_PARAMETERS = "/sys/module/vhca/parameters"
_SWITCH = {"on": "Y", "off": "N"}
_LIMIT_S = 20


def command(guest, port, words):
    """What is asked of a guest's fabric."""
    if port is None:
        return _show(guest)
    if port.startswith("sm=") and not words:
        return _manage(guest, port.removeprefix("sm="))
    return _change(guest, port, words)


def _show(guest):
    """Prints all ports of a guest."""
    table = _sh(guest, f"cat {_PARAMETERS}/ctl")
    for line in table.splitlines():
        print(ports.for_people(line))


def _manage(guest, value):
    """The subnet manager answers, or does not."""
    if value not in _SWITCH:
        raise Failure(f"sm '{value}': use on or off")
    if guest.number != 0:
        raise Failure(f"the subnet manager of both guests is in guest 0: say 'testbed fabric n0 sm={value}'")
    _sh(guest, f"echo {_SWITCH[value]} > {_PARAMETERS}/sa")


def _change(guest, port, words):
    """A port gets another state, speed, width or P_Key table."""
    try:
        line = " ".join([port, *(f"{key}={value}" for key, value in ports.changes(port, words))])
    except ValueError as error:
        raise Failure(str(error)) from None
    # The module says what it did not like in the kernel's log.
    _sh(guest, f"echo {shlex.quote(line)} 2> /dev/null > {_PARAMETERS}/ctl || "
               "{ dmesg | sed -n 's/.*\\(vhca: ctl: \\)/\\1/p' | tail -n 1; exit 1; }")  # fmt: skip


def _sh(guest, script):
    status, said = access.ask(guest, ["bash", "-c", script], _LIMIT_S)
    if status != 0:
        raise Failure(said or f"exit status {status} in guest {guest.number}, and no reason")
    return said
