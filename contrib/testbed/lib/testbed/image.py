"""`testbed image`: everything a guest is made of, each part rebuilt only when what goes into it changed."""

from dataclasses import dataclass
from pathlib import Path

from . import cache, chroot, initramfs, instance, project, rootfs, suites
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
    image = _image(suite)
    root = image.root

    def part(entry, build):
        cache.provide(entry, suite.name, build)

    part(image.tree, lambda folder: rootfs.tree(suite, folder))
    part(image.container, lambda folder: rootfs.container(suite, folder))
    part(image.programs, lambda folder: _programs(root, folder))
    part(image.vhca, lambda folder: _vhca(root, folder))
    part(image.ramfs, lambda folder: initramfs.build(root, folder / "initramfs.gz"))
    return image


def prune():
    """Removes every entry that belongs neither to a suite as it is now nor to an instance."""
    images = [_image(suites.load(name)) for name in suites.names()]
    used = {Path(entry) for guest in instance.every() for entry in guest.known.get("entries", ())}
    cache.prune(used | {entry for image in images for entry in image.entries})
    project.prune([image.tree for image in images])


def _image(suite):
    """Where the parts of a suite's image are, or will be: a part's key is a hash of all that it is made from."""

    def entry(kind, *parts):
        return cache.entry(kind, suite.name, cache.Key(kind, *parts))

    recipe = _HERE / "rootfs.py"
    tree = entry("tree", suite.name, *suite.tree, *suite.apt, recipe)
    return Image(  # what is compiled depends on the tree it is compiled in
        suite=suite.name,
        tree=tree,
        container=entry("container", suite.name, *suite.container, *suite.apt, recipe),
        programs=entry("programs", tree.name, GUEST / "programs", MPI),
        vhca=entry("vhca", tree.name, *sorted(VHCA.glob("*.[ch]")), VHCA / "Makefile"),
        ramfs=entry("initramfs", tree.name, GUEST / "init", _HERE / "initramfs.py", _HERE / "cpio.py"),
    )


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
