"""Nodes without a virtual machine: each is a set of namespaces of this machine's kernel over the suite's tree, and has HCAs
on paper (paper.py). Here is what depends on the model and the machine; native/ has the scripts that make the namespaces.
"""

import os
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from . import layout, paper
from .places import NATIVE
from .report import Failure

MAX_NODES = 64
_CGROUP_CONF = {
    "none": "# No cgroups: tasks are kept together by proctrack/linuxproc.\nCgroupPlugin=cgroup/v1\n",
    "v1": "CgroupPlugin=cgroup/v1\nCgroupMountpoint=/sys/fs/cgroup\nConstrainCores=yes\nConstrainDevices=yes\n",
}
_CONTROLLERS = ("freezer", "devices", "cpuset", "memory")  # what Slurm's cgroup/v1 uses


@dataclass(frozen=True)
class Options:
    """What `testbed up --native` was told beside the models."""

    nodes: int = 2
    slurm_names: str = "n"
    vfs: int | None = None
    vf_guids: str = "auto"
    cgroup: str = "none"


class Layout:
    """Who lives where, as layout.py's, but that each node is a machine of its own with the names that it has there."""

    native = True

    def __init__(self, models, options, available=None):
        """The first model is the first node's, and so on; the last one is that of all that are left. `available` are the
        CPUs of this machine."""
        self.options = options
        self._available = sorted(available or os.sched_getaffinity(0))
        self._models = [models[min(number, len(models) - 1)] for number in range(options.nodes)]

    def __repr__(self):
        """All that it is made of: `up` compares it with that of an instance that is up."""
        return f"native.Layout({self._models}, {self.options}, {self._available})"

    @property
    def nodes(self):
        return [
            layout.Node(
                name=f"n{number}",
                number=number,
                place=0,
                guest=0,
                hcas=tuple(f"mlx5_{index}" for index in range(len(model.hcas))),
                roce=tuple(f"roce{index}" for index in range(len(model.roce))),
            )
            for number, model in enumerate(self._models)
        ]

    @property
    def model_names(self):
        return ",".join(dict.fromkeys(model.name for model in self._models))

    def files(self):
        """Texts by their path in the nodes' root."""
        return {
            "usr/lib/testbed/layout": self._variables(),
            "etc/hosts": self.hosts(),
            "etc/slurm/nodes.conf": self._slurm(),
            "etc/slurm/cgroup.conf": _CGROUP_CONF[self.options.cgroup],
        }

    def hosts(self):
        return layout.hosts_file(layout.ethernet_hosts(self.nodes))

    def tasks(self):
        """How Slurm keeps tasks together and on their cores."""
        if self.options.cgroup == "v1":
            return layout.Layout.tasks()
        return "ProctrackType=proctrack/linuxproc\nTaskPlugin=task/affinity\n"

    def plugin(self):
        """Each node has its own HCAs and sees no others: nobody has to say which are whose."""
        return ""

    def papers(self):
        """By node, what is on its paper."""
        known = {}
        for node, model in zip(self.nodes, self._models):
            dealt = known.setdefault(model.name, paper.deal(model, self._available))
            yield node.name, paper.node(model, node.number, dealt, self.options.vfs, self.options.vf_guids)

    def slurm_name(self, node):
        return f"{self.options.slurm_names}{node.number}"

    def _slurm(self):
        lines = []
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
        for node, model in zip(self.nodes, self._models):
            sockets = paper.sockets(model, paper.deal(model, self._available))
            words = {
                "NodeName": self.slurm_name(node),
                "NodeHostname": node.name,
                "NodeAddr": node.address,
                "Sockets": len(sockets),
                "CoresPerSocket": len(next(iter(sockets.values()))),
                "ThreadsPerCore": 1,
                "RealMemory": min(model.memory // model.slurm_nodes, machine) * 2 // 3,
            }
            lines.append(" ".join(f"{key}={value}" for key, value in words.items()) + "\n")
        return "".join(lines)

    def _variables(self):
        """Those that the scripts of native/ read."""
        return "".join(
            [
                f"NODES={shlex.quote(' '.join(node.name for node in self.nodes))}\n",
                f"HOST={layout.HOST}\n",
                f"CGROUP={self.options.cgroup}\n",
                layout.bash_map("ADDRESS", {node.name: node.address for node in self.nodes}),
            ]
        )


def facts(_image, layout):
    """What the instance is remembered by."""
    return {
        "native": True,
        "model": layout.model_names,
        "vfs": layout.options.vfs,
        "vf_guids": layout.options.vf_guids,
        "guests": 1,
        "cgroup": layout.options.cgroup,
    }


def prepare(instance, _image, layout, content):
    """What the nodes have beside their tree."""
    (guest,) = instance.guests
    shutil.copytree(content, guest.folder / "layer", symlinks=True)
    instance.remember(cgroups=cgroup_folders(instance.name) if layout.options.cgroup == "v1" else [])
    for node, sheet in layout.papers():
        folder = guest.paper(node)
        folder.mkdir(parents=True)
        sheet.write(folder)


def command(instance, image, _layout, _guest):
    """The command line that makes the machine of an instance; it runs in the guest's folder."""
    # --kill-child: whatever happens to unshare, all of the PID namespace ends with it
    isolate = ["unshare", "--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child=SIGKILL"]
    root = [NATIVE / "root", image.root, image.container / "root", *instance.known["cgroups"]]
    return [str(word) for word in (*isolate, *root)]


def check(options):
    """Fails where this machine cannot do what is asked, by the name of what it lacks."""
    if os.geteuid() != 0:
        raise Failure("--native: not root: namespaces and their mounts are made by root only; say 'sudo testbed up --native'")
    if "overlay" not in {line.split()[-1] for line in Path("/proc/filesystems").read_text().splitlines()}:
        raise Failure("--native: no file system 'overlay' in this kernel (/proc/filesystems): say 'modprobe overlay'")
    if options.cgroup == "v1":
        hierarchies()


def hierarchies():
    """By v1 controller, where this machine has it mounted."""
    found = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split()[:3]
        if kind == "cgroup":
            for controller in set(options.split(",")) & set(_CONTROLLERS):
                found[controller] = left.split()[4]
    if missing := [controller for controller in _CONTROLLERS if controller not in found]:
        raise Failure(f"--cgroup v1: this machine has no v1 hierarchy mounted for {', '.join(missing)}; leave --cgroup away")
    return found


def cgroup_folders(name):
    """Where an instance has its cgroups: one folder in each hierarchy."""
    return [f"{place}/testbed-{name}" for place in hierarchies().values()]
