"""What a node looks like from outside: everything that attaching changes, and what slurmd holds."""

import contextlib

from cluster import must, sh, wait_until

PICTURE = r"""
ip -o link | sed 's/^[0-9]*: //; s/ qdisc [^\\]*\\ *link[^ ]* [^ ]* brd [^ ]*//' | sort # without what changes with a device that is made anew: index, queueing, QPN
ip -o -4 addr | sed 's/^[0-9]*: //'
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
    wait_until(lambda: picture(node) == before, 20, f"the node as it was:\n{before}\nnow:\n{picture(node)}")
