"""The tests that doc/threat-model.md names are there, and what README's limits and ADR 1 say is in it: who renames a test, or writes
a sentence, reads what it stands for."""

import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])


def section(file, title):
    text = (root / file).read_text(encoding="utf-8")
    found = text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    if not found:
        sys.exit(f"{file}: no section '{title}'")
    return found


def rows(text):
    """The cells of a table's rows, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def plain(text):
    return " ".join(text.split())


MODEL = "doc/threat-model.md"
ADR = "doc/adr/0001-processes-of-a-step.md"
tables = {title: rows(section(MODEL, title)) for title in ("Defended", "What README's limits say", "What ADR 1 says")}
wrong = []

# What is claimed, in pieces that each need a row, whose first cell is words of it.
decision = section(ADR, "Decision")
claims = {
    "What README's limits say": re.split(r"^\* ", section("README.md", "Limits"), flags=re.M)[1:],
    "What ADR 1 says": [
        decision.strip().partition("\n\n")[0],
        *re.split(r"^\* ", decision.partition("\n\n        ")[0], flags=re.M)[1:],
        *[piece for piece in decision.split("\n\n") if piece.startswith("The node is decided")],
        *[row[-1] for row in rows(section(ADR, "What happens at each death"))],
        section(ADR, "What happens at each death").strip().rsplit("\n\n", 1)[-1],
    ],
}
for title, pieces in claims.items():
    sentences = [row[0] for row in tables[title]]
    for piece in map(plain, pieces):
        if not any(sentence in piece for sentence in sentences):
            wrong.append(f"'{title}' has no row for: {piece[:60]}...")
    everything = "\n".join(map(plain, pieces))
    wrong += [f"'{title}': nobody says so any more: {sentence}" for sentence in sentences if sentence not in everything]

sources = "\n".join(file.read_text(encoding="utf-8") for file in sorted((root / "tests").rglob("*")) if file.suffix in (".cpp", ".py"))
there = {f"{suite}.{test}" for suite, test in re.findall(r"^TEST(?:_[FP])?\((\w+),\s*(\w+)\)", sources, flags=re.M)}
there |= {f"{name.partition('.')[0]}.*" for name in there}
there |= set(re.findall(r"^def test_(\w+)\(", sources, flags=re.M))
there |= {file.stem for file in (root / "tests/fuzz").glob("*_fuzz.cpp")}

cells = [row[-1] for table in tables.values() for row in table]
cells += re.findall(r"^Seen by .*?\n\n", (root / MODEL).read_text(encoding="utf-8"), flags=re.M | re.S)
suite = ""
for cell in cells:
    named = re.findall(r"`([^`]+)`", cell)
    if not named and '"Defended"' not in cell:
        wrong.append(f"no test is named in: {cell}")
    for name in named:
        if name.startswith("."):
            name = suite + name
        suite = name.partition(".")[0]
        if name not in there:
            wrong.append(f"no such test: {name}")
sys.exit("\n".join(f"{MODEL}: {line}" for line in wrong) if wrong else 0)
