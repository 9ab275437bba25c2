"""Mode overlay under real Slurm: an Ethernet of the step's own over the nodes' network."""

import json

from cluster import PINGPONG, must, run, sh, srun
from containers import by_hand
from ethernet import UNDERLAY, assert_attacks_fail, meeting, site
from faults import sweep, telling
from many_steps import in_a_row
from picture import everything_comes_back
from steps import BackgroundStep, deaths_leave_nothing, root_does_inside
from verbs import by_tcp, has_mpi

INSTANCE = "native-roce"
SLEEPERS = ("-n2", "--container-ib=overlay", "sleep", "300")


def test_the_tasks_of_a_step_reach_each_other_on_all_nodes():
    with site(), everything_comes_back():
        lines = meeting("-N2", "-n4", "--container-ib=overlay")
        assert [line.split()[0] for line in lines] == ["0", "1", "2", "3"], lines
        assert {line.split()[1] for line in lines} == {"10.40.0.1", "10.40.0.2", "10.40.0.9", "10.40.0.10"}, lines
        assert all(line.endswith(" 4150 sees 0,1,2,3") for line in lines), lines  # of an interface with 4200


def test_the_hcas_are_beside_it_and_it_is_said_what_it_is_not_for():
    with site():
        done = must(srun("-n1", "-w", "n0", "--container-ib=overlay,report=summary", "sh", "-c", "echo $CONTAINER_IB_PORTS $CONTAINER_IB_NETDEV $(ls /dev/infiniband)"))
        assert done.lines == ["mlx5_0:1,mlx5_2:1 eth0 rdma_cm uverbs0 uverbs2"], done
        assert any("overlay is for sockets" in line and "rdma_cm" in line for line in done.ours()), done


def test_mpi_by_tcp_goes_by_it_and_the_verdict_says_so():
    has_mpi("pmix")
    with site():
        command = (*by_tcp(), "UCX_NET_DEVICES=eth0", "OMPI_MCA_btl_tcp_if_include=eth0", PINGPONG)
        done = must(srun("-N2", "-n2", "--mpi=pmix", "--container-ib=overlay,env=pmix,report=summary", *command, timeout=120))
        assert json.loads(done.lines[-1])["ranks"] == 2, done
        for node in ("n0", "n1"):
            assert any(line.startswith(f"container-ib: {node}: not native:") for line in done.ours()), done


def test_two_jobs_at_a_time_do_not_reach_each_other():
    with site(), everything_comes_back(), BackgroundStep(*SLEEPERS) as step:
        (pid, _) = step.tasks()
        other = must(run("n0", "nsenter", "-t", pid, "-n", "ip", "-4", "-br", "addr", "show", "eth0")).out.split()[2].split("/")[0]
        done = must(srun("-n1", "-w", "n0", "--overcommit", "--container-ib=overlay", "bash", "-c", f"timeout 3 bash -c 'echo > /dev/tcp/{other}/4242' 2>&1; ip neigh show {other}"))
        assert "FAILED" in done.out or "INCOMPLETE" in done.out or "timed out" in done.out or "No route" in done.out, done


def test_root_of_a_user_namespace_reaches_nothing_of_the_node_or_of_others():
    with site(), everything_comes_back(), BackgroundStep(*SLEEPERS) as step:
        assert_attacks_fail(step.tasks()[0], "overlay")


def test_check_list_topo_and_doctor_know_it():
    with site():
        assert "overlay  yes" in must(run("n0", "container-ib", "topo")).out
        assert "note  overlays run over enp17s0f0np0, 10.60.0.1" in run("n0", "container-ib", "doctor").lines
        with BackgroundStep(*SLEEPERS):
            assert "overlay" in must(run("n0", "container-ib", "list")).out
            must(run("n0", "container-ib", "check"))
            overlay = must(sh("n0", "ls /run/container-ib/*/netns-overlay")).out.strip()
            must(sh("n0", f"nsenter --net={overlay} ip link set vxlan0 down"))
            found = must(run("n0", "container-ib", "check"), 1)
            assert "vxlan0" in found.err, found
            must(sh("n0", f"nsenter --net={overlay} ip link set vxlan0 up"))
            must(sh("n0", "ip link set enp17s0f0np0 down"))
            try:
                found = must(run("n0", "container-ib", "check"), 1)
                assert "vxlan: " in found.err and "enp17s0f0np0" in found.err, found
            finally:
                must(sh("n0", "ip link set enp17s0f0np0 up"))


def refusal(*words):
    done = srun(*words, "true")
    assert done.status != 0, done
    return "\n".join(done.ours())


def test_what_cannot_be_is_refused_with_the_reason():
    with everything_comes_back():
        with site(underlay=""):
            assert "names no network that node n0 has" in refusal("-w", "n0", "-n1", "--container-ib=overlay")
        with site(pool=""):
            assert "mode overlay needs [addresses]" in refusal("-w", "n0", "-n1", "--container-ib=overlay")
        with site(underlay=UNDERLAY.replace("n[0-1]", "n0")):
            assert "n1 has no address on 10.60.0.0/24" in refusal("-N2", "--container-ib=overlay")
        with site(underlay=UNDERLAY.replace("10.60.0.1", "10.60.0.71")):
            assert "no interface of the node has the address 10.60.0.71" in refusal("-w", "n0", "-n1", "--container-ib=overlay")
        with site():
            assert "10.40.0.9" in must(srun("-w", "n1", "-n1", "--container-ib=overlay", "ip", "-4", "-br", "addr")).out


def test_a_container_of_no_step_is_told_what_gives_it_an_interface():
    with site(), everything_comes_back(), by_hand(network=True) as container:
        refused = container.attach("--option", "overlay")
        assert refused.status == 1 and "mode overlay joins the nodes of a job's step; ipoib and macvlan" in refused.err, refused


def test_whoever_is_killed_nothing_is_left():
    with site(), everything_comes_back():
        deaths_leave_nothing(SLEEPERS)


def test_whatever_root_does_inside_nothing_is_left():
    inside = ("ip link set eth0 down && ip link set eth0 name mine", "ip link set eth0 alias mine", "ip link del eth0")
    with site(), everything_comes_back():
        root_does_inside(SLEEPERS, inside)


def test_forty_steps_in_a_row_leave_nothing():
    with site():
        in_a_row(40, "overlay")


def test_the_node_is_as_before_whichever_step_fails_or_is_interrupted():
    with site():
        sweep("overlay", telling)
