"""The testbed's pure parts: model files, and what is made of them before anything boots."""

import os
import pathlib
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
TESTBED = pathlib.Path(__file__).resolve().parents[2] / "contrib" / "testbed"
sys.path.insert(0, str(TESTBED / "lib"))

from testbed import model, native, paper, ports, qemu  # noqa: E402  (the path above comes first)
from testbed.layout import Layout, Options  # noqa: E402
from testbed.report import Failure  # noqa: E402

NUMA = "[[numa]]\ncpus = 2\nmemory = 512\n"
HCA = "[[hca]]\nnuma = 0\n"


def load(text, on_paper=False):
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "site.toml"
        file.write_text(text)
        return model.load(str(file), on_paper)


class Image:
    """As far as a command line needs it."""

    root = kernel = initramfs = qemu = pathlib.Path("/tree")
    disk_names = ("tree", "image")

    @staticmethod
    def disk(name):
        return pathlib.Path(f"/{name}.ext4")


def command(layout, guest=0):
    return " ".join(qemu.command(Image, "tcg", "/layer.ext4", layout, guest))


class WrongModels(unittest.TestCase):
    def refused(self, text, what):
        with self.assertRaises(Failure) as raised:
            load(text)
        told = str(raised.exception)
        self.assertNotIn("\n", told)
        self.assertRegex(told, r"^model /.*/site\.toml: ")
        self.assertEqual(told.partition("site.toml: ")[2], what)

    def test_each_is_told_by_table_key_and_what_is_allowed(self):
        for text, what in {
            HCA: "numa: 0 of them: use 1 to 8 tables [[numa]]",
            NUMA: "hca: 0 of them: use 1 to 16 tables [[hca]]",
            "slurm_nodes = 2\n" + NUMA + HCA * 9: "hca: 9 of them: use 1 to 8 tables [[hca]]",
            "slurm_nodes = 3\n" + NUMA + HCA: "slurm_nodes: 3: use a number from 1 to 2",
            "slurm_nodes = true\n" + NUMA + HCA: "slurm_nodes: true: use a number from 1 to 2",
            "flat = 1\n" + NUMA + HCA: "flat: 1: use true or false",
            "sokets = 2\n" + NUMA + HCA: "sokets: unknown key: use flat, slurm_nodes, sockets, numa, hca, roce or gpu",
            "sockets = 3\n" + NUMA + HCA: "sockets: 2 CPUs cannot be shared out evenly among 3",
            "slurm_nodes = 2\n" + NUMA.replace("2", "3", 1) + HCA: "numa 0: cpus: 3 cannot be shared by 2 Slurm nodes; use an even number",
            "[[numa]]\ncpus = 2\n" + HCA: "numa 0: memory: missing: give a number from 256 to 65536",
            NUMA + "[[hca]]\n": "hca 0: numa: missing: give a number from 0 to 0",
            NUMA + "[[hca]]\nnuma = 1\n": "hca 0: numa: 1: use a number from 0 to 0",
            NUMA + HCA + HCA + "ports = 3\n": "hca 1: ports: 3: use a number from 1 to 2",
            NUMA + HCA + "vfs = 9\n": "hca 0: vfs: 9: use a number from 0 to 8",
            NUMA + HCA + 'state = "dead"\n': "hca 0: state 'dead': use down, init, armed or active",
            NUMA + HCA + 'speed = "fast"\n': "hca 0: speed 'fast': use SDR, DDR, QDR, FDR10, FDR, EDR, HDR or NDR, or the "
            "kernel's number (1, 2, 4, 8, 16, 32, 64, 128)",
            NUMA + HCA + "speed = 64\n": "hca 0: speed: 64: use a text, or a list with a text for each port",
            NUMA + HCA + 'ports = 2\nstate = ["down"]\n': "hca 0: state: 1 values for an HCA with ports = 2",
            NUMA + HCA + 'pkeys = "0x10000"\n': "hca 0: pkeys '0x10000': use numbers up to 0xffff with ',' between them, "
            "as in 0xffff,0x8001",
            NUMA + HCA + "port = 1\n": "hca 0: port: unknown key: use numa, ports, state, speed, width, pkeys, vfs, kind or name",
            NUMA + HCA + 'kind = "efa"\n': "hca 0: kind: 'efa': only on paper: boot with --native",
            NUMA + HCA + 'name = "ibp9s0"\n': "hca 0: name: only on paper: boot with --native",
            NUMA + HCA + 'kind = "roce"\npkeys = "0xffff"\n': 'hca 0: pkeys: a port with kind = "roce" has none',
            NUMA + HCA + 'kind = "roce"\nstate = "init"\n': "hca 0: state: 'init': use down or active, as kind is \"roce\"",
            NUMA + HCA + "[roce]\n": "roce: use a table [[roce]] for each",
            NUMA + HCA + "[[gpu]]\nnuma = 0\nname = 1\n": "gpu 0: name: unknown key: use numa",
            NUMA + HCA + "[[gpu]]\nnuma = 0\n" * 24: "25 HCAs, RoCE ports and GPUs in one guest: there is room for 24",
            "slurm_nodes = 2\n" + NUMA + HCA + "[[roce]]\nnuma = 0\n": "roce: needs slurm_nodes = 1, as the second Slurm node "
            "of a guest cannot have RoCE ports",
            "flat = true\n" + NUMA * 2 + "[[hca]]\n": "numa: 2 of them, but a flat node has one",
            "flat = true\n" + NUMA + HCA: "hca 0: numa: a flat node tells nobody which NUMA node a device is on",
            "sockets = 2\n" + NUMA.replace("2", "3", 1) + NUMA.replace("2", "1", 1) + HCA: "numa 0: cpus: 0 to 2 are in two "
            "sockets, as each has 2",
            "not toml": "not TOML: Expected '=' after a key in a key/value pair (at line 1, column 5)",
        }.items():
            with self.subTest(what):
                self.refused(text, what)

    def test_a_model_that_does_not_exist_is_told_with_those_that_do(self):
        for name in ("nope", "/nowhere/nope.toml"):
            with self.assertRaisesRegex(Failure, f"^no model '{name}': use decoys, dual-port, flat, rails8, roce or small, or "):
                model.load(name)


