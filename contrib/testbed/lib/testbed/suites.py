"""The Debian suites a guest can be made of, read from suites.toml."""

import tomllib
from dataclasses import dataclass

from .places import SUITES
from .report import Failure


@dataclass(frozen=True)
class Suite:
    """One suite: what goes into its two trees, and what apt has to be told."""

    name: str
    tree: tuple
    container: tuple
    apt: tuple


def names():
    """The suites in the table."""
    return [name for name in _table() if name != "common"]


def load(name):
    """The suite's entry, with what all suites share put before it."""
    table = _table()
    if name not in table or name == "common":
        raise Failure(f"unknown suite '{name}': use one of {', '.join(names())}, or add it to {SUITES}")
    common, own = table["common"], table[name]
    return Suite(name, *(tuple(common[what] + own.get(what, [])) for what in ("tree", "container", "apt")))


def _table():
    return tomllib.loads(SUITES.read_text())
