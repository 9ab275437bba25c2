"""RoCE between two guests: HCAs of link layer Ethernet, whose packets go where their GIDs are.

n0 and n1 have an interface each on two such networks: mlx5_1 on 10.60.0.0/24, mlx5_3 on 10.61.0.0/24.
"""

import contextlib
import json

from cluster import PINGPONG, must, run, sh, srun, testbed, wait_until
from test_two_guests import both, every_transport_counts_exactly, guest_1_is_booted_again, kernel_log_is_clean, loss, passes

INSTANCE = "ctest-roce ctest-roce-trixie"  # soak: ctest-roce-trixie

_SYS = "/sys/class/infiniband"


def gid_index(node, device, address):
    """Of the RoCE v2 GID that belongs to an IPv4 address; None: there is none."""
    octets = bytes(int(octet) for octet in address.split(".")).hex()
    gid = f"0000:0000:0000:0000:0000:ffff:{octets[:4]}:{octets[4:]}"
    port = f"{_SYS}/{device}/ports/1"
    found = sh(node, f"cd {port}/gids && for i in $(grep -lx {gid} *); do grep -lx 'RoCE v2' ../gid_attrs/types/$i; done").lines
    return int(found[0].rsplit("/", 1)[1]) if found else None


def netdev(node, device):
    return must(sh(node, f"ls {_SYS}/{device}/device/net")).out.strip()


def octets(node, device):
    """What a port has sent and received, in 32-bit words."""
    counters = f"{_SYS}/{device}/ports/1/counters/port_"
    return [int(word) for word in must(sh(node, f"cat {counters}xmit_data {counters}rcv_data")).out.split()]


@contextlib.contextmanager
def counted(device="mlx5_1"):
    """Fills a list with what this port of n0 and of n1 has sent and received meanwhile."""
    moved = []
    before = octets("n0", device) + octets("n1", device)
    yield moved
    moved += [now - then for then, now in zip(before, octets("n0", device) + octets("n1", device))]


def pingpong(kind, options="", addresses=("10.60.0.1", "10.60.0.2")):
    client, server = (f"ibv_{kind}_pingpong -d mlx5_1 -g {gid_index(node, 'mlx5_1', address)} {options}"
                      for node, address in zip(("n0", "n1"), addresses))  # fmt: skip
    return both(server, f"{client} 10.9.0.2")


def test_ports_are_ethernet_and_have_the_addresses_of_the_node():
    for number, node in enumerate(("n0", "n1"), 1):
        for device, network in (("mlx5_1", 60), ("mlx5_3", 61)):
            facts = must(sh(node, f"cd {_SYS}/{device}/ports/1 && cat link_layer lid state pkeys/*")).lines
            assert facts == ["Ethernet", "0x0", "4: ACTIVE", "0xffff"], facts
            assert gid_index(node, device, f"10.{network}.0.{number}") is not None, (node, device)
        bus = must(sh(node, f"basename $(realpath {_SYS}/mlx5_1/device)")).out.split(":")[1]
        assert netdev(node, "mlx5_1") == f"enp{int(bus, 16)}s0f0np0"
    must(sh("n0", "ping -c 3 -i 0.2 -W 5 -M do -s 4100 10.60.0.2"))  # the interface's MTU leaves RoCE 4096 bytes


def test_every_transport_works_and_counts_exactly():
    every_transport_counts_exactly(counted, pingpong)
    index = gid_index("n0", "mlx5_1", "10.60.0.1")
    for command in ("ib_write_bw -n 20 -s 1048576", "ib_read_lat -n 20 -s 300000", "ib_atomic_lat -n 20"):
        both(f"{command} -d mlx5_1 -x {index} -F", f"{command} -d mlx5_1 -x {index} -F 10.9.0.2")
    for node in ("n0", "n1"):
        kernel_log_is_clean(node)


def listens(node, address, command):
    """A server of rdma_cm."""
    must(sh(node, f"{command} > /dev/null 2>&1 < /dev/null & disown"))
    wait_until(lambda: sh(node, "rdma resource show cm_id | grep -q 7174").status == 0, 20, f"'{command}' listens on {address}")


def test_rdma_cm():
    listens("n1", "10.60.0.2", "rping -s -a 10.60.0.2 -C 2")
    must(sh("n0", "timeout 30 rping -c -a 10.60.0.2 -C 2"))
    listens("n1", "10.61.0.2", "udaddy -b 10.61.0.2")
    must(sh("n0", "timeout 30 udaddy -s 10.61.0.2"))


