"""A node model: the hardware of one Slurm node, read from a file like those in models/ (contrib/testbed/README.md).

A file is checked wholly: what it says is either understood and possible, or named in one line with what is allowed.
"""

import dataclasses
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from . import ports
from .places import MODELS
from .report import Failure

MAX_VFS = 8  # of an HCA; the virtual machine makes room for as many
_MAX_HCAS, _MAX_ROCE = 16, 4  # HCAs of one guest, by the kernel module; RoCE ports, by the Ethernet bus
_MAX_PAPER_HCAS = 32
_MAX_DEVICES = 24  # of one guest: each takes one of the slots of the main PCI bus, which has some others on it


@dataclass(frozen=True)
class Numa:
    """CPUs and MiB of memory of a NUMA node."""

    cpus: int
    memory: int


KINDS = ("infiniband", "roce", "efa")
_GUEST_KINDS = KINDS[:2]


@dataclass(frozen=True)
class Hca:
    """An HCA: its NUMA node or None, and for each port the words that the kernel module is to be told. A name (None: as
    the kernel counts) and the kind efa are possible on paper only."""

    numa: int | None
    ports: tuple
    vfs: int
    kind: str = "infiniband"
    name: str | None = None


@dataclass(frozen=True)
class Device:
    """A RoCE port or a GPU: only where it is."""

    numa: int | None


@dataclass(frozen=True)
class Model:
    """Sockets, CPUs and memory are those of a guest, and shared by the Slurm nodes in it; the rest each has itself."""

    name: str
    slurm_nodes: int
    flat: bool
    sockets: int
    numa: tuple
    hcas: tuple
    roce: tuple
    gpus: tuple

    @property
    def cpus(self):
        return sum(node.cpus for node in self.numa)

    @property
    def memory(self):
        return sum(node.memory for node in self.numa)


def names():
    """The models that come with the testbed."""
    return sorted(file.stem for file in MODELS.glob("*.toml"))


def load(given, on_paper=False):
    """The model of that name, or in that file; what is only possible `on_paper` is refused for virtual machines."""
    file = Path(given) if "/" in given or given.endswith(".toml") else MODELS / f"{given}.toml"
    try:
        table = tomllib.loads(file.read_text())
    except FileNotFoundError:
        ours = ports.listed(names(), "or")
        raise Failure(f"no model '{given}': use {ours}, or the path of a file of your own") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"model {file}: {error}: give a file like those in {MODELS}") from None
    except tomllib.TOMLDecodeError as error:
        raise Failure(f"model {file}: not TOML: {error}") from None
    try:
        return _model(file.stem, _Table("", table), on_paper)
    except ValueError as error:
        raise Failure(f"model {file}: {error}") from None


def _model(name, table, on_paper):
    flat = table.boolean("flat", False)
    slurm_nodes = table.number("slurm_nodes", 1, 2, default=1)
    sockets = table.number("sockets", 1, 8, default=1)
    numa = tuple(_numa(one, slurm_nodes) for one in table.tables("numa", 1, 8))
    places = None if flat else len(numa)
    most_hcas = _MAX_PAPER_HCAS if on_paper else _MAX_HCAS // slurm_nodes
    model = Model(
        name=name,
        slurm_nodes=slurm_nodes,
        flat=flat,
        sockets=sockets,
        numa=numa,
        hcas=tuple(_hca(one, places, on_paper) for one in table.tables("hca", 1, most_hcas)),
        roce=tuple(_device(one, places) for one in table.tables("roce", 0, _MAX_ROCE)),
        gpus=tuple(_device(one, places) for one in table.tables("gpu", 0, _MAX_DEVICES)),
    )
    table.end()
    _check_whole(model)
    if not on_paper:
        _check_guest(model)
    return model


def _check_whole(model):
    """What no key says alone."""
    if model.flat and len(model.numa) > 1:
        raise ValueError(f"numa: {len(model.numa)} of them, but a flat node has one")
    if model.cpus % model.sockets:
        raise ValueError(f"sockets: {model.cpus} CPUs cannot be shared out evenly among {model.sockets}")
    per_socket, first = model.cpus // model.sockets, 0
    for index, node in enumerate(model.numa):
        last = first + node.cpus - 1
        if len(model.numa) >= model.sockets and first // per_socket != last // per_socket:
            raise ValueError(f"numa {index}: cpus: {first} to {last} are in two sockets, as each has {per_socket}")
        first += node.cpus


def _check_guest(model):
    """What a virtual machine has no room for."""
    if model.roce and model.slurm_nodes > 1:
        # rdma_rxe stays with the network namespace it was made in
        raise ValueError("roce: needs slurm_nodes = 1, as the second Slurm node of a guest cannot have RoCE ports")
    devices = (len(model.hcas) + len(model.gpus)) * model.slurm_nodes + len(model.roce)
    if devices > _MAX_DEVICES:
        raise ValueError(f"{devices} HCAs, RoCE ports and GPUs in one guest: there is room for {_MAX_DEVICES}")


