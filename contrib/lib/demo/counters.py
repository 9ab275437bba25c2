"""The kernel's own counters of a node: what went over its InfiniBand ports, and what over its network interfaces."""

from dataclasses import dataclass, fields

# Whose HCAs are whose in the testbed, and each node's Ethernet for Slurm (contrib/testbed/README.md).
_HCAS = {"n0": ("mlx5_0", "mlx5_1"), "n1": ("mlx5_2", "mlx5_3")}
_ETHERNET = {"n0": "br0", "n1": "eth0"}
_IPOIB = "ib"
_WORD = 4  # port_xmit_data and port_rcv_data count units of four bytes


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


def parse(node, ports, interfaces):
    """`ports` as grep -H prints sysfs, of all HCAs of the guest; `interfaces` is the node's /proc/net/dev."""
    port = 0
    seen = set()
    for line in ports.splitlines():
        path, _, value = line.rpartition(":")
        hca = path.split("/")[4]
        if hca in _HCAS[node]:
            seen.add(hca)
            port += int(value) * _WORD
    moved = {}
    for line in interfaces.splitlines()[2:]:
        name, _, values = line.partition(":")
        columns = values.split()
        moved[name.strip()] = int(columns[0]) + int(columns[8])
    # Counting nothing would look like a run that moved nothing.
    if missing := sorted(set(_HCAS[node]) - seen) or [_ETHERNET[node]] * (_ETHERNET[node] not in moved):
        raise ValueError(f"{node} has no counters of {', '.join(missing)}")
    ipoib = sum(count for name, count in moved.items() if name.startswith(_IPOIB))
    return Counters(port, ipoib, moved[_ETHERNET[node]])
