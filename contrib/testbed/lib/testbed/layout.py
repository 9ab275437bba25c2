"""Who lives where: the Slurm nodes of an instance, in which guest each is, and whose HCA has which name and address.

All that depends on it is told from here: the guests' scripts (guest/layout), Slurm, the plugin's configuration, and the
names in /etc/hosts. The devices of one guest are numbered from its first node to its last.
"""

import shlex
from dataclasses import dataclass

from .model import Model

# Slurm's network, and on each rail a network of IPoIB, are numbered by node, from 1.
_ETHERNET, HOST = "10.9.0.{}", "10.9.0.254"
_RAIL, _FIRST_RAIL = "10.{}.0.{}", 20
_ROCE, _FIRST_ROCE = "10.{}.0.{}", 60

# Interfaces are told apart by their address, as the kernel names them in the order it finds them.
ACCESS_MAC, WIRE_MAC, FABRIC_MAC, ROCE_MAC = 0, 1, 2, 16


@dataclass(frozen=True)
class Options:
    """What `testbed up` was told beside the model."""

    guests: int = 1
    rdma: str = "shared"
    vfs: int | None = None  # None: as the model has it
    vf_guids: str = "auto"
    systemd: bool = False  # it is the guests' first process
    append: str = ""  # to the kernel's command line


@dataclass(frozen=True)
class Node:
    """A Slurm node, its guest, and its devices by the names they have there."""

    name: str
    number: int  # of all nodes, from 0
    place: int  # among the nodes of its guest
    guest: int
    hcas: tuple
    roce: tuple

    @property
    def address(self):
        return _ETHERNET.format(self.number + 1)


