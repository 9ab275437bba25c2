#!/usr/bin/env python3
"""clang_tidy.py BUILD: clang-tidy over all of src and spank, many files at once, as reading the headers is most of its work.

What it has read without a finding, in any checkout, it does not read again: with the text as the compiler sees it, the rules and
the tool's version the answer is the same.
"""

import concurrent.futures
import contextlib
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys
import time

_CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
_KNOWN = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "container-ib-lint"
_CONFIGURE = ["-G", "Ninja", "-DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON", "-DCMAKE_UNITY_BUILD=ON", "-DCMAKE_UNITY_BUILD_BATCH_SIZE=16"]
# What such a heap of files sets off by itself is off: it includes them, and what libseccomp's macros expand to is ours then.
_OPTIONS = ["--quiet", "--checks=-bugprone-suspicious-include,-clang-analyzer-*"]
_OPTIONS += [f"--extra-arg=-Wno-{name}" for name in ("unknown-warning-option", "c99-extensions", "missing-field-initializers")]
_DAYS_KEPT = 30


def main():
    build = pathlib.Path(sys.argv[1]) / "tidy"
    subprocess.run(["cmake", "-S", _CHECKOUT, "-B", build, *_CONFIGURE], check=True, stdout=subprocess.DEVNULL)
    entries = json.loads((build / "compile_commands.json").read_text())
    _KNOWN.mkdir(parents=True, exist_ok=True)
    rules = (_CHECKOUT / ".clang-tidy").read_bytes() + subprocess.run(["clang-tidy", "--version"], capture_output=True).stdout
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        clean = list(pool.map(lambda entry: _is_clean(entry, build, rules), entries))
    for file in os.scandir(_KNOWN):
        with contextlib.suppress(FileNotFoundError):  # another run removes what is old, too
            if time.time() - file.stat().st_mtime > _DAYS_KEPT * 86400:
                os.unlink(file)
    print(f"{len(entries)} heaps of files, {clean.count('read')} of them read, {clean.count('known')} as they were")
    sys.exit("" in clean)


def _is_clean(entry, build, rules):
    """How it is known, "read" or "known", or "" if it is not."""
    name = hashlib.sha256(rules + repr(_OPTIONS).encode() + _text(entry)).hexdigest()
    if (_KNOWN / name).exists():
        (_KNOWN / name).touch()
        return "known"
    if subprocess.run(["clang-tidy", "-p", build, *_OPTIONS, entry["file"]]).returncode != 0:
        return ""
    (_KNOWN / name).touch()
    return "read"


def _text(entry):
    """What the compiler reads, with comments, as some of them are for clang-tidy, and with the checkout's paths as relative ones."""
    words = shlex.split(entry["command"])
    compiler = next(i for i, word in enumerate(words) if word.endswith("c++"))  # after a launcher
    words = [word for word in words[compiler + 1 :] if word != "-c"]
    del words[words.index("-o") : words.index("-o") + 2]
    done = subprocess.run(["clang++", "-E", "-C", "-w", *words], cwd=entry["directory"], capture_output=True, check=True)
    return done.stdout.replace(os.fsencode(_CHECKOUT), b"")


main()
