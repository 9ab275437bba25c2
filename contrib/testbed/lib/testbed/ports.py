"""The words that describe an InfiniBand port: as people write them, in a model and in `testbed fabric`, and as the
kernel module of the virtual HCAs takes them (vhca/README.md)."""

import functools
import ipaddress
import re

STATES = ("down", "init", "armed", "active")
# enum ib_port_speed and enum ib_port_width of the kernel
SPEEDS = {"SDR": 1, "DDR": 2, "QDR": 4, "FDR10": 8, "FDR": 16, "EDR": 32, "HDR": 64, "NDR": 128}
WIDTHS = {"1": 1, "2": 16, "4": 2, "8": 4, "12": 8}
_PKEYS = 16  # of a port's table


def for_module(key, value):
    """`key=value` as the module takes it; ValueError says what is allowed instead."""
    return f"{key}={_checked(_CHECKS, key, value)}"


def changes(port, words, on_paper=False):
    """What is to change of a port, as pairs in the module's words, from words of the form KEY=VALUE; ValueError says which
    of them is wrong and what is allowed. On paper a port's counters and GIDs can be added to as well."""
    checks = _CHECKS | _ON_PAPER if on_paper else _CHECKS
    keys = listed([f"{key}=" for key in checks], "or")
    if not words:
        raise ValueError(f"nothing to do for {port}: give {keys}")
    for word in words:
        if "=" not in word:
            raise ValueError(f"'{word}' is not KEY=VALUE: give {keys}")
    pairs = [tuple(word.split("=", 1)) for word in words]
    for index, (key, _) in enumerate(pairs):
        if key in dict(pairs[:index]):
            raise ValueError(f"given twice: {words[index]}")
    return [(key, str(_checked(checks, key, value))) for key, value in pairs]


def _checked(checks, key, value):
    if key not in checks:
        raise ValueError(f"unknown key '{key}': use {listed(checks, 'or')}")
    return checks[key](value)


def for_people(line):
    """A line of the module's table of ports in the words that people write."""
    device, *words = line.split()
    return " ".join([device, *(_NAMED.get(word, word) for word in words)])


def listed(words, last):
    """a, b and c"""
    *first, end = words
    return f"{', '.join(first)} {last} {end}" if first else end


def _state(value):
    if value not in STATES:
        raise ValueError(f"state '{value}': use {listed(STATES, 'or')}")
    return value


def _speed(value):
    numbers = [str(number) for number in SPEEDS.values()]
    if value.upper() not in SPEEDS and value not in numbers:
        raise ValueError(f"speed '{value}': use {listed(SPEEDS, 'or')}, or the kernel's number ({', '.join(numbers)})")
    return SPEEDS.get(value.upper(), value)


def _width(value):
    if value not in WIDTHS:
        raise ValueError(f"width '{value}': use {listed(WIDTHS, 'or')}")
    return WIDTHS[value]


def _octets(key, value):
    if not re.fullmatch("[0-9]{1,15}", value):
        raise ValueError(f"{key} '{value}': give a number of bytes, up to 15 digits")
    return int(value)


def _address(value):
    try:
        return str(ipaddress.IPv4Address(value))
    except ValueError:
        raise ValueError(f"gid '{value}': give an IPv4 address, as 10.40.0.1") from None


def _pkeys(value):
    numbers = [_pkey(word) for word in value.split(",")]
    if len(numbers) > _PKEYS:
        raise ValueError(f"pkeys '{value}': a port has room for {_PKEYS}")
    return ",".join(f"{number:#06x}" for number in numbers)


def _pkey(word):
    try:
        number = int(word, 16)
    except ValueError:
        number = -1
    if not 0 <= number <= 0xFFFF:
        raise ValueError(f"pkeys '{word}': use numbers up to 0xffff with ',' between them, as in 0xffff,0x8001")
    return number


_CHECKS = {"state": _state, "speed": _speed, "width": _width, "pkeys": _pkeys}
_ON_PAPER = {**{key: functools.partial(_octets, key) for key in ("sent", "received")}, "gid": _address}
_NAMED = {f"speed={number}": f"speed={name}" for name, number in SPEEDS.items()} | {
    f"width={number}": f"width={lanes}" for lanes, number in WIDTHS.items()
}
