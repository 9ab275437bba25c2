"""What the tests of modes share whose tasks have Ethernet interfaces of their own."""

from cluster import contents, must, run, sh, srun

SITE = "/etc/slurm/container-ib.conf"
MODES = '[modes]\nallow = ["verbs", "macvlan", "overlay"]\n'
POOL = '[addresses]\npool = "10.40.0.0/16"\nnodes = ["n[0-1]"]\nper_node = 8\n'
# The nodes' own addresses on their first RoCE ports (contrib/testbed/README.md).
UNDERLAY = '[[overlay]]\nnodes = ["n[0-1]"]\nfirst = "10.60.0.1/24"\n'
ADDRESSES = {"n0": [f"10.40.0.{slot}" for slot in range(1, 9)], "n1": [f"10.40.0.{slot}" for slot in range(9, 17)]}


def site(more="", pool=POOL, underlay=UNDERLAY):
    """The modes allowed, beside what the testbed has in the file."""
    return contents(SITE, must(run("n0", "cat", SITE)).out + MODES + pool + underlay + more)


# Who the tasks are, and whether each reaches all others.
_EACH_REACHES_ALL = r"""
serve() { perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(LocalPort => 4242, Listen => 9, ReuseAddr => 1) or die; alarm 20;
                                      while ($c = $s->accept) { print $c "$ENV{SLURM_PROCID}\n"; close $c }' & }
serve
mine=${CONTAINER_IB_ADDRESS%/*}
all() { for _ in $(seq 100); do [ $(ls "$1" | wc -l) = $SLURM_NTASKS ] && break; sleep 0.1; done; }
: > "$1/here/$mine"
all "$1/here"
seen=$(for address in $(ls "$1/here"); do
    for _ in $(seq $2); do rank=$(exec 3<> /dev/tcp/$address/4242 && timeout 2 head -n 1 <&3) 2> /dev/null && [ "$rank" ] && break; sleep 0.1; done
    echo $rank
done | sort -n | paste -sd,)
echo "$SLURM_PROCID $mine $(cat /sys/class/net/eth0/mtu) sees $seen"
: > "$1/done/$mine"
all "$1/done"
kill %1
"""

def meeting(*words, tries=50):
    """A step whose tasks look for each other; a line for each."""
    folder = "/var/tmp/meeting"
    must(sh("n0", f"rm -rf {folder}; mkdir -p {folder}/here {folder}/done; chmod 777 {folder}/*"))
    return sorted(must(srun(*words, "bash", "-c", _EACH_REACHES_ALL, "-", folder, str(tries))).lines)


# What a user can try who is root of a user namespace in his task. PID is a task of another job.
ATTACKS = """
try() { timeout 5 "$@" > /dev/null 2>&1 && echo "BROKEN: $*"; }
# its own interface, and others on what it lies on
try ip link set eth0 down
try ip link set eth0 address 02:00:00:00:00:01
try ip link set eth0 netns 1
try ip link set eth0 netns PID
try ip link add link eth0 name more type macvlan
try ip link add more type vxlan id 1 dstport 4789 local 10.60.0.1
try ip link add link eth0 name more type vlan id 9
try ip link set eth0 vf 0 mac 02:00:00:00:00:01
try ip link set eth0 vf 0 vlan 9
try ip link set eth0 vf 0 spoofchk off
for file in /sys/bus/pci/devices/*/sriov_numvfs; do try sh -c "echo 0 > $file"; done
try ip addr add 10.40.9.9/16 dev eth0
try ip addr add 10.60.0.1/24 dev eth0
# frames of its own making
try perl -MSocket -e 'socket(S, 17, SOCK_RAW, 0x0300) or die'
try perl -MSocket -e 'socket(S, PF_INET, SOCK_RAW, 1) or die'
# the namespaces of the overlay, of the node and of other jobs
try nsenter -t 1 -n true
try nsenter -t PID -n true
try sh -c 'for file in /run/container-ib/*/netns*; do nsenter --net=$file true && exit; done; false'
# services of the node's loopback and of its networks
for where in 127.0.0.1/6818 10.9.0.1/6818 10.60.0.1/6818 10.60.0.2/6818 10.61.0.1/6818; do try bash -c "echo > /dev/tcp/$where"; done
ip -o link | cut -d: -f2 | sed 's/@.*//; s/^/link/'
"""


def assert_attacks_fail(sleeping_task, option):
    """In a step of a user who is root of a user namespace."""
    done = must(srun("-n1", "--overcommit", f"--container-ib={option}", "unshare", "-Ur", "bash", "-c", ATTACKS.replace("PID", sleeping_task)))
    assert "BROKEN" not in done.out, done
    assert sorted(done.lines) == ["link eth0", "link lo"], done
