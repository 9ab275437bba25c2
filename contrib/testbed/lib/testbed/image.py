"""`testbed image`: everything a guest is made of, each part rebuilt only when what goes into it changed."""

from dataclasses import dataclass
from pathlib import Path

from . import cache, chroot, initramfs, rootfs, suites
from .places import GUEST, MPI, VHCA
from .report import Failure

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Image:
    """Cache entries of one suite."""

    suite: str
    tree: Path
    container: Path
    programs: Path
    vhca: Path
    ramfs: Path

    @property
    def root(self):
        return self.tree / "root"

    @property
    def kernel(self):
        return self.root / "boot" / f"vmlinuz-{initramfs.kernel(self.root)}"

    @property
    def initramfs(self):
        return self.ramfs / "initramfs.gz"

    @property
    def entries(self):
        return (self.tree, self.container, self.programs, self.vhca, self.ramfs)


def provide(suite_name):
    """The image of a suite, complete; builds what is missing."""
    suite = suites.load(suite_name)
    if not (VHCA / "Makefile").is_file():
        raise Failure(f"no kernel module source in {VHCA}: this checkout is incomplete")
    recipe = _HERE / "rootfs.py"
    key = cache.Key("tree", suite.name, *suite.tree, *suite.apt, recipe)
    tree = cache.provide("tree", suite.name, key, lambda folder: rootfs.tree(suite, folder))
    root = tree / "root"
    key_of = lambda *parts: cache.Key(tree.name, *parts)  # noqa: E731  (whatever is compiled depends on the tree)

    container = cache.provide(
        "container",
        suite.name,
        cache.Key("container", suite.name, *suite.container, *suite.apt, recipe),
        lambda folder: rootfs.container(suite, folder),
    )
    programs = cache.provide(
        "programs", suite.name, key_of(GUEST / "programs", MPI), lambda folder: _programs(root, folder)
    )
    vhca = cache.provide("vhca", suite.name, key_of(VHCA), lambda folder: _vhca(root, folder))
    ramfs = cache.provide(
        "initramfs",
        suite.name,
        key_of(GUEST / "init", _HERE / "initramfs.py", _HERE / "cpio.py"),
        lambda folder: initramfs.build(root, folder / "initramfs.gz"),
    )
    return Image(suite.name, tree, container, programs, vhca, ramfs)


def _programs(root, folder):
    """The programs of the guest that are not scripts, compiled with the tree's own compiler and MPI."""
    chroot.run(
        root,
        ["make", "-s", "-C", "/src", "OUT=/out"],
        read=[(GUEST / "programs", "/src"), (MPI, "/mpi")],
        write=[(folder, "/out")],
        log=folder / "log",
    )


def _vhca(root, folder):
    """The kernel module of the virtual HCAs. Kbuild writes beside its sources, hence the copy."""
    script = "cp -r /src /tmp/vhca && make -s -C /lib/modules/$0/build M=/tmp/vhca modules && cp /tmp/vhca/vhca.ko /out"
    chroot.run(
        root,
        ["sh", "-c", script, initramfs.kernel(root)],
        read=[(VHCA, "/src")],
        write=[(folder, "/out")],
        log=folder / "log",
    )
