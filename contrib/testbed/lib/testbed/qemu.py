"""The virtual machine: four CPUs in two NUMA nodes, and for each Slurm node one SR-IOV HCA below each NUMA node.

The HCAs are QEMU's NVMe functions, the only emulated PCI device with SR-IOV, taken over by the module vhca.
"""

import subprocess
from pathlib import Path

_CPUS_PER_NUMA_NODE = 2
_MEGABYTES_PER_NUMA_NODE = 1536
_VFS = 8

# mlx5_0 ... mlx5_3: their NUMA nodes. mlx5_0 and mlx5_1 are n0's, mlx5_2 and mlx5_3 are n1's (guest/layout).
_HCAS = (0, 1, 0, 1)

# norandmaps: QEMU translates a program again wherever it finds it at another address; at the same one, starting a
# program takes a fifth of the time.
_KERNEL = "quiet panic=-1 mitigations=off tsc=reliable norandmaps"


def command(image, accelerator, layer, rdma):
    """The command line. Paths of what it makes are relative: it runs in the instance's folder."""
    argv = machine(accelerator)
    argv += ["-kernel", image.kernel, "-initrd", image.initramfs]
    argv += ["-append", f"console=ttyS0 {_KERNEL} testbed.rdma={rdma}"]
    argv += ["-serial", "file:console", "-serial", "file:events", "-qmp", "unix:qmp,server=on,wait=off"]
    for tag, folder in (("tree", image.root), ("layer", layer), ("image", image.container / "root")):
        path = str(folder).replace(",", ",,")
        argv += ["-fsdev", f"local,id={tag},path={path},security_model=none,readonly=on,multidevs=remap"]
        argv += ["-device", f"virtio-9p-pci,bus=pcie.0,fsdev={tag},mount_tag={tag}"]
    # The guest reaches nothing; it is reached through one port on our loopback, which the system picks.
    argv += ["-netdev", "user,id=access,restrict=on,ipv6=off,hostfwd=tcp:127.0.0.1:0-:22"]
    argv += ["-device", "virtio-net-pci,bus=pcie.0,netdev=access,romfile="]
    # Functions are found from the last option to the first: the reverse order makes mlx5_0 the first one found.
    for index in reversed(range(len(_HCAS))):
        argv += _hca(index, _HCAS[index])
    return [str(word) for word in argv]


def machine(accelerator):
    """What a probe of an accelerator shares with the real machine."""
    argv = ["qemu-system-x86_64", "-M", "q35", "-nodefaults", "-display", "none", "-no-reboot"]
    argv += ["-accel", accelerator, "-cpu", "host" if accelerator == "kvm" else "max"]
    argv += ["-smp", f"{2 * _CPUS_PER_NUMA_NODE},sockets=2,cores={_CPUS_PER_NUMA_NODE}"]
    argv += ["-m", f"{2 * _MEGABYTES_PER_NUMA_NODE}M"]
    for node in range(2):
        first = node * _CPUS_PER_NUMA_NODE
        argv += ["-object", f"memory-backend-ram,id=memory{node},size={_MEGABYTES_PER_NUMA_NODE}M"]
        argv += ["-numa", f"node,nodeid={node},cpus={first}-{first + _CPUS_PER_NUMA_NODE - 1},memdev=memory{node}"]
    return argv


def _hca(index, numa):
    """One function with its VFs, below a host bridge of its own, which is what puts it on a NUMA node."""
    vectors = _VFS + 8
    return [
        *("-device", f"pxb-pcie,id=bridge{index},bus_nr={32 * (index + 1)},numa_node={numa},bus=pcie.0"),
        *("-device", f"pcie-root-port,id=port{index},bus=bridge{index},chassis={index + 1},slot={index + 1},"
                     "mem-reserve=2M,pref64-reserve=4M"),
        *("-device", f"nvme-subsys,id=subsystem{index}"),
        *("-device", f"nvme,id=hca{index},serial=hca{index},subsys=subsystem{index},bus=port{index},"
                     f"sriov_max_vfs={_VFS},sriov_vq_flexible={vectors},sriov_vi_flexible={_VFS},"
                     f"max_ioqpairs={vectors + 10},msix_qsize={vectors + 2}"),
    ]


def start(argv, folder):
    """Starts QEMU in a session of its own, so that it outlives us and our terminal."""
    with open(folder / "qemu.log", "wb") as log:
        return subprocess.Popen(
            argv, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )


def boot_id():
    """What tells one boot of this machine from another."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
