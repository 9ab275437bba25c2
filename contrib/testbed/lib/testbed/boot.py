"""`testbed up` and `testbed down`."""

import tempfile
import time
from pathlib import Path

from . import accelerator, access, cache, layer, qemu, qmp
from .instance import start_time
from .places import state
from .report import Failure, say

_LIMIT_S = 150  # from power-on to idle nodes, on a machine that has much else to do
_POWER_OFF_S = 5
_TAIL_LINES = 25

# What the guest tells (guest/boot), in its order, and what has been done by then.
_PHASES = {"boot": "boot", "fabric": "fabric", "ready": "slurm"}


def up(instance, image, conf, plugin, rdma):
    """Boots a guest, unless the same one is up already."""
    begin = time.monotonic()
    with instance.locked(), tempfile.TemporaryDirectory(prefix=".new-", dir=state()) as scratch:
        content = Path(scratch) / "layer"
        key = layer.compose(image, content, conf, plugin)
        identity = str(cache.Key(key, rdma, *(entry.name for entry in image.entries)))
        if instance.ready():
            if instance.known["identity"] != identity:
                raise Failure(f"'{instance.name}' is up with another build or configuration: run 'testbed down' first")
            say(f"'{instance.name}' is up already")
            return
        option = accelerator.choose(image)
        _clear(instance)
        instance.folder.mkdir()
        content.rename(instance.folder / "layer")
        try:
            _boot(instance, image, option, rdma, identity)
        except BaseException:
            instance.kill()
            raise
    say(f"'{instance.name}' is up after {time.monotonic() - begin:.1f} s")


def down(instance):
    """Powers a guest off, or kills it when it does not go, and removes what is left of it."""
    with instance.locked():
        if not instance.folder.exists():
            say(f"'{instance.name}' is not up")
            return
        _clear(instance)
    say(f"'{instance.name}' is down")


def _clear(instance):
    if instance.alive():
        access.quietly(instance, ["sh", "-c", "echo o > /proc/sysrq-trigger"], limit=_POWER_OFF_S)
        if not instance.wait_end(_POWER_OFF_S):
            instance.kill()
    access.disconnect(instance)
    instance.forget()


def _boot(instance, image, option, rdma, identity):
    folder = instance.folder
    (folder / "events").touch()
    process = qemu.start(qemu.command(image, option, folder / "layer", rdma), folder)
    instance.remember(
        pid=process.pid,
        started=start_time(process.pid),
        suite=image.suite,
        accelerator=option,
        rdma=rdma,
        identity=identity,
        entries=[str(entry) for entry in image.entries],
    )
    begin = time.monotonic()
    for event in _events(folder, process, begin + _LIMIT_S):
        if event not in _PHASES:
            raise Failure(f"the guest did not come up: {event}; the end of its console:\n{_tail(folder / 'console')}")
        if event == "boot":
            access.connect(instance, image, qmp.forwarded_port(folder))
        say(f"{_PHASES[event]} {time.monotonic() - begin:.1f} s")
        begin = time.monotonic()
    instance.remember(ready=True)


def _events(folder, process, deadline):
    """What the guest tells, as it comes, up to "ready"; then or instead what went wrong."""
    seen = 0
    while True:
        lines = (folder / "events").read_text().split("\n")[:-1]  # the last one may still be being written
        for line in lines[seen:]:
            yield line
            if line == "ready":
                return
        seen = len(lines)
        if process.poll() is not None:
            yield f"QEMU ended with status {process.returncode} ({_tail(folder / 'qemu.log') or 'no message'})"
        if time.monotonic() > deadline:
            yield f"not within {_LIMIT_S} s"
        time.sleep(0.05)


def _tail(file):
    return "\n".join(file.read_text(errors="replace").splitlines()[-_TAIL_LINES:]) if file.exists() else ""
