"""HCAs on paper: the /sys and /dev/infiniband of a node that has no kernel of its own, as files made from a model.

What stands in them, and where, is what the kernel has for the same model with the virtual HCAs (a cluster test compares
the two), but for names: a paper HCA is an mlx5 of Mellanox, as sites have them. Device numbers are such that no driver can
ever have them, so the nodes can be found, handed on and looked at, and opening one fails with ENXIO, whatever HCAs this
machine has.

The Ethernet interfaces of RoCE ports are not on paper only: native/node makes them, with the names, indexes and addresses
that are decided here.
"""

import json
import os
from dataclasses import dataclass, field

from . import layout, ports
from .qemu import BUSES

# include/linux/fs.h: a driver's character devices have majors below CHRDEV_MAJOR_MAX, 512; an inode can name 4095.
_MAJOR, _MISC_MAJOR = 1231, 1010
_UVERBS_MINOR, _UMAD_MINOR, _ISSM_MINOR, _CM_MINOR = 192, 0, 64, 58

_LAST_BUS = 255
_GUID = 0x0002C903 << 32
_OUI = 0xB8599F  # of an Ethernet function's MAC and GUID; another one than _GUID's, so that none is ever the same
_FIRST_INDEX = 100  # of an Ethernet interface: far above those that the kernel counts for a node
_MTU = 4200  # a RoCE packet of 4096 bytes and its headers
_LIDS_OF_A_NODE, _SM_LID = 256, 1
_ETHERNET_GIDS = 16  # entries of the table; an mlx5 has more, as empty
_RESOURCES = "\n".join(["0x0000000000000000 0x0000000000000000 0x0000000000000000"] * 7)


@dataclass(frozen=True)
class Kind:
    """What makes one kind of RDMA device another than the others."""

    driver: str
    vendor: int
    device: int
    vf_device: int
    pci_class: int
    link_layer: str
    node_type: str = "1: CA"


KINDS = {
    "infiniband": Kind("mlx5_core", 0x15B3, 0x101B, 0x101C, 0x020700, "InfiniBand"),
    "roce": Kind("mlx5_core", 0x15B3, 0x101D, 0x101E, 0x020000, "Ethernet"),
    "efa": Kind("efa", 0x1D0F, 0xEFA1, 0xEFA1, 0x020000, "Unspecified", "7: unspecified"),
}
_ROOT_PORT = (0x8086, 0x347A, 0x060400)  # vendor, device and class
_GPU = (0x10DE, 0x20B0, 0x030200)  # of NVIDIA, a 3D controller

# As sysfs names them (drivers/infiniband/core/sysfs.c). LID and SM's LID: what a subnet manager has set by then.
_STATES = {
    "down": ("1: DOWN", "3: Disabled", False, False),
    "init": ("2: INIT", "5: LinkUp", False, False),
    "armed": ("3: ARMED", "5: LinkUp", True, False),
    "active": ("4: ACTIVE", "5: LinkUp", True, True),
}
# By enum ib_port_speed: name, and Mb/s of a lane as the kernel counts them.
_RATES = {
    "1": ("SDR", 2500), "2": ("DDR", 5000), "4": ("QDR", 10000), "8": ("FDR10", 10000), "16": ("FDR", 14000),
    "32": ("EDR", 25000), "64": ("HDR", 50000), "128": ("NDR", 100000),
}  # fmt: skip
_LANES = {number: int(lanes) for lanes, number in ((lanes, str(number)) for lanes, number in ports.WIDTHS.items())}

_COUNTERS = (
    "VL15_dropped", "excessive_buffer_overrun_errors", "link_downed", "link_error_recovery", "local_link_integrity_errors",
    "multicast_rcv_packets", "multicast_xmit_packets", "port_rcv_constraint_errors", "port_rcv_data", "port_rcv_errors",
    "port_rcv_packets", "port_rcv_remote_physical_errors", "port_rcv_switch_relay_errors", "port_xmit_constraint_errors",
    "port_xmit_data", "port_xmit_discards", "port_xmit_packets", "port_xmit_wait", "symbol_error", "unicast_rcv_packets",
    "unicast_xmit_packets",
)  # fmt: skip

