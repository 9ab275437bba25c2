"""Slurm configured otherwise for the time of a test. A restart of the daemons takes seconds, a boot half a minute."""

import contextlib
import itertools
import re

from cluster import NODES, hosts, must, run, sh, wait_for_epilogs, wait_until, write

FOLDER = "/etc/slurm"
_DAEMONS = "slurmd|slurmctld"


def text_of(name):
    """A file of Slurm's configuration, None if there is none."""
    path = f"{FOLDER}/{name}"
    host = hosts()[0]
    return must(run(host, "cat", path)).out if run(host, "test", "-e", path).status == 0 else None


@contextlib.contextmanager
def files(texts):
    """Replaces files of /etc/slurm, by name. For plugstack.conf and what it names this is enough: Slurm reads it for
    each step anew."""
    before = {name: text_of(name) for name in texts}

    def put(contents):
        for (name, text), host in itertools.product(contents.items(), hosts()):
            if text is None:
                must(run(host, "rm", f"{FOLDER}/{name}"))
            else:
                write(host, f"{FOLDER}/{name}", text)

    put(texts)
    try:
        yield
    finally:
        put(before)


@contextlib.contextmanager
def configured(settings, texts=None, around=None, slurmd=None):
    """Restarts Slurm with these settings in slurm.conf, and with other files beside it. `around` is a context that is
    entered and left while no daemon runs, and `slurmd` has arguments for those of nodes."""
    conf = text_of("slurm.conf")
    for key in settings:
        conf = re.sub(rf"^{key}=.*\n", "", conf, flags=re.M)
    conf += "".join(f"{key}={value}\n" for key, value in settings.items())
    with contextlib.ExitStack() as stack:
        stack.callback(start)
        stop()
        stack.enter_context(files({"slurm.conf": conf, **(texts or {})}))
        if around:
            stack.enter_context(around)
        stack.callback(stop)
        start(slurmd)
        yield


def stop():
    """Ends Slurm's daemons, on the nodes too: the guest sees their processes. No epilog is left half done, which would
    drain its node."""
    wait_for_epilogs()
    sh("host", f"pkill -x '{_DAEMONS}'")
    wait_until(lambda: sh("host", f"pgrep -x '{_DAEMONS}'").status == 1, 30, "the end of Slurm's daemons")


def start(slurmd=None):
    """Starts them as the testbed does; `slurmd` has other arguments for a node's. Returns when all nodes are idle."""
    must(run("host", "slurmctld"))
    for node in NODES:
        must(run(node, "slurmd", *(slurmd or {}).get(node, ())))
    wait_until(_idle, 60, "idle nodes")


def _idle():
    states = run("host", "sinfo", "-hN", "-o", "%T")
    return states.status == 0 and set(states.lines) == {"idle"}


def private_tmp(**settings):
    """A job's own /tmp and /dev/shm, in a mount namespace that all of its tasks join. /var/spool/slurmd is each node's own."""
    settings = {"JobContainerType": "job_container/tmpfs", "PrologFlags": "Contain", **settings}
    return configured(settings, {"job_container.conf": "AutoBasePath=true\nBasePath=/var/spool/slurmd/private\n"})


def slurm_release():
    """(24, 11), say."""
    return tuple(int(number) for number in must(run("n0", "slurmd", "-V")).out.split()[1].split(".")[:2])
