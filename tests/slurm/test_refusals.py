"""What a user sees who asks for something that cannot be had; none of it may drain a node or start a job."""

import contextlib
import re
import socket

from cluster import HCAS, can_raise_limits, contents, must, plugstack, run, sh, srun, testbed, wait_for_epilogs
from jobs import submit_and_wait


def last_job():
    return must(sh("n0", "scontrol show job -o 2>/dev/null | sed -n 's/^JobId=\\([0-9]*\\).*/\\1/p' | sort -n | tail -n 1")).out


def assert_ends_before_launch(option, what):
    before = last_job()
    done = srun("-N2", "-n2", option, "hostname")
    assert done.status == 1 and done.out == "", done
    ours = [line for line in done.err.splitlines() if "--container-ib" in line]
    assert len(ours) == 1 and re.search(what, ours[0]), done
    assert last_job() == before, "a job was made"


def test_a_bad_option_ends_before_launch_with_one_clear_line():
    assert_ends_before_launch("--container-ib=bogus", r"unknown mode 'bogus'; modes are auto, verbs")


def test_a_bad_key_ends_before_launch_with_one_clear_line():
    assert_ends_before_launch("--container-ib=verbs,rail=2", r"unknown key 'rail'")
    assert_ends_before_launch("--container-ib=verbs,rails=1,rails=2", r"key 'rails' is given twice")


def test_a_mode_of_another_version_ends_before_launch():
    assert_ends_before_launch("--container-ib=ovs", r"mode ovs is not in this version; available: auto, verbs, vf, ipoib, macvlan, overlay, device, none")


def test_the_help_names_the_modes():
    words = " ".join(must(srun("--help")).out.split())  # Slurm breaks its lines
    assert "--container-ib=[MODE[,KEY=VALUE...]] native InfiniBand: auto, verbs, vf, ipoib, macvlan, overlay, device, none" in words, words


def has_rdma():
    """Whether this machine's kernel has the RDMA subsystem."""
    try:
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 20).close()  # NETLINK_RDMA
    except OSError:
        return False
    return True


def test_doctor_promises_nothing_that_this_kernel_cannot_do():
    lines = must(run("n0", "container-ib", "doctor")).lines
    raised = "raised to unlimited" if can_raise_limits() else "cannot be raised: root has no CAP_SYS_RESOURCE here"
    assert f"note  limit of locked memory: {raised}" in lines, lines
    for mode in ("vf", "ipoib"):
        (line,) = [line for line in lines if f"mode {mode}: " in line]
        assert has_rdma() or line.endswith(": this kernel has no RDMA subsystem; see 'modprobe ib_core'"), line


def test_sbatch_refuses_at_submission():
    done = run("n0", "sbatch", "--chdir=/tmp", "--container-ib=bogus", "--wrap=true", user="alice")
    assert done.status == 1 and "unknown mode 'bogus'" in done.err, done


@contextlib.contextmanager
def ports(**states):
    """Sets ports to a state for the time of a test: ports(mlx5_0="down")."""

    def set_all(value=None):
        for hca, state in states.items():
            must(testbed("fabric", "n0", f"{hca}/1", f"state={value or state}"))

    set_all()
    try:
        yield
    finally:
        set_all("active")


def test_a_port_that_is_down_is_not_chosen():
    with ports(mlx5_0="down"):
        done = must(srun("-w", "n0", "-n2", "--container-ib=verbs", "printenv", "CONTAINER_IB_PORTS"))
    assert done.lines == ["mlx5_1:1", "mlx5_1:1"], done


def test_no_active_port_refuses_the_step_and_names_each_port():
    with ports(mlx5_0="down", mlx5_1="init"):
        done = srun("-w", "n0", "-n2", "--container-ib=verbs", "hostname")
    assert done.status != 0 and done.out == "", done
    assert re.search(r"n0: no InfiniBand port can be used: mlx5_0:1: .*; mlx5_1:1: ", "\n".join(done.ours())), done


def test_no_active_port_is_a_warning_when_nothing_is_required():
    with ports(mlx5_0="down", mlx5_1="down"):
        done = must(srun("-w", "n0", "-n2", "--container-ib", "sh", "-c", "ls /dev/infiniband | grep -c uverbs"))
    assert done.lines == [str(len(HCAS["n0"]))] * 2, "it goes on as if nobody had asked"
    assert len([line for line in done.ours() if "going on without InfiniBand" in line]) == 2, done


