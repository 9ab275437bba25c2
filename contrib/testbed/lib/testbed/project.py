"""`testbed build`: this checkout, built against the Slurm and the libraries of a suite's tree, and staged for `up`."""

from . import chroot
from .cache import Key, lock
from .files import remove
from .places import PROJECT, cache, ccache
from .report import Failure, phase, say

_PLUGIN = "container_ib.so"

# As users build it. The build folder is where theirs would be in the checkout, and so what they or the tests have compiled with the
# same compiler comes out of ccache.
_CONFIGURE = ["cmake", "--preset", "release", "-S", "/src", "-B", "/src/build/testbed"]
_CCACHE = "/var/cache/ccache"


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
    for folder in (here / "build", fresh, ccache(), PROJECT / "build" / "testbed"):  # the last one is bound over
        folder.mkdir(parents=True, exist_ok=True)

    def step(name, *command):
        with phase(f"{name} for {image.suite}"):
            log = here / f"{name}.log"
            log.unlink(missing_ok=True)
            binds = [(here / "build", "/src/build/testbed"), (fresh, "/stage"), (ccache(), _CCACHE)]
            chroot.run(image.root, ["env", f"CCACHE_DIR={_CCACHE}", *command], read=[(PROJECT, "/src")], write=binds, log=log)

    step("configure", *_CONFIGURE)
    step("compile", "cmake", "--build", "/src/build/testbed")
    step("install", "env", "DESTDIR=/stage", "cmake", "--install", "/src/build/testbed")
    remove(here / "stage")
    fresh.rename(here / "stage")