class OurModels(unittest.TestCase):
    def test_every_one_is_right_and_can_have_two_guests(self):
        for name in model.names():
            for guests in (1, 2):
                layout = Layout(model.load(name), Options(guests=guests))
                hcas = sum(len(node.hcas) for node in layout.nodes if node.guest == 0)
                self.assertEqual(command(layout).count("nvme,id=hca"), hcas)
                self.assertLessEqual(hcas, 16)

    def test_two_nodes_in_one_guest_share_its_cores_and_have_hcas_of_their_own(self):
        layout = Layout(model.load("small"), Options())
        files = layout.files()
        self.assertEqual(
            files["etc/slurm/nodes.conf"],
            "NodeName=n0 NodeAddr=10.9.0.1 Sockets=2 CoresPerSocket=2 ThreadsPerCore=1 RealMemory=1706 CpuSpecList=1,3\n"
            "NodeName=n1 NodeAddr=10.9.0.2 Sockets=2 CoresPerSocket=2 ThreadsPerCore=1 RealMemory=1706 CpuSpecList=0,2\n",
        )
        self.assertIn("HCAS=([n0]='mlx5_0 mlx5_1' [n1]='mlx5_2 mlx5_3')\n", files["usr/lib/testbed/layout-0"])
        self.assertIn("GUESTS=1\n", files["usr/lib/testbed/layout-0"])
        self.assertIn("10.21.0.2   n1-ib1\n", files["etc/hosts"])
        self.assertEqual(
            layout.plugin(),
            '\n[[nodes]]\nname = "n0"\nhca = ["mlx5_0", "mlx5_1"]\n\n[[nodes]]\nname = "n1"\nhca = ["mlx5_2", "mlx5_3"]\n',
        )

    def test_in_two_guests_each_node_has_all_of_its_guest(self):
        layout = Layout(model.load("small"), Options(guests=2))
        files = layout.files()
        self.assertNotIn("CpuSpecList", files["etc/slurm/nodes.conf"])
        for guest, (node, address) in enumerate((("n0", 1), ("n1", 2))):
            told = files[f"usr/lib/testbed/layout-{guest}"]
            self.assertIn(f"NODES={node}\nGUESTS=2\n", told)
            self.assertIn(f"IPOIB=([mlx5_0/1]=10.20.0.{address} [mlx5_1/1]=10.21.0.{address})\n", told)
            for cable in ("wire", "fabric"):
                ends = f"local.path=../{cable}.{guest},remote.type=unix,remote.path=../{cable}.{1 - guest}"
                self.assertIn(ends, command(layout, guest))

    def test_systemd_is_started_only_when_asked_for(self):
        for systemd in (False, True):
            line = command(Layout(model.load("flat"), Options(systemd=systemd, append="quiet=2")))
            self.assertEqual("systemd.unit=testbed.target" in line, systemd)
            self.assertIn("testbed.guest=0 quiet=2", line)

    def test_a_port_is_told_how_it_differs(self):
        told = Layout(model.load("decoys"), Options(vfs=1)).files()["usr/lib/testbed/layout-0"]
        self.assertIn("PORT_WORDS=([mlx5_0/1]=state=down [mlx5_2/1]=state=init [mlx5_3/1]=speed=1)\n", told)
        self.assertIn("VFS=([mlx5_0]=1 [mlx5_1]=1 ", told)

    def test_ethernet_ports_have_addresses_of_their_own(self):
        text = NUMA + HCA + HCA + 'kind = "roce"\nports = 2\n' + HCA + HCA + 'kind = "roce"\n' + "[[roce]]\nnuma = 0\n"
        layout = Layout(load(text), Options(guests=2))
        told = layout.files()["usr/lib/testbed/layout-1"]
        self.assertIn("PORTS=1,2,1,1\nETHERNET=N,Y,N,Y\n", told)
        self.assertIn("IPOIB=([mlx5_0/1]=10.20.0.2 [mlx5_2/1]=10.21.0.2)\n", told)
        self.assertIn("ETHERNET_IP=([mlx5_1/1]=10.60.0.2 [mlx5_1/2]=10.61.0.2 [mlx5_3/1]=10.62.0.2)\n", told)
        self.assertIn("ROCE=([roce0]=10.63.0.2)\n", told)

    def test_a_flat_node_has_no_numa_affinity_anywhere(self):
        layout = Layout(model.load("flat"), Options())
        self.assertNotIn("numa", command(layout))
        self.assertIn("NUMA=([mlx5_0]=-1 [mlx5_1]=-1)\n", layout.files()["usr/lib/testbed/layout-0"])


