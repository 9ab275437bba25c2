"""The project's own packages (contrib/package), on nodes that have nothing of ours: installed, activated, upgraded and removed under
running steps. The one of the plugin is made on this machine, so it fits nodes of this machine's suite, and no others'."""

import base64
import os
import pathlib
import re
import shutil
import subprocess

from cluster import HCAS, NODES, SOURCE, Background, must, restart, run, sh, skip, srun, suite, wait_until

INSTANCE = "native-packages"
SUITES = "bookworm trixie"

LINE = "/usr/share/container-ib/plugstack.conf.d/zz-container-ib.conf"
LINK = "/etc/slurm/plugstack.conf.d/zz-container-ib.conf"
ALONE = ("-N2", "-n2", "--overcommit", "--overlap", "--container-ib=verbs")
PORTS = ("sh", "-c", "echo $CONTAINER_IB_PORTS")
OURS = "find /usr /etc /lib/systemd -xdev -name '*container?ib*' | sort"


def needs(*programs):
    for program in programs:
        if not shutil.which(program):
            skip(f"{program} is not installed here: apt-get install debhelper lintian")


def this_suite():
    return re.search(r"^VERSION_CODENAME=(\S+)", pathlib.Path("/etc/os-release").read_text(), re.M)[1]


def packages(revision=1):
    """The packages of what is committed, made once; by name without version."""
    needs("dpkg-buildpackage", "dh")
    commit = subprocess.run(["git", "-C", SOURCE, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    if commit.returncode != 0:
        skip("no git checkout: contrib/package makes packages of what is committed")
    # One folder for all: ccache knows the command lines of a folder again.
    folder = SOURCE / "build" / "packages"
    ours, made = f"*-{revision}[+_]*.deb", folder / f"tested-{revision}"
    if not made.exists() or made.read_text() != commit.stdout:
        for file in [made, *folder.glob(ours)]:
            file.unlink(missing_ok=True)
        command = [SOURCE / "contrib" / "package", "--revision", str(revision), "deb", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "DEB_BUILD_OPTIONS": "noautodbgsym parallel=2"})
        assert done.returncode == 0, done.stderr
        made.write_text(commit.stdout)
    found = {file.name.split("_")[0]: file for file in folder.glob(ours)}
    assert set(found) == {"container-ib", "container-ib-slurm"}, found
    return found


def install(revision=1):
    """What dpkg says to both packages, with its own questions answered for the administrator's files."""
    must(run("n0", "rm", "-rf", "/var/tmp/packages"))
    for file in packages(revision).values():
        must(sh("n0", f"mkdir -p /var/tmp/packages; base64 -d > /var/tmp/packages/{file.name}", stdin=base64.b64encode(file.read_bytes()).decode()))
    return sh("n0", "dpkg --force-confold -i /var/tmp/packages/*.deb", timeout=120)


def version():
    return must(run("n0", "dpkg-query", "-W", "-f", "${Version}", "container-ib-slurm")).out


def has_its_hcas(done):
    # in what order depends on who else has them
    ports = sorted(f"{hca}:1" for hca in HCAS["n0"])
    assert [sorted(line.split(",")) for line in must(done).lines] == 2 * [ports], done


def soak_lintian_has_no_errors():
    needs("lintian")
    debs = packages().values()
    done = subprocess.run(["lintian", "--fail-on", "error", "--tag-display-limit", "0", *debs], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def soak_a_plugin_of_another_slurm_is_refused():
    if this_suite() == suite():
        skip(f"a package made here fits the Slurm of {suite()}")
    done = install()
    must(sh("n0", "dpkg --force-all -P container-ib container-ib-slurm; rm -f /etc/slurm/container-ib.conf.dpkg-dist"))
    assert done.status != 0 and re.search(r"container-ib-slurm depends on slurm-wlm-basic-plugins \(<< [0-9.]+~\); however", done.err), done


def soak_installed_activated_upgraded_and_removed_under_running_steps():
    if this_suite() != suite():
        skip(f"a package made here is for {this_suite()}")
    nothing = must(sh("n0", OURS)).lines
    must(install())

    # installed, it does nothing until its line is there
    assert srun("-n1", "--container-ib=verbs", "true").status != 0
    assert must(srun("-n1", "echo", "as before")).out == "as before\n"
    must(run("n0", "ln", "-s", LINE, LINK))
    for node in NODES:
        restart(node, "slurmd")
    has_its_hcas(srun(*ALONE, *PORTS))
    assert must(run("n0", "readlink", "-f", "/etc/systemd/system/multi-user.target.wants/container-ib-reap.service")).out.endswith(".service\n")
    must(run("n0", "container-ib", "reap"))

    # an upgrade leaves a running step what it has, and the next one has it from the new version
    before = version()
    with Background("srun", "--chdir=/tmp", *ALONE, "sh", "-c", "until test -e /var/tmp/end; do sleep 0.2; done; ls /dev/infiniband | wc -l") as step:
        wait_until(lambda: " running" in run("n0", "container-ib", "list").out, 20, "a running step")
        must(install(2))
        assert version() == before.replace("-1+", "-2+") != before, version()
        must(run("n0", "container-ib", "check"))
        has_its_hcas(srun(*ALONE, *PORTS))
        must(run("n0", "touch", "/var/tmp/end"))
        assert must(step.end()).lines == 2 * ["3"], "two uverbs nodes and rdma_cm"

    # so does its removal; the link of its line points to nothing then, and Slurm goes on without
    must(run("n0", "rm", "/var/tmp/end"))
    with Background("srun", "--chdir=/tmp", *ALONE, "sh", "-c", "until test -e /var/tmp/end; do sleep 0.2; done; ls /dev/infiniband | wc -l") as step:
        wait_until(lambda: " running" in run("n0", "container-ib", "list").out, 20, "a running step")
        must(run("n0", "dpkg", "-r", "container-ib-slurm"))
        must(run("n0", "container-ib", "check"))
        assert must(srun("-N2", "--overlap", "echo", "as before")).lines == 2 * ["as before"]
        must(run("n0", "touch", "/var/tmp/end"))
        assert must(step.end()).lines == 2 * ["3"], "two uverbs nodes and rdma_cm"
    for node in NODES:
        restart(node, "slurmd")
        must(run(node, "container-ib", "reap"))
    assert must(srun("-N2", "echo", "as before")).lines == 2 * ["as before"]
    assert srun("-n1", "--container-ib=verbs", "true").status != 0

    must(run("n0", "dpkg", "-P", "container-ib", "container-ib-slurm"))
    must(run("n0", "rm", LINK))
    assert set(must(sh("n0", OURS)).lines) <= set(nothing)
