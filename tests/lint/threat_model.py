"""The tests that doc/threat-model.md names are there: who renames or removes one reads what it stood for."""

import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
text = (root / "doc/threat-model.md").read_text(encoding="utf-8")
defended = text.partition("## Defended\n")[2].partition("\n## ")[0]
rows = [line.rsplit("|", 2)[1] for line in defended.splitlines() if line.startswith("|")]
rows += re.findall(r"^Seen by .*?\n\n", text, flags=re.M | re.S)
named = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]

sources = "\n".join(file.read_text(encoding="utf-8") for file in sorted((root / "tests").rglob("*")) if file.suffix in (".cpp", ".py"))
there = {f"{suite}.{test}" for suite, test in re.findall(r"^TEST(?:_[FP])?\((\w+),\s*(\w+)\)", sources, flags=re.M)}
there |= {f"{name.partition('.')[0]}.*" for name in there}
there |= set(re.findall(r"^def test_(\w+)\(", sources, flags=re.M))
there |= {file.stem for file in (root / "tests/fuzz").glob("*_fuzz.cpp")}
there |= {f"abi.{file.stem.removesuffix('_test')}" for file in (root / "tests/abi").glob("*_test.py")}

suite = ""
missing = []
for name in named:
    if name.startswith("."):
        name = suite + name
    suite = name.partition(".")[0]
    if name not in there:
        missing.append(name)
if len(named) < 20:
    sys.exit(f"only {len(named)} tests are named in doc/threat-model.md")
sys.exit("doc/threat-model.md: no such test: " + ", ".join(missing) if missing else 0)
