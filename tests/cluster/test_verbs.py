"""--container-ib=verbs does what it promises."""

import json
import re

from cluster import CPUS, HCAS, IMAGE, NODES, PINGPONG, must, run, sh, srun, verbs_bytes, wait_for_epilogs, write

INSTANCE = "ctest ctest-trixie"  # soak: ctest-trixie

# One line a task: node, local id, CPUs, ports, what /dev/infiniband shows, memlock limits.
ABOUT_ME = (
    "echo $SLURMD_NODENAME $SLURM_LOCALID cpus=$(taskset -cp $$ | sed 's/.*: //') ports=$CONTAINER_IB_PORTS "
    "ucx=$UCX_NET_DEVICES dev=$(ls /dev/infiniband | paste -sd,) memlock=$(ulimit -S -l)/$(ulimit -H -l)"
)
IN_CONTAINER = ("ch-run", IMAGE, "--")


def uverbs_of(hca):
    """The uverbs node of an HCA, by sysfs and not by its number."""
    return must(sh("host", f"for d in /sys/class/infiniband_verbs/uverbs*; do grep -qx {hca} $d/ibdev && basename $d; done; true")).out.strip()


def expected_lines():
    lines = []
    for node in NODES:
        for local, (hca, cpu) in enumerate(zip(HCAS[node], CPUS[node])):
            lines.append(
                f"{node} {local} cpus={cpu} ports={hca}:1 ucx={hca}:1 dev=rdma_cm,{uverbs_of(hca)} memlock=unlimited/unlimited"
            )
    return lines


def test_each_task_has_the_hca_of_its_numa_node_and_no_other():
    done = must(srun("-N2", "-n4", "--container-ib=verbs", "bash", "-c", ABOUT_ME))
    assert sorted(done.lines) == expected_lines(), done


def test_the_same_holds_inside_a_container():
    about_me = ABOUT_ME.replace("taskset -cp $$ | sed 's/.*: //'", "grep Cpus_allowed_list /proc/self/status | cut -f2")
    done = must(srun("-N2", "-n4", "--container-ib=verbs", *IN_CONTAINER, "bash", "-c", about_me))
    assert sorted(done.lines) == expected_lines(), done


def test_libibverbs_in_the_container_sees_one_hca():
    done = must(srun("-N2", "-n4", "--container-ib=verbs", *IN_CONTAINER, "sh", "-c", "ibv_devices | sed 1,2d | awk '{print $1}'"))
    assert sorted(done.lines) == sorted(hca for node in NODES for hca in HCAS[node]), done


def test_auto_means_verbs():
    for option in ("--container-ib", "--container-ib=auto"):
        done = must(srun("-w", "n0", "-n1", option, "sh", "-c", "echo $CONTAINER_IB_MODE $CONTAINER_IB_PORTS"))
        assert re.fullmatch(r"verbs mlx5_0:1,mlx5_1:1\n", done.out), done


def assert_native(*command, mpi="pmix"):
    """MPI between the nodes, UCX_TLS unset: the counters of the ports say what carried it, and so does the plugin."""
    before = {node: verbs_bytes(node) for node in NODES}
    done = must(srun("-N2", "-n2", f"--mpi={mpi}", "--container-ib=verbs,report=summary", *command, timeout=120))
    assert json.loads(done.out.splitlines()[-1])["ranks"] == 2, done
    payload = 1 << 20  # of the bandwidth test, which sends many of them
    for node in NODES:
        assert verbs_bytes(node) - before[node] > 4 * payload, (node, done)
        assert any(re.match(rf"container-ib: {node}: native: ", line) for line in done.ours()), done


def test_mpi_between_nodes_is_native_in_the_container():
    assert_native(*IN_CONTAINER, PINGPONG)


def test_mpi_between_nodes_is_native_on_the_bare_node():
    assert_native(PINGPONG)


def test_mpi_inside_a_node_stays_on_shared_memory():
    before = verbs_bytes("n0")
    done = must(srun("-w", "n0", "-n2", "--mpi=pmix", "--container-ib=verbs", *IN_CONTAINER, PINGPONG, timeout=120))
    assert verbs_bytes("n0") - before < 1 << 20, done
    assert any(re.match(r"container-ib: n0: shm-only: ", line) for line in done.ours()), done


