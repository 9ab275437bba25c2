"""`testbed image`: everything a guest, or a node without one, is made of, each part rebuilt only when what goes into it changed."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from . import cache, chroot, disk, initramfs, instance, project, rootfs, suites
from .files import remove
from .places import GUEST, MPI, TCG_INT3, VHCA
from .report import Failure

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Image:
    """Cache entries of one suite."""

    suite: str
    tree: Path
    kernel_tree: Path  # where the kernel is, and what is built for it: another suite's, or the same
    container: Path
    programs: Path
    vhca: Path
    tcg_int3: Path
    ramfs: Path
    disks: Path
    qemu: Path

    @property
    def root(self):
        return self.tree / "root"

    @property
    def kernel_root(self):
        return self.kernel_tree / "root"

    @property
    def kernel(self):
        return self.kernel_root / "boot" / f"vmlinuz-{initramfs.kernel(self.kernel_root)}"

    @property
    def initramfs(self):
        return self.ramfs / "initramfs.gz"

    def disk(self, name):
        """One of `disk_names` as a guest has it."""
        return self.disks / f"{name}.ext4"

    @property
    def disk_names(self):
        """The tree, the container image, and the kernel's modules where the tree has none (guest/init)."""
        return ("tree", "image") if self.kernel_tree == self.tree else ("tree", "image", "kernel")

    @property
    def entries(self):
        return (self.tree, self.kernel_tree, self.container, self.programs, self.vhca, self.tcg_int3, self.ramfs, self.disks, self.qemu)


def provide(suite_name, native=True):
    """The image of a suite; builds what is missing, for virtual machines too unless only `native` nodes are wanted."""
    suite = suites.load(suite_name)
    image = _image(suite)
    root = image.root

    def part(entry, build):
        cache.provide(entry, suite.name, build)

    part(image.tree, lambda folder: rootfs.tree(suite, folder))
    part(image.container, lambda folder: rootfs.container(suite, folder))
    part(image.programs, lambda folder: _programs(root, folder))
    if native:
        return image
    if suite.kernel != suite.name:
        base = suites.load(suite.kernel)
        cache.provide(image.kernel_tree, base.name, lambda folder: rootfs.tree(base, folder))
    for module in (VHCA, TCG_INT3):
        if not (module / "Makefile").is_file():
            raise Failure(f"no kernel module source in {module}: this checkout is incomplete")
    part(image.vhca, lambda folder: _module(image.kernel_root, VHCA, folder))
    part(image.tcg_int3, lambda folder: _module(image.kernel_root, TCG_INT3, folder))
    first = image.tcg_int3 / "tcg_int3.ko"
    part(image.ramfs, lambda folder: initramfs.build(image.kernel_root, first, folder / "initramfs.gz"))
    part(image.disks, lambda folder: _disks(image, folder))
    machine = suites.of_machine()
    cache.provide(image.qemu, machine.name, lambda folder: rootfs.machine(machine, folder))
    return image


def prune():
    """Removes every entry that belongs neither to a suite as it is now nor to an instance."""
    images = [_image(suites.load(name)) for name in suites.names()]
    used = {Path(entry) for guest in instance.every() for entry in guest.known.get("entries", ())}
    cache.prune(used | {entry for image in images for entry in image.entries})
    project.prune([image.tree for image in images])


def _image(suite):
    """Where the parts of a suite's image are, or will be: a part's key is a hash of all that it is made from."""

    def entry(kind, *parts, of=suite.name):
        return cache.entry(kind, of, cache.Key(kind, *parts))

    def of_kernel(kind, *parts):
        return entry(kind, kernel_tree.name, *parts, of=suite.kernel)

    def module(source):
        return of_kernel(source.name, *sorted(source.glob("*.[chS]")), source / "Makefile")

    recipe = _HERE / "rootfs.py"
    tree = entry("tree", suite.name, *suite.tree, *suite.apt, recipe)
    kernel_tree = tree if suite.kernel == suite.name else _image(suites.load(suite.kernel)).tree
    container = entry("container", suite.name, *suite.container, *suite.apt, recipe)
    tcg_int3 = module(TCG_INT3)
    machine = suites.of_machine()
    ramfs = (GUEST / "init", _HERE / "initramfs.py", _HERE / "cpio.py")
    return Image(  # what is compiled depends on the tree it is compiled in
        suite=suite.name,
        tree=tree,
        kernel_tree=kernel_tree,
        container=container,
        programs=entry("programs", tree.name, GUEST / "programs", MPI),
        vhca=module(VHCA),
        tcg_int3=tcg_int3,
        ramfs=of_kernel("initramfs", tcg_int3.name, *ramfs),
        disks=entry("disks", tree.name, kernel_tree.name, container.name, _HERE / "disk.py"),
        qemu=cache.entry("qemu", machine.name, cache.Key("qemu", machine.name, *machine.machine, *machine.apt, recipe)),
    )


def _disks(image, folder):
    disk.build(image.root, folder / "tree.ext4")
    disk.build(image.container / "root", folder / "image.ext4")
    if "kernel" in image.disk_names:
        modules = folder / "kernel"
        shutil.copytree(image.kernel_root / "usr/lib/modules", modules / "usr/lib/modules", symlinks=True)
        disk.build(modules, folder / "kernel.ext4")
        remove(modules)


def _programs(root, folder):
    """The programs of the guest that are not scripts, compiled with the tree's own compiler and MPI."""
    chroot.run(
        root,
        ["make", "-s", "-C", "/src", "OUT=/out"],
        read=[(GUEST / "programs", "/src"), (MPI, "/mpi")],
        write=[(folder, "/out")],
        log=folder / "log",
    )


def _module(root, source, folder):
    """A kernel module, called as its folder is. Kbuild writes beside its sources, hence the copy."""
    script = "cp -r /src /tmp/module && make -s -C /lib/modules/$0/build M=/tmp/module modules && cp /tmp/module/$1.ko /out"
    chroot.run(
        root,
        ["sh", "-c", script, initramfs.kernel(root), source.name],
        read=[(source, "/src")],
        write=[(folder, "/out")],
        log=folder / "log",
    )