def test_mpi_over_ucx_rc_goes_by_roce():
    wish = {"OMPI_MCA_pml": "ucx", "UCX_TLS": "rc,self", "UCX_NET_DEVICES": "mlx5_1:1"}
    words = [f"{key}={value}" for key, value in wish.items()]
    with counted() as moved, counted("mlx5_0") as by_infiniband:
        done = must(srun("-N2", "-n2", "--propagate=NONE", "--mpi=pmix", "env", *words, PINGPONG, timeout=120))
    assert json.loads(done.lines[-1])["ranks"] == 2, done
    assert all(words > 1 << 20 for words in moved), moved
    assert all(words < 10000 for words in by_infiniband), by_infiniband


def test_mode_verbs_is_native_by_roce():
    with counted() as moved:
        done = must(srun("-N2", "-n2", "--mpi=pmix", "--container-ib=verbs,roce=yes,hca=mlx5_1,report=full", PINGPONG, timeout=120))
    for node in ("n0", "n1"):
        assert any(line.startswith(f"container-ib: {node}: native:") for line in done.ours()), done
    assert all(words > 1 << 20 for words in moved), moved


def test_a_vlan_of_two_guests():
    try:
        for number, node in enumerate(("n0", "n1"), 1):
            parent = netdev(node, "mlx5_1")
            must(sh(node, f"ip link add link {parent} name vlan7 type vlan id 7 && ip addr add 10.7.0.{number}/24 dev vlan7 && "
                          "ip link set vlan7 up"))  # fmt: skip
        must(sh("n0", "ping -c 3 -i 0.2 -W 5 10.7.0.2"))
        wait_until(lambda: gid_index("n1", "mlx5_1", "10.7.0.2") is not None, 10, "the VLAN's GID")
        pingpong("rc", "-n 50", ("10.7.0.1", "10.7.0.2"))
        # n1's end leaves the VLAN: the same addresses, and nothing gets through
        must(sh("n1", "ip link del vlan7 && ip addr add 10.7.0.2/24 dev " + netdev("n1", "mlx5_1")))
        assert sh("n0", "ping -c 2 -i 0.2 -W 2 10.7.0.2").status == 1
    finally:
        for node in ("n0", "n1"):
            sh(node, "ip link del vlan7")
        sh("n1", "ip addr del 10.7.0.2/24 dev " + netdev("n1", "mlx5_1"))


def test_a_gid_that_moves_to_the_other_guest_is_found_there():
    devices = {node: netdev(node, "mlx5_1") for node in ("n0", "n1")}
    try:
        for node in ("n0", "n1", "n0"):
            must(sh(node, f"ip addr add 10.60.0.99/24 dev {devices[node]}"))
            wait_until(lambda: gid_index(node, "mlx5_1", "10.60.0.99") is not None, 10, "the GID")
            other = "n1" if node == "n0" else "n0"
            must(sh(other, "ip neigh flush to 10.60.0.99; ping -c 2 -i 0.2 -W 5 10.60.0.99"))
            listens(node, "10.60.0.99", "rping -s -a 10.60.0.99 -C 2")
            must(sh(other, "timeout 30 rping -c -a 10.60.0.99 -C 2"))
            must(sh(node, f"ip addr del 10.60.0.99/24 dev {devices[node]}"))
    finally:
        for node in ("n0", "n1"):
            sh(node, f"ip addr del 10.60.0.99/24 dev {devices[node]}")


def test_a_port_goes_down_on_command():
    device = netdev("n0", "mlx5_1")
    assert "mlx5_1/1 state=active speed=HDR width=4 pkeys=0xffff" in must(testbed("fabric", "n0")).lines
    must(testbed("fabric", "n0", "mlx5_1/1", "state=down"))
    try:
        assert "NO-CARRIER" in must(run("n0", "ip", "link", "show", device)).out
        assert "1: DOWN" in must(sh("n0", f"cat {_SYS}/mlx5_1/ports/1/state")).out
        assert sh("n0", "ping -c 1 -W 2 10.60.0.2").status == 1
        assert sh("n0", "ping -c 1 -W 5 10.61.0.2").status == 0
    finally:
        must(testbed("fabric", "n0", "mlx5_1/1", "state=active"))
    wait_until(lambda: sh("n0", "ping -c 1 -W 2 10.60.0.2").status == 0, 20, "the port is back")
    for words, why in (("state=init", "Ethernet ports: state=down or state=active"), ("pkeys=0xffff", "Ethernet ports: no pkeys=")):
        done = testbed("fabric", "n0", "mlx5_1/1", words)
        assert done.status == 1 and why in done.err, done


def test_rc_survives_lost_packets_with_its_data_intact():
    with loss(3):
        pingpong("rc", "-c -s 100000 -n 30")
    for node in ("n0", "n1"):
        kernel_log_is_clean(node)


def test_the_module_passes_its_own_checks():
    with guest_1_is_booted_again():
        passes("roce.sh", 400)
        passes("stress_roce.sh 6", 300)


def soak_taking_roce_away_fifty_times_leaves_nothing():
    with guest_1_is_booted_again():
        passes("stress_roce.sh 50", 3600)
