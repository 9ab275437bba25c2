"""A runtime in the task whose bundle has our hook, and what container-ib tells engines of a node's HCAs. The bundle has a /dev of its
own, in which nothing of the node's is."""

import json

from bundles import AS_ROOT, CRUN, HERSELF, HERSELF_FOR_RUNC, IN_A_NAMESPACE, RUNC, config
from cluster import HCAS, NODES, must, run, srun, uverbs_of, write


def hooked(mapping, command, stage="createContainer", uid=1000):
    """Words that run a script by a runtime in the task. The bundle has the task's ports in its environment and our hook."""
    path = must(run("n0", "which", "container-ib")).out.strip()
    hooks = {stage: [{"path": path, "args": ["container-ib", "oci", "--hook"]}]}
    contents = config(mapping, uid, hooks=hooks, annotations={"run.oci.hooks.stderr": "/dev/stderr"})  # crun's
    contents["process"]["args"] = ["sh", "-c", "ls /dev/infiniband | paste -sd,"]
    contents["process"]["env"].append("CONTAINER_IB_PORTS=@PORTS@")
    for node in NODES:
        write(node, "/tmp/bundle.json", json.dumps(contents))
    folder = "/tmp/oci-$SLURM_LOCALID"
    make = f'mkdir {folder} && sed "s/@PORTS@/$CONTAINER_IB_PORTS/" /tmp/bundle.json > {folder}/config.json'
    return ("bash", "-c", f"{make} && {command} --root={folder}/state run --bundle {folder} task$SLURM_LOCALID")


def hook_shows_each_task_its_own(*bundle, **of_bundle):
    try:
        done = must(srun("-w", "n0", "-n2", "-l", "--container-ib=verbs", *hooked(*bundle, **of_bundle)))
        assert sorted(done.lines) == [f"{task}: rdma_cm,{uverbs_of('n0', hca)}" for task, hca in enumerate(HCAS["n0"])], done
    finally:
        clear()


def clear():
    for node in NODES:
        must(run(node, "sh", "-c", "rm -rf /tmp/oci-* /tmp/bundle.json"))


def hook_is_refused(words, why):
    try:
        done = srun("-w", "n0", "-n1", "--container-ib=verbs,rails=1,hca=mlx5_0", *words)
        assert done.status != 0 and why in done.err, done
    finally:
        clear()


def test_a_hook_of_crun():
    hook_shows_each_task_its_own(AS_ROOT, CRUN, uid=0)
    hook_shows_each_task_its_own(HERSELF_FOR_RUNC, IN_A_NAMESPACE + CRUN)


def test_a_hook_of_runc():
    hook_shows_each_task_its_own(HERSELF_FOR_RUNC, IN_A_NAMESPACE + RUNC)


def test_a_hook_without_a_root_in_the_containers_user_namespace_says_so():
    hook_is_refused(hooked(HERSELF, CRUN), "with a root in the container's user namespace")


def test_a_hook_for_another_stage_is_refused():
    hook_is_refused(hooked(HERSELF_FOR_RUNC, IN_A_NAMESPACE + CRUN, "createRuntime"), "this is a hook for createContainer")
    hook_is_refused(hooked(HERSELF_FOR_RUNC, IN_A_NAMESPACE + RUNC, "createRuntime"), "this is a hook for createContainer")


def test_a_hook_does_not_give_a_container_the_devices_of_another():
    # As if the engine had gone into a mount namespace that was there before: the ports are not those of the devices there.
    *shell, script = hooked(AS_ROOT, CRUN, uid=0)
    hook_is_refused((*shell, script.replace("$CONTAINER_IB_PORTS", "mlx5_1:1")), "the task's devices are not here")


def test_the_specification_of_a_node_and_of_a_task():
    def devices(*words):
        spec = json.loads(must(run("n0", *words, user="alice")).out)
        return {device["name"]: [mount["hostPath"] for mount in device["containerEdits"]["mounts"]] for device in spec["devices"]}

    def nodes(*hcas):
        return [*(f"/dev/infiniband/{uverbs_of('n0', hca)}" for hca in hcas), "/dev/infiniband/rdma_cm"]

    first, second = HCAS["n0"]
    assert devices("container-ib", "cdi") == {first: nodes(first), second: nodes(second), "all": nodes(first, second)}
    own = ("srun", "--chdir=/tmp", "-w", "n0", "-n1", "--container-ib=verbs,rails=1", "sh", "-c", "container-ib cdi --ports $CONTAINER_IB_PORTS")
    assert devices(*own) in ({first: nodes(first), "all": nodes(first)}, {second: nodes(second), "all": nodes(second)})
