"""A big node: eight tasks have eight ports, each of its own NUMA node."""

import json

from cluster import CPUS, must, run, srun, srun_bound

INSTANCE = "native-unequal"

# Seen from inside: what the environment names, what /dev/infiniband has, and where the CPU is.
ABOUT_ME = (
    "device=${CONTAINER_IB_PORTS%:*}; for uverbs in /dev/infiniband/uverbs*; do "
    "echo $SLURM_LOCALID $CONTAINER_IB_PORTS $UCX_NET_DEVICES $(cat /sys/class/infiniband_verbs/${uverbs##*/}/ibdev) "
    "$(cat /sys/class/infiniband/$device/device/numa_node) "
    "$(cd /sys/devices/system/cpu/cpu$(taskset -cp $$ | sed 's/.*: //') && ls -d node* | sed 's/node//'); done"
)


def step(tasks, *args):
    """A step on n0 with half of its tasks on the CPU of each socket, whatever CPUs this machine has."""
    first, second = CPUS["n0"]
    return must(srun_bound([first] * (tasks // 2) + [second] * (tasks // 2), *args))


def test_eight_tasks_have_eight_near_ports_and_see_no_other():
    done = step(8, "--container-ib=verbs", "bash", "-c", ABOUT_ME)
    rows = sorted(line.split() for line in done.lines)
    assert [row[0] for row in rows] == [str(task) for task in range(8)], "one device for each task\n%s" % done
    for _, port, ucx, device, port_numa, cpu_numa in rows:
        assert port == ucx == f"{device}:1" and port_numa == cpu_numa, done
    assert len({row[1] for row in rows}) == 8, done


def test_two_tasks_have_two_near_rails_each():
    done = step(2, "--container-ib=verbs", "sh", "-c", "echo $SLURM_LOCALID $CONTAINER_IB_PORTS")
    numbers = {task: [int(port[5]) for port in ports.split(",")] for task, ports in (line.split() for line in done.lines)}
    assert set(numbers["0"]) < {0, 1, 2, 3} and set(numbers["1"]) < {4, 5, 6, 7}, done
    assert len(numbers["0"]) == len(numbers["1"]) == 2, done


def test_nodes_of_other_numbers_and_names_of_hcas_are_in_one_step():
    ports = json.loads(must(run("n1", "container-ib", "topo", "--json")).out)["ports"]
    theirs = {f"{port['name']}:{port['port']}" for port in ports if port["eligible"]}
    done = must(srun("-N2", "-n4", "--ntasks-per-node=2", "--container-ib=verbs,rails=all", "sh", "-c", "echo $SLURMD_NODENAME $CONTAINER_IB_PORTS"))
    given = {}
    for line in done.lines:
        node, names = line.split()
        given.setdefault(node, []).append(set(names.split(",")))
    assert given["n0"] == [{f"mlx5_{number}:1" for number in range(8)}] * 2, done
    assert given["n1"] == [theirs] * 2 and len(theirs) < 8, done


def with_gpus(visible, *args):
    """A step on n0 whose tasks see these of its GPUs, by their numbers."""
    step = ("env", f"CUDA_VISIBLE_DEVICES={visible}", "srun", "--chdir=/tmp", "--overcommit", "-N1", "-w", "n0")
    return must(run("n0", *step, *args, user="alice", timeout=90)).lines


def test_a_task_with_all_gpus_has_the_ports_beside_them():
    [ports] = with_gpus("0,1,2,3,4,5,6,7", "-n1", "--container-ib=verbs", "sh", "-c", "echo $CONTAINER_IB_PORTS")
    assert sorted(ports.split(",")) == [f"mlx5_{number}:1" for number in range(8)], ports


def test_tasks_with_gpus_see_the_hcas_of_all_and_use_their_own():
    seen = "echo $SLURM_LOCALID $UCX_NET_DEVICES $(ls /sys/class/infiniband | wc -l)"
    rows = {}
    for scope in ("auto", "task"):
        lines = with_gpus("0,7", "-n2", f"--container-ib=verbs,gpu=local,rails=1,scope={scope}", "sh", "-c", seen)
        rows[scope] = dict((line.split()[0], line.split()[1:]) for line in lines)
        assert int(rows[scope]["0"][0][5]) < 4 <= int(rows[scope]["1"][0][5]), rows
    assert [row[1] for row in rows["auto"].values()] == ["2", "2"], rows
    assert [row[1] for row in rows["task"].values()] == ["1", "1"], rows


def test_the_gpus_are_seen_on_their_numa_nodes():
    gpus = json.loads(must(run("n0", "container-ib", "topo", "--json")).out)["gpus"]
    assert [gpu["numa"] for gpu in gpus] == [[0]] * 4 + [[1]] * 4, gpus


def test_a_task_has_the_port_beside_its_gpu():
    gpus = json.loads(must(run("n0", "container-ib", "topo", "--json")).out)["gpus"]
    plan = ("container-ib", "plan", "--masks", "0xff", "--gpus", f"0:{gpus[7]['pci']}", "--option", "verbs,rails=1", "--json")
    [task] = json.loads(must(run("n0", *plan)).out)["tasks"]
    assert json.dumps(task["ports"])[2:8] in ("mlx5_4", "mlx5_5", "mlx5_6", "mlx5_7"), task
