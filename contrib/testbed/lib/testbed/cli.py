"""The command line: what can be asked, and how a failure is told.

What a command needs is imported when it runs: `exec` is called often and needs little.
"""

import argparse
import re
import sys
from pathlib import Path

from .report import Failure, say

_DESCRIPTION = """\
Boots a Slurm cluster with the plugin of this checkout: with virtual InfiniBand in one or two virtual machines, or, in
seconds, with HCAs on paper in namespaces of this machine (up --native).

  testbed image                         make what the nodes run (once, a few minutes)
  testbed build                         build this checkout for them
  testbed up                            boot them
  testbed exec n0 srun -N2 hostname     use it
  testbed fabric n0 mlx5_0/1 state=down break it
  testbed down                          end it
"""

_SUITE = "bookworm"
_MODEL = "small"


def main():
    arguments = _parser().parse_args()
    try:
        return arguments.run(arguments) or 0
    except Failure as failure:
        say(f"error: {failure}")
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    except BrokenPipeError:  # whoever read our output has read enough
        sys.stderr.close()
        return 141


def _parser():
    parser = argparse.ArgumentParser(
        prog="testbed", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name, run, summary):
        sub = commands.add_parser(name, help=summary, description=summary)
        sub.set_defaults(run=run)
        return sub

    def instance(sub):
        sub.add_argument("--name", default="default", help="the instance (default: %(default)s)")

    def suite(sub, flag):
        extra = {} if flag.startswith("-") else {"nargs": "?"}
        sub.add_argument(flag, default=_SUITE, help="Debian suite (default: %(default)s)", **extra)

    sub = command("image", _image, "make the trees, the kernel modules and the programs of a suite")
    suite(sub, "suite")
    sub.add_argument("--native", action="store_true", help="nothing that only virtual machines need")
    sub.add_argument("--prune", action="store_true", help="also remove what no suite and no instance needs any more")

    sub = command("build", _build, "build this checkout for a suite and stage it for 'up'")
    suite(sub, "suite")

    sub = command("up", _up, "boot an instance; returns when Slurm calls all nodes idle")
    instance(sub)
    suite(sub, "--suite")
    model = f"the nodes' hardware: a file of models/, or the path of one (default: {_MODEL}); given more than once with "
    model += "--native, the first is n0's and so on, and the last one that of all others"
    sub.add_argument("--model", action="append", help=model)
    sub.add_argument("--native", action="store_true", help="nodes in namespaces of this machine, with HCAs on paper")
    sub.add_argument("--nodes", type=int, metavar="N", help="with --native: how many, 1 to 64 (default: 2)")
    names = "with --native: how Slurm calls the nodes, with their number behind it (default: n, as their host names)"
    sub.add_argument("--slurm-names", metavar="PREFIX", help=names)
    sub.add_argument("--cgroup", choices=("v1",), help="with --native: cgroups of the nodes' own")
    sub.add_argument("--guests", type=int, choices=(1, 2), help="2: each Slurm node in a guest of its own")
    sub.add_argument("--conf", type=Path, metavar="DIR", help="files to lay over the guest's /etc/slurm")
    sub.add_argument("--no-plugin", action="store_true", help="do not load the plugin, even if it was built")
    sub.add_argument("--rdma", choices=("shared", "exclusive"), help="RDMA namespace mode (default: shared)")
    vfs = "VFs of each HCA, made before Slurm starts (default: as the model has it)"
    sub.add_argument("--vfs", type=int, metavar="N", help=vfs)
    guids = "what VFs have for GUIDs: zero is what real ones begin with, and keeps them down (default: %(default)s)"
    sub.add_argument("--vf-guids", choices=("auto", "zero"), default="auto", help=guids)
    systemd = "boot by systemd, with udev and slurmd.service; for a model of one Slurm node"
    sub.add_argument("--systemd", action="store_true", help=systemd)
    sub.add_argument("--append", metavar="WORDS", help="more words for the kernel's command line")
    again = "only boot a guest again that 'down --guest' took away; goes with --name and nothing else"
    sub.add_argument("--guest", type=int, choices=(0, 1), help=again)

    sub = command("exec", _exec, "run a command in a node and end with its exit status")
    instance(sub)
    sub.add_argument("--user", default="root", help="root, alice or bob (default: %(default)s)")
    sub.add_argument("-t", dest="limit", type=_seconds, default=0, metavar="SECONDS", help="limit; then exit 124")
    sub.add_argument("node", metavar="NODE", help="n0, n1, or the guest itself: host, of two guests host0 or host1")
    sub.add_argument("command", nargs=argparse.REMAINDER, metavar="CMD [ARG...]")

    sub = command("fabric", _fabric, "show the InfiniBand ports of a node's guest, or change one")
    instance(sub)
    sub.add_argument("node", metavar="NODE")
    sub.add_argument("port", nargs="?", metavar="DEVICE/PORT|sm=on|sm=off", help="a port, or the subnet manager")
    words = "state=down|init|armed|active speed=SDR|...|NDR width=1|2|4|8|12 pkeys=0xffff,...; on paper also sent=BYTES and "
    words += "received=BYTES, which are added to the port's counters, and gid=ADDRESS, of which a RoCE port then has a GID"
    sub.add_argument("words", nargs="*", metavar="KEY=VALUE", help=words)

    sub = command("logs", _logs, "print a log of an instance")
    instance(sub)
    which = "console, kernel, slurmctld, or a node; of guest 1 console1, kernel1 (default: %(default)s)"
    sub.add_argument("what", nargs="?", default="console", metavar="WHAT", help=which)

    command("status", _status, "list the instances; exit status 0 if all of them are up")

    sub = command("down", _down, "power an instance off and remove it")
    instance(sub)
    sub.add_argument("--guest", type=int, choices=(0, 1), help="only this guest, and as by a power cut")
    return parser