def test_an_hca_pattern_that_matches_nothing_is_named():
    done = srun("-w", "n0", "-n1", "--container-ib=verbs,hca=mlx4_*", "hostname")
    assert done.status != 0 and "mlx4_*" in "\n".join(done.ours()), done


SITE = "/etc/slurm/container-ib.conf"


def test_a_broken_site_file_is_named_with_its_line_and_hurts_nobody_else():
    with contents(SITE, "[devices]\ndrivrs = []\n"):
        done = srun("-w", "n0", "-n1", "--container-ib=verbs", "hostname")
        assert done.status != 0 and f"{SITE}:2: " in "\n".join(done.ours()), done
        assert must(srun("-w", "n0", "-n1", "hostname")).out == "n0\n"
        assert run("n0", "container-ib", "check-config", SITE).status == 1
    assert run("n0", "container-ib", "check-config", SITE).status == 0


def test_what_the_site_forces_is_told_once():
    with contents(SITE, "[force]\nrails = 1\n"):
        done = must(srun("-N2", "-n4", "--container-ib=verbs,rails=2", "true"))
    assert done.ours() == ["container-ib: this site sets rails=1 for every job, so yours does not count"], done


def test_what_root_reads_and_others_can_write_is_refused_by_name():
    for path in (SITE, "/etc/slurm", "/run/container-ib"):
        must(run("n0", "chmod", "o+w", path))
        try:
            done = srun("-w", "n0", "-n1", "--container-ib=verbs", "hostname")
        finally:
            must(run("n0", "chmod", "o-w", path))
        assert done.status != 0 and done.out == "", done
        assert re.search(rf"{path} .*can be written by others", "\n".join(done.ours())), done


def test_a_missing_agent_is_named_and_hurts_nobody_else():
    with plugstack(f"required container_ib.so config={SITE} agent=/nowhere/agent"):
        done = srun("-w", "n0", "-n2", "--container-ib=verbs", "hostname")
        assert done.status != 0 and done.out == "", done
        assert "ask your administrator to repair the installation: start /nowhere/agent: No such file" in "\n".join(done.ours())
        done = must(srun("-w", "n0", "-n1", "--container-ib", "hostname"))
        assert done.out == "n0\n" and "going on without InfiniBand: " in "\n".join(done.ours()), done
        wait_for_epilogs()
        done = must(srun("-w", "n0", "-n1", "hostname"))
        assert done.out == "n0\n" and done.err == "", done


def test_an_optional_line_says_what_is_wrong_and_slurm_runs_the_step():
    with plugstack(f"optional container_ib.so config={SITE}"):
        for option, why in (("bogus", "unknown mode 'bogus'"), ("verbs,hca=mlx4_*", "no InfiniBand port can be used")):
            done = must(srun("-w", "n0", "-n1", f"--container-ib={option}", "sh", "-c", "echo ran with $CONTAINER_IB_PORTS"))
            assert done.out == "ran with\n" and why in "\n".join(done.ours()), done
        done = submit_and_wait("-o", "/dev/null", "--container-ib=bogus", "--wrap=true")
        assert "unknown mode 'bogus'" in done.err, done


def test_an_option_forged_in_the_environment_counts_as_a_given_one():
    forged = "_SLURM_SPANK_OPTION_container_ib_container_ib"  # Slurm's _opt_env_name: "-" becomes "_"
    done = run("n0", "env", f"{forged}=bogus", "srun", "-w", "n0", "-n1", "hostname", user="alice")
    assert done.status != 0 and done.out == "" and "unknown mode 'bogus'" in "\n".join(done.ours()), done
    done = run("n0", "env", f"{forged}=verbs", "srun", "-w", "n0", "-n1", "printenv", "CONTAINER_IB_PORTS", user="alice")
    assert done.out == ",".join(f"{hca}:1" for hca in HCAS["n0"]) + "\n", done
    # No shell can export this one, and Slurm looks only for the name above.
    done = must(run("n0", "env", "_SLURM_SPANK_OPTION_container_ib_container-ib=verbs", "srun", "-w", "n0", "-n1", "env", user="alice"))
    assert "CONTAINER_IB_PORTS" not in done.out, done
