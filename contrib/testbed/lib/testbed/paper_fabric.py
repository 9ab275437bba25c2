"""`testbed fabric` of a native node: what its ports are like on paper, and changes of them on command."""

from . import paper, ports
from .report import Failure


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