def _numa(table, slurm_nodes):
    node = Numa(table.number("cpus", 1, 64), table.number("memory", 256, 65536))
    if node.cpus % slurm_nodes:
        what = f"{node.cpus} cannot be shared by {slurm_nodes} Slurm nodes"
        raise ValueError(f"{table.name}: cpus: {what}; use an even number")
    table.end()
    return node


def _hca(table, places, on_paper):
    numa = _place(table, places)
    count = table.number("ports", 1, 2, default=1)
    each = [[] for _ in range(count)]
    for key in ("state", "speed", "width", "pkeys"):
        for words, value in zip(each, table.values(key, count)):
            words.append(table.checked(ports.for_module, key, value))
    vfs = table.number("vfs", 0, MAX_VFS, default=0)
    kind = table.word("kind", KINDS)
    hca = Hca(numa, tuple(tuple(words) for words in each), vfs, kind)
    if on_paper:
        hca = dataclasses.replace(hca, name=table.device_name("name"))
    else:
        table.no("name", "only on paper: boot with --native")
        if kind not in _GUEST_KINDS:
            raise ValueError(f"{table.name}: kind: '{kind}': only on paper: boot with --native")
        if kind == "roce":
            _check_ethernet(table.name, each)
    table.end()
    return hca


def _check_ethernet(name, each):
    """Ethernet knows a link or none, and no P_Keys."""
    for key, _, value in (word.partition("=") for words in each for word in words):
        if key == "pkeys":
            raise ValueError(f"{name}: pkeys: a port with kind = \"roce\" has none")
        if key == "state" and value not in ("down", "active"):
            raise ValueError(f"{name}: state: '{value}': use down or active, as kind is \"roce\"")


def _device(table, places):
    device = Device(_place(table, places))
    table.end()
    return device


def _place(table, places):
    if places is not None:
        return table.number("numa", 0, places - 1)
    table.no("numa", "a flat node tells nobody which NUMA node a device is on")
    return None


class _Table:
    """A table of the file, from which everything has to be taken before the end."""

    def __init__(self, name, content):
        self.name = name
        self._rest = dict(content)
        self._known = []

    def number(self, key, least, most, default=None):
        value = self._take(key, default)
        if value is None:
            self._fail(key, f"missing: give a number from {least} to {most}")
        if type(value) is not int or not least <= value <= most:
            self._fail(key, f"{_shown(value)}: use a number from {least} to {most}")
        return value

    def boolean(self, key, default):
        value = self._take(key, default)
        if type(value) is not bool:
            self._fail(key, f"{_shown(value)}: use true or false")
        return value

    def word(self, key, allowed):
        """One of the allowed words; the first if there is none."""
        value = self._take(key, allowed[0])
        if value not in allowed:
            self._fail(key, f"{_shown(value)}: use {ports.listed(allowed, 'or')}")
        return value

    def device_name(self, key):
        value = self._take(key, None)
        if value is not None and not (isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_-]{1,63}", value)):
            self._fail(key, f"{_shown(value)}: use up to 63 letters, digits, '_' and '-'")
        return value

    def values(self, key, count):
        """One text for each port, or none at all; a single one is for all of them."""
        value = self._take(key, [])
        if isinstance(value, str):
            return [value] * count
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            self._fail(key, f"{_shown(value)}: use a text, or a list with a text for each port")
        if len(value) not in (0, count):
            self._fail(key, f"{len(value)} values for an HCA with ports = {count}")
        return value

    def tables(self, key, least, most):
        value = self._take(key, [])
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            self._fail(key, f"use a table [[{key}]] for each")
        if not least <= len(value) <= most:
            self._fail(key, f"{len(value)} of them: use {least} to {most} tables [[{key}]]")
        return [_Table(f"{key} {index}", one) for index, one in enumerate(value)]

    def checked(self, check, key, value):
        try:
            return check(key, value)
        except ValueError as error:
            raise ValueError(f"{self.name}: {error}") from None

    def no(self, key, why):
        if key in self._rest:
            self._fail(key, why)
        self._known.append(key)

    def end(self):
        if self._rest:
            self._fail(next(iter(self._rest)), f"unknown key: use {ports.listed(self._known, 'or')}")

    def _take(self, key, default):
        self._known.append(key)
        return self._rest.pop(key, default)

    def _fail(self, key, why):
        raise ValueError(": ".join([*([self.name] if self.name else []), key, why]))


def _shown(value):
    return f"'{value}'" if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
