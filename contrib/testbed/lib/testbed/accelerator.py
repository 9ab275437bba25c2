"""Chooses between KVM and emulation by trying.

That /dev/kvm can be opened says little: under nested virtualisation a guest may hang. So KVM is used only when a guest
of the same shape really ran within a time limit. The answer is kept until this machine boots again.
"""

import os
import subprocess

from . import qemu
from .places import cache
from .report import phase

_EMULATION = "tcg,thread=multi"
_LIMIT_S = 6


def choose(image, model):
    """The -accel option for QEMU."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return _EMULATION
    answer = cache() / "run" / f".kvm-{qemu.boot_id()}"
    if not answer.exists():
        with phase("try KVM"):
            verdict = "kvm" if _boots(image, model) else _EMULATION
        answer.parent.mkdir(parents=True, exist_ok=True)
        for old in answer.parent.glob(".kvm-*"):
            old.unlink()
        answer.write_text(verdict)
    return answer.read_text()


def _boots(image, model):
    argv = [*qemu.machine(image, "kvm", model), "-kernel", image.kernel, "-initrd", image.initramfs]
    argv += ["-append", "console=ttyS0 quiet panic=-1 testbed.probe", "-serial", "stdio"]
    try:
        result = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=_LIMIT_S)
    except subprocess.TimeoutExpired:
        return False
    return b"testbed-probe-ok" in result.stdout
