"""The native testbed itself: it ends when it is told to, whatever of it was killed, and leaves nothing."""

import contextlib
import os
import pathlib
import signal
import subprocess
import time

import cluster
from cluster import TESTBED, must, run, tool, wait_until

from testbed import instance

def name(suffix):
    return f"{cluster.INSTANCE}-{suffix}"


def up(suffix, *options):
    return tool("up", "--native", "--suite", cluster.suite(), "--name", name(suffix), *options)


@contextlib.contextmanager
def another(suffix, *options):
    """An instance of this test's own."""
    must(up(suffix, *options))
    try:
        yield instance.Instance(name(suffix)).guests[0]
    finally:
        must(tool("down", "--name", name(suffix)))


def namespaces(guest):
    """Those of the instance's processes, by kind and number. They are held open until this test's process ends: the number of one that
    is gone is soon another's."""
    own = {os.readlink(f"/proc/self/ns/{kind}") for kind in KINDS}
    first = guest.first_process()
    found = set()
    for pid in (first, *descendants(first)):
        for kind in KINDS:
            with contextlib.suppress(OSError):
                held = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY)
                link = os.readlink(f"/proc/self/fd/{held}")
                if link in found | own:
                    os.close(held)
                else:
                    found.add(link)
    return found


KINDS = ("mnt", "net", "pid", "ipc", "uts")


def links_of(pid):
    """The namespaces of a process; none of one that has ended and waits for its parent, who may be this machine's init."""
    links = set()
    with contextlib.suppress(OSError):
        if ") Z " in pathlib.Path(f"/proc/{pid}/stat").read_text():
            return links
    for kind in KINDS:
        with contextlib.suppress(OSError):
            links.add(os.readlink(f"/proc/{pid}/ns/{kind}"))
    return links


def descendants(pid):
    found = []
    with contextlib.suppress(OSError):
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += [int(child), *descendants(int(child))]
    return found


def users(spaces):
    """Processes of this machine that are in any of the namespaces."""
    return [pid for pid in os.listdir("/proc") if pid.isdigit() and links_of(pid) & spaces]


def kill(pid):
    """It was looked at: a descendant of the instance's own process."""
    assert pid > 1
    descriptor = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
    finally:
        os.close(descriptor)


def child_named(guest, command):
    first = guest.first_process()
    for pid in descendants(first):
        with contextlib.suppress(OSError):
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if command in b" ".join(words).decode():
                return pid
    raise AssertionError(f"no process '{command}' in the instance")


def test_down_leaves_no_process_namespace_or_folder():
    with another("down") as guest:
        spaces = namespaces(guest)
        assert len(users(spaces)) > 8, "the instance has processes"
    assert users(spaces) == [], [pathlib.Path(f"/proc/{pid}/status").read_text() for pid in users(spaces)]
    assert not guest.folder.parent.exists()


def test_nothing_is_left_when_the_outermost_or_the_first_process_is_killed():
    for which in ("outermost", "first"):
        with another("killed") as guest:
            spaces = namespaces(guest)
            kill(guest.known["pid"] if which == "outermost" else guest.first_process())
            wait_until(lambda: users(spaces) == [], 10, f"all end with the {which} process: {users(spaces)}")
            assert f"{name('killed')}: dead" in tool("status").out
        assert not guest.folder.parent.exists(), which


def test_a_node_or_a_daemon_that_is_killed_takes_nobody_along_and_down_ends_the_rest():
    for command in ("tini -- /usr/lib/testbed/node n1", "slurmctld", "munged", "tini -- /usr/lib/testbed/boot"):
        with another("part") as guest:
            spaces = namespaces(guest)
            if "boot" in command:
                kill(child_named(guest, "sleep infinity"))
            else:
                kill(child_named(guest, command))
            time.sleep(0.2)
        assert users(spaces) == [], command
        assert not guest.folder.parent.exists(), command