DEFAULT_WORDS = {"state": "active", "speed": "64", "width": "2", "pkeys": "0xffff,0x8001,0x8002,0x7fff"}


@dataclass(frozen=True)
class Interface:
    """An Ethernet interface of a node, and the far end of its cable, by the name that that has on the bridge. A VF's has no
    address, as nobody has given it one."""

    name: str
    index: int
    mac: int
    cable: str
    address: str | None = None


@dataclass
class Port:
    """A port of an RDMA device: where it is below /sys, and what can be changed of it (ports.py has the words). A RoCE port
    has a cable, by which its interface has a carrier or none, and on a PCI function a folder for that interface."""

    path: str
    layer: str
    guid: int
    lid: int
    words: dict
    cable: str = ""
    net: str = ""

    @property
    def carrier(self):
        """Ethernet knows nothing between a link and none."""
        return self.words["state"] == "active"

    def texts(self):
        """The files of the port that its words decide."""
        state, phys_state, has_lid, has_sm = _STATES[self.words["state"]]
        speed, lane = _RATES[self.words["speed"]]
        lanes = _LANES[self.words["width"]]
        rate = lane * lanes / 1000
        switched = self.layer == "InfiniBand"
        texts = {
            "state": state,
            "phys_state": phys_state,
            "link_layer": self.layer,
            "rate": f"{int(rate)}{'.5' if rate % 1 else ''} Gb/sec ({lanes}X {speed})",
            "lid": f"{self.lid if switched and has_lid else 0:#x}",
            "sm_lid": f"{_SM_LID if switched and has_sm else 0:#x}",
        }
        pkeys = self.words["pkeys"].split(",") if switched else ["0xffff"]
        for index in range(16 if switched else 1):
            texts[f"pkeys/{index}"] = f"{int(pkeys[index], 16) if index < len(pkeys) else 0:#06x}"
        texts = {f"{self.path}/{name}": text for name, text in texts.items()}
        return {**texts, f"{self.net}/carrier": str(int(self.carrier))} if self.net else texts


@dataclass
class Paper:
    """All files of one node, by their path below /sys; the devices by their name in /dev/infiniband."""

    texts: dict = field(default_factory=dict)
    links: dict = field(default_factory=dict)
    folders: list = field(default_factory=list)
    devices: dict = field(default_factory=dict)
    ports: dict = field(default_factory=dict)
    interfaces: list = field(default_factory=list)

    def write(self, folder):
        """Makes them: `folder/sys`, `folder/dev`, in `folder/interfaces` what native/node needs, and in `folder/ports.json`
        what `change` does."""
        sysfs, dev = folder / "sys", folder / "dev"
        files = {**self.texts, **{path: text for port in self.ports.values() for path, text in port.texts().items()}}
        parents = {os.path.dirname(path) for path in (*files, *self.links)} | set(self.folders)
        for parent in sorted(parents):
            (sysfs / parent).mkdir(parents=True, exist_ok=True)
        for path, content in files.items():
            _put(sysfs / path, content)
        for path, target in self.links.items():
            parent, name = os.path.split(target)  # a link of sysfs ends with what it leads to, be it an ancestor
            (sysfs / path).symlink_to(os.path.join(os.path.relpath(parent, os.path.dirname(path)), name))
        dev.mkdir()
        for name, (number, mode) in self.devices.items():
            os.mknod(dev / name, mode | 0o020000, number)
            (dev / name).chmod(mode)  # mknod applied our umask
        (folder / "interfaces").write_text("".join(f"{line}\n" for line in self._interface_lines()))
        _remember(folder, self.ports)

    def _interface_lines(self):
        plugged = {port.cable for port in self.ports.values() if port.carrier}
        for one in self.interfaces:
            end = "up" if one.cable in plugged else "down"
            yield f"{one.name} {one.index} {_pairs(one.mac)} {_MTU} {one.address or '-'} {one.cable} {end}"


