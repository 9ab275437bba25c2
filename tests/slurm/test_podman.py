"""Rootless podman in a task, with nothing said but --container-ib; and a task's folder, by which that comes about."""

import json

from cluster import HCAS, PINGPONG, Background, journals, must, run, sh, srun, suite, uverbs_of, wait_until, write
from engines import podman, podmans_end
from slurm import private_tmp
from steps import agents_death_leaves_the_step, both_killed_is_reaped_by_hand, orphans_end
from verbs import each_task_has_the_hca_of_its_numa_node_and_no_other, mpi_starts

SUITES = "trixie sid"  # bookworm's podman is 4.3, which reads no CONTAINERS_CONF_OVERRIDE

ABOUT_ME = (
    "echo $SLURMD_NODENAME $SLURM_LOCALID cpus=$(grep Cpus_allowed_list /proc/self/status | cut -f2) "
    "ports=$CONTAINER_IB_PORTS ucx=$UCX_NET_DEVICES dev=$(ls /dev/infiniband | paste -sd,)"
)
FOLDERS = "/run/container-ib-tasks"


def number_of(node, hca):
    """The device number of an HCA's uverbs node, as stat prints it."""
    return must(sh(node, f"stat -c %t:%T /dev/infiniband/{uverbs_of(node, hca)}")).out.strip()


def on_n0(*command, tasks=2, option="verbs"):
    return must(srun("-w", "n0", f"-n{tasks}", f"--container-ib={option}", *command, timeout=120))


def numbers(*command, option="verbs", tasks=2):
    """By rank, the number of what the container has as its first uverbs node."""
    script = "echo $SLURM_PROCID $(stat -c %t:%T /dev/infiniband/uverbs*)"
    return sorted(on_n0(*command, "sh", "-c", script, option=option, tasks=tasks).lines)


def each_its_own():
    return [f"{rank} {number_of('n0', hca)}" for rank, hca in enumerate(HCAS["n0"])]


def test_each_container_has_the_hca_of_its_task():
    with podmans_end():
        each_task_has_the_hca_of_its_numa_node_and_no_other(ABOUT_ME, podman())
        assert numbers(*podman()) == each_its_own()
        done = on_n0(*podman(), "sh", "-c", "echo $(ls /sys/class/infiniband) $(cat /sys/class/infiniband_verbs/uverbs*/ibdev)")
        assert sorted(done.lines) == [f"{hca} {hca}" for hca in HCAS["n0"]], done


def test_an_older_mount_namespace_of_the_users_leads_to_no_other_hca():
    with podmans_end():
        # From a login it has the node's /dev/infiniband, from a step that of its first task.
        must(run("n0", *podman("--network=host"), "true", user="alice"))
        assert run("n0", "pgrep", "-u", "alice", "^(podman|catatonit)").status == 0, "it stays"
        assert numbers(*podman()) == each_its_own()
    with podmans_end():
        second = HCAS["n0"][1]
        assert numbers(*podman(), tasks=1, option=f"verbs,hca={second}") == [f"0 {number_of('n0', second)}"]
        assert numbers(*podman()) == each_its_own()


def test_nothing_wrong_is_told_of_podmans_own_process():
    """It is in the mount namespace that the user's first container has left, whose /dev/infiniband no container shows."""
    with podmans_end():
        done = on_n0(*podman(), "sleep", "3", option="verbs,rails=1,report=summary")
        assert not [line for line in done.ours() if " rank " in line], done


def test_mpi_starts_by_pmix():
    with podmans_end():
        mpi_starts(*podman(), PINGPONG)


def test_what_the_user_types_counts_more():
    with podmans_end():
        done = on_n0(*podman("-e", "CONTAINER_IB_PORTS=mine", "--network", "none"), "sh", "-c", "echo $CONTAINER_IB_PORTS $(grep -c : /proc/net/dev)", tasks=1)
        assert done.lines == ["mine 1"], done
        done = on_n0(*podman("-v", "/usr/lib/testbed:/dev/infiniband"), "ls", "/dev/infiniband", tasks=1)
        assert "pingpong" in done.lines, done


def test_what_the_user_has_set_elsewhere_stays():
    settings = '[containers]\nenv = ["MINE=1", {append=true}]\nvolumes = ["/usr/lib/testbed:/mnt:ro"]\n'
    home = "/home/alice/.config/containers"
    with podmans_end():
        write("n0", f"{home}/containers.conf", settings)
        try:
            must(run("n0", "chown", "-R", "alice", "/home/alice/.config"))
            done = on_n0(*podman(), "sh", "-c", "echo $MINE $CONTAINER_IB_PORTS; ls -d /mnt/pingpong /dev/infiniband/rdma_cm", tasks=1, option="verbs,rails=1")
            assert done.lines == [f"1 {HCAS['n0'][0]}:1", "/dev/infiniband/rdma_cm", "/mnt/pingpong"], done
        finally:
            must(run("n0", "rm", "-r", "/home/alice/.config"))


def test_a_settings_file_of_the_users_own_is_left_alone():
    """And a line says what podman can be told instead."""
    write("n0", "/tmp/own.conf", "[containers]\n")
    words = ("-w", "n0", "-n2", "--container-ib=verbs", "sh", "-c")
    with podmans_end():
        ours = " ".join(podman()).replace("podman", "podman --module=$(dirname $CONTAINER_IB_CDI)/containers.conf", 1)
        script = f"echo $CONTAINERS_CONF_OVERRIDE; {ours} stat -c %t:%T /dev/infiniband/uverbs*"
        script = script.replace("stat -c", "sh -c 'stat -c").replace("uverbs*", "uverbs*'")
        done = must(run("n0", "env", "CONTAINERS_CONF_OVERRIDE=/tmp/own.conf", "srun", "--chdir=/tmp", *words, script, user="alice", timeout=120))
        assert sorted(done.lines) == sorted(["/tmp/own.conf"] * 2 + [line.split()[1] for line in each_its_own()]), done
        assert len([line for line in done.ours() if "CONTAINERS_CONF_OVERRIDE is yours" in line]) == 1, done


