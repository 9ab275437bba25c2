"""`testbed fabric` of a native node: what its ports are like on paper, and changes of them on command. A RoCE port has a cable
besides, which is a real one."""

from . import access, paper, ports
from .report import Failure

_LIMIT_S = 20


def command(guest, node, port, words):
    """What is asked of a node's ports."""
    if node not in guest.nodes():
        raise Failure(f"{node} has no ports on paper: name one of {', '.join(guest.nodes())}")
    folder = guest.paper(node)
    if port is None:
        for name, known in paper.remembered(folder).items():
            print(ports.for_people(" ".join([name, *(f"{key}={value}" for key, value in known.words.items())])))
        return
    if port.startswith("sm="):
        raise Failure(f"{port}: there is no subnet manager on paper; a port that none has seen has state=init")
    try:
        changes = dict(ports.changes(port, words, on_paper=True))
    except ValueError as error:
        raise Failure(str(error)) from None
    if port not in (known := paper.remembered(folder)):
        raise Failure(f"no port {port} on {node}: it has {', '.join(known)}")
    paper.change(folder, port, changes)
    if "state" in changes and known[port].cable:
        _plug(guest, paper.remembered(folder)[port])


def _plug(guest, port):
    """The interface of a port has a carrier while the other end of its cable is up."""
    status, said = access.ask(guest, ["ip", "link", "set", port.cable, "up" if port.carrier else "down"], _LIMIT_S)
    if status != 0:
        raise Failure(said or f"exit status {status} for the cable {port.cable}, and no reason")
