"""The command line: what can be asked, and how a failure is told.

What a command needs is imported when it runs: `exec` is called often and needs little.
"""

import argparse
import sys
from pathlib import Path

from .report import Failure, say

_DESCRIPTION = """\
Boots a Slurm cluster with virtual InfiniBand in one or two virtual machines, with the plugin of this checkout.

  testbed image                         make what the virtual machine runs (once, a few minutes)
  testbed build                         build this checkout for it
  testbed up                            boot it
  testbed exec n0 srun -N2 hostname     use it
  testbed fabric n0 mlx5_0/1 state=down break it
  testbed down                          end it
"""

_SUITE = "bookworm"
_MODEL = "small"
_NODES = ("n0", "n1", "host", "host0", "host1")
_LOGS = ("console", "kernel", "slurmctld", "n0", "n1", "console1", "kernel1")


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
    sub.add_argument("--prune", action="store_true", help="also remove what no suite and no instance needs any more")

    sub = command("build", _build, "build this checkout for a suite and stage it for 'up'")
    suite(sub, "suite")

    sub = command("up", _up, "boot an instance; returns when Slurm calls all nodes idle")
    instance(sub)
    suite(sub, "--suite")
    model = "the nodes' hardware: a file of models/, or the path of one (default: %(default)s)"
    sub.add_argument("--model", default=_MODEL, help=model)
    sub.add_argument("--guests", type=int, choices=(1, 2), default=1, help="2: each Slurm node in a guest of its own")
    sub.add_argument("--conf", type=Path, metavar="DIR", help="files to lay over the guest's /etc/slurm")
    sub.add_argument("--no-plugin", action="store_true", help="do not load the plugin, even if it was built")
    modes = ("shared", "exclusive")
    sub.add_argument("--rdma", choices=modes, default=modes[0], help="RDMA namespace mode (default: %(default)s)")
    vfs = "VFs of each HCA, made before Slurm starts (default: as the model has it)"
    sub.add_argument("--vfs", type=int, metavar="N", help=vfs)
    guids = "what VFs have for GUIDs: zero is what real ones begin with, and keeps them down (default: %(default)s)"
    sub.add_argument("--vf-guids", choices=("auto", "zero"), default="auto", help=guids)
    systemd = "boot by systemd, with udev and slurmd.service; for a model of one Slurm node"
    sub.add_argument("--systemd", action="store_true", help=systemd)
    sub.add_argument("--append", default="", metavar="WORDS", help="more words for the kernel's command line")
    again = "only boot a guest again that 'down --guest' took away; goes with --name and nothing else"
    sub.add_argument("--guest", type=int, choices=(0, 1), help=again)

    sub = command("exec", _exec, "run a command in a node and end with its exit status")
    instance(sub)
    sub.add_argument("--user", default="root", help="root, alice or bob (default: %(default)s)")
    sub.add_argument("-t", dest="limit", type=_seconds, default=0, metavar="SECONDS", help="limit; then exit 124")
    places = "n0, n1, or the guest itself: host, of two guests host0 or host1"
    sub.add_argument("node", choices=_NODES, metavar="NODE", help=places)
    sub.add_argument("command", nargs=argparse.REMAINDER, metavar="CMD [ARG...]")

    sub = command("fabric", _fabric, "show the InfiniBand ports of a node's guest, or change one")
    instance(sub)
    sub.add_argument("node", choices=_NODES, metavar="NODE")
    sub.add_argument("port", nargs="?", metavar="DEVICE/PORT|sm=on|sm=off", help="a port, or the subnet manager")
    words = "state=down|init|armed|active speed=SDR|...|NDR width=1|4 pkeys=0xffff,..."
    sub.add_argument("words", nargs="*", metavar="KEY=VALUE", help=words)

    sub = command("logs", _logs, "print a log of an instance")
    instance(sub)
    which = f"{', '.join(_LOGS)} (default: %(default)s)"
    sub.add_argument("what", nargs="?", choices=_LOGS, default=_LOGS[0], metavar="WHAT", help=which)

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

    print(image.provide(arguments.suite).root)
    if arguments.prune:
        image.prune()


def _build(arguments):
    from . import image, project

    print(project.build(image.provide(arguments.suite)))


def _up(arguments):
    from . import boot, image, model
    from .layout import Layout, Options

    instance = _instance(arguments)
    if arguments.guest is not None:
        _only_the_guest(arguments)
        return boot.come_back(instance, arguments.guest)
    if arguments.vfs is not None and not 0 <= arguments.vfs <= model.MAX_VFS:
        raise Failure(f"--vfs {arguments.vfs}: use 0 to {model.MAX_VFS}")
    options = Options(
        arguments.guests, arguments.rdma, arguments.vfs, arguments.vf_guids, arguments.systemd, arguments.append
    )
    layout = Layout(model.load(arguments.model), options)
    if options.systemd and len(layout.nodes) > 1:
        raise Failure("--systemd: only for one Slurm node; use a model with slurm_nodes = 1")
    return boot.up(instance, image.provide(arguments.suite), layout, arguments.conf, not arguments.no_plugin)


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
    from . import fabric

    guest = _instance(arguments).guest_of(arguments.node)
    if arguments.port is None:
        return fabric.show(guest)
    if arguments.port.startswith("sm=") and not arguments.words:
        return fabric.manage(guest, arguments.port.removeprefix("sm="))
    return fabric.change(guest, arguments.port, arguments.words)


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
