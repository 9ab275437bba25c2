"""The native testbed itself: it ends when it is told to, whatever of it was killed, and leaves nothing."""

import contextlib
import ipaddress
import json
import os
import pathlib
import signal
import subprocess
import time

import cluster
from cluster import TESTBED, must, run, sh, srun, testbed, tool, wait_until

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
    for model in ("small", "roce"):
        with another("down", "--model", model) as guest:
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


# ---- Ethernet interfaces of RoCE ports


@contextlib.contextmanager
def asked(suffix, *options):
    """An instance of this test's own, of which everything is asked meanwhile."""
    before = cluster.INSTANCE
    with another(suffix, *options):
        cluster.use(name(suffix))
        try:
            yield
        finally:
            cluster.use(before)


# Of each Ethernet port its name, state and VF or not; its interface with what HCA and kernel say of it; its GIDs, and how ib_core
# tells their kind and interface.
ETHERNET_PORTS = r"""
cd /sys/class/infiniband
attributes() { for file in address ifindex mtu type carrier; do cat $1/$file; done | paste -sd' '; }
for port in $(grep -lx Ethernet */ports/*/link_layer | sed 's,/link_layer,,'); do
    device=${port%%/*} netdev=
    for interface in $device/device/net/*; do
        if [ "$(cat $interface/dev_port 2> /dev/null)" = $((${port##*/} - 1)) ]; then netdev=${interface##*/}; fi
    done
    if [ -e $device/parent ]; then netdev=$(cat $device/parent); fi
    echo "$device/${port##*/}|$netdev|$([ -e $device/device/physfn ] && echo VF)|$(cat $port/state)"
    echo "$([ -e $device/device ] && attributes $device/device/net/$netdev)"
    attributes /sys/class/net/$netdev
    ip -json addr show dev $netdev
    for entry in $(ls $port/gids | sort -n); do
        echo -n "$(cat $port/gids/$entry)|$(cat $port/gid_attrs/types/$entry 2> /dev/null)|$(cat $port/gid_attrs/ndevs/$entry 2> /dev/null);"
    done
    echo
done
"""


def ethernet_ports(node):
    lines = must(sh(node, ETHERNET_PORTS)).lines
    for head, on_paper, kernel, addresses, gids in zip(*[iter(lines)] * 5, strict=True):
        known = [address["local"] for address in json.loads(addresses)[0]["addr_info"] if address["family"] == "inet"]
        set_ones = [entry.split("|") for entry in gids.split(";") if entry and not entry.startswith("0000:0000:0000:0000:0000:0000:0000:0000")]
        yield head.split("|"), on_paper, kernel, known, set_ones


def link_local(mac):
    """As the kernel makes it of a MAC (RFC 4291, appendix A)."""
    octets = bytes.fromhex(mac.replace(":", ""))
    return ipaddress.IPv6Address(bytes.fromhex("fe80000000000000") + bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:])


def test_a_roce_port_has_an_interface_of_the_kernels_and_both_say_the_same():
    macs = []
    with asked("roce", "--model", str(cluster.SOURCE / "tests/lib/ethernet.toml")):
        for number, node in enumerate(("n0", "n1"), 1):
            rails = {}
            for (port, netdev, vf, state), on_paper, kernel, addresses, gids in ethernet_ports(node):
                mac, _, mtu, _, carrier = kernel.split()
                assert on_paper == ("" if port == "roce0/1" else kernel), (port, on_paper, kernel)
                assert (mtu, carrier) == ("4200", str(int(state == "4: ACTIVE"))), (port, state, kernel)
                mapped = [ipaddress.IPv6Address(f"::ffff:{address}") for address in addresses]
                kinds = ["RoCE v2"] if port == "roce0/1" else ["IB/RoCE v1", "RoCE v2"]
                expected = [(gid, kind, netdev) for gid in (link_local(mac), *mapped) for kind in kinds]
                assert [(ipaddress.IPv6Address(gid), *rest) for gid, *rest in gids] == expected, (port, gids, expected)
                macs.append(mac)
                rails[port + vf] = addresses
            assert rails == {
                "mlx5_1/1": [f"10.60.0.{number}"], "mlx5_1/2": [f"10.61.0.{number}"], "mlx5_2/1": [f"10.62.0.{number}"],
                "roce0/1": [f"10.63.0.{number}"], "mlx5_3/1VF": [],
            }, rails  # fmt: skip
    assert len(macs) == len(set(macs)) == 10, macs


