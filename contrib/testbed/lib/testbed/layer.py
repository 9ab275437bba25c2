"""What one guest adds to its root tree, copied at `up`, so that nothing changes under a running guest.

    root/usr/lib/testbed   the guest's scripts and programs, the kernel module and its checks; or native/'s scripts
    root/etc               hosts, and Slurm's configuration: ours with what the layout adds, then the files of --conf
    root/...               the staged plugin
    root/etc/systemd       what systemd starts, if there is one
    image/usr/lib/testbed  the same MPI programs for the container image
"""

import shutil

from . import project
from .cache import Key
from .places import GUEST, NATIVE, SLURM, VHCA
from .report import Failure, say

_PROGRAMS = ("pingpong", "pingpong-mpich")


def compose(image, folder, layout, conf, plugin):
    """Fills `folder` and returns the key of what is in it."""
    home = folder / "root" / "usr" / "lib" / "testbed"
    slurm = folder / "root" / "etc" / "slurm"
    stage = project.stage(image)
    if stage:
        _stage(stage, folder / "root", image.root)
    if layout.native:
        _copy(NATIVE, home, ignore=shutil.ignore_patterns("root"))
    else:
        _copy(GUEST, home, ignore=shutil.ignore_patterns("etc", "programs", "systemd", "init"))
        _copy(GUEST / "systemd", folder / "root" / "etc" / "systemd" / "system")
        _copy(image.vhca, home, ignore=shutil.ignore_patterns("log"))
        _copy(VHCA / "checks", home / "checks")
    _copy(image.programs, home, ignore=shutil.ignore_patterns("log"))
    _copy(GUEST / "etc", folder / "root" / "etc")
    _copy(SLURM, slurm)
    for path, text in layout.files().items():
        (folder / "root" / path).write_text(text)
    for name, more in (("container-ib.conf", layout.plugin()), ("slurm.conf", layout.tasks())):
        with open(slurm / name, "a") as file:
            file.write(more)
    built = stage and project.plugin(stage)
    if plugin and not built:
        say(f"no plugin: this checkout is not built for {image.suite}; 'testbed build {image.suite}', then 'up' again")
    if not (plugin and built):
        (slurm / "plugstack.conf.d" / "container-ib.conf").unlink()
    if conf:
        if not conf.is_dir():
            raise Failure(f"--conf {conf}: not a folder; give one with the files that are to lie over /etc/slurm")
        _copy(conf, slurm)
    inside = folder / "image" / "usr" / "lib" / "testbed"
    inside.mkdir(parents=True)
    for name in _PROGRAMS:
        shutil.copy2(home / name, inside)
    _copy(GUEST / "etc", folder / "image" / "etc")
    (folder / "image" / "etc" / "hosts").write_text(layout.hosts())
    (folder / "image" / "etc" / "mtab").symlink_to("../proc/self/mounts")  # podman wants it, and cannot make it there
    return Key(folder)


def _copy(source, target, ignore=None):
    """Copies a folder's content for root: whose checkout it came from means nothing in the guest."""
    shutil.copytree(source, target, ignore=ignore, dirs_exist_ok=True, copy_function=shutil.copy)


def _stage(stage, root, tree):
    """Copies the stage. Where the tree has a link at its top (/lib -> usr/lib) a folder must not hide it."""
    root.mkdir(parents=True, exist_ok=True)
    for entry in stage.iterdir():
        link = tree / entry.name
        target = root / (link.readlink() if link.is_symlink() else entry.name)
        shutil.copytree(entry, target, symlinks=True, dirs_exist_ok=True)