def test_tasks_of_one_container_use_cma_and_their_own_hcas():
    shared = ("ch-run", "--join", IMAGE, "--")
    done = must(srun("-w", "n0", "-n2", "--container-ib=verbs,scope=node", *shared, "sh", "-c", "ls /dev/infiniband | paste -sd,; echo $CONTAINER_IB_PORTS $UCX_TLS"))
    both = "rdma_cm," + ",".join(sorted(uverbs_of(hca) for hca in HCAS["n0"]))
    assert sorted(done.lines) == sorted([both, both, "mlx5_0:1", "mlx5_1:1"]), done
    before = verbs_bytes("n0")
    done = must(srun("-w", "n0", "-n2", "--mpi=pmix", "--container-ib=verbs,scope=node", *shared, PINGPONG, timeout=120))
    assert verbs_bytes("n0") - before < 1 << 20, done


def test_mpi_that_the_user_sends_by_tcp_is_told():
    own = ("env", "OMPI_MCA_pml=ob1", "OMPI_MCA_btl=tcp,self")
    done = must(
        run("n0", *own, "srun", "--chdir=/tmp", "-N2", "-n2", "--mpi=pmix", "--container-ib=verbs", PINGPONG, user="alice", timeout=120)
    )
    for node in NODES:
        assert any(re.match(rf"container-ib: {node}: not native: ", line) for line in done.ours()), done


def test_the_users_own_value_wins_and_the_report_says_so():
    done = must(
        run("n0", "env", "UCX_NET_DEVICES=mlx5_1:1", "srun", "-w", "n0", "-n1", "--container-ib=verbs,report=full", "printenv", "UCX_NET_DEVICES", user="alice")
    )
    assert done.out == "mlx5_1:1\n", done
    assert any("keeps its own UCX_NET_DEVICES" in line for line in done.ours()), done


def test_the_full_report_says_who_got_what_and_why():
    done = must(srun("-N2", "-n4", "--container-ib=verbs,report=full", "true"))
    for node in NODES:
        for task, hca in enumerate(HCAS[node]):
            line = f"container-ib: {node}: task {task} uses {hca}:1 (NUMA {task}, same NUMA node, 200 Gb/s)"
            assert line in done.ours(), done


def test_memlock_is_raised_although_slurm_propagates_the_users_limit():
    limits = "ulimit -S -l; ulimit -H -l"
    assert must(srun("-n1", "bash", "-c", limits)).lines != ["unlimited"] * 2, "the test needs a user with a low limit"
    assert must(srun("-n1", "--container-ib=verbs", "bash", "-c", limits)).lines == ["unlimited"] * 2


def test_steps_of_a_batch_script_inherit_the_option_and_the_script_itself_is_not_attached():
    write("n0", "/home/alice/job.sh", "#!/bin/sh\necho script=$CONTAINER_IB_PORTS\nsrun -n1 sh -c 'echo step=$CONTAINER_IB_PORTS'\n", "755")
    done = must(run("n0", "sbatch", "--wait", "--chdir=/home/alice", "-o", "job.out", "-n1", "--container-ib=verbs", "job.sh", user="alice", timeout=90))
    out = must(run("n0", "cat", "/home/alice/job.out")).out.splitlines()
    assert out[0] == "script=" and out[1].startswith("step=mlx5_"), (done, out)


def test_without_the_option_nothing_changes():
    # One variable of Open MPI's is Slurm's own: how its mpirun is to call srun (24.11).
    variables = "env | grep -E '^(CONTAINER_IB|UCX_|OMPI_MCA_|NCCL_|MV2_)' | grep -vc '^OMPI_MCA_plm_slurm_args='"
    about = f"readlink /proc/self/ns/mnt; ls /dev/infiniband; {variables}; ulimit -l"
    wait_for_epilogs()
    with_plugin = srun("-w", "n0", "-n1", "bash", "-c", about)
    wait_for_epilogs()
    switched_off = srun("-w", "n0", "-n1", "--container-ib=none", "bash", "-c", about)
    slurmd_ns = must(sh("n0", "readlink /proc/$(pgrep -xo slurmd)/ns/mnt")).out.strip()
    for done in (with_plugin, switched_off):
        assert done.lines[0] == slurmd_ns, done
        assert "uverbs3" in done.lines and "0" in done.lines, done
        assert done.err == "", done
