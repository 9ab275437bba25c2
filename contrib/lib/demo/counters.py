"""The kernel's own counters of a node: what went over its InfiniBand ports, and what over its network interfaces."""

from dataclasses import dataclass, fields

_IPOIB = "ib"
_WORD = 4  # port_xmit_data and port_rcv_data count units of four bytes


@dataclass(frozen=True)
class Place:
    """Where a node is in the testbed: the guest whose sysfs has its counters, its HCAs, and its Ethernet for Slurm."""

    guest: str
    hcas: tuple
    ethernet: str


# contrib/testbed/README.md
ONE_GUEST = {
    "n0": Place("host", ("mlx5_0", "mlx5_1"), "br0"),
    "n1": Place("host", ("mlx5_2", "mlx5_3"), "eth0"),
}
TWO_GUESTS = {
    "n0": Place("host0", ("mlx5_0", "mlx5_1"), "eth1"),
    "n1": Place("host1", ("mlx5_0", "mlx5_1"), "eth1"),
}


@dataclass(frozen=True)
class Counters:
    """Bytes sent and received."""

    port: int  # all that went over the HCAs' ports, IPoIB included
    ipoib: int
    ethernet: int

    def __sub__(self, before):
        return Counters(*(getattr(self, f.name) - getattr(before, f.name) for f in fields(self)))

    @property
    def verbs(self):
        # What IPoIB moved is TCP on the same cable, not verbs.
        return max(self.port - self.ipoib, 0)

    @property
    def tcp(self):
        return self.ipoib + self.ethernet


def parse(node, place, ports, interfaces):
    """`ports` as grep -H prints sysfs, of all HCAs of the guest; `interfaces` is the node's /proc/net/dev."""
    port = 0
    seen = set()
    for line in ports.splitlines():
        path, _, value = line.rpartition(":")
        hca = path.split("/")[4]
        if hca in place.hcas:
            seen.add(hca)
            port += int(value) * _WORD
    moved = {}
    for line in interfaces.splitlines()[2:]:
        name, _, values = line.partition(":")
        columns = values.split()
        moved[name.strip()] = int(columns[0]) + int(columns[8])
    # Counting nothing would look like a run that moved nothing.
    if missing := sorted(set(place.hcas) - seen) or [place.ethernet] * (place.ethernet not in moved):
        raise ValueError(f"{node} has no counters of {', '.join(missing)}")
    ipoib = sum(count for name, count in moved.items() if name.startswith(_IPOIB))
    return Counters(port, ipoib, moved[place.ethernet])
