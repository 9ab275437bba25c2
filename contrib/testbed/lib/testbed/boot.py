"""`testbed up` and `testbed down`."""

import contextlib
import subprocess
import time

from . import access, cache, layer, qmp
from .files import remove
from .instance import start_time
from .places import state
from .report import Failure, say

_LIMIT_S = 300  # from power-on to idle nodes, on a machine that has much else to do
_NATIVE_LIMIT_S = 90  # for 64 nodes; two take one
_POWER_OFF_S = 5
_TAIL_LINES = 25
_POLL_S = 0.05

# What a guest tells (guest/boot, native/boot), in its order, and what has been done by then.
_PHASES = {"boot": "boot", "fabric": "fabric", "nodes": "nodes", "ready": "slurm"}


def up(instance, image, layout, machines, conf, plugin):
    """Boots an instance, unless the same one is up already. `machines` makes the guests of it: the module qemu or native."""
    begin = time.monotonic()
    with instance.locked(), _scratch(instance) as scratch:
        content = scratch / "layer"
        key = layer.compose(image, content, layout, conf, plugin)
        identity = str(cache.Key(key, repr(layout), *(entry.name for entry in image.entries)))
        if _is_up(instance, identity):
            say(f"'{instance.name}' is up already")
            return
        facts = machines.facts(image, layout)
        _clear(instance)
        instance.folder.mkdir()
        instance.remember(
            suite=image.suite,
            nodes={node.name: node.guest for node in layout.nodes},
            identity=identity,
            entries=[str(entry) for entry in image.entries],
            **facts,
        )
        for guest in instance.guests:
            guest.folder.mkdir()
        machines.prepare(instance, image, layout, content)
        for guest in instance.guests:
            guest.remember(argv=machines.command(instance, image, layout, guest))
        _boot(instance, instance.guests)
    say(f"'{instance.name}' is up after {time.monotonic() - begin:.1f} s")


@contextlib.contextmanager
def _scratch(instance):
    """A folder to compose in. What an `up` that was killed has left in it goes with the next one, or with `down`."""
    folder = _scratch_of(instance)
    remove(folder)
    folder.mkdir()
    try:
        yield folder
    finally:
        remove(folder)


def _scratch_of(instance):
    return state() / f".{instance.name}.new"


def down(instance):
    """Powers the guests off, or kills those that do not go, and removes what is left of them."""
    with instance.locked():
        remove(_scratch_of(instance))
        if not instance.folder.exists():
            say(f"'{instance.name}' is not up")
            return
        _clear(instance)
    say(f"'{instance.name}' is down")


def leave(instance, number):
    """A guest is gone, as in a power cut; the instance remembers how it was booted."""
    with instance.locked():
        guest = _one_of(instance, number)
        if not guest.alive():
            say(f"guest {number} of '{instance.name}' is gone already")
            return
        guest.kill()
        access.disconnect(guest)
    say(f"guest {number} of '{instance.name}' is gone")


def come_back(instance, number):
    """Boots a guest that is gone, as it was booted at first."""
    begin = time.monotonic()
    with instance.locked():
        guest = _one_of(instance, number)
        if guest.ready():
            say(f"guest {number} of '{instance.name}' is up already")
            return
        guest.kill()  # one that never came up
        access.disconnect(guest)
        _boot(instance, [guest])
    say(f"guest {number} of '{instance.name}' is up after {time.monotonic() - begin:.1f} s")


def _is_up(instance, identity):
    if instance.ready() and instance.known["identity"] == identity:
        return True
    down = f"testbed down{instance.option()}"
    if instance.ready():
        raise Failure(f"'{instance.name}' is up with another build or configuration: run '{down}' first")
    for guest in instance.guests:
        if guest.ready():
            raise Failure(f"'{instance.name}' is up without one of its guests: run '{down}' first")
    return False


def _one_of(instance, number):
    numbers = [guest.number for guest in instance.guests]
    if not numbers:
        raise Failure(f"'{instance.name}' is not up: run 'testbed up{instance.option()} --guests 2' first")
    if number not in numbers:
        raise Failure(f"'{instance.name}' has no guest {number}: it was booted without --guests 2")
    return instance.guests[number]


def _clear(instance):
    alive = [guest for guest in instance.guests if guest.alive()]
    if not instance.native:
        for guest in alive:
            access.quietly(guest, ["sh", "-c", "echo o > /proc/sysrq-trigger"], limit=_POWER_OFF_S)
        for guest in alive:
            guest.wait_end(_POWER_OFF_S)
    for guest in instance.guests:
        guest.kill()
        access.disconnect(guest)
    instance.forget()


def _boot(instance, guests):
    """Boots guests side by side; none of them stays if one fails."""
    try:
        coming = [_Coming(instance, guest) for guest in guests]
        while any([not one.arrived() for one in coming]):
            time.sleep(_POLL_S)
        for one in coming:
            one.stay()
    except BaseException:
        for guest in guests:
            guest.kill()
        raise


class _Coming:
    """A guest on its way up, which tells how far it is."""

    def __init__(self, instance, guest):
        self._guest = guest
        self._name = f"guest {guest.number}: " if len(instance.guests) > 1 else ""
        self._told = 0
        self._ready = False
        for name in ("console", "events", "qmp", "ssh"):  # of an earlier life
            remove(guest.folder / name)
        (guest.folder / "events").touch()
        self._process = _start(guest.known["argv"], guest.folder)
        guest.remember(pid=self._process.pid, started=start_time(self._process.pid), ready=False)
        self._started = self._begin = time.monotonic()
        self._limit = _NATIVE_LIMIT_S if guest.native else _LIMIT_S

    def arrived(self):
        """Hears what the guest has told since the last time; is it up?"""
        if self._ready:
            return True
        lines = (self._guest.folder / "events").read_text().split("\n")[:-1]  # the last may still be being written
        for event in lines[self._told :]:
            self._hear(event)
        self._told = len(lines)
        if self._ready:
            return True
        if self._process.poll() is not None:
            said = _tail(self._guest.folder / "machine.log").splitlines()[-1:] or ["no message"]
            self._fail(f"{'unshare' if self._guest.native else 'QEMU'} ended with status {self._process.returncode} ({said[0]})")
        if time.monotonic() > self._started + self._limit:
            self._fail(f"not within {self._limit} s")
        return False

    def stay(self):
        """All of its instance are there. Namespaces end unless they are told so, as who boots them may have died."""
        self._guest.remember(ready=True)
        with self._process.stdin as stream:
            stream.write(b"stay\n")

    def _hear(self, event):
        if event not in _PHASES:
            self._fail(event)
        if event == "boot" and not self._guest.native:
            access.connect(self._guest, qmp.forwarded_port(self._guest.folder))
        if event == "ready":
            self._ready = True
        now = time.monotonic()
        say(f"{self._name}{_PHASES[event]} {now - self._begin:.1f} s")
        self._begin = now

    def _fail(self, why):
        console = _tail(self._guest.folder / ("machine.log" if self._guest.native else "console"))
        raise Failure(f"{self._name}the guest did not come up: {why}; the end of its console:\n{console}")


def _start(argv, folder):
    """Starts a machine in a session of its own, so that it outlives us and our terminal."""
    with open(folder / "machine.log", "wb") as log:
        return subprocess.Popen(
            argv, cwd=folder, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
        )  # fmt: skip


def _tail(file):
    return "\n".join(file.read_text(errors="replace").splitlines()[-_TAIL_LINES:]) if file.exists() else ""
