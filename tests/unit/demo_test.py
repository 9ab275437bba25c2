"""The demo's pure parts, on what real runs printed."""

import pathlib
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "contrib" / "lib"))

from demo import counters, judge, machine, output, process, runs, table  # noqa: E402  (the path above comes first)

PORTS = """\
/sys/class/infiniband/mlx5_0/ports/1/counters/port_rcv_data:16438400
/sys/class/infiniband/mlx5_0/ports/1/counters/port_xmit_data:16280642
/sys/class/infiniband/mlx5_1/ports/1/counters/port_rcv_data:6862249
/sys/class/infiniband/mlx5_1/ports/1/counters/port_xmit_data:11590585
/sys/class/infiniband/mlx5_2/ports/1/counters/port_rcv_data:16280374
/sys/class/infiniband/mlx5_2/ports/1/counters/port_xmit_data:11588488
/sys/class/infiniband/mlx5_3/ports/1/counters/port_rcv_data:11590319
/sys/class/infiniband/mlx5_3/ports/1/counters/port_xmit_data:11712465
"""
N0 = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:  859357    7089    0    0    0     0          0         0   859357    7089    0    0    0     0       0          0
  eth0:   48456     624    0    0    0     0          0         0    91283     567    0    0    0     0       0          0
   ib0: 19532220   12530    0    0    0     0          0         0 18957624    9550    0    0    0     0       0          0
   ib1:  170464    2906    0    0    0     0          0         0 19095508   11964    0    0    0     0       0          0
   br0: 19064937    2445    0    0    0     0          0        13  1164025    2214    0    0    0     0       0          0
    n1: 19099167    2445    0    0    0     0          0         0  1164703    2223    0    0    0     0       0          0
"""
N1 = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:  338584    1488    0    0    0     0          0         0   338584    1488    0    0    0     0       0          0
  eth0: 1164703    2223    0    0    0     0          0         0 19099167    2445    0    0    0     0       0          0
   ib2: 18918528    9538    0    0    0     0          0         0   183032    2918    0    0    0     0       0          0
   ib3: 19046756   11952    0    0    0     0          0         0 19583284   12542    0    0    0     0       0          0
"""

NATIVE_OUT = """\
demo: rank 1 on n1 sees rdma_cm uverbs2 uverbs3
demo: rank 0 on n0 sees rdma_cm uverbs0 uverbs1
{"ranks": 2, "latency_us": 61.10, "bandwidth_mb_s": 360.7, "where": [{"rank": 0, "host": "n0", "ports": \
"mlx5_0:1,mlx5_1:1"}, {"rank": 1, "host": "n1", "ports": "mlx5_2:1,mlx5_3:1"}]}
"""
NATIVE_ERR = """\
container-ib: n1: rank 0 uses mlx5_2:1,mlx5_3:1 (NUMA 0, same NUMA node, 200 Gb/s)
container-ib: n1: native: 18.9 MB by verbs, 4.1 kB by TCP
container-ib: n0: rank 0 uses mlx5_0:1,mlx5_1:1 (NUMA 0, same NUMA node, 200 Gb/s)
container-ib: n0: native: 18.9 MB by verbs, 10.4 kB by TCP
"""
TODAY_OUT = """\
demo: rank 1 on n1 sees
demo: rank 0 on n0 sees
{"ranks": 2, "latency_us": 577.12, "bandwidth_mb_s": 10.8, "where": [{"rank": 0, "host": "n0", "ports": ""}, \
{"rank": 1, "host": "n1", "ports": ""}]}
"""
TODAY_ERR = """\
[n0:00214] PMIX ERROR: ERROR in file ../../../../../../src/mca/gds/ds12/gds_ds12_lock_pthread.c at line 169
[n1:00167] PMIX ERROR: ERROR in file ../../../../../../src/mca/gds/ds12/gds_ds12_lock_pthread.c at line 169
"""
NOT_NATIVE_ERR = """\
container-ib: n1: rank 0 uses mlx5_2:1,mlx5_3:1 (NUMA 0, same NUMA node, 200 Gb/s)
container-ib: n1: not native: 23.0 kB by verbs, 19.4 MB by TCP over IPoIB
container-ib: n0: rank 0 uses mlx5_0:1,mlx5_1:1 (NUMA 0, same NUMA node, 200 Gb/s)
container-ib: n0: not native: 16.8 kB by verbs, 19.5 MB by TCP over IPoIB
"""
REFUSED_ERR = """\
slurmstepd-n0: error: container-ib: n0: no InfiniBand port can be used: mlx5_0:1: does not match hca=nope
slurmstepd-n0: error: spank: required plugin container_ib.so: task_init() failed with rc=-1
slurmstepd-n0: error: Failed to invoke spank plugin stack
srun: error: n0: task 0: Exited with exit code 1
"""

