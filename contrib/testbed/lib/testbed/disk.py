"""A folder as the disk that guests read it from.

Through 9p every opening of a file is a question to QEMU, and a step opens hundreds: it took a third longer.
"""

import os
import shutil
import subprocess

from .report import Failure

# Nobody writes to it: no journal, nothing reserved, and no checksums to be verified under emulation.
_FEATURES = "^has_journal,^metadata_csum,^resize_inode"
_BLOCK = 4096


def build(root, target):
    """Writes an ext4 file system with the content of `root`."""
    tool = shutil.which("mke2fs", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")  # which users may not look in
    if not tool:
        raise Failure("mke2fs is not installed: run contrib/bootstrap")
    inodes, size = _extent(root)
    argv = [tool, "-q", "-t", "ext4", "-b", _BLOCK, "-O", _FEATURES, "-m", 0, "-N", inodes + 1000]
    argv += ["-d", root, target, f"{int(size * 1.1) // 1024 + 65536}k"]
    made = subprocess.run([str(word) for word in argv], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        raise Failure(f"mke2fs failed on {root}: {made.stderr.strip()}")


def _extent(root):
    """The number of files, and the bytes that their blocks and their inodes take."""
    sizes = [path.lstat().st_size for path in root.rglob("*")]
    return len(sizes), sum(-(-size // _BLOCK) * _BLOCK + 256 for size in sizes)
