"""The command line: what can be asked, and how a failure is told."""

import argparse
import sys
from pathlib import Path

from . import access, boot, cache, image, instance, logs, project, suites
from .report import Failure, say

_DESCRIPTION = """\
Boots a cluster of two Slurm nodes with virtual InfiniBand in one virtual machine, with the plugin of this checkout.

  testbed image     make what the virtual machine runs (once; a few minutes)
  testbed build     build this checkout for it
  testbed up        boot it
  testbed exec n0 srun -N2 hostname
  testbed down
"""


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


def _parser():
    parser = argparse.ArgumentParser(
        prog="testbed", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name, run, summary, named=True):
        sub = commands.add_parser(name, help=summary, description=summary)
        sub.set_defaults(run=run)
        if named:
            sub.add_argument("--name", default="default", help="the instance (default: %(default)s)")
        return sub

    def suite(sub):
        sub.add_argument("suite", nargs="?", default=suites.DEFAULT, help="Debian suite (default: %(default)s)")

    sub = command("image", _image, "make the trees, the kernel module and the programs of a suite", named=False)
    suite(sub)
    sub.add_argument("--prune", action="store_true", help="also remove everything that no suite needs any more")

    suite(command("build", _build, "build this checkout for a suite and stage it for 'up'", named=False))

    sub = command("up", _up, "boot an instance; returns when Slurm calls both nodes idle")
    sub.add_argument("--suite", default=suites.DEFAULT, help="Debian suite (default: %(default)s)")
    sub.add_argument("--conf", type=Path, metavar="DIR", help="files to lay over the guest's /etc/slurm")
    sub.add_argument("--no-plugin", action="store_true", help="do not load the plugin, even if 'build' made it")
    sub.add_argument("--rdma", choices=("shared", "exclusive"), default="shared",
                     help="the kernel's RDMA namespace mode (default: %(default)s)")  # fmt: skip

    sub = command("exec", _exec, "run a command in a node and end with its exit status")
    sub.add_argument("--user", default="root", help="root, alice or bob (default: %(default)s)")
    sub.add_argument("-t", dest="seconds", type=_seconds, default=0, metavar="SECONDS", help="time limit; exit status 124")
    sub.add_argument("node", choices=("n0", "n1", "host"), metavar="NODE", help="n0, n1, or host for the guest itself")
    sub.add_argument("command", nargs=argparse.REMAINDER, metavar="CMD [ARG...]")

    sub = command("logs", _logs, "print a log of an instance")
    sub.add_argument("what", nargs="?", choices=logs.NAMES, default="console", help=f"{', '.join(logs.NAMES)} (default: console)")

    command("status", lambda _: logs.status(), "list the instances; exit status 0 if all are up", named=False)
    command("down", _down, "power an instance off and remove it")
    return parser


def _seconds(text):
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of seconds")
    return int(text)


def _image(arguments):
    built = image.provide(arguments.suite)
    if arguments.prune:
        cache.prune({built}, instance.every())
    print(built.tree / "root")


def _build(arguments):
    print(project.build(image.provide(arguments.suite)))


def _up(arguments):
    guest = instance.Instance(arguments.name)
    boot.up(guest, image.provide(arguments.suite), arguments.conf, not arguments.no_plugin, arguments.rdma)


def _exec(arguments):
    guest = instance.Instance(arguments.name)
    if not arguments.command:
        raise Failure("exec: no command given; for a shell say 'testbed exec NODE bash'")
    guest.expect_ready()
    return access.run(guest, arguments.node, arguments.user, arguments.command, arguments.seconds)


def _logs(arguments):
    return logs.show(instance.Instance(arguments.name), arguments.what)


def _down(arguments):
    boot.down(instance.Instance(arguments.name))