BY_VERBS = counters.Counters(port=18_900_000, ipoib=0, ethernet=19_100)
BY_TCP = counters.Counters(port=14_416_000, ipoib=14_400_000, ethernet=5_000_000)


class FakeCluster:
    """A cluster where each run ends as told: what it printed, its exit status, and what each node counted."""

    places = counters.ONE_GUEST

    def __init__(self, *told):
        self.told = list(told)
        self.now = counters.Counters(1_000, 100, 10)
        self.asked = []

    def counters_now(self):
        return {node: self.now for node in self.places}

    def srun(self, options, script, limit):
        self.asked.append((options, script))
        out, err, status, moved = self.told.pop(0)
        self.now = counters.Counters(
            self.now.port + moved.port, self.now.ipoib + moved.ipoib, self.now.ethernet + moved.ethernet
        )
        return process.Result(status, out, err), 5.0


TODAY = (TODAY_OUT, TODAY_ERR, 0, BY_TCP)
NATIVE = (NATIVE_OUT, NATIVE_ERR, 0, BY_VERBS)
BARE = (NATIVE_OUT, "", 0, BY_VERBS)


def outcomes(today=TODAY, verbs=NATIVE, bare=BARE):
    return runs.all_three(FakeCluster(today, verbs, bare), "verbs")


class Counting(unittest.TestCase):
    def test_a_node_has_its_own_hcas_and_interfaces(self):
        n0 = counters.parse("n0", counters.ONE_GUEST["n0"], PORTS, N0)
        self.assertEqual(n0, counters.Counters(port=204687504, ipoib=57755816, ethernet=20228962))
        n1 = counters.parse("n1", counters.ONE_GUEST["n1"], PORTS, N1)
        self.assertEqual(n1, counters.Counters(port=204686584, ipoib=57731600, ethernet=20263870))

    def test_in_two_guests_each_counts_for_itself(self):
        ports = PORTS.replace("mlx5_2", "other_0").replace("mlx5_3", "other_1")
        n1 = counters.parse("n1", counters.TWO_GUESTS["n1"], ports, N0.replace("eth0", "eth1"))
        self.assertEqual(n1, counters.Counters(port=204687504, ipoib=57755816, ethernet=139739))

    def test_ipoib_is_tcp(self):
        self.assertEqual(BY_TCP.verbs, 16_000)
        self.assertEqual(BY_TCP.tcp, 19_400_000)

    def test_what_is_not_counted_is_not_taken_for_nothing(self):
        with self.assertRaisesRegex(ValueError, "n0 has no counters of mlx5_0, mlx5_1"):
            counters.parse("n0", counters.ONE_GUEST["n0"], "", N0)
        with self.assertRaisesRegex(ValueError, "n1 has no counters of eth0"):
            counters.parse("n1", counters.ONE_GUEST["n1"], PORTS, N1.replace("eth0", "eth7"))


