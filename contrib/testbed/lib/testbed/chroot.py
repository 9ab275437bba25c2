"""Runs a command inside a root tree without leaving anything in it.

The tree is the lower side of an overlay in a private mount namespace, so what a build scatters about vanishes with the
namespace, and the tree stays what its key says. The command has its own PID namespace, so that an interrupted build
leaves no process behind, and no network, because everything it needs is in the tree.
"""

import subprocess
import tempfile
from pathlib import Path

from .report import Failure

# Arguments: TREE SCRATCH [ro|rw SOURCE TARGET]... -- COMMAND...
_ENTER = r"""
set -eu
tree=$1 scratch=$2; shift 2
mount -t tmpfs tmpfs "$scratch"
cd "$scratch"
mkdir lower upper work root
mount --bind "$tree" lower
mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work overlay root
mount -t proc proc root/proc
mount --rbind /dev root/dev
while [ "$1" != -- ]; do
    mkdir -p "root$3"
    mount --bind "$2" "root$3"
    if [ "$1" = ro ]; then mount -o remount,bind,ro "root$3"; fi
    shift 3
done
shift
exec chroot root env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 "$@"
"""


def run(tree, command, read=(), write=(), log=None):
    """Runs `command` in `tree` with folders bound into it; `read` and `write` are pairs of (here, there).

    Its output goes to the file `log`, or to our standard error. Fails with the end of the log if the command does.
    """
    binds = [("ro", *pair) for pair in read] + [("rw", *pair) for pair in write]
    binds = [word for bind in binds for word in bind]
    isolate = ["unshare", "--mount", "--propagation", "private", "--net", "--ipc", "--pid", "--fork", "--kill-child"]
    with tempfile.TemporaryDirectory(prefix="testbed-") as scratch:
        argv = [*isolate, "sh", "-c", _ENTER, "in-tree", tree, scratch, *binds, "--", *command]
        logged(argv, log, f"{command[0]} failed in {tree}")


def logged(argv, log, failure):
    """Runs a program with its output in a file, and fails with the tail of that file."""
    argv = [str(word) for word in argv]
    if log is None:
        status = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=2).returncode
    else:
        with open(log, "ab") as file:
            status = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=file, stderr=file).returncode
    if status != 0:
        tail = "" if log is None else "\n" + "\n".join(Path(log).read_text(errors="replace").splitlines()[-25:])
        raise Failure(f"{failure} (exit {status})" + tail)
