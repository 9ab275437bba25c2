"""Faults at every change that the agent makes to a node for a step (fault.c, sweep.sh).

A step without a fault tells which changes there are, so nothing here knows how many calls a change takes."""

import contextlib
import dataclasses
import itertools
import pathlib

from cluster import must, plugstack, run, sh, wait_until, write
from picture import PICTURE

_HERE = pathlib.Path(__file__).resolve().parent
_AGENT = "/usr/libexec/container-ib/container-ib-agent"
_LINE = "required container_ib.so config=/etc/slurm/container-ib.conf agent=/usr/local/lib/fault"


@dataclasses.dataclass(frozen=True)
class Change:
    """A system call of the agent that changes the node, and the journal's last record before it."""

    number: int
    record: str
    call: str


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one fault led to."""

    fault: str
    status: int
    verdict: str
    change: str
    said: str


@contextlib.contextmanager
def swept_job():
    """A job of alice's on n0 whose steps are served by an agent that faults can happen to; gives its number."""
    write("n0", "/usr/local/src/fault.c", (_HERE / "fault.c").read_text(encoding="utf-8"))
    write("n0", "/usr/local/lib/picture.sh", PICTURE)
    write("n0", "/usr/local/bin/sweep.sh", (_HERE / "sweep.sh").read_text(encoding="utf-8"), "755")
    must(run("n0", "gcc", "-O1", f'-DAGENT="{_AGENT}"', "-o", "/usr/local/lib/fault", "/usr/local/src/fault.c", timeout=60))
    with plugstack(_LINE):
        said = must(run("n0", "salloc", "--no-shell", "-w", "n0", "-n1", user="alice")).err
        job = said.split("Granted job allocation ")[1].split()[0]
        try:
            yield job
        finally:
            must(run("n0", "scancel", "--full", job))
            wait_until(lambda: run("n0", "squeue", "-hj", job).out == "", 20, "the end of the job")
            # Nobody of Slurm removes what was the cgroup of a slurmstepd that was killed; rmdir does if it is empty.
            must(sh("n0", f"[ ! -d /sys/fs/cgroup ] || find /sys/fs/cgroup -depth -type d -path '*/job_{job}*' -exec rmdir {{}} +; rm -f /run/fault /run/fault.log"))


def inject(job, option, faults, timeout):
    """Lets each of the faults happen to a step of its own, up to the first that has left something; none, if there are none,
    but for a first step without."""
    done = must(run("n0", "sweep.sh", job, option, stdin="".join(f"{fault}\n" for fault in faults), timeout=timeout))
    outcomes = []
    for line in done.lines:
        fault, status, verdict, change, said = line.split("|", 4)
        outcomes.append(Outcome(fault, int(status), verdict, change.replace("\t", " "), said))
    complete = len(outcomes) == len(faults) or (outcomes and outcomes[-1].verdict.startswith("left"))
    assert complete and [outcome.fault for outcome in outcomes] == list(faults)[: len(outcomes)], done
    return outcomes


def changes(job, option):
    """Those of a step that ends well, in their order."""
    inject(job, option, ["0 before nothing"], 60)
    lines = must(run("n0", "cat", "/run/fault.log")).lines
    return [Change(int(number), record, call) for number, record, call in (line.split("\t") for line in lines)]


def _end_of_attach(all_changes):
    """The number of the change that is the last of the attach. All later ones undo."""
    (end,) = [change.number for change in all_changes if change.record == "done mount_devices" and change.call == "journal"]
    return end


def telling(all_changes):
    """For each step of an attach: a call that fails, and the agent, slurmstepd or the task killed when the step is carried
    out and not yet noted. For each step of the undo: the agent killed then."""
    faults = []
    attach_ends = _end_of_attach(all_changes)
    for _, group in itertools.groupby((c for c in all_changes if c.record != "start"), key=lambda change: change.record):
        group = list(group)
        made = [change for change in group if change.call != "journal"]
        if group[-1].number > attach_ends:  # each call is a step of the undo
            faults += [f"{change.number} after agent" for change in made]
        elif made or group[0].record.startswith("intent"):
            made = made or group  # an intent whose only work is its undo
            faults += [f"{made[0].number} before fail"]
            faults += [f"{made[-1].number} after {whom}" for whom in ("agent", "stepd", "task")]
    return faults


def every(all_changes):
    """Every call fails without and with its effect, and each process that is there is killed after it."""
    faults = []
    attach_ends = _end_of_attach(all_changes)
    for change in all_changes:
        kinds = ["before fail", "after fail", "after agent"]
        if change.record != "start":  # from then on the journal says who slurmstepd is
            kinds.append("after stepd")
            # The first is done for the first task that is there.
            if change.number < attach_ends and change.record not in ("done open", "done relay"):
                kinds.append("after task")
        faults += [f"{change.number} {kind}" for kind in kinds]
    return faults


def sweep(option, choose, seconds_each=30):
    """Runs the faults that `choose` picks, each in a step of its own, and prints how many there were."""
    with swept_job() as job:
        of_a_step = changes(job, option)
        faults = choose(of_a_step)
        outcomes = inject(job, option, faults, 60 + seconds_each * len(faults))
    wrong = [outcome for outcome in outcomes if outcome.verdict != "ok"]
    # What fails during an attach ends the step, with a line that says why.
    attach_ends = _end_of_attach(of_a_step)
    for outcome in outcomes:
        in_attach = int(outcome.fault.split()[0]) <= attach_ends
        if outcome.change.endswith("write cgroup.procs"):
            continue  # there is a second place to go to
        if outcome.fault.endswith("fail") and in_attach and (outcome.status == 0 or "container-ib: " not in outcome.said):
            wrong.append(outcome)
    print(f"{len(outcomes)} faults at {len(of_a_step)} changes of a step with {option}")
    assert not wrong, "\n".join(str(outcome) for outcome in wrong)
