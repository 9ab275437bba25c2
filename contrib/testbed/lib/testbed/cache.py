"""Build results named by what went into them.

An entry is a folder `<cache>/<kind>/<suite>-<key>`, the key being a hash of everything it was made from. So a changed
source makes a new entry and nothing else, and an entry that exists is right: it is built in a temporary folder and
renamed into place when it is complete, under a lock, so that neither an interrupted nor a second builder is ever seen.
"""

import fcntl
import hashlib
import os
from contextlib import contextmanager
from pathlib import Path

from .files import remove
from .places import cache
from .report import Failure, phase, say


class Key:
    """A hash over texts, files and folders, in the order they are given."""

    def __init__(self, *parts):
        self._hash = hashlib.sha256()
        for part in parts:
            self._add(part)

    def __str__(self):
        return self._hash.hexdigest()[:12]

    def _add(self, part):
        if not isinstance(part, Path):
            self._feed(b"text", str(part).encode())
        elif part.is_dir():
            for file in sorted(p for p in part.rglob("*") if p.is_file()):
                self._feed(str(file.relative_to(part)).encode(), file.read_bytes(), file.stat().st_mode & 0o111)
        else:
            self._feed(part.name.encode(), part.read_bytes(), part.stat().st_mode & 0o111)

    def _feed(self, name, content, mode=0):
        self._hash.update(b"%s\0%d\0%d\0" % (name, mode, len(content)))
        self._hash.update(content)


def entry(kind, suite, key):
    """Where an entry is, whether it has been built or not."""
    return cache() / kind / f"{suite}-{key}"


def provide(entry, suite, build):
    """Makes sure of an entry; `build(folder)` fills it if it is not there yet."""
    if entry.is_dir():
        return
    kind = entry.parent.name
    name = f"{kind}.{entry.name}"
    with lock(name):
        if entry.is_dir():  # somebody else built it while we waited
            return
        if os.geteuid() != 0:
            raise Failure(f"the {kind} of {suite} can be built by root only: run 'testbed image {suite}' as root")
        scratch = cache() / "tmp" / name
        remove(scratch)  # left by an interrupted build: we hold its lock, so it is nobody's
        scratch.mkdir(parents=True)
        entry.parent.mkdir(parents=True, exist_ok=True)
        try:
            with phase(f"{kind} of {suite}"):
                build(scratch)
            scratch.rename(entry)
        finally:
            remove(scratch)


def prune(keep):
    """Removes every entry and every leftover that is not in `keep` and that nobody builds right now."""
    for folder in sorted(p for p in cache().glob("*") if p.is_dir() and p.name not in ("build", "lock", "run")):
        for entry in sorted(set(folder.iterdir()) - set(keep)):
            name = entry.name if folder.name == "tmp" else f"{folder.name}.{entry.name}"
            with lock(name, wait=False) as free:
                if free:
                    say(f"remove {entry}")
                    remove(entry)


@contextmanager
def lock(name, wait=True):
    """Alone with what `name` stands for. Without `wait`, tells whether we are."""
    folder = cache() / "lock"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / name, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                yield False
                return
            say(f"another build of {name} is running: waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield True
