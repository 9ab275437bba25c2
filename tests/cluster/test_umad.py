"""umad=yes, where the site allows it: programs that manage a fabric (infiniband-diags) work in the container, of the task's own
HCA, and nowhere else."""

import re

from cluster import HCAS, must, sh
from umad import allowed, asked


def test_programs_that_manage_a_fabric_work_inside():
    hca = HCAS["n0"][0]
    guid = must(sh("n0", f"cat /sys/class/infiniband/{hca}/node_guid")).out.strip().replace(":", "")
    with allowed():
        done = must(asked(",umad=yes", f"ibstat {hca}"))
        assert "State: Active" in done.out and f"Node GUID: 0x{guid}" in done.out, done
        done = must(asked(",umad=yes", f"perfquery -x -C {hca}; cat /sys/class/infiniband/{hca}/ports/1/counters/port_xmit_data"))
        assert by_perfquery(done) <= int(done.lines[-1]), done
        # No switches here (doc/fabric.md): of all hosts it finds itself.
        done = must(asked(",umad=yes", f"ibhosts -C {hca}"))
        assert re.search(rf"^Ca\s*: 0x{guid} ports 1 ", done.out, re.M), done


def by_perfquery(done):
    return int(re.search(r"^PortXmitData:\.*(\d+)", done.out, re.M)[1])


def test_they_work_on_no_other_hca_and_not_unasked():
    own, other = HCAS["n0"]
    with allowed():
        for option, hca in ((",umad=yes", other), ("", own)):
            done = asked(option, f"perfquery -x -C {hca}")
            assert done.status != 0 and "PortXmitData" not in done.out, done
