"""What a node looks like from outside: everything that attaching changes, and what slurmd holds."""

import contextlib
import difflib

from cluster import must, sh, wait_until

PICTURE = r"""
ip -o link | sed 's/^[0-9]*: //; s/ qdisc [^\\]*\\ *link[^ ]* [^ ]* brd [^ ]*//' | sort # without what changes with a device that is made anew: index, queueing, QPN
ip -o -4 addr | sed 's/^[0-9]*: //' | sort
rdma dev | sed 's/^[0-9]*: //' | sort
ls /dev/infiniband | wc -l
ls /run/container-ib/claims 2> /dev/null
true
"""


def picture(node="n0"):
    return must(sh(node, PICTURE)).out


@contextlib.contextmanager
def everything_comes_back(node="n0"):
    before = picture(node)
    yield
    is_again(before, lambda: picture(node), "the node as it was")


def is_again(before, look, what):
    """Waits until `look` returns the text `before` again; what else it is at the end is told by line."""
    now = ""

    def same():
        nonlocal now
        now = look()
        return now == before

    try:
        wait_until(same, 20, what)
    except AssertionError as late:
        changes = difflib.unified_diff(before.splitlines(), now.splitlines(), "before", "now", lineterm="", n=0)
        raise AssertionError("\n".join((str(late), *changes))) from None
