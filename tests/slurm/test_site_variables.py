"""[[environment]] of the site's file: who gets its variables, and whose value counts."""

import json

from cluster import IMAGE, HCAS, contents, must, run, srun
from container_plugin import container_plugin
from containers import by_hand
from slurm import files
from test_refusals import SITE, ports

SITE_TEXT = """
[[environment]]
set = { NCCL_IB_TC = "41", UCX_TLS = "rc,sm,self", FI_X = "a b;c" }
[[environment]]
nodes = "n[1-9]"
set = { NCCL_IB_TC = 106 }
[[environment]]
link_layer = "Ethernet"
set = { NCCL_IB_GID_INDEX = 3 }
[[environment]]
driver = "mlx5_core"
min_rate_gbps = 1
link_layer = "InfiniBand"
set = { NCCL_IB_SL = 1 }
"""
LOOK = "echo $(hostname) ${NCCL_IB_TC-unset} ${NCCL_IB_SL-unset} ${NCCL_IB_GID_INDEX-unset} ${UCX_TLS-unset} ${FI_X-unset}"


def lines_of(done):
    return sorted(must(done).lines)


def test_tasks_get_what_is_for_their_node_and_ports():
    with contents(SITE, SITE_TEXT):
        done = srun("-N2", "-n2", "--container-ib=verbs", "sh", "-c", LOOK)
        assert lines_of(done) == ["n0 41 1 unset rc,sm,self a b;c", "n1 106 1 unset rc,sm,self a b;c"], done
        # who has no HCA has no variables for one
        assert lines_of(srun("-w", "n0", "-n1", "--container-ib=verbs,env=none", "sh", "-c", LOOK)) == ["n0 unset unset unset unset unset"]
        assert lines_of(srun("-w", "n0", "-n1", "sh", "-c", LOOK)) == ["n0 unset unset unset unset unset"]
        with ports(mlx5_0="down", mlx5_1="down"):
            assert lines_of(srun("-w", "n0", "-n1", "--container-ib", "sh", "-c", LOOK)) == ["n0 unset unset unset unset unset"]


def test_the_users_own_value_stays_and_full_tells_whose_is_whose():
    mine = ["NCCL_IB_TC=7", "UCX_TLS=self", "FI_X="]
    with contents(SITE, SITE_TEXT):
        done = must(run("n0", "env", *mine, "srun", "--chdir=/tmp", "-w", "n0", "-n1", "--container-ib=verbs,report=full", "sh", "-c", LOOK, user="alice"))
    assert done.lines == ["n0 7 1 unset self"], done
    told = done.ours()
    for line in ("rank 0 keeps its own NCCL_IB_TC", "rank 0 keeps its own UCX_TLS", "rank 0 keeps its own FI_X", "rank 0 has NCCL_IB_SL=1 from the site's file"):
        assert f"container-ib: {line}" in told, done
    assert not [line for line in told if "NCCL_IB_TC=" in line], done


def test_in_a_plugins_container_the_users_value_stays_and_not_the_images():
    mine = ["NCCL_IB_TC=7"]
    words = ("srun", "--chdir=/tmp", "-w", "n0", "-n1", "--container-ib=verbs", f"--container-image={IMAGE}", "sh", "-c", "echo $NCCL_IB_TC $NCCL_IB_SL $PMIX_MCA_gds")
    with container_plugin(), files({"container-ib.conf": SITE_TEXT}):
        assert must(run("n0", "env", *mine, *words, user="alice")).lines == ["7 1 hash"]
        assert must(run("n0", *words, user="alice")).lines == ["41 1 hash"]


def test_engines_that_read_a_folder_have_them_too():
    with contents(SITE, SITE_TEXT):
        look = "cat $CONTAINER_IB_CDI/*.json"
        words = ("srun", "--chdir=/tmp", "-w", "n0", "-n1", "--container-ib=verbs,folder=yes", "sh", "-c", look)
        env = json.loads(must(run("n0", *words, user="alice")).out)["devices"][0]["containerEdits"]["env"]
        assert "NCCL_IB_TC=41" in env and "NCCL_IB_SL=1" in env, env
        env = json.loads(must(run("n0", "env", "NCCL_IB_TC=7", *words, user="alice")).out)["devices"][0]["containerEdits"]["env"]
        assert not [entry for entry in env if entry.startswith("NCCL_IB_TC=")] and "NCCL_IB_SL=1" in env, "the user's own stays"


def test_the_command_line_has_them_too():
    with contents(SITE, SITE_TEXT):
        plan = json.loads(must(run("n0", "container-ib", "plan", "--tasks", "2", "--json")).out)
        assert {task["env"]["NCCL_IB_TC"] for task in plan["tasks"]} == {"41"}, plan
        cdi = json.loads(must(run("n0", "container-ib", "cdi", "--node", "n5")).out)
        assert all("NCCL_IB_TC=106" in device["containerEdits"]["env"] for device in cdi["devices"]), cdi
        with by_hand() as container:
            done = must(container.attach("--option", f"verbs,hca={HCAS['n0'][0]}", "--config", SITE))
            assert "NCCL_IB_TC=41" in done.lines and "NCCL_IB_SL=1" in done.lines, done
            must(container.detach())
