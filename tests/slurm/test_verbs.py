"""--container-ib=verbs does what it promises, as far as no byte has to be sent."""

import re

from cluster import (
    HCAS,
    IMAGE,
    NODES,
    PINGPONG,
    Background,
    must,
    run,
    sh,
    srun,
    testbed,
    uverbs_of,
    wait_for_epilogs,
    wait_until,
    write,
)
from jobs import submit_and_wait
from verbs import ABOUT_ME, IN_CONTAINER, by_tcp, each_task_has_the_hca_of_its_numa_node_and_no_other, has_mpi, mpi_starts


def test_each_task_has_the_hca_of_its_numa_node_and_no_other():
    each_task_has_the_hca_of_its_numa_node_and_no_other()


def test_the_same_holds_inside_a_container():
    about_me = ABOUT_ME.replace("taskset -cp $$ | sed 's/.*: //'", "grep Cpus_allowed_list /proc/self/status | cut -f2")
    each_task_has_the_hca_of_its_numa_node_and_no_other(about_me, IN_CONTAINER)


def test_libibverbs_in_the_container_sees_one_hca():
    done = must(srun("-N2", "-n4", "--container-ib=verbs", *IN_CONTAINER, "sh", "-c", "ibv_devices | sed 1,2d | awk '{print $1}'"))
    assert sorted(done.lines) == sorted(hca for node in NODES for hca in HCAS[node]), done


def test_auto_means_verbs():
    for option in ("--container-ib", "--container-ib=auto"):
        done = must(srun("-w", "n0", "-n1", option, "sh", "-c", "echo $CONTAINER_IB_MODE $CONTAINER_IB_PORTS"))
        assert re.fullmatch(r"verbs mlx5_0:1,mlx5_1:1\n", done.out), done


def test_mpi_starts_in_the_container_and_on_the_bare_node():
    mpi_starts()
    mpi_starts(PINGPONG)


def test_tasks_of_one_container_have_their_own_hcas():
    # Charliecloud's tasks join the first one, which has to be there still.
    together = "touch /tmp/$SLURM_LOCALID.here; until [ -e /tmp/0.here ] && [ -e /tmp/1.here ]; do sleep 0.05; done"
    about = f"{together}; ls /dev/infiniband | paste -sd,; echo $CONTAINER_IB_PORTS $UCX_TLS"
    done = must(srun("-w", "n0", "-n2", "--container-ib=verbs,scope=node", "ch-run", "--join", IMAGE, "--", "sh", "-c", about))
    must(sh("n0", "rm /tmp/?.here"))
    both = "rdma_cm," + ",".join(sorted(uverbs_of("n0", hca) for hca in HCAS["n0"]))
    assert sorted(done.lines) == sorted([both, both, "mlx5_0:1", "mlx5_1:1"]), done


def test_mpi_that_the_user_sends_by_tcp_is_told():
    has_mpi("pmix")
    done = must(
        run("n0", *by_tcp(), "srun", "--chdir=/tmp", "-N2", "-n2", "--mpi=pmix", "--container-ib=verbs", PINGPONG, user="alice", timeout=120)
    )
    for node in NODES:
        assert any(re.match(rf"container-ib: {node}: not native: ", line) for line in done.ours()), done


def step_with(sent):
    """A step during which the ports of n0 have sent that many bytes; what it is told at its end."""
    script = "touch /tmp/runs; until [ -e /tmp/end ]; do sleep 0.05; done"
    with Background("srun", "--chdir=/tmp", "-N2", "-n2", "--container-ib=verbs,report=summary", "sh", "-c", script) as step:
        wait_until(lambda: run("n0", "test", "-e", "/tmp/runs").status == 0, 30, "the step runs")
        for hca in HCAS["n0"]:
            must(testbed("fabric", "n0", f"{hca}/1", f"sent={sent}", f"received={sent // 2}"))
        for node in NODES:
            must(run(node, "touch", "/tmp/end"))
        done = must(step.end())
    for node in NODES:
        must(run(node, "rm", "/tmp/runs", "/tmp/end"))
    return [line for line in done.ours() if line.startswith("container-ib: n0: ")]


def test_the_verdict_is_by_the_ports_counters():
    (line,) = step_with(5_000_000)
    assert re.match(r"container-ib: n0: native: 15\.0 MB by verbs, [0-9.]+ k?B by TCP$", line), line
    (line,) = step_with(400)
    assert re.match(r"container-ib: n0: unknown: 1\.2 kB by verbs, [0-9.]+ k?B by TCP: no more than starting a step moves$", line), line


def test_the_users_own_value_wins_and_the_report_says_so():
    done = must(
        run("n0", "env", "UCX_NET_DEVICES=mlx5_1:1", "srun", "-w", "n0", "-n1", "--container-ib=verbs,report=full", "printenv", "UCX_NET_DEVICES", user="alice")
    )
    assert done.out == "mlx5_1:1\n", done
    assert any("keeps its own UCX_NET_DEVICES" in line for line in done.ours()), done


def test_the_full_report_says_who_got_what_and_why():
    done = must(srun("-N2", "-n4", "--container-ib=verbs,report=full", "true"))
    for first, node in zip((0, 2), NODES, strict=True):
        for numa, hca in enumerate(HCAS[node]):
            line = f"container-ib: {node}: rank {first + numa} uses {hca}:1 (NUMA {numa}, same NUMA node, 200 Gb/s)"
            assert line in done.ours(), done


def test_a_step_that_moves_nothing_is_told_only_when_asked_for():
    assert must(srun("-N2", "-n2", "--container-ib=verbs", "true")).ours() == []
    asked = must(srun("-N2", "-n2", "--container-ib=verbs,report=summary", "true"))
    assert {line.split(": ")[2] for line in asked.ours()} == {"unknown"} and len(asked.ours()) == 2, asked


def test_steps_of_a_batch_script_inherit_the_option_and_the_script_itself_is_not_attached():
    write("n0", "/home/alice/job.sh", "#!/bin/sh\necho script=$CONTAINER_IB_PORTS\nsrun -n1 sh -c 'echo step=$CONTAINER_IB_PORTS'\n", "755")
    done = submit_and_wait("-o", "job.out", "-n1", "--container-ib=verbs", "job.sh")
    out = [line for line in must(run("n0", "cat", "/home/alice/job.out")).lines if not line.startswith("container-ib: ")]
    assert out[0] == "script=" and out[1].startswith("step=mlx5_"), (done, out)


def test_without_the_option_nothing_changes():
    # One variable of Open MPI's is Slurm's own: how its mpirun is to call srun (24.11).
    variables = "env | grep -E '^(CONTAINER_IB|UCX_|OMPI_MCA_|NCCL_|MV2_)' | grep -vc '^OMPI_MCA_plm_slurm_args='"
    about = f"readlink /proc/self/ns/mnt; ls /dev/infiniband; {variables}; ulimit -l"
    every = [uverbs_of("n0", hca) for hca in HCAS["n0"]]
    wait_for_epilogs()
    with_plugin = srun("-w", "n0", "-n1", "bash", "-c", about)
    wait_for_epilogs()
    switched_off = srun("-w", "n0", "-n1", "--container-ib=none", "bash", "-c", about)
    slurmd_ns = must(sh("n0", "readlink /proc/$(pgrep -xo slurmd)/ns/mnt")).out.strip()
    for done in (with_plugin, switched_off):
        assert done.lines[0] == slurmd_ns, done
        assert set(every) <= set(done.lines) and "0" in done.lines, done
        assert done.err == "", done