def reaches(node, address, *options, limit=20):
    return run(node, "ping", "-n", "-c1", f"-w{limit}", *options, address).status == 0


def netdev_of(port):
    return {head[0]: head[1] for head, *_ in ethernet_ports("n0")}[port]


def received(node, netdev):
    return int(must(run(node, "cat", f"/sys/class/net/{netdev}/statistics/rx_packets")).out)


# A network namespace, by the node's name, that has nothing but a macvlan of $1 with the address $2.
MACVLAN = r"""
set -e
space=$(hostname)
ip netns add "$space"
ip link add mv0 link "$1" netns "$space" type macvlan mode bridge
ip -n "$space" addr add "$2/24" dev mv0
ip -n "$space" link set mv0 up
"""


def test_frames_travel_between_roce_interfaces_and_macvlans_on_them():
    with asked("roce", "--model", "roce"):
        for rail, port in ((60, "mlx5_1/1"), (61, "mlx5_3/1")):
            netdev, there = netdev_of(port), f"10.{rail}.0.2"
            before = received("n1", netdev)
            assert reaches("n0", there, "-I", netdev, "-M", "do", "-s", "4172"), "in one frame of 4200 bytes"
            assert received("n1", netdev) > before
            (neighbour,) = json.loads(must(run("n0", "ip", "-json", "neigh", "show", "to", there)).out)
            assert neighbour["lladdr"] == must(run("n1", "cat", f"/sys/class/net/{netdev}/address")).out.strip(), "each answers for itself"
        netdev = netdev_of("mlx5_1/1")
        for node, address in (("n0", "10.60.0.101"), ("n1", "10.60.0.102")):
            must(run(node, "bash", "-c", MACVLAN, "-", netdev, address))
        must(run("n0", "ip", "netns", "exec", "n0", "ping", "-n", "-c1", "-w20", "-M", "do", "-s", "4172", "10.60.0.102"))
        made = f"ip link add vx0 type vxlan id 7 dev {netdev} dstport 4789 remote 10.60.0.2 && ip link del vx0"
        must(srun("-N2", "sh", "-c", made, user="root"))


def test_a_roce_port_that_goes_down_has_no_carrier():
    with asked("roce", "--model", "roce"):
        near, far = netdev_of("mlx5_1/1"), netdev_of("mlx5_3/1")
        carriers = [f"/sys/class/net/{near}/carrier", f"/sys/class/infiniband/mlx5_1/device/net/{near}/carrier"]

        def steps_ports():
            return sorted(must(srun("-w", "n0", "-n2", "--container-ib=verbs,roce=only", "printenv", "CONTAINER_IB_PORTS")).lines)

        assert must(run("n0", "cat", *carriers)).lines == ["1", "1"]
        assert reaches("n1", "10.60.0.1") and steps_ports() == ["mlx5_1:1", "mlx5_3:1"]
        for words, carrier in (("state=down",), "0"), (("speed=EDR",), "0"), (("state=active", "speed=HDR"), "1"):
            must(testbed("fabric", "n0", "mlx5_1/1", *words))
            assert must(run("n0", "cat", *carriers)).lines == [carrier, carrier], words
            assert reaches("n1", "10.60.0.1", limit=20 if carrier == "1" else 1) == (carrier == "1"), words
            assert reaches("n0", "10.61.0.2", "-I", far), "the other port has its own cable"
            assert steps_ports() == (["mlx5_1:1", "mlx5_3:1"] if carrier == "1" else ["mlx5_3:1", "mlx5_3:1"]), words


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
