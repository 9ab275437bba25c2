"""The command line, and the demo from its beginning to its end."""

import argparse
import json
import os
import signal
import sys
from pathlib import Path

from . import cluster, judge, runs, table
from .progress import CannotRun, say

_DESCRIPTION = """\
Shows what container-ib does, on a machine without InfiniBand: boots a virtual cluster of two Slurm nodes with virtual
HCAs, lets the same MPI ping-pong run between the nodes three times (in a container as people run containers today, in
the same container with --container-ib=verbs, and bare on the nodes), and reads from the kernel's counters what carried
the messages. Needs Debian 12 or later and root. The first time takes some minutes, after that about two.
"""
_EXITS = """\
Exit status: 0 if the run with container-ib was native and the one without was not, 1 if not, 2 if the demo could not run.
"""


def main():
    arguments = _parser().parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupted)
    try:
        return _demo(arguments)
    except CannotRun as reason:
        say(f"cannot run: {reason}")
        return 2
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    except BrokenPipeError:  # whoever read our output has read enough
        sys.stderr.close()
        return 141


def _parser():
    parser = argparse.ArgumentParser(
        prog="demo", description=_DESCRIPTION, epilog=_EXITS, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keep", action="store_true", help="leave the cluster up, and say how to use it by hand")
    parser.add_argument("--json", type=_new_file, metavar="FILE", help="also write the numbers to FILE")
    guests = "virtual machines to use; in 2, each node has a kernel of its own (default: %(default)s)"
    parser.add_argument("--guests", type=int, choices=(1, 2), default=1, help=guests)
    parser.add_argument(
        "--option", default="verbs", metavar="OPTION", help="what run 2 gives --container-ib (default: %(default)s)"
    )
    return parser


def _new_file(text):
    # Known before the minutes of work whose result it is to take.
    file = Path(text)
    if file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"cannot write '{text}'")
    return file


def _interrupted(number, _):
    raise KeyboardInterrupt


def _demo(arguments):
    cluster.check()
    cluster.prepare()
    with cluster.up(arguments.keep, arguments.guests) as booted:
        outcomes = runs.all_three(booted, arguments.option)
        failures = judge.failures(*outcomes)
        if arguments.json:
            numbers = {"native": not failures, "failures": failures, "runs": [o.numbers() for o in outcomes]}
            arguments.json.write_text(json.dumps(numbers, indent=2) + "\n")
        # Before the cluster goes: this is what the reader waited for.
        print(table.render(outcomes, table.Style.of(sys.stdout, os.environ)), flush=True)
    for line in cluster.by_hand(arguments.option) if arguments.keep else ():
        print(line)
    if failures:
        say("failed: " + "; ".join(failures))
        return 1
    return 0
