"""`testbed build`: this checkout, built against the Slurm and the libraries of a suite's tree, and staged for `up`."""

from . import chroot
from .cache import Key, lock
from .files import remove
from .places import PROJECT, cache
from .report import Failure, phase, say

_PLUGIN = "container_ib.so"

# As users build it, but for what takes the compiler most of its time: debug information, and the headers of each file.
_CONFIGURE = [
    *("cmake", "-G", "Ninja", "-S", "/src", "-B", "/build"),
    *("-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_CXX_FLAGS_RELEASE=-O2 -DNDEBUG", "-DCMAKE_UNITY_BUILD=ON"),
    *("-DCMAKE_INSTALL_PREFIX=/usr", "-DCIB_BUILD_TESTS=OFF"),
]


def build(image):
    """Builds what changed since the last time and replaces the stage."""
    if not (PROJECT / "CMakeLists.txt").is_file():
        raise Failure(f"no CMakeLists.txt in {PROJECT}: there is nothing to build yet, 'testbed up' works without")
    here = _folder(image)
    with lock(f"build.{here.name}"):
        _build(image, here)
    return here / "stage"


def stage(image):
    """What the last `build` of this checkout installed, or None."""
    folder = _folder(image) / "stage"
    return folder if folder.is_dir() else None


def plugin(stage_folder):
    """The plugin in a stage, or None."""
    return next(stage_folder.rglob(_PLUGIN), None)


def prune(trees):
    """Removes the build folders for any other trees than these."""
    for folder in sorted((cache() / "build").glob("*")):
        if not any(folder.name.startswith(f"{tree.name}-") for tree in trees):
            say(f"remove {folder}")
            remove(folder)


def _folder(image):
    """A build folder is of use only for one checkout, for the compiler and headers of one tree, and for one way to configure:
    what CMake was told before and is not told any more it would remember."""
    return cache() / "build" / f"{image.tree.name}-{Key(PROJECT.as_posix(), *_CONFIGURE)}"


def _build(image, here):
    fresh = here / "stage.new"
    remove(fresh)
    for name in ("build", fresh.name):
        (here / name).mkdir(parents=True, exist_ok=True)

    def step(name, *command):
        with phase(f"{name} for {image.suite}"):
            log = here / f"{name}.log"
            log.unlink(missing_ok=True)
            binds = [(here / "build", "/build"), (fresh, "/stage")]
            chroot.run(image.root, command, read=[(PROJECT, "/src")], write=binds, log=log)

    step("configure", *_CONFIGURE)
    step("compile", "cmake", "--build", "/build")
    step("install", "env", "DESTDIR=/stage", "cmake", "--install", "/build")
    remove(here / "stage")
    fresh.rename(here / "stage")