class Words(unittest.TestCase):
    def test_what_people_write_is_what_the_module_takes(self):
        for key, given, taken in (
            ("state", "armed", "state=armed"),
            ("speed", "hdr", "speed=64"),
            ("speed", "64", "speed=64"),
            ("width", "4", "width=2"),
            ("width", "1", "width=1"),
            ("pkeys", "ffff,0x1", "pkeys=0xffff,0x0001"),
        ):
            self.assertEqual(ports.for_module(key, given), taken)

    def test_and_what_it_shows_is_what_people_write(self):
        shown = ports.for_people("mlx5_0/1 state=active speed=64 width=2 pkeys=0xffff,0x8001")
        self.assertEqual(shown, "mlx5_0/1 state=active speed=HDR width=4 pkeys=0xffff,0x8001")


class CpusOfThisMachine(unittest.TestCase):
    """Dealt over the NUMA nodes of a model, whose sockets are Slurm's."""

    def dealt(self, text, available):
        of = load(text + HCA, on_paper=True)
        return paper.deal(of, available), paper.sockets(of, paper.deal(of, available))

    def test_each_numa_node_has_some_as_far_as_they_go(self):
        two_sockets = "sockets = 2\n" + NUMA.replace("2", "4", 1) * 2
        self.assertEqual(self.dealt(two_sockets, [0, 1]), ([[0], [1]], {0: [0], 1: [1]}))
        self.assertEqual(self.dealt(two_sockets, range(6)), ([[0, 1, 2], [3, 4, 5]], {0: [0, 1, 2], 1: [3, 4, 5]}))
        self.assertEqual(self.dealt(two_sockets, range(64)), ([[0, 1, 2, 3], [4, 5, 6, 7]], {0: [0, 1, 2, 3], 1: [4, 5, 6, 7]}))

    def test_sockets_have_as_many_as_each_other(self):
        two_sockets = "sockets = 2\n" + NUMA.replace("2", "4", 1) * 2
        self.assertEqual(self.dealt(two_sockets, range(5)), ([[0, 1], [2, 3]], {0: [0, 1], 1: [2, 3]}))
        self.assertEqual(self.dealt(two_sockets, [7]), ([[7], []], {0: [7]}))

    def test_several_numa_nodes_of_a_socket_and_several_sockets_of_a_numa_node(self):
        self.assertEqual(self.dealt("sockets = 2\n" + NUMA * 4, range(4)), ([[0], [1], [2], [3]], {0: [0, 1], 1: [2, 3]}))
        self.assertEqual(self.dealt("sockets = 2\n" + NUMA, range(2)), ([[0, 1]], {0: [0], 1: [1]}))

    def test_nodes_that_share_a_guest_have_their_part_each(self):
        self.assertEqual(self.dealt("slurm_nodes = 2\nsockets = 2\n" + NUMA * 2, range(8))[0], [[0], [1]])