def test_a_script_has_a_folder_when_it_asks():
    script = "echo $CONTAINER_IB_CDI $CONTAINERS_CONF_OVERRIDE"
    assert on_n0("sh", "-c", script, tasks=1).lines == [""]
    said = on_n0("sh", "-c", script, tasks=1, option="verbs,folder=yes").lines[0].split()
    assert [path.rpartition("-")[2] for path in said] == ["0/cdi", "0/containers.conf"], said
    assert on_n0("sh", "-c", f": podman; {script}", tasks=1, option="verbs,folder=no").lines == [""]


def test_cdi_describes_the_task():
    show = "sh -c 'echo $CONTAINER_IB_PORTS $(stat -c %t:%T /dev/infiniband/uverbs*)'"
    device = "--device=container-ib.org/hca=task"
    if suite() == "trixie":  # podman reads other folders than /etc/cdi from 5.5 on
        must(sh("n0", "mkdir /etc/cdi; chown alice /etc/cdi"))
        script = f"cp $CONTAINER_IB_CDI/* /etc/cdi && {' '.join(podman('--network=host', device))} {show}"
    else:
        script = f"podman --cdi-spec-dir=$CONTAINER_IB_CDI {' '.join(podman('--network=host', device)[1:])} {show}"
    second = HCAS["n0"][1]
    with podmans_end():
        done = on_n0("env", "-u", "CONTAINERS_CONF_OVERRIDE", "sh", "-c", script, tasks=1, option=f"verbs,hca={second}")
        assert done.lines == [f"{second}:1 {number_of('n0', second)}"], done
    sh("n0", "rm -rf /etc/cdi")
    # As tests/golden/cdi_test.py has it.
    spec = json.loads(on_n0("sh", "-c", "cat $CONTAINER_IB_CDI/container-ib.org-hca.json", tasks=1, option="verbs,rails=1,folder=yes").out)
    assert set(spec) == {"cdiVersion", "kind", "devices"} and spec["cdiVersion"] == "0.3.0" and spec["kind"] == "container-ib.org/hca", spec
    (device,) = spec["devices"]
    assert set(device) == {"name", "containerEdits"} and device["name"] == "task", spec
    assert set(device["containerEdits"]) == {"env", "mounts"} and f"CONTAINER_IB_PORTS={HCAS['n0'][0]}:1" in device["containerEdits"]["env"], spec
    mount = device["containerEdits"]["mounts"][0]
    assert mount["hostPath"].startswith(FOLDERS) and mount["containerPath"] == "/dev/infiniband" and "bind" in mount["options"], spec


def test_only_its_user_enters_a_folder():
    with Background("srun", "--chdir=/tmp", "-w", "n0", "-n1", "--container-ib=verbs,folder=yes", "sleep", "60"):
        wait_until(lambda: run("n0", "pgrep", "-xu", "alice", "sleep").lines, 30, "a sleeping task")
        folder = must(sh("n0", f"echo {FOLDERS}/*-0")).out.strip()
        assert sorted(must(run("n0", "ls", folder, user="alice")).lines) == ["cdi", "class", "containers.conf", "infiniband"]
        for path in (folder, f"{folder}/containers.conf", f"{folder}/infiniband"):
            assert "Permission denied" in run("n0", "ls", path, user="bob").err, path
        assert "Read-only file system" in run("n0", "touch", f"{folder}/infiniband/new", user="alice").err
        # Whatever else is mounted there in a namespace of the user's own concerns nobody but him.
        must(run("n0", "unshare", "-rm", "sh", "-c", f"mount -t tmpfs none {folder} && touch {folder}/x", user="alice"))
        must(run("n0", "container-ib", "check"))
        must(run("n0", "umount", "-l", folder))
        checked = run("n0", "container-ib", "check")
        assert checked.status == 1 and f"{folder} is not mounted any more" in checked.err, checked
    wait_until(lambda: not journals("n0"), 30, "the end of the step")


def test_where_it_would_not_show_a_line_says_so():
    must(run("n0", "mount", "--make-private", FOLDERS))
    try:
        done = on_n0("sh", "-c", ": podman; echo $CONTAINERS_CONF_OVERRIDE $CONTAINER_IB_PORTS")
        assert sorted(done.lines) == [f"{hca}:1" for hca in HCAS["n0"]], done
        lines = [line for line in done.ours() if "podman" in line]
        assert len(lines) == 1 and f"'mount --make-shared {FOLDERS}' on the node" in lines[0], done
    finally:
        must(run("n0", "mount", "--make-shared", FOLDERS))


# Deaths: the runner looks for what is left after each.
NAMING = ("-n2", "--container-ib=verbs", "sh", "-c", ": podman; exec sleep 300")


def test_the_agent_killed():
    agents_death_leaves_the_step(NAMING, last="task_folder")


def test_slurmstepd_killed():
    orphans_end(NAMING)


def test_both_killed():
    both_killed_is_reaped_by_hand(NAMING)


def test_where_tasks_have_mounts_of_their_own_a_line_says_so():
    """And podman is not told of settings that it could not read, of which it would die."""
    with private_tmp():
        done = must(srun("-w", "n0", "-n1", "--container-ib=verbs,folder=yes", "sh", "-c", "echo told=$CONTAINERS_CONF_OVERRIDE"))
    assert done.lines == ["told="], done
    assert any("does not show in the task's mount namespace" in line for line in done.ours()), done