class Printed(unittest.TestCase):
    def test_native(self):
        told = output.parse(NATIVE_OUT, NATIVE_ERR)
        self.assertEqual((told.latency_us, told.bandwidth_mb_s, told.hosts), (61.10, 360.7, ["n0", "n1"]))
        self.assertEqual(told.rank, {"n0": 0, "n1": 1})
        self.assertEqual(told.devices, {"n0": ["uverbs0", "uverbs1"], "n1": ["uverbs2", "uverbs3"]})
        self.assertEqual(told.ports, {"n0": "mlx5_0:1,mlx5_1:1", "n1": "mlx5_2:1,mlx5_3:1"})
        self.assertEqual(told.why["n0"], "NUMA 0, same NUMA node, 200 Gb/s")
        self.assertEqual(told.verdict, {"n0": "native", "n1": "native"})
        self.assertEqual(told.reason["n1"], "18.9 MB by verbs, 4.1 kB by TCP")

    def test_without_devices(self):
        self.assertEqual(output.parse(TODAY_OUT, TODAY_ERR).devices, {"n0": [], "n1": []})

    def test_not_native(self):
        self.assertEqual(output.parse("", NOT_NATIVE_ERR).verdict, {"n0": "not native", "n1": "not native"})

    def test_the_plugins_reason_comes_first(self):
        complaint = output.parse("", REFUSED_ERR).complaint
        self.assertEqual(complaint, "n0: no InfiniBand port can be used: mlx5_0:1: does not match hca=nope")
        self.assertEqual(output.parse("", "srun: error: x\n\n").complaint, "srun: error: x")


class Judging(unittest.TestCase):
    def test_verdicts(self):
        def verdict(port, ipoib, ethernet):
            return judge.verdict(counters.Counters(port, ipoib, ethernet), 1000)

        self.assertEqual(verdict(1010, 0, 20), "native")
        self.assertEqual(verdict(1010, 1000, 20), "not native")
        self.assertEqual(verdict(10, 0, 1020), "not native")
        self.assertEqual(verdict(0, 0, 0), "unclear")  # nothing moved
        self.assertEqual(verdict(500, 0, 520), "unclear")  # one way by each
        self.assertEqual(verdict(1010, 0, 1010), "unclear")  # more moved than the ping-pong

    def test_as_it_should_be(self):
        self.assertEqual(judge.failures(*outcomes()), [])

    def test_not_native(self):
        found = judge.failures(*outcomes(verbs=(NATIVE_OUT, NOT_NATIVE_ERR, 0, BY_TCP)))
        self.assertEqual(
            found,
            ["run 2 was not native by the counters (on n0 and n1)", "run 2 was not native by the plugin (on n0 and n1)"],
        )

    def test_neither_the_plugin_nor_the_counters_alone_are_believed(self):
        self.assertEqual(
            judge.failures(*outcomes(verbs=(NATIVE_OUT, NATIVE_ERR, 0, BY_TCP))),
            ["run 2 was not native by the counters (on n0 and n1)"],
        )
        one_silent = "".join(line for line in NATIVE_ERR.splitlines(True) if "n0: native" not in line)
        self.assertEqual(
            judge.failures(*outcomes(verbs=(NATIVE_OUT, one_silent, 0, BY_VERBS))),
            ["run 2 was not native by the plugin (on n0)"],
        )

    def test_the_first_run_must_be_without(self):
        found = judge.failures(*outcomes(today=(NATIVE_OUT, "", 0, BY_VERBS)))
        self.assertEqual(
            found,
            ["run 1 had InfiniBand devices in the container (on n0 and n1)", "run 1 went over verbs (on n0 and n1)"],
        )

    def test_a_run_that_failed(self):
        nothing = counters.Counters(0, 0, 0)
        found = judge.failures(*outcomes(verbs=("", REFUSED_ERR, 1, nothing), bare=("", "", 124, nothing)))
        self.assertEqual(len(found), 2)
        self.assertIn("run 2 did not work: exit status 1: n0: no InfiniBand port can be used", found[0])
        self.assertEqual(found[1], "run 3 did not work: took longer than 120 s")

    def test_both_ranks_on_one_node(self):
        found = judge.failures(*outcomes(bare=(NATIVE_OUT.replace('"n1"', '"n0"'), "", 0, BY_VERBS)))
        self.assertEqual(found, ["run 3 did not work: the ping-pong was not between the nodes but on n0, n0"])


