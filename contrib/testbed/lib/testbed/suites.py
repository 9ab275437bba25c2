"""The Debian suites that nodes can be made of, read from suites.toml."""

import tomllib
from dataclasses import dataclass

from .places import SUITES
from .report import Failure


@dataclass(frozen=True)
class Suite:
    """One suite: what goes into its two trees, what apt has to be told, and the suite whose kernel its guests have."""

    name: str
    tree: tuple
    container: tuple
    apt: tuple
    kernel: str
    machine: tuple


def names():
    """The suites in the table."""
    return [name for name in _table() if name != "common"]


def load(name):
    """The suite's entry, with what all suites share put before it."""
    table = _table()
    if name not in table or name == "common":
        raise Failure(f"unknown suite '{name}': use one of {', '.join(names())}, or add it to {SUITES}")
    common, own = table["common"], table[name]
    parts = {what: tuple(common[what] + own.get(what, [])) for what in ("tree", "container", "apt")}
    kernel = own.get("kernel", name)
    if kernel == name:
        parts["tree"] += tuple(common["kernel"])
    parts["tree"] += tuple(common["guest"])
    return Suite(name, kernel=kernel, machine=tuple(own.get("machine", ())), **parts)


def of_machine():
    """The suite whose QEMU runs all guests."""
    return next(suite for suite in map(load, names()) if suite.machine)


def _table():
    return tomllib.loads(SUITES.read_text())
