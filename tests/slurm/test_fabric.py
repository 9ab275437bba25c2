"""`testbed fabric` on paper: faults on command reach the plugin, and wrong words are refused with what is allowed.
tests/cluster/test_fabric.py does it to ports of a kernel."""

import contextlib
import re

from cluster import must, run, srun, testbed


@contextlib.contextmanager
def port(name, words, back):
    must(testbed("fabric", "n0", name, *words))
    try:
        yield
    finally:
        must(testbed("fabric", "n0", name, *back))


def ports_of_a_step(*options):
    return must(srun("-w", "n0", "-n2", "--container-ib=verbs", *options, "printenv", "CONTAINER_IB_PORTS")).lines


def test_the_next_step_leaves_a_slow_port_alone():
    with port("mlx5_1/1", ("speed=EDR", "width=1"), ("speed=HDR", "width=4")):
        assert "mlx5_1/1 state=active speed=EDR width=1 pkeys=0xffff,0x8001,0x8002,0x7fff" in must(testbed("fabric", "n0")).lines
        assert ports_of_a_step() == ["mlx5_0:1", "mlx5_0:1"]
    assert sorted(ports_of_a_step()) == ["mlx5_0:1", "mlx5_1:1"]


def test_the_next_step_leaves_a_port_alone_that_went_down():
    with port("mlx5_0/1", ("state=down",), ("state=active",)):
        assert ports_of_a_step() == ["mlx5_1:1", "mlx5_1:1"]
        with port("mlx5_1/1", ("state=init",), ("state=active",)):
            done = srun("-w", "n0", "-n1", "--container-ib=verbs", "true")
            assert done.status != 0 and "mlx5_1:1: state INIT: no subnet manager" in "\n".join(done.ours()), done


def test_a_port_has_the_pkeys_it_is_given():
    with port("mlx5_0/1", ("pkeys=0xffff,0x9999",), ("pkeys=0xffff,0x8001,0x8002,0x7fff",)):
        shown = must(run("n0", "sh", "-c", "cd /sys/class/infiniband/mlx5_0/ports/1/pkeys && cat 0 1 2")).lines
        assert shown == ["0xffff", "0x9999", "0x0000"], shown
        topo = must(run("n0", "container-ib", "topo")).out
        assert re.search(r"^mlx5_0:1 +\d+ +0xffff 0x9999 +0: fe80:0000:0000:0000:0002:c903:", topo, re.M), topo


def test_one_nodes_port_is_not_anothers():
    with port("mlx5_0/1", ("state=down",), ("state=active",)):
        done = must(srun("-w", "n1", "-n2", "--container-ib=verbs", "printenv", "CONTAINER_IB_PORTS"))
        assert sorted(done.lines) == ["mlx5_0:1", "mlx5_1:1"], done


def test_wrong_words_are_refused_in_one_line_and_change_nothing():
    before = must(testbed("fabric", "n0")).out
    for words, what in {
        ("mlx5_0/1", "state=dead"): r"state 'dead': use down, init, armed or active",
        ("mlx5_0/1", "state=down", "speed=XDR"): r"speed 'XDR': use SDR, .* or NDR, or the kernel's number \(1, .*128\)",
        ("mlx5_0/1", "pkeys=0xffff,nine"): r"pkeys 'nine': use numbers up to 0xffff",
        ("mlx5_0/1", "stat=down"): r"unknown key 'stat': use state, speed, width, pkeys, sent, received or gid",
        ("mlx5_0/1", "sent=-4"): r"sent '-4': give a number of bytes, up to 15 digits",
        ("mlx5_0/1", "gid=10.40"): r"gid .10.40.: give an IPv4 address",
        ("mlx5_0/1", "down"): r"'down' is not KEY=VALUE: give state=, speed=, width=, pkeys=, sent=, received= or gid=",
        ("mlx5_0/1",): r"nothing to do for mlx5_0/1: give state=, speed=, width=, pkeys=, sent=, received= or gid=",
        ("mlx5_0", "state=down"): r"no port mlx5_0 on n0: it has mlx5_0/1, mlx5_1/1",
        ("mlx4_0/1", "state=down"): r"no port mlx4_0/1 on n0: it has mlx5_0/1, mlx5_1/1",
        ("mlx5_0/1", "state=down", "state=init"): r"given twice: state=init",
        ("sm=off",): r"sm=off: there is no subnet manager on paper; a port that none has seen has state=init",
    }.items():
        done = testbed("fabric", "n0", *words)
        assert done.status == 1 and done.out == "", (words, done)
        assert re.fullmatch(rf"testbed: error: {what}.*\n", done.err), (words, done)
    assert must(testbed("fabric", "n0")).out == before
    done = testbed("fabric", "host")
    assert done.status == 1 and "host has no ports on paper: name one of n0, n1" in done.err, done
