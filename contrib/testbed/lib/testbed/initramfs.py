"""The first megabyte the kernel runs: busybox, the modules that reach the root tree, tcg_int3, and guest/init."""

import lzma

from .cpio import Archive
from .places import GUEST
from .report import Failure

# What the root tree is reached with, and what must exist before it can be: their dependencies are added below.
_MODULES = ("virtio_pci", "virtio_blk", "crc32c_generic", "ext4", "overlay", "virtio_net")


def kernel(tree):
    """The release of the tree's one kernel."""
    releases = sorted(p.name.removeprefix("vmlinuz-") for p in (tree / "boot").glob("vmlinuz-*"))
    if len(releases) != 1:
        raise Failure(f"expected one kernel in {tree}/boot, found {releases or 'none'}: look at suites.toml")
    return releases[0]


def build(tree, first, target):
    """Writes the initramfs of a tree. `first` is the module that comes before all others (guest/init says when)."""
    modules = tree / "lib" / "modules" / kernel(tree)
    archive = Archive()
    for name in ("bin", "dev", "proc", "sys", "modules"):
        archive.directory(name)
    archive.character_device("dev/console", 5, 1)
    archive.file("bin/busybox", (tree / "bin" / "busybox").read_bytes())
    archive.file("init", (GUEST / "init").read_bytes())
    archive.file(first.name, first.read_bytes())
    names = []
    for path in _in_order(modules):
        content = (modules / path).read_bytes()
        names.append(path.rsplit("/", 1)[-1].removesuffix(".xz"))
        archive.file(f"modules/{names[-1]}", lzma.decompress(content) if path.endswith(".xz") else content)
    archive.file("modules/order", "\n".join(names).encode() + b"\n")
    archive.write(target)


def _in_order(modules):
    """Paths of the modules, each after what it needs. A module that is built in needs no loading."""
    needs, path_of = {}, {}
    for line in (modules / "modules.dep").read_text().splitlines():
        path, _, words = line.partition(":")
        needs[path] = words.split()
        path_of[_name(path)] = path
    builtin = {_name(line) for line in (modules / "modules.builtin").read_text().splitlines()}
    order = []

    def add(path):
        for other in reversed(needs[path]):  # depmod lists what must be loaded first last
            add(other)
        if path not in order:
            order.append(path)

    for module in _MODULES:
        if module in path_of:
            add(path_of[module])
        elif module not in builtin:
            raise Failure(f"no kernel module '{module}' in {modules}: the guest could not reach its root tree")
    return order


def _name(path):
    return path.rsplit("/", 1)[-1].split(".")[0].replace("-", "_")
