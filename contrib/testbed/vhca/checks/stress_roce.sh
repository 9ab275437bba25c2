#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# As stress.sh, for Ethernet ports: VFs, addresses, children with their netns, links and VLANs of VFs taken away while
# RoCE and frames use them.  Loads the module itself; RDMA mode shared.  stress_roce.sh [rounds, default 50].

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

rounds=${1:-50}
load ethernet=Y,N,Y eth_names=Y
pf=$(readlink -f $sys/mlx5_0/device)
modprobe -a 8021q macvlan
ra=$(netdev mlx5_0) rb=$(netdev mlx5_2)
bad=0
fail() { echo "# round $round: $*"; bad=$((bad + 1)); }
gid_index() { # HCA, IPv4 address
	local i p=$sys/$1/ports/1 gid
	gid=$(printf '0000:0000:0000:0000:0000:ffff:%02x%02x:%02x%02x' ${2//./ })
	for i in $(cd "$p/gids" && grep -lx "$gid" [0-9]*); do
		[ "$(cat "$p/gid_attrs/types/$i" 2>/dev/null)" = "RoCE v2" ] && echo "$i" && return
	done
	return 1
}
# In a subshell that becomes the program, so that kill reaches it.
goes_on() { # netns, HCA, address, TCP port, more
	local i
	i=$(gid_index "$2" "$3") || return
	exec ip netns exec "$1" ibv_rc_pingpong -e -d "$2" -g "$i" -p "$4" -n 1000000 "${@:5}" > /dev/null 2>&1
}
listening() { await ip netns exec "$1" bash -c "ss -Hltn 'sport = :$2' | grep -q ." > /dev/null; }

ip netns add vh_a
ip netns add vh_b
ip link set "$rb" netns vh_b
ip -n vh_b addr add 10.4.0.2/24 dev "$rb"
ip -n vh_b link set "$rb" up
ip link set "$ra" up

for round in $(seq "$rounds"); do
	echo 3 > "$pf/sriov_numvfs" || fail "numvfs 3"
	v0=$(basename "$pf"/virtfn0/net/*) d0=$(basename "$pf"/virtfn0/infiniband/*)
	ip link set "$v0" netns vh_a
	ip -n vh_a addr add 10.4.0.1/24 dev "$v0"
	ip -n vh_a link set "$v0" up
	ip netns add vh_c
	ip -n vh_b link add link "$rb" name mv0 netns vh_c type macvlan mode bridge
	ip -n vh_c addr add 10.4.0.9/24 dev mv0
	ip -n vh_c link set mv0 up
	ip -n vh_a link add link "$v0" name vlan7 type vlan id 7
	ip -n vh_a addr add 10.7.0.1/24 dev vlan7
	ip -n vh_a link set vlan7 up
	await eval 'gid_index $d0 10.4.0.1 && gid_index mlx5_2 10.4.0.9 && gid_index $d0 10.7.0.1' > /dev/null || fail "GIDs"
	ip netns exec vh_b ping -q -i 0.01 10.4.0.1 > /dev/null 2>&1 & ping=$!
	goes_on vh_a "$d0" 10.4.0.1 19000 & p=$!
	listening vh_a 19000 || fail "no server"
	goes_on vh_c mlx5_2 10.4.0.9 19000 10.4.0.1 & q=$!
	goes_on vh_a "$d0" 10.4.0.1 19001 & r=$!
	listening vh_a 19001 || fail "no server"
	goes_on vh_b mlx5_2 10.4.0.2 19001 10.4.0.1 & t=$!
	base=$(counter mlx5_2 port_xmit_packets)
	await eval '[ $(counter mlx5_2 port_xmit_packets) -gt $((base + 50)) ]' > /dev/null || fail "no traffic"
	case $((round % 6)) in
	0) ip -n vh_a addr del 10.4.0.1/24 dev "$v0" ;;
	1) echo "mlx5_2/1 state=down" > $ctl; sleep 0.1; echo "mlx5_2/1 state=active" > $ctl ;;
	2) ip link set "$ra" vf 0 vlan 5; sleep 0.1; ip link set "$ra" vf 0 vlan 0 ;;
	3) ip netns del vh_c ;;
	4) ip -n vh_a link set "$v0" down ;;
	5) ip -n vh_a link set "$v0" address 02:00:00:00:00:07 ;;
	esac
	[ $((round % 2)) = 0 ] && kill -9 $q
	echo 0 > "$pf/sriov_numvfs" || fail "numvfs 0"
	kill -9 $p $q $r $t $ping 2>/dev/null
	wait $p $q $r $t $ping 2>/dev/null
	ip netns del vh_c 2>/dev/null
done
ok "stress: $rounds rounds" same "$bad" 0
drop_netns
await test -e "/sys/class/net/$rb" > /dev/null
ok "unload" await unload
finish
