"""The virtual machine that a model describes, as a command line of QEMU.

The HCAs are QEMU's NVMe functions, the only emulated PCI device with SR-IOV, taken over by the module vhca. A GPU is an
emulated graphics card without a driver.
"""

from pathlib import Path

from .layout import ACCESS_MAC, FABRIC_MAC, ROCE_MAC, WIRE_MAC, mac
from .model import MAX_VFS

# From one device's PCI bus to the next; a device has one below its bridge, and the last of 24 is still below 256.
BUSES = 8

# A CPU that UCX and the distribution's programs find complete, and no younger: with five levels of page tables, AVX and all
# else that QEMU could emulate ("max"), everything takes a third longer.
_EMULATED_CPU = "Nehalem"

# norandmaps: QEMU translates a program again wherever it finds it at another address; at the same one, starting a
# program takes a fifth of the time. rcu_expedited: a step joins cgroups and leaves namespaces some twenty times, and each
# time waits for a grace period, which takes ticks otherwise.
_KERNEL = "quiet panic=-1 mitigations=off tsc=reliable norandmaps rcupdate.rcu_expedited=1"

# Under emulation a kernel survives patching its own code while other CPUs run it only with the module tcg_int3, which
# guest/init loads before it brings them up.
_EMULATED = "maxcpus=1"

# Nothing but testbed.target, no questions at a first boot, the kernel's names of interfaces, and no driver that udev finds
# for what is to be an HCA.
_SYSTEMD = "systemd.unit=testbed.target systemd.firstboot=off net.ifnames=0 modprobe.blacklist=nvme"

# Between guests go packets of 64 KiB: under emulation each costs much the same, whatever its size.
_WIRE_MTU = 65000


def command(image, accelerator, layer, layout, guest):
    """The command line of one guest. Paths of what it makes are relative: it runs in the guest's folder."""
    model, guests = layout.model, layout.options.guests
    argv = machine(image, accelerator, model)
    argv += ["-kernel", image.kernel, "-initrd", image.initramfs]
    words = ["console=ttyS0", _KERNEL, f"testbed.guest={guest}", layout.options.append]
    if accelerator != "kvm":
        words.append(_EMULATED)
    if layout.options.systemd:
        words.append(_SYSTEMD)
    argv += ["-append", " ".join(words).rstrip()]
    argv += ["-serial", "file:console", "-serial", "file:events", "-qmp", "unix:qmp,server=on,wait=off"]
    for name, file in (*((name, image.disk(name)) for name in image.disk_names), ("layer", layer)):
        path = str(file).replace(",", ",,")
        argv += ["-drive", f"if=none,id={name},file={path},format=raw,readonly=on"]
        argv += ["-device", f"virtio-blk-pci,bus=pcie.0,drive={name},serial={name}"]
    # The guest reaches nothing; it is reached through one port on our loopback, which the system picks.
    argv += ["-netdev", "user,id=access,restrict=on,ipv6=off,hostfwd=tcp:127.0.0.1:0-:22"]
    argv += ["-device", f"virtio-net-pci,bus=pcie.0,netdev=access,romfile=,mac={mac(guest, ACCESS_MAC)}"]
    if guests == 2:
        for name, number in (("wire", WIRE_MAC), ("fabric", FABRIC_MAC)):  # Ethernet, and what InfiniBand travels by
            argv += _cable(name, guest, guests)
            device = f"virtio-net-pci,bus=pcie.0,netdev={name},romfile=,mac={mac(guest, number)}"
            argv += ["-device", f"{device},host_mtu={_WIRE_MTU}"]
    # Functions are found from the last option to the first: the reverse order makes mlx5_0 the first one found.
    for index, (numa, *options) in reversed(list(enumerate(_devices(layout, guest)))):
        argv += _bridge(index, numa, options)
    return [str(word) for word in argv]


def program(image):
    """QEMU as it was unpacked, with its own C library: this machine's may be older."""
    root = image.qemu / "root" / "usr"
    libraries, binary = root / "lib" / "x86_64-linux-gnu", root / "bin" / "qemu-system-x86_64"
    loader = [root / "lib64" / "ld-linux-x86-64.so.2", "--library-path", libraries, binary]
    environment = ["env", f"QEMU_MODULE_DIR={libraries / 'qemu'}"]
    return [str(word) for word in (*environment, *loader, "-L", root / "share" / "qemu", "-L", root / "share" / "seabios")]


def machine(image, accelerator, model):
    """What a probe of an accelerator shares with the real machine."""
    argv = [*program(image), "-M", "q35", "-nodefaults", "-display", "none", "-no-reboot"]
    argv += ["-accel", accelerator, "-cpu", "host" if accelerator == "kvm" else _EMULATED_CPU]
    argv += ["-smp", f"{model.cpus},sockets={model.sockets},cores={model.cpus // model.sockets}"]
    argv += ["-m", f"{model.memory}M"]
    if model.flat:
        return argv
    first = 0
    for number, node in enumerate(model.numa):
        argv += ["-object", f"memory-backend-ram,id=memory{number},size={node.memory}M"]
        argv += ["-numa", f"node,nodeid={number},cpus={first}-{first + node.cpus - 1},memdev=memory{number}"]
        first += node.cpus
    return argv


def _devices(layout, guest):
    """Each device that has a place: its NUMA node, and its options for the bus that puts it there."""
    model, sharing = layout.model, layout.sharing
    devices = []
    for index, hca in enumerate(model.hcas * sharing):
        devices.append((hca.numa, *_hca(index)))
    for index, port in enumerate(model.roce):
        cable = _cable(f"roce{index}", guest, layout.options.guests)
        card = f"virtio-net-pci,netdev=roce{index},romfile=,mac={mac(guest, ROCE_MAC + index)}"
        devices.append((port.numa, *cable, "-device", card))
    for gpu in model.gpus * sharing:
        devices.append((gpu.numa, "-device", "ati-vga,romfile="))
    return devices


def _bridge(index, numa, options):
    """A device below a host bridge of its own, which is what puts it on a NUMA node."""
    place = "" if numa is None else f",numa_node={numa}"
    *others, last = options
    return [
        *("-device", f"pxb-pcie,id=bridge{index},bus_nr={BUSES * (index + 1)}{place},bus=pcie.0"),
        *("-device", f"pcie-root-port,id=port{index},bus=bridge{index},chassis={index + 1},slot={index + 1},"
                     "mem-reserve=2M,pref64-reserve=4M"),
        *(*others, f"{last},bus=port{index}"),
    ]  # fmt: skip


def _hca(index):
    vectors = MAX_VFS + 8
    return [
        *("-device", f"nvme-subsys,id=subsystem{index}"),
        *("-device", f"nvme,id=hca{index},serial=hca{index},subsys=subsystem{index},"
                     f"sriov_max_vfs={MAX_VFS},sriov_vq_flexible={vectors},sriov_vi_flexible={MAX_VFS},"
                     f"max_ioqpairs={vectors + 10},msix_qsize={vectors + 2}"),
    ]  # fmt: skip


def _cable(name, guest, guests):
    """A network between two guests; with one guest it leads nowhere.

    Datagrams have no connection: a guest can leave and come back without the other knowing.
    """
    if guests == 1:
        return ["-netdev", f"user,id={name},restrict=on,ipv6=off"]
    ends = f"local.type=unix,local.path=../{name}.{guest},remote.type=unix,remote.path=../{name}.{1 - guest}"
    return ["-netdev", f"dgram,id={name},{ends}"]


def boot_id():
    """What tells one boot of this machine from another."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
