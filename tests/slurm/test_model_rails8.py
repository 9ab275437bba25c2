"""A big node: eight tasks have eight ports, each of its own NUMA node."""

import json

from cluster import CPUS, must, run, srun_bound

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


def test_the_gpus_are_seen_on_their_numa_nodes():
    gpus = json.loads(must(run("n0", "container-ib", "topo", "--json")).out)["gpus"]
    assert [gpu["numa"] for gpu in gpus] == [[0]] * 4 + [[1]] * 4, gpus


def test_a_task_has_the_port_beside_its_gpu():
    gpus = json.loads(must(run("n0", "container-ib", "topo", "--json")).out)["gpus"]
    plan = ("container-ib", "plan", "--masks", "0xff", "--gpus", f"0:{gpus[7]['pci']}", "--option", "verbs,rails=1", "--json")
    [task] = json.loads(must(run("n0", *plan)).out)["tasks"]
    assert json.dumps(task["ports"])[2:8] in ("mlx5_4", "mlx5_5", "mlx5_6", "mlx5_7"), task
