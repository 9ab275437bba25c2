"""The command line: what can be asked, and how a failure is told.

What a command needs is imported when it runs: `exec` is called often and needs little.
"""

import argparse
import sys
from pathlib import Path

from .report import Failure, say

_DESCRIPTION = """\
Boots a cluster of two Slurm nodes with virtual InfiniBand in one virtual machine, with the plugin of this checkout.

  testbed image                         make what the virtual machine runs (once, a few minutes)
  testbed build                         build this checkout for it
  testbed up                            boot it
  testbed exec n0 srun -N2 hostname     use it
  testbed down                          end it
"""

_SUITE = "bookworm"
_LOGS = ("console", "kernel", "slurmctld", "n0", "n1")


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

    sub = command("image", _image, "make the trees, the kernel module and the programs of a suite")
    suite(sub, "suite")
    sub.add_argument("--prune", action="store_true", help="also remove what no suite and no instance needs any more")

    sub = command("build", _build, "build this checkout for a suite and stage it for 'up'")
    suite(sub, "suite")

    sub = command("up", _up, "boot an instance; returns when Slurm calls both nodes idle")
    instance(sub)
    suite(sub, "--suite")
    sub.add_argument("--conf", type=Path, metavar="DIR", help="files to lay over the guest's /etc/slurm")
    sub.add_argument("--no-plugin", action="store_true", help="do not load the plugin, even if it was built")
    modes = ("shared", "exclusive")
    sub.add_argument("--rdma", choices=modes, default=modes[0], help="RDMA namespace mode (default: %(default)s)")

    sub = command("exec", _exec, "run a command in a node and end with its exit status")
    instance(sub)
    sub.add_argument("--user", default="root", help="root, alice or bob (default: %(default)s)")
    sub.add_argument("-t", dest="limit", type=_seconds, default=0, metavar="SECONDS", help="limit; then exit 124")
    sub.add_argument("node", choices=("n0", "n1", "host"), metavar="NODE", help="n0, n1, or host for the guest itself")
    sub.add_argument("command", nargs=argparse.REMAINDER, metavar="CMD [ARG...]")

    sub = command("logs", _logs, "print a log of an instance")
    instance(sub)
    which = f"{', '.join(_LOGS)} (default: %(default)s)"
    sub.add_argument("what", nargs="?", choices=_LOGS, default=_LOGS[0], metavar="WHAT", help=which)

    command("status", _status, "list the instances; exit status 0 if all of them are up")

    instance(command("down", _down, "power an instance off and remove it"))
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
    from . import boot, image

    instance = _instance(arguments)
    boot.up(instance, image.provide(arguments.suite), arguments.conf, not arguments.no_plugin, arguments.rdma)


def _exec(arguments):
    from . import access

    if not arguments.command:
        raise Failure("exec: no command given; for a shell say 'testbed exec NODE bash'")
    instance = _instance(arguments)
    instance.expect_ready()
    return access.run(instance, arguments.node, arguments.user, arguments.command, arguments.limit)


def _logs(arguments):
    from . import logs

    return logs.show(_instance(arguments), arguments.what)


def _status(_):
    from . import logs

    return logs.status()


def _down(arguments):
    from . import boot

    boot.down(_instance(arguments))