def _seconds(text):
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of seconds")
    return int(text)


def _instance(arguments):
    from .instance import Instance

    return Instance(arguments.name)


def _image(arguments):
    from . import image

    print(image.provide(arguments.suite, native=arguments.native).root)
    if arguments.prune:
        image.prune()


def _build(arguments):
    from . import image, project

    print(project.build(image.provide(arguments.suite)))


def _up(arguments):
    from . import boot, image

    instance = _instance(arguments)
    if arguments.guest is not None:
        _only_the_guest(arguments)
        return boot.come_back(instance, arguments.guest)
    _no_other_kind(arguments)
    machines, layout = _native(arguments) if arguments.native else _virtual(arguments)
    of = image.provide(arguments.suite, native=arguments.native)
    return boot.up(instance, of, layout, machines, arguments.conf, not arguments.no_plugin)


# What goes with one kind of nodes only, and why not with the other.
_ONLY_NATIVE = {"nodes": "2 are in one guest by their model", "slurm_names": "guests have theirs", "cgroup": "guests have v2"}
_ONLY_VIRTUAL = {
    "guests": "nodes need none",
    "rdma": "HCAs on paper are in no namespace",
    "systemd": "this machine has its own first process",
    "append": "the kernel is this machine's",
}


def _no_other_kind(arguments):
    given, kind = (_ONLY_VIRTUAL, "not with") if arguments.native else (_ONLY_NATIVE, "only with")
    for name, why in given.items():
        if getattr(arguments, name) not in (None, False):
            raise Failure(f"--{name.replace('_', '-')}: {kind} --native: {why}")


def _vfs(arguments):
    from . import model

    if arguments.vfs is not None and not 0 <= arguments.vfs <= model.MAX_VFS:
        raise Failure(f"--vfs {arguments.vfs}: use 0 to {model.MAX_VFS}")
    return arguments.vfs


def _virtual(arguments):
    from . import layout, model, virtual

    models = arguments.model or [_MODEL]
    if len(models) > 1:
        raise Failure("--model: once only without --native: nodes of one guest are alike")
    options = layout.Options(
        arguments.guests or 1, arguments.rdma or "shared", _vfs(arguments), arguments.vf_guids, arguments.systemd,
        arguments.append or "",
    )  # fmt: skip
    of = layout.Layout(model.load(models[0]), options)
    if options.systemd and len(of.nodes) > 1:
        raise Failure("--systemd: only for one Slurm node; use a model with slurm_nodes = 1")
    return virtual, of


def _native(arguments):
    from . import model, native

    count = 2 if arguments.nodes is None else arguments.nodes
    if not 1 <= count <= native.MAX_NODES:
        raise Failure(f"--nodes {count}: use 1 to {native.MAX_NODES}")
    names = "n" if arguments.slurm_names is None else arguments.slurm_names
    if not re.fullmatch("[A-Za-z][A-Za-z0-9-]{0,30}", names):
        raise Failure(f"--slurm-names '{names}': use up to 31 letters, digits and '-', a letter first")
    models = [model.load(given, on_paper=True) for given in arguments.model or [_MODEL]]
    if len(models) > count:
        raise Failure(f"--model: {len(models)} of them for {count} nodes: add --nodes {len(models)}")
    options = native.Options(count, names, _vfs(arguments), arguments.vf_guids, arguments.cgroup or "none")
    native.check(options)
    return native, native.Layout(models, options)


def _only_the_guest(arguments):
    bare = _parser().parse_args(["up", "--guest", str(arguments.guest), "--name", arguments.name])
    if vars(arguments) != vars(bare):
        raise Failure("up --guest boots a guest as it was at first: only --name goes with it")


def _exec(arguments):
    from . import access

    if not arguments.command:
        raise Failure("exec: no command given; for a shell say 'testbed exec NODE bash'")
    guest = _instance(arguments).guest_of(arguments.node)
    return access.run(guest, arguments.node, arguments.user, arguments.command, arguments.limit)


def _fabric(arguments):
    from . import fabric, paper_fabric

    guest = _instance(arguments).guest_of(arguments.node)
    if guest.native:
        return paper_fabric.command(guest, arguments.node, arguments.port, arguments.words)
    return fabric.command(guest, arguments.port, arguments.words)


def _logs(arguments):
    from . import logs

    return logs.show(_instance(arguments), arguments.what)


def _status(_):
    from . import logs

    return logs.status()


def _down(arguments):
    from . import boot

    instance = _instance(arguments)
    if arguments.guest is not None:
        return boot.leave(instance, arguments.guest)
    return boot.down(instance)
