"""container-ib attach: containers that run already, of nobody's step."""

import contextlib
import json

from cluster import CPUS, HCAS, journals, must, run, srun, uverbs_of
from containers import by_hand, of_a_user, of_crun
from picture import everything_comes_back


def nodes_of(hca):
    return sorted(["rdma_cm", uverbs_of("n0", hca)])


def variables(done):
    """What `docker exec --env-file` would take: a variable a line, and nothing else."""
    assert all("=" in line and line.split("=")[0].replace("_", "").isalnum() for line in done.lines), done
    return dict(line.split("=", 1) for line in done.lines)


def test_a_container_gets_the_hca_that_is_nearest_to_its_cpus_and_gives_it_back():
    for cpu, hca in zip(CPUS["n0"], HCAS["n0"]):
        with everything_comes_back(), by_hand(cpu=cpu) as container:
            done = must(container.attach("--option", "verbs,rails=1"))
            assert variables(done)["CONTAINER_IB_PORTS"] == f"{hca}:1", done
            assert len([line for line in done.err.splitlines() if "detach" in line]) == 1, done
            assert container.shown() == nodes_of(hca), container.shown()
            must(run("n0", "container-ib", "check", container.name))
            row = next(line for line in must(run("n0", "container-ib", "list")).lines if line.startswith(container.name))
            assert f"{hca}:1" in row and f"{container.pid} (sleep)" in row and row.endswith("running"), row
            assert must(run("n0", "container-ib", "reap")).out == "", "it lives"
            must(container.detach())
            assert container.shown() == [] and journals("n0") == []


def test_containers_of_engines():
    # uverbs nodes of the HCA that libibverbs finds: those on paper have files in /sys as real ones have
    for engine in (of_crun, of_a_user):
        with everything_comes_back(), engine() as container:
            done = must(container.attach("--option", "verbs,rails=1,hca=mlx5_1", "--json"))
            told = json.loads(done.out)
            assert told["ports"] == ["mlx5_1:1"] and told["environment"]["CONTAINER_IB_PORTS"] == "mlx5_1:1", told
            assert container.shown() == nodes_of("mlx5_1"), (engine, container.shown())
            must(run("n0", "container-ib", "check"))
            must(container.detach())
            assert container.shown() == []


def test_what_makes_no_sense_is_refused_in_one_line():
    def refused(words, status, *parts, user="root"):
        done = must(run("n0", "container-ib", *words, user=user), status)
        lines = [line for line in done.err.splitlines() if line]
        assert len(lines) == 1 and all(part in lines[0] for part in parts) and not done.out, done

    refused(("attach", "--pid", "1"), 1, "the node's own mount namespace")
    refused(("attach", "--pid", "4194303"), 1, "there is no process 4194303")
    refused(("attach", "--pid", "1", "--option", "verbs,scope=node"), 2, "scope=")
    refused(("attach", "--pid", "1", "--option", "nonsense"), 2, "nonsense")
    refused(("attach", "--pid", "1"), 1, "only root", user="bob")
    refused(("detach", "17.0"), 2, "17.0", "scancel")
    refused(("detach", "pid-4194303"), 1, "not attached")
    with by_hand() as container:
        attach = ("attach", "--pid", container.pid)
        refused((*attach, "--option", "ipoib"), 2, "ipoib", "not allowed at this site")
        refused((*attach, "--option", "verbs,hca=nothing"), 1, "no InfiniBand port can be used")
        assert journals("n0") == [] and container.shown() == []
        must(container.attach("--option", "verbs"))
        refused(attach, 1, "attached already", f"container-ib detach {container.name}")
        must(container.detach())


def test_a_container_that_has_ended_is_reaped_and_no_process_of_it_is_killed():
    with contextlib.ExitStack() as stack:
        container = stack.enter_context(by_hand())
        must(container.attach("--option", "verbs"))
        other = run("n0", "sh", "-c", f"nsenter -t {container.pid} -m sleep 250 < /dev/null > /dev/null 2>&1 & echo $!").out.strip()
        stack.callback(lambda: run("n0", "kill", "-9", other))
        must(run("n0", "kill", "-9", container.pid))
        listed = must(run("n0", "container-ib", "list")).out
        assert "orphaned" in listed, listed
        reaped = must(run("n0", "container-ib", "reap"))
        assert reaped.out == f"gave back attachment {container.name}\n", reaped
        assert run("n0", "kill", "-0", other).status == 0, "it is its engine's to end"
        assert journals("n0") == []


def test_a_step_and_a_container_use_the_same_hca_side_by_side():
    with by_hand() as container:
        must(container.attach("--option", "verbs,rails=1,hca=mlx5_0"))
        done = must(srun("-w", "n0", "-n1", "--container-ib=verbs,rails=1,hca=mlx5_0", "sh", "-c", "echo $CONTAINER_IB_PORTS"))
        assert done.out == "mlx5_0:1\n", done
        assert container.shown() == nodes_of("mlx5_0"), "the step's epilog has reaped by now"
        assert journals("n0") == [container.name]
        must(container.detach())
