"""Where things are: the one file that knows the layout of the checkout and of the cache."""

import os
from pathlib import Path

TESTBED = Path(__file__).resolve().parents[2]  # contrib/testbed
PROJECT = TESTBED.parents[1]  # the checkout that `testbed build` builds

GUEST = TESTBED / "guest"
MODELS = TESTBED / "models"
MPI = TESTBED / "mpi"
NATIVE = TESTBED / "native"
SLURM = TESTBED / "slurm"
TCG_INT3 = TESTBED / "tcg_int3"
VHCA = TESTBED / "vhca"
SUITES = TESTBED / "suites.toml"


def cache():
    """Everything that can be rebuilt, and the running instances below it."""
    given = os.environ.get("TESTBED_CACHE")
    return Path(given) if given else Path.home() / ".cache" / "container-ib-testbed"


def ccache():
    """Where ccache keeps what it has, for whoever runs us and so for a suite's tree too."""
    given = os.environ.get("CCACHE_DIR")
    return Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ccache"


def state():
    """The folder of the running instances, one folder each."""
    given = os.environ.get("TESTBED_STATE")
    return Path(given) if given else cache() / "run"