class Papers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def written(self, of, number=0, vfs=None, vf_guids="auto"):
        sheet = paper.node(of, number, paper.deal(of, range(2)), vfs, vf_guids)
        sheet.devices.clear()  # only root can make them
        sheet.write(self.folder)
        return self.folder / "sys"

    def port(self, sysfs, name):
        return {file: (sysfs / "class/infiniband" / name / file).read_text().strip() for file in ("state", "phys_state", "rate", "lid", "sm_lid")}

    def test_a_port_says_what_the_kernel_would(self):
        sysfs = self.written(model.load("decoys", on_paper=True))
        self.assertEqual(
            self.port(sysfs, "mlx5_0/ports/1"),
            {"state": "1: DOWN", "phys_state": "3: Disabled", "rate": "200 Gb/sec (4X HDR)", "lid": "0x0", "sm_lid": "0x0"},
        )
        self.assertEqual(self.port(sysfs, "mlx5_2/ports/1")["state"], "2: INIT")
        self.assertEqual(self.port(sysfs, "mlx5_3/ports/1")["rate"], "10 Gb/sec (4X SDR)")
        self.assertEqual(self.port(sysfs, "roce0/ports/1")["rate"], "2.5 Gb/sec (1X SDR)")
        self.assertEqual((sysfs / "class/infiniband/mlx5_4/device/numa_node").read_text(), "1\n")
        self.assertFalse((sysfs / "class/infiniband/roce0/device").exists())

    def test_what_is_changed_is_what_is_read_and_shown(self):
        sysfs = self.written(model.load("small", on_paper=True))
        paper.change(self.folder, "mlx5_0/1", dict(ports.changes("mlx5_0/1", ["state=init", "speed=EDR", "pkeys=0xffff,0x9"], True)))
        known = self.port(sysfs, "mlx5_0/ports/1")
        self.assertEqual((known["state"], known["rate"], known["lid"]), ("2: INIT", "100 Gb/sec (4X EDR)", "0x0"))
        pkeys = sysfs / "class/infiniband/mlx5_0/ports/1/pkeys"
        self.assertEqual([(pkeys / str(index)).read_text() for index in range(3)], ["0xffff\n", "0x0009\n", "0x0000\n"])
        self.assertEqual(paper.remembered(self.folder)["mlx5_0/1"].words["speed"], "32")

    def test_counters_are_added_to_in_the_units_of_each_kind(self):
        efa = load(NUMA + HCA + HCA + 'kind = "efa"\n', on_paper=True)
        sysfs = self.written(efa)
        for device in ("mlx5_0", "rdmap17s0"):
            for _ in range(2):
                paper.change(self.folder, f"{device}/1", dict(ports.changes("", ["sent=4096", "received=8"], True)))
        counters = sysfs / "class/infiniband/mlx5_0/ports/1/counters"
        self.assertEqual([(counters / f"port_{way}_data").read_text() for way in ("xmit", "rcv")], ["2048\n", "4\n"])
        counters = sysfs / "class/infiniband/rdmap17s0/ports/1/hw_counters"
        self.assertEqual([(counters / f"{way}_bytes").read_text() for way in ("tx", "rx")], ["8192\n", "16\n"])

    def test_vfs_come_after_all_else_and_belong_to_their_pf(self):
        sysfs = self.written(model.load("decoys", on_paper=True), vfs=1, vf_guids="zero")
        vf = sysfs / "class/infiniband/mlx5_6"
        self.assertEqual((vf / "device/physfn").resolve(), (sysfs / "class/infiniband/mlx5_1/device").resolve())
        self.assertEqual((vf / "node_guid").read_text(), "0000:0000:0000:0000\n")
        self.assertEqual(self.port(sysfs, "mlx5_6/ports/1")["state"], "1: DOWN")
        self.assertEqual((sysfs / "class/infiniband_verbs/uverbs7/ibdev").read_text(), "mlx5_6\n")

    def test_nodes_have_guids_and_lids_of_their_own(self):
        of = model.load("rails8", on_paper=True)
        sheets = [paper.node(of, number, paper.deal(of, range(2)), 8, "auto") for number in (0, 1, 63)]
        for fact in ("guid", "lid"):
            values = [getattr(port, fact) for sheet in sheets for port in sheet.ports.values()]
            self.assertEqual(len(values), len(set(values)), fact)

    def test_no_device_number_is_one_that_a_driver_can_have(self):
        of = model.load("decoys", on_paper=True)
        for number, _ in paper.node(of, 0, paper.deal(of, range(2)), 8, "auto").devices.values():
            self.assertGreaterEqual(os.major(number), 512)  # CHRDEV_MAJOR_MAX

    def test_kinds_and_names_as_sites_have_them(self):
        text = NUMA + HCA + 'name = "ibp24s0"\n' + HCA + 'kind = "roce"\n' + HCA + 'kind = "efa"\n'
        sysfs = self.written(load(text, on_paper=True))
        names = sorted(path.name for path in (sysfs / "class/infiniband").iterdir())
        self.assertEqual(names, ["ibp24s0", "mlx5_1", "rdmap25s0"])
        layers = [(sysfs / "class/infiniband" / name / "ports/1/link_layer").read_text().strip() for name in names]
        self.assertEqual(layers, ["InfiniBand", "Ethernet", "Unspecified"])

    def test_ethernet_ports_have_interfaces_that_are_made_as_they_stand_there(self):
        file = TESTBED.parents[1] / "tests" / "lib" / "ethernet.toml"
        sysfs = self.written(model.load(str(file), on_paper=True), number=2)
        self.assertEqual(
            (self.folder / "interfaces").read_text(),
            "enp17s0f0np0 100 b8:59:9f:02:11:00 4200 10.60.0.3 n2-roce0 up\n"
            "enp17s0f0np1 101 b8:59:9f:02:11:01 4200 10.61.0.3 n2-roce1 down\n"
            "enp25s0f0np0 102 b8:59:9f:02:19:00 4200 10.62.0.3 n2-roce2 up\n"
            "roce0 103 52:54:00:b0:02:10 4200 10.63.0.3 n2-roce3 up\n"
            "enp25s0f1np0 104 b8:59:9f:02:19:02 4200 - n2-roce4 up\n",
        )
        net = sysfs / "class/infiniband/mlx5_1/device/net"
        told = [{file: (net / f"enp17s0f0np{port}" / file).read_text() for file in ("dev_port", "carrier")} for port in (0, 1)]
        self.assertEqual(told, [{"dev_port": "0\n", "carrier": "1\n"}, {"dev_port": "1\n", "carrier": "0\n"}])

    def test_a_new_ethernet_vf_has_no_interface(self):
        of = load(NUMA + HCA + 'kind = "roce"\n', on_paper=True)
        sysfs = self.written(of, vfs=1, vf_guids="zero")
        self.assertEqual(len((self.folder / "interfaces").read_text().splitlines()), 1)
        self.assertFalse((sysfs / "class/infiniband/mlx5_1/device/net").exists())


