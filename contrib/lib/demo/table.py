"""The table, for people."""

import re
import textwrap
from dataclasses import dataclass

_LABEL, _CELL = 17, 24  # with what is between them no more than 100 columns

_GOOD, _BAD, _STRONG = "32", "31", "1"
_VERDICT_COLOUR = {"native": _GOOD, "not native": _BAD, "failed": _BAD}

_NOTE = (
    "What to see: without container-ib the container has no InfiniBand device and its messages go by TCP; with it "
    "they go by verbs, as on the bare node. Latency and bandwidth are those of an emulator and decide nothing: "
    "the kernel's byte counters do."
)


@dataclass(frozen=True)
class Style:
    """What may be used to draw."""

    boxes: bool = False
    colour: bool = False

    @staticmethod
    def of(stream, environment):
        """What suits a stream and a locale."""
        name = next((environment[key] for key in ("LC_ALL", "LC_CTYPE", "LANG") if environment.get(key)), "")
        boxes = name.lower().replace("-", "").endswith("utf8")
        plain = environment.get("NO_COLOR") or environment.get("TERM", "dumb") == "dumb"
        return Style(boxes, stream.isatty() and not plain)

    def paint(self, text, colour):
        return f"\033[{colour}m{text}\033[0m" if self.colour and colour else text


def render(outcomes, style):
    """The whole text, without a newline at its end."""
    lines = _line("", [f"{o.number} {o.name}" for o in outcomes], style, [_STRONG] * len(outcomes))
    lines.append(_rule(len(outcomes), style))
    for node in outcomes[0].nodes:
        results = [o.nodes[node] for o in outcomes]
        rank = next((r.rank for r in results if r.rank is not None), "?")
        lines += _line(f"rank {rank} on {node}", [r.ports or "no HCA" for r in results], style)
        lines += _line("  why", [r.why for r in results], style)
        lines += _line("  sees devices", [" ".join(r.devices) or "none" for r in results], style)
        lines += _line("  bytes by verbs", [human(r.counted.verbs) for r in results], style)
        lines += _line("  bytes by TCP", [human(r.counted.tcp) + _of_ipoib(r.counted) for r in results], style)
        lines += _verdicts("  verdict", ["failed" if o.failure else o.nodes[node].verdict for o in outcomes], style)
        lines += _verdicts("  plugin says", [r.plugin_verdict or "-" for r in results], style)
        lines.append(_rule(len(outcomes), style))
    lines += _line("latency", [_measured(o, o.latency_us, "us") for o in outcomes], style)
    lines += _line("bandwidth", [_measured(o, o.bandwidth_mb_s, "MB/s") for o in outcomes], style)
    return "\n".join(["", *lines, "", *textwrap.wrap(_NOTE, 99)])


def human(count):
    """Bytes, in powers of 1000 as the plugin has them."""
    if count < 1000:
        return f"{count} B"
    units = ["kB", "MB", "GB", "TB"]
    value = count / 1000
    while value >= 999.95 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.1f} {units[0]}"


def _of_ipoib(counted):
    return f", {human(counted.ipoib)} of it over IPoIB" if counted.ipoib > counted.tcp / 10 else ""


def _measured(outcome, value, unit):
    if value is None or outcome.failure:
        return "failed"
    return f"{value:.0f} {unit}" if value >= 100 else f"{value:.1f} {unit}"


def _verdicts(label, words, style):
    return _line(label, words, style, [_VERDICT_COLOUR.get(word) for word in words])


def _line(label, cells, style, colours=None):
    """One row; a cell that is too long goes on below itself."""
    colours = colours or [None] * len(cells)
    columns = [_wrap(cell) for cell in cells]
    bar = " │ " if style.boxes else " | "
    lines = []
    for i in range(max(len(column) for column in columns)):
        texts = [(column[i] if i < len(column) else "").ljust(_CELL) for column in columns]
        painted = [style.paint(text, colour) for text, colour in zip(texts, colours)]
        lines.append(bar.join([(label if i == 0 else "").ljust(_LABEL), *painted]).rstrip())
    return lines


def _wrap(text):
    # Lists of ports and options have no spaces but may be broken at their commas.
    return textwrap.wrap(re.sub(r",\s*", ", ", text), _CELL, break_on_hyphens=False) or [""]


def _rule(columns, style):
    dash, cross = ("─", "─┼─") if style.boxes else ("-", "-+-")
    return cross.join([dash * _LABEL, *[dash * _CELL] * columns])
