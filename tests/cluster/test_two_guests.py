"""One fabric over two guests: every transport between them, what a lost packet does, and a guest that leaves.

Counters are looked at on mlx5_2, whose IPoIB interfaces are taken down for that: nothing else is sent there.
"""

import contextlib
import threading

from cluster import IMAGE, PINGPONG, must, run, sh, srun, testbed, testbed_status, wait_until

INSTANCE = "ctest-guests ctest-guests-trixie"  # soak: ctest-guests

# rdmavt's own, once in each boot (contrib/testbed/README.md)
_KNOWN = "rdmavt/qp.c:[0-9]* rvt_post_"
_BAD = "WARNING:|BUG:|BUG [a-z]|Oops|soft lockup|hung task|rcu.*stall|Poison|Redzone|Object already free|refcount_t"


def kernel_log_is_clean(node):
    complaints = sh(node, f"dmesg | grep -E '{_BAD}' | grep -v '{_KNOWN}'").out
    assert not complaints, f"{node}'s kernel says\n{complaints}"


def both(server, client, port=18515):
    """A server in n1 and its client in n0; both must end well. Returns the client's result."""
    results = {}

    def serve():
        results["server"] = sh("n1", f"ulimit -l unlimited; {server}", timeout=100)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        wait_until(lambda: sh("n1", f"ss -Hltn 'sport = :{port}' | grep -q .").status == 0, 30, f"'{server}' listens")
        done = sh("n0", f"ulimit -l unlimited; {client}", timeout=100)
        if done.status != 0:
            sh("n1", f"pkill {server.split()[0]}")
    finally:
        thread.join()
    must(done)
    must(results["server"])
    return done


def pingpong(kind, options=""):
    command = f"ibv_{kind}_pingpong -d mlx5_2 {options}"
    return both(command, f"{command} 10.9.0.2")


def perftest(name, options):
    command = f"{name} -d mlx5_2 -F {options}"
    return both(command, f"{command} 10.9.0.2")


def octets(node):
    """What mlx5_2 has sent and received, in 32-bit words."""
    counters = "/sys/class/infiniband/mlx5_2/ports/1/counters/port_"
    return [int(word) for word in must(sh(node, f"cat {counters}xmit_data {counters}rcv_data")).out.split()]


@contextlib.contextmanager
def counted():
    """Fills a list with what n0 and n1 have sent and received meanwhile, and nothing else was."""
    moved = []
    for node in ("n0", "n1"):
        must(run(node, "ip", "link", "set", "ib2", "down"))
    try:
        before = octets("n0") + octets("n1")
        yield moved
        moved += [now - then for then, now in zip(before, octets("n0") + octets("n1"))]
    finally:
        for node in ("n0", "n1"):
            must(run(node, "ip", "link", "set", "ib2", "up"))


@contextlib.contextmanager
def loss(percent):
    """Loses some of what travels between the guests, both ways."""
    for guest in ("host0", "host1"):
        must(sh(guest, f"ip netns exec fabric tc qdisc add dev eth2 root netem loss {percent}%"))
    try:
        yield
        for guest in ("host0", "host1"):
            lost = must(sh(guest, "ip netns exec fabric tc -s qdisc show dev eth2")).out
            assert "dropped 0," not in lost, lost
    finally:
        for guest in ("host0", "host1"):
            must(sh(guest, "ip netns exec fabric tc qdisc del dev eth2 root"))


def test_the_guests_have_one_subnet_manager_and_lids_of_their_own():
    lids = {}
    for node in ("n0", "n1"):
        assert "SMINFO_MASTER" in must(run(node, "sminfo")).out
        lids[node] = set(must(sh(node, "cat /sys/class/infiniband/*/ports/*/lid")).lines)
        assert len(lids[node]) == 3, lids
    assert not lids["n0"] & lids["n1"], lids
    guid = must(sh("n1", "sed 's/0x//; s/://g' /sys/class/infiniband/mlx5_1/node_guid")).out.strip()
    lid = int(must(sh("n1", "cat /sys/class/infiniband/mlx5_1/ports/1/lid")).out, 16)
    assert guid in must(run("n0", "smpquery", "nodeinfo", str(lid))).out


def every_transport_counts_exactly(counted, pingpong):
    """By these two of the caller's: of its ports, and of its transports."""
    with counted() as moved:
        pingpong("rc", "-s 1001 -n 100")  # 1001 octets are 251 words
    # a guest that had to wait for its turn on the host may have sent again, which counts again at the sender
    assert moved[1] == moved[3] == 25100 and moved[0] >= 25100 and moved[2] >= 25100, moved
    with counted() as moved:
        pingpong("ud", "-s 1001 -n 100")
    assert moved == [25100] * 4, moved
    pingpong("uc", "-s 2000 -n 50")
    pingpong("srq", "-n 100")


