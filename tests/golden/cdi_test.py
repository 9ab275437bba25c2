"""CDI specifications have what CDI's SPEC.md asks for, and nothing that an older reader does not know: an unknown field makes
it refuse the whole file. With `published` they are held against the schema that CDI publishes, which is not part of the
project: the folder $CIB_CDI_SCHEMA, or Debian's package of CDI's library."""

import json
import os
import pathlib
import re
import subprocess
import sys

PROGRAM, NODES = sys.argv[1], pathlib.Path(sys.argv[2])
DEBIAN = "/usr/share/gocode/src/github.com/container-orchestrated-devices/container-device-interface/schema"
NETDEV = ("--netdev", "ib2:ib0")
QUESTIONS = [
    (),
    ("--ports", "mlx5_2:1"),
    ("--ports", "mlx5_2:1,mlx5_0:1", "--option", "verbs,umad=yes,env=ucx+mpich+libfabric"),
    NETDEV,
]


def specification(*words):
    node = ("--topology", NODES / "dual-port.xml", "--sysfs", NODES / "dual-port.sysfs")
    return json.loads(subprocess.run([PROGRAM, "cdi", *node, *words], capture_output=True, check=True).stdout)


def check_device(device, keys):
    assert set(device) == {"name", "containerEdits"}, device
    assert re.fullmatch(r"[A-Za-z]([A-Za-z0-9_.:-]*[A-Za-z0-9])?", device["name"]), device["name"]
    edits = device["containerEdits"]
    assert set(edits) == keys, edits
    assert edits["env"] and all(re.match(r"[A-Z][A-Za-z0-9_]*=.", variable) for variable in edits["env"]), edits
    names = [variable.split("=")[0] for variable in edits["env"]]
    assert len(set(names)) == len(names), names
    paths = [mount["containerPath"] for mount in edits["mounts"]]
    assert paths and len(set(paths)) == len(paths), paths
    for mount in edits["mounts"]:
        # `type` came with 0.4.0
        assert set(mount) == {"hostPath", "containerPath", "options"} and "bind" in mount["options"], mount
        assert mount["hostPath"] == mount["containerPath"], mount
        assert re.fullmatch(r"/dev/infiniband/(uverbs|umad)\d+|/dev/infiniband/rdma_cm", mount["hostPath"]), mount


def check(words):
    spec = specification(*words)
    assert set(spec) == {"cdiVersion", "kind", "devices"}, spec
    assert spec["kind"] == "container-ib.org/hca"
    assert spec["cdiVersion"] == ("1.1.0" if words == NETDEV else "0.3.0"), spec["cdiVersion"]
    assert spec["devices"][-1]["name"] == "all"
    for device in spec["devices"]:
        with_netdev = words == NETDEV and device["name"] == "all"
        check_device(device, {"env", "mounts", "netDevices"} if with_netdev else {"env", "mounts"})


def published():
    places = [os.environ.get("CIB_CDI_SCHEMA", ""), DEBIAN]
    folder = next((pathlib.Path(place) for place in places if place and (pathlib.Path(place) / "schema.json").exists()), None)
    if folder is None:
        print("no schema.json in $CIB_CDI_SCHEMA, nor Debian's package")
        sys.exit(77)
    # Another Python than the distribution's may be the first one here.
    sys.path.append("/usr/lib/python3/dist-packages")
    import jsonschema  # pylint: disable=import-outside-toplevel

    # Its references are to another file, which no release of jsonschema finds as the others do.
    schema = json.loads((folder / "schema.json").read_text().replace("defs.json#/", "#/"))
    schema["definitions"] = json.loads((folder / "defs.json").read_text())["definitions"]
    for words in QUESTIONS:
        jsonschema.validate(specification(*words), schema)


if sys.argv[3:] == ["published"]:
    published()
else:
    for question in QUESTIONS:
        check(question)
