"""Mode macvlan under real Slurm: interfaces on RoCE ports, whose GIDs on paper the test makes as ib_core would."""

import contextlib
import json

from cluster import NODES, PINGPONG, must, run, srun, testbed
from containers import by_hand
from ethernet import ADDRESSES, assert_attacks_fail, meeting, site
from faults import sweep, telling
from many_steps import in_a_row
from picture import everything_comes_back
from steps import BackgroundStep, deaths_leave_nothing
from verbs import by_tcp, has_mpi

INSTANCE = "native-roce"
SLEEPERS = ("-n2", "--container-ib=macvlan,rails=1", "sleep", "300")
PORTS = ("mlx5_1/1", "mlx5_3/1")  # of Ethernet, one on each NUMA node
GID_0_OF_POOL = 4  # behind the four of the port's own interface


@contextlib.contextmanager
def macvlan(more=""):
    """The mode allowed, and on each node the GIDs of the addresses that steps will have there: the first of the pool's."""
    with site(more):
        for node in NODES:
            for port in PORTS:
                known = must(run(node, "cat", f"/sys/class/infiniband/{port.split('/')[0]}/ports/1/gids/{GID_0_OF_POOL}")).out
                for address in ADDRESSES[node][:4] if not known.strip("0:\n") else ():
                    must(testbed("fabric", node, port, f"gid={address}"))
        yield


def test_the_tasks_of_a_step_reach_each_other_on_all_nodes():
    with macvlan(), everything_comes_back():
        lines = meeting("-N2", "-n4", "--container-ib=macvlan,rails=1")
        assert {line.split()[1] for line in lines} == {"10.40.0.1", "10.40.0.2", "10.40.0.9", "10.40.0.10"}, lines
        # The two rails are one Ethernet here.
        assert all(line.endswith(" 4200 sees 0,1,2,3") for line in lines), lines


def test_a_task_has_its_roce_port_and_the_gid_of_its_own_address():
    with macvlan():
        look = "echo $CONTAINER_IB_PORTS $CONTAINER_IB_ADDRESS $UCX_NET_DEVICES $UCX_IB_GID_INDEX $NCCL_IB_GID_INDEX $(ls /dev/infiniband)"
        done = must(srun("-w", "n0", "-n1", "--container-ib=macvlan,rails=1,env=ucx+nccl", "sh", "-c", look))
        assert done.lines == [f"mlx5_1:1 10.40.0.1/16 mlx5_1:1 {GID_0_OF_POOL} {GID_0_OF_POOL} rdma_cm uverbs1"], done


def test_without_the_gid_no_task_starts():
    with site("[timeouts]\ncarrier_s = 1\n"), everything_comes_back():
        done = srun("-w", "n1", "-n8", "--overcommit", "--container-ib=macvlan,rails=1", "true")
        assert done.status != 0 and "has no GID of 10.40.0.1" in "\n".join(done.ours()), done


def test_mpi_by_tcp_goes_by_it():
    has_mpi("pmix")
    with macvlan():
        command = (*by_tcp(), "UCX_NET_DEVICES=eth0", "OMPI_MCA_btl_tcp_if_include=eth0", PINGPONG)
        done = must(srun("-N2", "-n2", "--mpi=pmix", "--container-ib=macvlan,rails=1,env=pmix,report=summary", *command, timeout=120))
        assert json.loads(done.lines[-1])["ranks"] == 2, done
        for node in NODES:
            assert any(line.startswith(f"container-ib: {node}: not native:") for line in done.ours()), done


def test_private_interfaces_of_a_node_do_not_reach_each_other():
    with macvlan('[macvlan]\nmode = "private"\n'):
        lines = meeting("-w", "n0", "-n2", "--container-ib=macvlan,rails=1,hca=mlx5_1", tries=1)
        seen = [line.split("sees ")[1].split(",") for line in lines]
        assert "1" not in seen[0] and "0" not in seen[1], lines


def test_beside_infiniband_on_an_interface_that_the_site_names():
    with site('[macvlan]\nparent = "enp17s0f0np0"\n'), everything_comes_back():
        lines = meeting("-N2", "-n4", "--container-ib=macvlan")
        assert all(line.endswith(" 4200 sees 0,1,2,3") for line in lines), lines
        done = must(srun("-w", "n0", "-n1", "--container-ib=macvlan,report=summary", "sh", "-c", "echo $CONTAINER_IB_PORTS $CONTAINER_IB_NETDEV"))
        assert done.lines == ["mlx5_0:1,mlx5_2:1 eth0"], done
        assert any("rdma_cm finds no HCA by its address" in line for line in done.ours()), done


def test_root_of_a_user_namespace_reaches_nothing_of_the_node_or_of_others():
    with macvlan(), everything_comes_back(), BackgroundStep(*SLEEPERS) as step:
        assert_attacks_fail(step.tasks()[0], "macvlan,rails=1")


def test_check_list_and_topo_know_it():
    with macvlan():
        assert "macvlan  yes" in must(run("n0", "container-ib", "topo")).out
        with BackgroundStep(*SLEEPERS) as step:
            assert "macvlan" in must(run("n0", "container-ib", "list")).out
            must(run("n0", "container-ib", "check"))
            must(run("n0", "nsenter", "-t", step.tasks()[0], "-n", "sh", "-c", "ip link set eth0 down && ip link set eth0 name mine"))
            found = must(run("n0", "container-ib", "check"), 1)
            assert "macvlan: the macvlan interface tagged container-ib:" in found.err and "is called mine instead of eth0" in found.err, found


def test_containers_of_no_step_reach_each_other_and_give_everything_back():
    with macvlan(), everything_comes_back(), everything_comes_back("n1"):
        with by_hand("n0", network=True) as one, by_hand("n1", network=True) as other:
            for container, address in ((one, "10.40.0.1/16"), (other, "10.40.0.9/16")):
                told = json.loads(must(container.attach("--option", "macvlan,rails=1", "--json")).out)
                assert told["netdevs"] == ["eth0"] and told["addresses"] == [address], told
                assert told["environment"]["UCX_IB_GID_INDEX"] == str(GID_0_OF_POOL), told
                must(run(container.node, "container-ib", "check"))
            serve = "perl -MIO::Socket::INET -e 'IO::Socket::INET->new(LocalPort => 4242, Listen => 1)->accept' > /dev/null 2>&1 < /dev/null &"
            must(other.exec("sh", "-c", f"{serve} sleep 1"))
            must(one.exec("bash", "-c", "echo > /dev/tcp/10.40.0.9/4242"))
            must(one.exec("ip", "link", "set", "eth0", "down"))
            for container in (one, other):
                must(container.detach())
                assert "eth0" not in must(container.exec("ip", "-o", "link")).out and container.shown() == []


def test_whoever_is_killed_nothing_is_left():
    with macvlan(), everything_comes_back():
        deaths_leave_nothing(SLEEPERS)


def test_forty_steps_in_a_row_leave_nothing():
    with macvlan():
        in_a_row(40, "macvlan,rails=1")


def test_the_node_is_as_before_whichever_step_fails_or_is_interrupted():
    with macvlan():
        sweep("macvlan,rails=1", telling)