def test_every_transport_works_and_counts_exactly():
    every_transport_counts_exactly(counted, pingpong)
    pingpong("rc", "-e -n 50 -s 1000000")  # more than the window
    with counted() as moved:
        perftest("ib_read_lat", "-n 20 -s 300000")  # n0 reads: data leaves n1 only
    assert moved[0] == moved[3] == 0 and moved[2] >= moved[1] == 20 * 75000, moved
    perftest("ib_write_bw", "-n 20 -s 1048576")
    with counted() as moved:
        perftest("ib_atomic_lat", "-n 20")
    assert moved[0] == moved[3] == 0 and moved[2] >= moved[1] >= 40, moved
    for node in ("n0", "n1"):
        kernel_log_is_clean(node)


def test_rc_survives_lost_packets_with_its_data_intact():
    with loss(3):
        pingpong("rc", "-c -s 100000 -n 30")
        perftest("ib_read_bw", "-n 10 -s 500000")
        perftest("ib_atomic_lat", "-n 50")
    for node in ("n0", "n1"):
        kernel_log_is_clean(node)


def test_ipoib_and_rdma_cm():
    both("iperf3 -s -1", "iperf3 -c 10.20.0.2 -t 2", port=5201)
    must(sh("n0", "ping -c 3 -i 0.2 -W 5 10.20.0.2"))
    # multicast: every interface of the link answers, and n1's is not on this guest
    link_local = must(sh("n1", "ip -6 -o addr show dev ib0 scope link | awk '{print $4}' | cut -d/ -f1")).out.strip()
    assert link_local in must(sh("n0", "ping -6 -c 3 -i 0.2 -W 5 ff02::1%ib0")).out
    listens = "rdma resource show cm_id | grep -q 7174"
    must(sh("n1", "rping -s -a 10.20.0.2 -C 2 > /dev/null 2>&1 < /dev/null & disown"))
    wait_until(lambda: sh("n1", listens).status == 0, 20, "rping listens")
    must(sh("n0", "timeout 30 rping -c -a 10.20.0.2 -C 2"))


def test_mpi_in_containers_uses_the_fabric():
    done = must(srun("-N2", "--mpi=pmix", "--container-ib=verbs,report=full", "ch-run", IMAGE, "--", PINGPONG))
    assert '"ranks": 2' in done.out, done
    for node in ("n0", "n1"):
        assert any(line.startswith(f"container-ib: {node}: native:") for line in done.ours()), done


def test_a_subnet_manager_that_comes_back_is_told_everything_anew():
    def carrier():
        return "LOWER_UP" in must(sh("n1", "ip -br link show dev late")).out

    must(testbed("fabric", "n0", "sm=off"))
    try:
        must(sh("n1", "ip link add link ib0 name late type ipoib pkey 0x8001 && ip link set late up; sleep 2"))
        assert not carrier()
        must(testbed("fabric", "n0", "sm=on"))
        wait_until(carrier, 20, "n1's new interface joins its groups")
        must(sh("n0", "ping -c 2 -i 0.2 -W 10 10.20.0.2"))
    finally:
        testbed("fabric", "n0", "sm=on")
        sh("n1", "ip link del late")


@contextlib.contextmanager
def guest_1_is_booted_again():
    """For what leaves guest 1's module or interfaces changed. Guest 0 sees it leave and come back."""
    try:
        yield
    except AssertionError:
        print(*testbed_status(), *testbed("logs", "console1").lines[-60:], sep="\n")  # the console goes with the guest
        raise
    finally:
        must(testbed("down", "--guest", "1"))
        wait_until(lambda: "guest 1 left the fabric" in sh("host0", "dmesg | tail -n 20").out, 30, "guest 1 is missed")
        must(testbed("up", "--guest", "1", timeout=200))
    wait_until(lambda: sh("n0", "ping -c 1 -W 2 10.20.0.2").status == 0, 30, "IPoIB to the guest that came back")
    pingpong("rc", "-n 50")
    kernel_log_is_clean("n0")


def passes(script, timeout):
    """A script of checks that prints TAP and looks at the kernel log itself."""
    done = sh("host1", f"/usr/lib/testbed/checks/{script}", timeout=timeout)
    print(done.out)
    assert done.status == 0 and "not ok" not in done.out, done


def test_the_module_passes_its_own_checks():  # soak: ctest-guests-trixie
    with guest_1_is_booted_again():
        passes("all.sh", 400)
        passes("roce.sh", 200)  # of which the exclusive mode's part