def change(folder, name, words):
    """Sets words of a port of a node that is there, and adds bytes to its counters (`sent`, `received`) and to its GIDs the one
    of an address (`gid`)."""
    table = remembered(folder)
    port = table[name]
    for key, value in words.items():
        if key == "gid":
            _add_gid(folder / "sys" / port.path, value)
        elif key in ("sent", "received"):
            _count(folder / "sys" / port.path, port.layer, key, int(value))
        else:
            port.words[key] = value
    for path, text in port.texts().items():
        _put(folder / "sys" / path, text)
    _remember(folder, table)


def remembered(folder):
    """The ports of a node by name, as they are now."""
    return {name: Port(**facts) for name, facts in json.loads((folder / "ports.json").read_text()).items()}


def _remember(folder, table):
    scratch = folder / "ports.json.new"
    scratch.write_text(json.dumps({name: vars(port) for name, port in table.items()}))
    scratch.rename(folder / "ports.json")


def _count(port, layer, way, octets):
    if layer == "Unspecified":
        counters = {f"hw_counters/{'tx' if way == 'sent' else 'rx'}_bytes": octets}
    else:  # 32-bit words, IBTA PortXmitData
        counters = {f"counters/port_{'xmit' if way == 'sent' else 'rcv'}_data": octets // 4}
    for file, more in counters.items():
        _put(port / file, str(int((port / file).read_text()) + more))


def _add_gid(port, address):
    """As ib_core does when an interface above the port's has been given the address, in whatever network namespace."""
    free = min(int(file.name) for file in (port / "gids").iterdir() if not file.read_text().strip("0:\n"))
    for folder, text in (("gid_attrs/types", "RoCE v2"), ("gid_attrs/ndevs", "eth0"), ("gids", _mapped(address))):
        _put(port / folder / str(free), text)


def _put(path, content):
    """In place: a reader that has the file open sees the new text, as in sysfs."""
    with open(path, "wb") as file:
        file.write(content if isinstance(content, bytes) else f"{content}\n".encode())


# ---- what a node is made of


def node(model, number, cpus, vfs, vf_guids):
    """The node of that number. `cpus` are the kernel's CPUs dealt over the model's NUMA nodes (`deal`)."""
    paper = Paper()
    _machine(paper, model, cpus)
    place = _Places(model, cpus)
    next_ib = 0
    devices = []
    for index, hca in enumerate(model.hcas):
        devices.append(_Rdma(paper, number, place.bus(paper, index, hca.numa), hca, index))
    devices += [_Rxe(paper, number, index) for index in range(len(model.roce))]
    taken = len(model.hcas) + len(model.roce)  # a RoCE port's Ethernet card has a place too
    for index, gpu in enumerate(model.gpus):
        place.bus(paper, taken + index, gpu.numa).describe(paper, *_GPU)
    count = len(model.hcas)
    for owner, hca in zip(devices, model.hcas):
        for index in range(hca.vfs if vfs is None else vfs):
            devices.append(owner.vf(count, index, vf_guids))
            count += 1
    for index, device in enumerate(devices):
        next_ib = device.write(index, number, next_ib)
    for group, name in (("infiniband_verbs", 6), ("infiniband_mad", 5)):
        paper.texts[f"class/{group}/abi_version"] = str(name)
    paper.texts["class/misc/rdma_cm/dev"] = f"{_MISC_MAJOR}:{_CM_MINOR}"
    paper.devices["rdma_cm"] = (os.makedev(_MISC_MAJOR, _CM_MINOR), 0o666)
    # what is the kernel's own, and mounted over these (native/node)
    paper.folders += ["class/net", "fs/cgroup", "kernel", "module", "devices/virtual/net", "devices/virtual/dmi"]
    return paper


def deal(model, available):
    """The kernel's CPUs that a node has, for each NUMA node of the model a list. No more than the model has, the same number
    for each socket (Slurm knows no others), one after the other for each NUMA node as far as they go."""
    wanted = [node.cpus // model.slurm_nodes for node in model.numa]
    shares = [0] * len(wanted)
    left = min(sum(wanted), len(available))
    while left:
        for index, most in enumerate(wanted):
            if left and shares[index] < most:
                shares[index] += 1
                left -= 1
    by_socket = {}
    for index, share in enumerate(shares):
        for position in range(share):
            by_socket.setdefault(_socket(model, index, position, share), []).append(index)
    least = min(len(cores) for cores in by_socket.values())
    cpus, dealt = iter(sorted(available)), [[] for _ in wanted]
    for cores in by_socket.values():
        for index in cores[:least]:
            dealt[index].append(next(cpus))
    return dealt


def sockets(model, dealt):
    """CPUs by socket."""
    found = {}
    for index, cpus in enumerate(dealt):
        for position, cpu in enumerate(cpus):
            found.setdefault(_socket(model, index, position, len(cpus)), []).append(cpu)
    return found


def _socket(model, numa, position, share):
    """The socket of one of the `share` CPUs that are dealt of a NUMA node's."""
    first = sum(node.cpus for node in model.numa[:numa])
    return (first + position * model.numa[numa].cpus // share) // (model.cpus // model.sockets)


def _mask(cpus):
    """A CPU mask as sysfs writes it, in words of 32 bits."""
    value = sum(1 << cpu for cpu in cpus)
    words = []
    while True:
        words.append(value & 0xFFFFFFFF)
        value >>= 32
        if not value:
            break
    return ",".join(f"{word:08x}" for word in reversed(words))


def _list(numbers):
    return ",".join(str(number) for number in sorted(numbers))


def _machine(paper, model, dealt):
    """CPUs and NUMA nodes."""
    every = [cpu for cpus in dealt for cpu in cpus]
    cpu_folder, node_folder = "devices/system/cpu", "devices/system/node"
    for name in ("online", "possible", "present"):
        paper.texts[f"{cpu_folder}/{name}"] = _list(every)
        paper.texts[f"{node_folder}/{name}"] = _list(range(len(dealt)))
    for package, cpus in sockets(model, dealt).items():
        for core, cpu in enumerate(cpus):
            topology = f"{cpu_folder}/cpu{cpu}/topology"
            paper.texts[f"{cpu_folder}/cpu{cpu}/online"] = "1"
            paper.texts[f"{topology}/physical_package_id"] = str(package)
            paper.texts[f"{topology}/core_id"] = str(core)
            for name in ("core_siblings", "package_cpus"):
                paper.texts[f"{topology}/{name}"] = _mask(cpus)
            for name in ("thread_siblings", "core_cpus"):
                paper.texts[f"{topology}/{name}"] = _mask([cpu])
    for index, cpus in enumerate(dealt):
        node = f"{node_folder}/node{index}"
        memory = model.numa[index].memory * 1024 // model.slurm_nodes
        paper.texts[f"{node}/cpumap"] = _mask(cpus)
        paper.texts[f"{node}/cpulist"] = _list(cpus)
        paper.texts[f"{node}/distance"] = " ".join("10" if other == index else "20" for other in range(len(dealt)))
        paper.texts[f"{node}/meminfo"] = f"Node {index} MemTotal:       {memory} kB\nNode {index} MemFree:        {memory} kB"
        for cpu in cpus:
            paper.links[f"{node}/cpu{cpu}"] = f"{cpu_folder}/cpu{cpu}"
            paper.links[f"{cpu_folder}/cpu{cpu}/node{index}"] = node


@dataclass(frozen=True)
class _Function:
    """A PCI function: its folder below /sys, its numbers, and where it is."""

    parent: str
    bus: int
    devfn: int
    numa: int
    cpus: tuple

    @property
    def address(self):
        return f"0000:{self.bus:02x}:{self.devfn >> 3:02x}.{self.devfn & 7}"

    @property
    def path(self):
        return f"{self.parent}/{self.address}"

    def describe(self, paper, vendor, device, pci_class, bridge_to=None):
        """Its files, and the header that hwloc reads (PCI Local Bus Specification 3.0, 6.1)."""
        config = bytearray(256)
        config[0:2], config[2:4] = vendor.to_bytes(2, "little"), device.to_bytes(2, "little")
        config[9:12] = pci_class.to_bytes(3, "little")
        if bridge_to is not None:
            config[0x0E] = 1
            config[0x18:0x1B] = bytes([self.bus, bridge_to, bridge_to])
        else:
            config[0x2C:0x2E], config[0x2E:0x30] = config[0:2], (1).to_bytes(2, "little")
        texts = {
            "vendor": f"{vendor:#06x}", "device": f"{device:#06x}", "class": f"{pci_class:#08x}", "revision": "0x00",
            "subsystem_vendor": f"{vendor:#06x}", "subsystem_device": "0x0001", "numa_node": str(self.numa),
            "local_cpus": _mask(self.cpus), "local_cpulist": _list(self.cpus), "resource": _RESOURCES, "irq": "0",
            "current_link_speed": "16.0 GT/s PCIe", "current_link_width": "16", "config": bytes(config),
            "modalias": f"pci:v{vendor:08X}d{device:08X}sv{vendor:08X}sd00000001bc{pci_class >> 16:02X}"
                        f"sc{pci_class >> 8 & 255:02X}i{pci_class & 255:02X}",
        }  # fmt: skip
        for name, content in texts.items():
            paper.texts[f"{self.path}/{name}"] = content
        paper.links[f"bus/pci/devices/{self.address}"] = self.path
        paper.links[f"{self.path}/subsystem"] = "bus/pci"

    def beside(self, devfn):
        return _Function(self.parent, self.bus, devfn, self.numa, self.cpus)


class _Places:
    """Gives each device a host bridge and a root port of its own, as qemu.py does."""

    def __init__(self, model, dealt):
        devices = len(model.hcas) + len(model.roce) + len(model.gpus)
        self._step = min(BUSES, _LAST_BUS // (devices + 1))
        self._every = tuple(cpu for cpus in dealt for cpu in cpus)
        self._dealt = dealt
        self._flat = model.flat

    def bus(self, paper, index, numa):
        root = self._step * (index + 1)
        known = numa is not None and not self._flat
        where = (numa if known else -1, tuple(self._dealt[numa]) if known else self._every)
        port = _Function(f"devices/pci0000:{root:02x}", root, 0, *where)
        port.describe(paper, *_ROOT_PORT, bridge_to=root + 1)
        return _Function(port.path, root + 1, 0, *where)


class _Device:
    """An RDMA device: its name, its folder below /sys, the device it is of, and its ports."""

    def __init__(self, paper, name, home, parent, kind):
        self.paper, self.name, self.home, self.parent, self.kind = paper, name, home, parent, kind
        self.guid = self.image_guid = 0
        self.words = []
        self.netdev = "ib{}"
        self.mac = 0
        self.addressed = True
        self.gid_types = ("IB/RoCE v1", "RoCE v2")

    def write(self, index, node, next_ib):
        """Its files, as the `index`th device of the node; returns the number that the next IPoIB interface has."""
        paper, folder = self.paper, f"{self.home}/infiniband/{self.name}"
        paper.links[f"class/infiniband/{self.name}"] = folder
        board = {
            "node_guid": _colons(self.guid), "sys_image_guid": _colons(self.image_guid), "node_type": self.kind.node_type,
            "node_desc": self.name, "fw_ver": "20.31.1014", "hca_type": "MT4123", "hw_rev": "0", "board_id": "MT_0000000223",
        }  # fmt: skip
        for key, text in board.items():
            paper.texts[f"{folder}/{key}"] = text
        for number, words in enumerate(self.words, 1):
            ethernet = self._ethernet(node, number)
            self._port(folder, index, node, number, words, ethernet)
            if self.netdev and self.kind.link_layer == "InfiniBand":
                self._interface(number, self.netdev.format(next_ib), "32", "2044", {"address": "00"})
                next_ib += 1
        self._character("infiniband_verbs", f"uverbs{index}", _UVERBS_MINOR + index, 0o666, {"abi_version": "1"})
        if self.kind.link_layer != "Unspecified":  # all that have MADs, RoCE too
            for number in range(1, len(self.words) + 1):
                for name, first in (("umad", _UMAD_MINOR), ("issm", _ISSM_MINOR)):
                    minor = self._next_minor()
                    self._character("infiniband_mad", f"{name}{minor}", first + minor, 0o600, {"port": str(number)})
        if self.parent:
            paper.links[f"{folder}/device"] = self.parent
        return next_ib

    def _next_minor(self):
        return sum(1 for name in self.paper.devices if name.startswith("issm"))

    def _port(self, folder, index, node, number, words, ethernet):
        paper, path = self.paper, f"{folder}/ports/{number}"
        guid = self.guid + number if self.guid else 0
        if self.kind.link_layer == "Ethernet":
            guid = _modified_eui64(ethernet.mac) if ethernet else 0
        lid = _SM_LID + node * _LIDS_OF_A_NODE + 2 * index + number
        port = Port(path, self.kind.link_layer, guid, lid, {**DEFAULT_WORDS, **words})
        if ethernet:
            port.cable = ethernet.cable
            if self.parent:
                texts = {"address": _pairs(ethernet.mac), "ifindex": str(ethernet.index)}
                port.net = self._interface(number, ethernet.name, "1", str(_MTU), texts)
        paper.ports[f"{self.name}/{number}"] = port
        if self.parent:
            paper.texts.update({f"{path}/counters/{counter}": "0" for counter in _COUNTERS})
        if self.kind.driver == "efa":
            paper.texts.update({f"{path}/hw_counters/{way}_{what}": "0" for way in ("rx", "tx") for what in ("bytes", "pkts")})
        paper.texts.update({f"{path}/{key}": text for key, text in (("cap_mask", "0x02010820"), ("lid_mask_count", "0"), ("sm_sl", "0"))})
        for entry, (gid, kind) in enumerate(self._gids(port, ethernet)):
            paper.texts[f"{path}/gids/{entry}"] = gid
            if kind:
                paper.texts[f"{path}/gid_attrs/types/{entry}"] = kind
                if ethernet:
                    paper.texts[f"{path}/gid_attrs/ndevs/{entry}"] = ethernet.name

    def _gids(self, port, ethernet):
        """As ib_core makes them: an Ethernet port's by the addresses of its interface (roce_gid_mgmt.c of the kernel)."""
        link_local = f"fe80:0000:0000:0000:{_colons(port.guid)}"
        if self.kind.link_layer != "Ethernet":
            return [(link_local, "IB/RoCE v1")]
        known = []
        if ethernet:
            known.append(link_local)
            if ethernet.address:
                known.append(_mapped(ethernet.address))
        set_ones = [(gid, kind) for gid in known for kind in self.gid_types]
        return set_ones + [(":".join(["0000"] * 8), None)] * (_ETHERNET_GIDS - len(set_ones))

    def _ethernet(self, node, number):
        """The interface of an Ethernet port, the next of the node's; none of a VF that has no GUID, and so no MAC."""
        if self.kind.link_layer != "Ethernet" or not self.mac:
            return None
        count = len(self.paper.interfaces)
        address = layout.roce_address(count, node) if self.addressed else None
        made = Interface(
            self.netdev.format(number - 1), _FIRST_INDEX + count, self.mac + number - 1, f"n{node}-roce{count}", address
        )
        self.paper.interfaces.append(made)
        return made

    def _interface(self, number, name, kind, mtu, texts):
        """The folder of an interface of its PCI function."""
        folder = f"{self.home}/net/{name}"
        dev_id = "0x0" if kind == "1" else f"{number - 1:#x}"
        for key, text in {"dev_port": str(number - 1), "dev_id": dev_id, "mtu": mtu, "type": kind, **texts}.items():
            self.paper.texts[f"{folder}/{key}"] = text
        return folder

    def _character(self, group, name, minor, mode, texts):
        folder = f"{self.home}/{group}/{name}"
        self.paper.links[f"class/{group}/{name}"] = folder
        for key, text in {"ibdev": self.name, "dev": f"{_MAJOR}:{minor}", **texts}.items():
            self.paper.texts[f"{folder}/{key}"] = text
        if self.parent:
            self.paper.links[f"{folder}/device"] = self.parent
        self.paper.devices[name] = (os.makedev(_MAJOR, minor), mode)


class _Rdma(_Device):
    """A function of an HCA: its PF, or one of its VFs."""

    def __init__(self, paper, node, function, hca, index, physical=None):
        kind = KINDS[hca.kind]
        name = hca.name or (f"rdmap{function.bus}s{function.devfn >> 3}" if hca.kind == "efa" else f"mlx5_{index}")
        super().__init__(paper, name if physical is None else f"mlx5_{index}", function.path, function.path, kind)
        self._node, self._function, self._hca = node, function, hca
        self.words = [dict(word.split("=", 1) for word in words) for words in hca.ports]
        self.guid = _GUID | node << 24 | function.bus << 16 | function.devfn << 8
        if kind.link_layer == "Ethernet":
            self.netdev = f"enp{function.bus}s{function.devfn >> 3}f{function.devfn & 7}np{{}}"
            own = node << 16 | function.bus << 8 | function.devfn << 1  # leaves room for a second port
            self.mac = _OUI << 24 | own
            self.guid = _OUI << 40 | 0x03 << 32 | own
            self.addressed = physical is None
        elif kind.driver == "efa":
            self.netdev = None
        self.image_guid = physical.guid if physical else self.guid
        function.describe(paper, kind.vendor, kind.device if physical is None else kind.vf_device, kind.pci_class)
        paper.links[f"{function.path}/driver"] = f"bus/pci/drivers/{kind.driver}"
        paper.folders.append(f"bus/pci/drivers/{kind.driver}")
        paper.links[f"bus/pci/drivers/{kind.driver}/{function.address}"] = function.path
        if physical:
            paper.links[f"{function.path}/physfn"] = physical.parent
        elif kind.driver != "efa":
            paper.texts[f"{function.path}/sriov_totalvfs"] = "8"
            paper.texts[f"{function.path}/sriov_numvfs"] = "0"

    def vf(self, index, number, guids):
        """Its VF of that number; `guids` zero: as new ones are, without GUID, and therefore down."""
        function = self._function.beside(self._function.devfn + 1 + number)
        made = _Rdma(self.paper, self._node, function, self._hca, index, self)
        self.paper.links[f"{self.parent}/virtfn{number}"] = function.path
        self.paper.texts[f"{self.parent}/sriov_numvfs"] = str(number + 1)
        # A VF sees its PF's link, but what it is told beside is its own.
        made.words = [{"state": words.get("state", "active")} for words in self.words]
        if guids == "zero":
            made.guid = made.mac = 0
            made.words = [{"state": "down"} for _ in self.words]
        return made


class _Rxe(_Device):
    """A RoCE port of rdma_rxe, which has no PCI function, and nobody knows where it is."""

    def __init__(self, paper, node, index):
        super().__init__(paper, f"roce{index}", "devices/virtual", "", KINDS["roce"])
        self.mac = int(layout.mac(node, layout.ROCE_MAC + index).replace(":", ""), 16)
        self.guid = self.image_guid = _modified_eui64(self.mac)
        self.words = [{"speed": "1", "width": "1"}]
        self.netdev = name = f"roce{index}"
        paper.texts[f"{self.home}/infiniband/{name}/parent"] = name
        self.gid_types = ("RoCE v2",)


def _colons(guid):
    text = f"{guid:016x}"
    return ":".join(text[i : i + 4] for i in range(0, 16, 4))


def _pairs(mac):
    return mac.to_bytes(6).hex(":")


def _modified_eui64(mac):
    """The interface identifier of an IPv6 link-local address (RFC 4291, appendix A)."""
    return (mac >> 24 << 40 | 0xFFFE << 24 | mac & 0xFFFFFF) ^ 0x02 << 56


def _mapped(address):
    """An IPv4 address as a GID."""
    octets = bytes(int(octet) for octet in address.split("."))
    return f"0000:0000:0000:0000:0000:ffff:{octets[:2].hex()}:{octets[2:].hex()}"