class NativeNodes(unittest.TestCase):
    def nodes(self, models, **options):
        of = [model.load(name, on_paper=True) for name in models]
        return native.Layout(of, native.Options(**options), available=range(2))

    def test_slurms_names_may_differ_from_host_names(self):
        conf = self.nodes(["small"], nodes=2, slurm_names="hpc-").files()["etc/slurm/nodes.conf"]
        self.assertRegex(conf, "^NodeName=hpc-0 NodeHostname=n0 NodeAddr=10.9.0.1 Sockets=2 CoresPerSocket=1 ThreadsPerCore=1 RealMemory=")
        self.assertIn("\nNodeName=hpc-1 NodeHostname=n1 NodeAddr=10.9.0.2 ", conf)

    def test_unequal_nodes_and_the_last_model_for_the_rest(self):
        layout = self.nodes(["rails8", "flat"], nodes=4)
        self.assertEqual([len(node.hcas) for node in layout.nodes], [8, 2, 2, 2])
        self.assertEqual(layout.model_names, "rails8,flat")
        conf = layout.files()["etc/slurm/nodes.conf"].splitlines()
        self.assertIn(" Sockets=2 CoresPerSocket=1 ", conf[0])
        self.assertIn(" Sockets=1 CoresPerSocket=2 ", conf[1])


if __name__ == "__main__":
    unittest.main()