def test_nothing_is_left_of_an_instance_whose_up_was_killed():
    booting = subprocess.Popen(
        [str(TESTBED), "up", "--native", "--suite", cluster.suite(), "--name", name("cut"), "--nodes", "8"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    known = instance.Instance(name("cut"))
    wait_until(lambda: "pid" in (known.guests[0].known if known.guests else {}), 20, "it boots")
    guest = known.guests[0]
    booting.kill()
    booting.wait()
    wait_until(lambda: not guest.alive(), 60, "the namespaces end, as nobody knows of them")
    must(tool("down", "--name", name("cut")))
    assert not known.folder.exists()


def test_an_instance_that_is_up_stays_as_it_is_and_another_one_is_not_made_of_it():
    with another("same") as guest:
        assert f"'{name('same')}' is up already" in must(up("same")).err
        done = up("same", "--nodes", "3")
        assert done.status == 1 and f"run 'testbed down --name {name('same')}' first" in done.err, done
        assert guest.alive()


def test_instances_live_side_by_side():
    with another("one"), another("two", "--nodes", "3"):
        for suffix, nodes in (("one", "n0\nn1\n"), ("two", "n0\nn1\nn2\n")):
            assert must(tool("exec", "--name", name(suffix), "n0", "srun", "-l", f"-N{nodes.count('n')}", "sh", "-c", "hostname >&2; true")).status == 0
            assert must(tool("exec", "--name", name(suffix), "n0", "sinfo", "-hN", "-o", "%N")).out == nodes


def test_a_command_has_its_exit_status_its_streams_and_its_end():
    def in_node(*words, **kwargs):
        return run("n0", *words, **kwargs)

    assert in_node("sh", "-c", "cat; echo err >&2; exit 7", stdin="in").status == 7
    done = in_node("sh", "-c", "cat; echo err >&2", stdin="in")
    assert (done.out, done.err) == ("in", "err\n")
    assert in_node("/nowhere").status == 127
    assert in_node("sh", "-c", "kill -9 $$").status == 128 + 9
    assert in_node("sh", "-c", "(setsid sleep 4321 &); trap '' TERM; sleep 4322", timeout=1).status == 124
    assert in_node("pgrep", "-x", "-a", "sleep").out.count("432") == 0, "all that it started is gone"


def test_a_command_whose_caller_is_killed_ends():
    caller = subprocess.Popen([str(TESTBED), "exec", "--name", cluster.INSTANCE, "n0", "sleep", "4323"], stdin=subprocess.DEVNULL)


    def runs():
        return " 4323" in run("n0", "pgrep", "-xa", "sleep").out

    wait_until(runs, 20, "it runs")
    caller.kill()
    caller.wait()
    wait_until(lambda: not runs(), 20, "it ends")


def test_what_does_not_go_together_or_cannot_be_done_is_refused_by_name():
    for options, what in {
        ("--append", ""): "--append: not with --native: the kernel is this machine's",
        ("--slurm-names", ""): "--slurm-names '': use up to 31 letters",
        ("--guests", "2"): "--guests: not with --native: nodes need none",
        ("--rdma", "exclusive"): "--rdma: not with --native: HCAs on paper are in no namespace",
        ("--systemd",): "--systemd: not with --native: ",
        ("--nodes", "65"): "--nodes 65: use 1 to 64",
        ("--nodes", "0"): "--nodes 0: use 1 to 64",
        ("--slurm-names", "8-"): "--slurm-names '8-': use up to 31 letters, digits and '-', a letter first",
        ("--model", "small", "--model", "flat", "--model", "flat"): "--model: 3 of them for 2 nodes: add --nodes 3",
    }.items():
        done = up("refused", *options)
        assert done.status == 1 and done.err.splitlines()[-1].startswith(f"testbed: error: {what}"), (options, done)
    done = tool("up", "--name", name("refused"), "--nodes", "3")
    assert done.status == 1 and "--nodes: only with --native" in done.err, done
    assert not instance.Instance(name("refused")).folder.exists()