@dataclass(frozen=True)
class Layout:
    """A model, spread over the guests of an instance."""

    model: Model
    options: Options
    native = False

    @property
    def sharing(self):
        """How many Slurm nodes are in one guest."""
        return self.model.slurm_nodes if self.options.guests == 1 else 1

    @property
    def nodes(self):
        model, sharing = self.model, self.sharing
        return [
            Node(
                name=f"n{number}",
                number=number,
                place=number % sharing,
                guest=number // sharing,
                hcas=tuple(f"mlx5_{number % sharing * len(model.hcas) + i}" for i in range(len(model.hcas))),
                roce=tuple(f"roce{i}" for i in range(len(model.roce))),
            )
            for number in range(sharing * self.options.guests)
        ]

    def files(self):
        """Texts by their path in the guests' root; a guest reads its own layout."""
        files = {f"usr/lib/testbed/layout-{guest}": self._guest(guest) for guest in range(self.options.guests)}
        return files | {"etc/hosts": self.hosts(), "etc/slurm/nodes.conf": self._slurm()}

    @staticmethod
    def tasks():
        """How Slurm keeps tasks together and on their cores: as sites do that have InfiniBand."""
        return "ProctrackType=proctrack/cgroup\nTaskPlugin=task/cgroup,task/affinity\n"

    def plugin(self):
        """What the plugin's configuration needs to know: which devices are whose."""
        entries = []
        for node in self.nodes:
            devices = ", ".join(f'"{device}"' for device in (*node.hcas, *node.roce))
            entries.append(f'\n[[nodes]]\nname = "{node.name}"\nhca = [{devices}]\n')
        return "".join(entries)

    def hosts(self):
        lines = ethernet_hosts(self.nodes)
        lines += [(node.address, f"host{node.guest}") for node in self.nodes if node.guest > 0]  # munge looks it up
        for node in self.nodes:
            lines += [(address, f"{node.name}-ib{rail}") for rail, (_, address) in enumerate(self._ipoib(node))]
        return hosts_file(lines)

    def _ipoib(self, node):
        """The node's ports, each with its IPoIB address: the first ports of all nodes are one rail, and so on."""
        ports = self._ports(node, "infiniband")
        return [(port, _RAIL.format(_FIRST_RAIL + rail, node.number + 1)) for rail, port in enumerate(ports)]

    def _ethernet(self, node):
        """The same of the node's Ethernet ports and the addresses of their interfaces."""
        return [(port, roce_address(rail, node.number)) for rail, port in enumerate(self._ports(node, "roce"))]

    def _ports(self, node, kind):
        return [
            f"{name}/{number + 1}"
            for name, hca in zip(node.hcas, self.model.hcas)
            if hca.kind == kind
            for number in range(len(hca.ports))
        ]

    def _slurm(self):
        """A node's tasks have the cores that are its own; the others in its guest belong to its neighbour."""
        cpus, sharing = self.model.cpus, self.sharing
        lines = []
        for node in self.nodes:
            words = {
                "NodeName": node.name,
                "NodeAddr": node.address,
                "Sockets": self.model.sockets,
                "CoresPerSocket": cpus // self.model.sockets,
                "ThreadsPerCore": 1,
                "RealMemory": self.model.memory * 2 // 3 // sharing,
            }
            if sharing > 1:
                words["CpuSpecList"] = ",".join(str(cpu) for cpu in range(cpus) if cpu % sharing != node.place)
            lines.append(" ".join(f"{key}={value}" for key, value in words.items()) + "\n")
        return "".join(lines)

    def _guest(self, guest):
        """The variables that guest/layout describes."""
        nodes = [node for node in self.nodes if node.guest == guest]
        hcas = [(name, hca) for node in nodes for name, hca in zip(node.hcas, self.model.hcas)]
        roce = [(node, name, i) for node in nodes for i, name in enumerate(node.roce)]
        first_rxe = sum(len(hca.ports) for hca in self.model.hcas if hca.kind == "roce")
        vfs = self.options.vfs
        return "".join(
            [
                _words("NODES", [node.name for node in nodes]),
                _words("GUESTS", [str(self.options.guests)]),
                _words("RDMA", [self.options.rdma]),
                _words("PORTS", [",".join(str(len(hca.ports)) for _, hca in hcas)]),
                _words("ETHERNET", [",".join("Y" if hca.kind == "roce" else "N" for _, hca in hcas)]),
                _words("VF_GUIDS", [self.options.vf_guids]),
                bash_map("ADDRESS", {node.name: node.address for node in nodes} | ({"host": HOST} if guest == 0 else {})),
                bash_map("HCAS", {node.name: " ".join(node.hcas) for node in nodes}),
                bash_map("NUMA", {name: -1 if hca.numa is None else hca.numa for name, hca in hcas}),
                bash_map("VFS", {name: hca.vfs if vfs is None else vfs for name, hca in hcas}),
                bash_map("IPOIB", {port: address for node in nodes for port, address in self._ipoib(node)}),
                bash_map("PORT_WORDS", _port_words(hcas)),
                bash_map("ETHERNET_IP", {port: address for node in nodes for port, address in self._ethernet(node)}),
                bash_map("ROCE", {name: roce_address(first_rxe + i, node.number) for node, name, i in roce}),
                bash_map("ROCE_MAC", {name: mac(guest, ROCE_MAC + i) for _, name, i in roce}),
            ]
        )


def ethernet_hosts(nodes):
    """Addresses and names that every kind of instance has."""
    return [("127.0.0.1", "localhost"), (HOST, "host"), *((node.address, node.name) for node in nodes)]


def hosts_file(lines):
    return "".join(f"{address:<11} {name}\n" for address, name in lines)


def mac(guest, number):
    """The address of a guest's Ethernet interface."""
    return f"52:54:00:b0:{guest:02x}:{number:02x}"


def roce_address(rail, number):
    """The address of a node's interface: its first RoCE port and those of the others are one rail, and so on."""
    return _ROCE.format(_FIRST_ROCE + rail, number + 1)


def _port_words(hcas):
    """By port what it is to be told once it is there."""
    return {
        f"{name}/{number + 1}": " ".join(words)
        for name, hca in hcas
        for number, words in enumerate(hca.ports)
        if words
    }  # fmt: skip


def _words(name, words):
    return f"{name}={shlex.quote(' '.join(words))}\n"


def bash_map(name, pairs):
    """A line of bash."""
    return f"declare -A {name}=({' '.join(f'[{key}]={shlex.quote(str(value))}' for key, value in pairs.items())})\n"
