"""HCAs on paper (the tier slurm) are what a kernel has: for each model of the testbed the product reads the same from both, and
so does anybody who looks into sysfs where it looks."""

import contextlib
import json
import re

import cluster
from cluster import must, run, sh

from testbed import instance

INSTANCE = "ctest ctest-decoys ctest-dual ctest-flat ctest-rails8 ctest-roce"

# Everything of an HCA that the product has a reader for (src/adapters/sysfs, devices.cpp, live_kernel.cpp), without what says
# only which driver it is, and with LIDs as they matter: given, or not.
ATTRIBUTES = r"""
cd /sys/class/infiniband
for device in *; do
    for file in node_guid sys_image_guid node_type device/numa_node; do echo "$device $file $(cat $device/$file 2> /dev/null)"; done
    for link in device device/physfn; do echo "$device $link $(basename "$(readlink $device/$link)")"; done
    for netdev in $device/device/net/*/; do
        if [ -e "$netdev/dev_port" ]; then echo "$device $(basename $netdev) $(cat $netdev/dev_port)"; fi
    done
    for port in $device/ports/*; do
        for file in state phys_state link_layer rate; do echo "$port $file $(cat $port/$file)"; done
        for file in lid sm_lid; do echo "$port $file $([ $(cat $port/$file) = 0x0 ] && echo none || echo given)"; done
        for table in pkeys gids; do
            for entry in $(ls $port/$table | sort -n | head -n 16); do echo "$port $table/$entry $(cat $port/$table/$entry)"; done
        done
        ls $port/counters | sed "s,^,$port counter ,"
    done
done
for class in infiniband_verbs infiniband_mad; do
    echo "$class $(cat /sys/class/$class/abi_version)"
    for node in /sys/class/$class/*/; do
        name=$(basename $node)
        echo "$class $name $(cat $node/ibdev) $(cat $node/port 2> /dev/null) $(stat -c '%A %U %G' /dev/infiniband/$name)"
        [ "$(cat $node/dev)" = "$(stat -c '%Hr:%Lr' /dev/infiniband/$name)" ] || echo "$name has another number"
    done
done
stat -c '%n %A' /dev/infiniband/rdma_cm
for pf in /sys/bus/pci/devices/*/sriov_numvfs; do echo "$pf $(cat $pf)"; ls -d ${pf%/*}/virtfn* 2> /dev/null; done
true
"""
ANY_DRIVER = "[devices]\ndrivers = []\n"


@contextlib.contextmanager
def on_paper():
    """A native node of the same model, and everything is asked of it."""
    known = instance.Instance(cluster.INSTANCE)
    guest, name, facts = cluster.INSTANCE, f"{cluster.INSTANCE}-paper", known.known
    words = ["--native", "--nodes", "1", "--name", name, "--suite", facts["suite"], "--model", facts["model"]]
    if facts["vfs"] is not None:
        words += ["--vfs", str(facts["vfs"]), "--vf-guids", facts["vf_guids"]]
    cluster.must(cluster.tool("up", *words))
    try:
        cluster.use(name)
        yield
    finally:
        cluster.use(guest)
        cluster.must(cluster.tool("down", "--name", name))


def read_by_the_product(devices):
    cluster.write("n0", "/tmp/any.conf", ANY_DRIVER)
    told = json.loads(must(run("n0", "container-ib", "topo", "--json", "--config", "/tmp/any.conf")).out)
    ports = [port for port in told["ports"] if port["name"] in devices]
    for port in ports:
        del port["eligible"], port["why_not"], port["remark"]  # of which rate is the best, and a neighbour's HCA counts too
    return {
        "ports": ports,
        "distances": told["distances"],
        "numa nodes": [node["os_index"] for node in told["numa_nodes"]],
        "gpus": [(gpu["pci"], gpu["numa"]) for gpu in told["gpus"]],
        "tables": {name: tables for name, tables in told["tables"].items() if name.split(":")[0] in devices},
    }


def attributes(devices):
    """Those of these devices, without their neighbours' in the guest."""
    lines = must(sh("n0", ATTRIBUTES)).lines
    functions = {line.split()[2] for line in lines if re.match(r"\S+ device 0000:", line) and line.split()[0] in devices}

    def ours(line):
        found = re.match(r"infiniband_\w+ \w+ (\S+) ", line) or re.match(r"([^/ ]+)(?:/ports/| )", line)
        if line.startswith("/sys/bus"):
            return line.split("/")[5] in functions
        return line.startswith("infiniband_") and len(line.split()) == 2 or line.startswith("/dev") or (found and found[1] in devices)

    return [line for line in lines if ours(line)]


def difference(kernel, paper):
    return "\n".join([*(f"kernel: {line}" for line in kernel if line not in paper), *(f"paper:  {line}" for line in paper if line not in kernel)])


def test_a_model_is_the_same_on_paper_as_in_the_kernel():
    with on_paper():
        devices = {port["name"] for port in json.loads(must(run("n0", "container-ib", "topo", "--json")).out)["ports"]}
        paper = read_by_the_product(devices)
        paper_files = attributes(devices)
    kernel = read_by_the_product(devices)
    for what, value in kernel.items():
        assert value == paper[what], f"{what}:\nkernel: {json.dumps(value, indent=1)}\npaper:  {json.dumps(paper[what], indent=1)}"
    kernel_files = attributes(devices)
    assert kernel_files == paper_files, difference(kernel_files, paper_files)
