"""Tasks of a node in a user namespace each, by UCX of two releases: what they are told costs nothing between nodes, and within
one large messages arrive. doc/engines.md says what each variable does."""

import json

from cluster import NODES, PINGPONG, must, srun, suite, verbs_bytes
from verbs import IN_CONTAINER

INSTANCE = "ctest ctest-trixie"


def test_the_path_to_other_nodes_keeps_its_rdma():
    """UCX's own word on an endpoint in another node: it has a lane for messages that are not copied."""
    shown = must(srun("-N2", "-n4", "--container-ib=verbs", *IN_CONTAINER, "sh", "-c", "echo tls=$UCX_TLS; exec ucx_info -e -u t -D net", timeout=120))
    assert shown.lines.count("tls=^cma") == 4, shown
    lanes = [line for line in shown.lines if "lane[" in line]
    assert len(lanes) >= 4 and sum("rma_bw#0" in line for line in lanes) == 4, shown


def test_large_messages_between_containers_of_a_node_need_no_cma():
    """UCX before 1.16 dies of CMA that is refused, and without it takes the HCA; later ones stay in shared memory, but call a refused
    link in /proc an error."""
    by_hca = suite() == "bookworm"
    before = verbs_bytes("n0")
    done = must(srun("-w", "n0", "-n2", "--mpi=pmix", "--container-ib=verbs,report=summary", *IN_CONTAINER, PINGPONG, timeout=120))
    moved = verbs_bytes("n0") - before
    assert json.loads(done.lines[-1])["ranks"] == 2 and "ERROR" not in done.err, done
    assert moved > 8 << 20 if by_hca else moved < 1 << 20, (moved, done)
    verdict = "native" if by_hca else "shm-only"
    assert any(line.startswith(f"container-ib: n0: {verdict}: ") for line in done.ours()), done


def test_two_containers_on_each_of_two_nodes():
    """The first and the last speak. By the counters it is native."""
    before = {node: verbs_bytes(node) for node in NODES}
    done = must(srun("-N2", "-n4", "--mpi=pmix", "--container-ib=verbs,report=summary", *IN_CONTAINER, PINGPONG, timeout=120))
    assert '"ranks": 4' in done.out, done
    for node in NODES:
        assert verbs_bytes(node) - before[node] > 8 << 20, (node, done)
        assert any(line.startswith(f"container-ib: {node}: native: ") for line in done.ours()), done