class Running(unittest.TestCase):
    def test_the_bare_run_has_the_hcas_that_the_plugin_chose(self):
        cluster = FakeCluster(TODAY, NATIVE, BARE)
        runs.all_three(cluster, "verbs,rails=2")
        self.assertEqual(cluster.asked[0][0], [])
        self.assertEqual(cluster.asked[1][0], ["--container-ib=verbs,rails=2,report=full"])
        self.assertIn("n1) export UCX_NET_DEVICES=mlx5_2:1,mlx5_3:1;;", cluster.asked[2][1])

    def test_numbers(self):
        numbers = outcomes()[1].numbers()
        self.assertEqual(numbers["nodes"]["n0"]["bytes"]["verbs"], 18_900_000)
        self.assertEqual(numbers["payload_bytes"], runs.PAYLOAD)


class Drawing(unittest.TestCase):
    def test_fits_and_is_plain(self):
        text = table.render(outcomes(), table.Style())
        self.assertTrue(text.isascii())
        self.assertLessEqual(max(map(len, text.splitlines())), 100)
        self.assertIn("rank 0 on n0      | no HCA                   | mlx5_0:1, mlx5_1:1", text)
        self.assertIn("bytes by TCP    | 19.4 MB, 14.4 MB of it", text)

    def test_colour_does_not_move_columns(self):
        plain = table.render(outcomes(), table.Style(boxes=True))
        painted = table.render(outcomes(), table.Style(boxes=True, colour=True))
        for code in ("\033[0m", "\033[1m", "\033[31m", "\033[32m"):
            self.assertIn(code, painted)
            painted = painted.replace(code, "")
        self.assertEqual([line.rstrip() for line in painted.splitlines()], plain.splitlines())

    def test_style_suits_the_terminal(self):
        class Terminal:
            def __init__(self, is_one):
                self.isatty = lambda: is_one

        utf8 = {"LANG": "en_US.UTF-8", "TERM": "xterm"}
        self.assertEqual(table.Style.of(Terminal(True), utf8), table.Style(boxes=True, colour=True))
        self.assertEqual(table.Style.of(Terminal(False), utf8), table.Style(boxes=True, colour=False))
        self.assertEqual(table.Style.of(Terminal(True), utf8 | {"NO_COLOR": "1"}), table.Style(boxes=True))
        self.assertEqual(table.Style.of(Terminal(True), utf8 | {"LC_ALL": "C"}), table.Style(colour=True))
        self.assertEqual(table.Style.of(Terminal(True), {}), table.Style())

    def test_bytes(self):
        self.assertEqual(
            [table.human(n) for n in (0, 999, 1000, 999_940, 999_960, 18_890_000)],
            ["0 B", "999 B", "1.0 kB", "999.9 kB", "1.0 MB", "18.9 MB"],
        )


class Machine(unittest.TestCase):
    def test_debian_from_12_on(self):
        self.assertEqual(machine.unfit('PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\n'), "")
        self.assertEqual(machine.unfit('PRETTY_NAME="Debian GNU/Linux trixie/sid"\nID=debian\n'), "")
        self.assertIn("11", machine.unfit('PRETTY_NAME="Debian GNU/Linux 11 (bullseye)"\nVERSION_ID="11"\nID=debian\n'))
        self.assertIn("Rocky", machine.unfit('ID="rocky"\nID_LIKE="rhel"\nPRETTY_NAME="Rocky Linux 9"\n'))
        self.assertIn("no system", machine.unfit(""))


if __name__ == "__main__":
    unittest.main(buffer=True)  # the progress of the runs is not of interest
