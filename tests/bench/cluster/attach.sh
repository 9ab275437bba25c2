# bash -s ROUNDS PARENT, on n0 as root, with attach and CNI's plugins in /run/attach: times what others do for a container's
# interface, in changing order, and prints "ROUND WHAT SECONDS" for each. Round 0 only warms up.
#
#   agent        a step of mode ipoib; what its attach took is in the agent's lines in syslog
#   bare         the same in bare kernel calls, by attach.c
#   script       its interface by iproute2, as sites write it today
#   macvlan      CNI's plugin, on a veth pair: it has nothing for IPoIB
#   host-device  CNI's plugin, which moves a link there is, as for a VF
set -eu
export LC_ALL=C
rounds=$1 parent=$2 work=/run/attach netns=bench
veth=bench0 peer=bench1

cleanup() {
    ip netns del $netns 2> /dev/null || true
    ip link del $veth 2> /dev/null || true
}
trap cleanup EXIT

timed() { # WHAT COMMAND...
    local begin=${EPOCHREALTIME/./}
    "${@:2}" > /dev/null
    echo "$round $1 $((${EPOCHREALTIME/./} - begin))e-6"
}

agent() { srun --chdir=/tmp -n1 --container-ib=ipoib,rails=1 true < /dev/null; }
bare() { echo "$round bare $("$work/attach" "$parent")"; }

by_iproute2() {
    ip link add link "$parent" name bench-tmp type ipoib
    ip link set bench-tmp alias bench netns $netns name ib0
    ip -n $netns link set ib0 up
}
script() {
    ip netns add $netns
    timed script by_iproute2
    ip -n $netns link del ib0
    ip netns del $netns
}

by_cni() { # COMMAND PLUGIN FIELDS
    CNI_COMMAND=$1 CNI_CONTAINERID=bench CNI_NETNS=/run/netns/$netns CNI_IFNAME=eth0 CNI_PATH=$work "$work/$2" << EOF
{"cniVersion": "0.4.0", "name": "bench", "type": "$2", $3,
 "ipam": {"type": "static", "addresses": [{"address": "10.99.0.2/24"}]}}
EOF
}
cni() { # PLUGIN FIELDS
    ip netns add $netns
    ip link add $veth type veth peer name $peer
    ip link set $veth up
    ip link set $peer up
    timed "$1" by_cni ADD "$1" "$2"
    by_cni DEL "$1" "$2"
    ip netns del $netns
    ip link del $veth
}
macvlan() { cni macvlan "\"master\": \"$veth\""; }
host_device() { cni host-device "\"device\": \"$peer\""; }

all=(agent bare script macvlan host_device)
for ((round = 0; round <= rounds; round++)); do
    for ((i = 0; i < ${#all[@]}; i++)); do ${all[(i + round) % ${#all[@]}]}; done
done
