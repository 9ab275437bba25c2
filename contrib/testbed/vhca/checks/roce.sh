#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Checks of the vhca module with Ethernet ports (RoCE), as all.sh: the same guest, the same output.  In the shared mode of
# RDMA network namespaces children of interfaces in other namespaces are tried, in the exclusive mode moves of devices.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

shared() { rdma system | grep -q 'netns shared'; }

# ---- r: link layer Ethernet (RoCE): mlx5_0 and mlx5_2, beside an InfiniBand one ----

ok "r load with Ethernet PFs" load ethernet=Y,N,Y eth_names=Y
[ -d $sys/mlx5_2 ] || { echo "Bail out! no three HCAs"; exit 1; }
pf=$(readlink -f $sys/mlx5_0/device)
modprobe 8021q 2>/dev/null
modprobe macvlan 2>/dev/null
ra=$(netdev mlx5_0) rb=$(netdev mlx5_2)
mac() { ns "$1" cat "/sys/class/net/$2/address" 2>/dev/null; }
mac_a=$(mac "" "$ra") mac_b=$(mac "" "$rb")
port() { sed 's/.*: //' "$sys/$1/ports/1/$2"; }
gid_of() { printf '0000:0000:0000:0000:0000:ffff:%02x%02x:%02x%02x' ${1//./ }; }
gid_index() { # HCA, IPv4 address: that of its RoCE v2 GID
	local i p=$sys/$1/ports/1
	for i in $(cd "$p/gids" && grep -lx "$(gid_of "$2")" [0-9]*); do
		[ "$(cat "$p/gid_attrs/types/$i")" = "RoCE v2" ] && echo "$i" && return
	done
	return 1
}
no_gid() { ! gid_index "$@" > /dev/null; }
gids() { cat "$sys/$1"/ports/1/gid_attrs/types/* 2>/dev/null; }
# as a wire with nobody's ARP on it: what is refused then is refused by the switch
neigh() { ip -n "$1" neigh replace "$2" lladdr "$3" dev "$4" nud permanent; }
rc() { # HCA and address of the server, of the client; address to meet at; -s netns -c netns
	local a=$1 ga=$2 b=$3 gb=$4 at=$5
	shift 5
	both "$@" 18515 ibv_rc_pingpong -d "$a" -g "$(gid_index "$a" "$ga")" -s 1001 -n 200 -- \
		ibv_rc_pingpong -d "$b" -g "$(gid_index "$b" "$gb")" -s 1001 -n 200 "$at"
}
unanswered() { # as rc
	rc "$@" > "$tmp/rc" 2>&1 && return 1
	cat "$tmp/rc" "$tmp/server"
	grep -qh 'transport retry counter exceeded' "$tmp/rc" "$tmp/server"
}
cm() { # netns and address of the server, netns of the client
	ip netns exec "$1" rping -s -a "$2" -C 2 & pids+=($!)
	await has '7174' ip netns exec "$1" rdma resource show cm_id > /dev/null
	ip netns exec "$3" timeout 20 rping -c -a "$2" -C 2
}
cm_datagrams() {
	ip netns exec vh_a timeout 30 udaddy > "$tmp/server" 2>&1 & pids+=($!)
	local srv=$!
	await has '7174' ip netns exec vh_a rdma resource show cm_id > /dev/null
	ip netns exec vh_b timeout 20 udaddy -s 10.4.0.1 && wait $srv
}
moved() { [ "$(counter mlx5_2 port_xmit_packets)" -gt $((base + 20)) ]; }
reaches() { ip netns exec "$1" ping -c 2 -i 0.2 -W 2 "$2"; }
drops() { ! reaches "$@"; }

ok "r link layers, LIDs" same "$(for d in mlx5_0 mlx5_1; do port $d link_layer; port $d lid; done | xargs)" \
	"Ethernet 0x0 InfiniBand $(cat $sys/mlx5_1/ports/1/lid)"
ok "r class of an Ethernet controller" same "$(cat $sys/mlx5_0/device/class)" 0x020000
ok "r interface of the PCI function, named by it" same "$ra $(cat "/sys/class/net/$ra/dev_port")" \
	"enp$((16#$(basename "$pf" | cut -d: -f2)))s0f0np0 0"
ok "r port down while the interface is" same "$(state mlx5_0) $(gids mlx5_0 | sort | uniq -c | xargs)" \
	"DOWN 1 IB/RoCE v1 1 RoCE v2"
ok "r one P_Key, the default one" same "$(cat $sys/mlx5_0/ports/1/pkeys/* | xargs)" 0xffff
data() { # what two ports send each other
	ip netns add vh_a
	ip netns add vh_b
	ip link set "$ra" netns vh_a
	ip link set "$rb" netns vh_b
	ip -n vh_a addr add 10.4.0.1/24 dev "$ra"
	ip -n vh_b addr add 10.4.0.2/24 dev "$rb"
	for i in vh_a vh_b; do ip -n $i link set lo up; done
	ip -n vh_a link set "$ra" mtu 4200 up
	ip -n vh_b link set "$rb" mtu 4200 up
	ok "r carrier" await carrier vh_a "$ra"
	ok "r port active with its interface" same "$(state mlx5_0) $(state mlx5_2)" "ACTIVE ACTIVE"
	ok "r GID of an address" await gid_index mlx5_0 10.4.0.1
	ip -n vh_a addr add 10.4.0.11/24 dev "$ra"
	ok "r GID of another address comes" await gid_index mlx5_0 10.4.0.11
	ip -n vh_a addr del 10.4.0.11/24 dev "$ra"
	ok "r ... and goes with it" await no_gid mlx5_0 10.4.0.11
	await gid_index mlx5_2 10.4.0.2 > /dev/null
	ok "r ping" reaches vh_a 10.4.0.2
	ok "r ping with jumbo frames" ip netns exec vh_a ping -c 2 -i 0.2 -W 5 -M "do" -s 4100 10.4.0.2
	ok "r iperf3" both -s vh_a -c vh_b 5201 iperf3 -s -1 -- iperf3 -c 10.4.0.1 -t 1
	snap() {
		local d c
		for d in mlx5_0 mlx5_2; do
			for c in port_xmit_data port_rcv_data; do counter $d $c; done
		done | xargs
	}
	s=$(snap)
	ok "r RC pingpong" rc mlx5_0 10.4.0.1 mlx5_2 10.4.0.2 10.4.0.1 -s vh_a -c vh_b
	ok "r counters: RC exact, as InfiniBand's" same "$(delta "$s" "$(snap)")" "50200 50200 50200 50200"
	s=$(snap)
	ok "r UD pingpong" both -s vh_a -c vh_b 18515 ibv_ud_pingpong -d mlx5_0 -g 3 -s 1001 -n 100 -- \
		ibv_ud_pingpong -d mlx5_2 -g 3 -s 1001 -n 100 10.4.0.1
	ok "r counters: UD exact" same "$(delta "$s" "$(snap)")" "25100 25100 25100 25100"
	ok "r RoCE v1" both -s vh_a -c vh_b 18515 ibv_rc_pingpong -d mlx5_0 -g 0 -n 50 -- \
		ibv_rc_pingpong -d mlx5_2 -g 0 -n 50 10.4.0.1
	ok "r ib_write_bw" both -s vh_a -c vh_b 18515 ib_write_bw -d mlx5_0 -x 3 -n 50 -F -- \
		ib_write_bw -d mlx5_2 -x 3 -n 50 -F 10.4.0.1
	ok "r rdma_cm" cm vh_a 10.4.0.1 vh_b
	ok "r rdma_cm: datagrams" cm_datagrams
	mc() { # no port to wait for: the receiver is there when its group is joined
		ip netns exec vh_a timeout 30 mckey -m 239.1.2.3 -b 10.4.0.1 > "$tmp/server" 2>&1 & pids+=($!)
		local srv=$!
		await has 239.1.2.3 ip -n vh_a maddr show dev "$ra" > /dev/null
		sleep 0.5
		ip netns exec vh_b timeout 30 mckey -m 239.1.2.3 -s -b 10.4.0.2 && wait $srv
	}
	ok "r rdma_cm: multicast" mc
	ok "r ucx_perftest RC" both -s vh_a -c vh_b 13337 env UCX_TLS=rc,self UCX_NET_DEVICES=mlx5_0:1 ucx_perftest "${p0[@]}" -c 0 -- \
		env UCX_TLS=rc,self UCX_NET_DEVICES=mlx5_2:1 ucx_perftest "${p0[@]}" 10.4.0.1 -t tag_lat -n 200 -w 10 -c 1

	# children in namespaces of their own
	ip netns add vh_c
	ip netns add vh_d
	ip -n vh_c link set lo up
	ip -n vh_d link set lo up
	ip -n vh_a link add link "$ra" name vlan7 type vlan id 7
	ip -n vh_b link add link "$rb" name vlan7 type vlan id 7
	ip -n vh_b link set vlan7 netns vh_c
	ip -n vh_a addr add 10.7.0.1/24 dev vlan7
	ip -n vh_c addr add 10.7.0.2/24 dev vlan7
	ip -n vh_a link set vlan7 up
	ip -n vh_c link set vlan7 up
	ip -n vh_b link add link "$rb" name mv0 netns vh_d type macvlan mode bridge
	ip -n vh_d addr add 10.4.0.9/24 dev mv0
	ip -n vh_d link set mv0 up
	ok "r GIDs of a VLAN and a macvlan interface in other namespaces" \
		await eval 'gid_index mlx5_0 10.7.0.1 && gid_index mlx5_2 10.7.0.2 && gid_index mlx5_2 10.4.0.9'
	ok "r ping over a VLAN" reaches vh_c 10.7.0.1
	ok "r ping to a macvlan interface" reaches vh_a 10.4.0.9
	ok "r RC over a VLAN" rc mlx5_0 10.7.0.1 mlx5_2 10.7.0.2 10.7.0.1 -s vh_a -c vh_c
	ok "r RC from a macvlan interface" rc mlx5_0 10.4.0.1 mlx5_2 10.4.0.9 10.4.0.1 -s vh_a -c vh_d
	ok "r rdma_cm over a VLAN" cm vh_a 10.7.0.1 vh_c
	ok "r rdma_cm from a macvlan interface" cm vh_a 10.4.0.1 vh_d
	# one end in VLAN 7, the other in none, and both know the other's MAC address
	ip -n vh_c addr add 10.4.0.77/32 dev vlan7
	ip -n vh_c route add 10.4.0.1/32 dev vlan7 src 10.4.0.77
	neigh vh_c 10.4.0.1 "$mac_a" vlan7
	neigh vh_a 10.4.0.77 "$mac_b" "$ra"
	await gid_index mlx5_2 10.4.0.77 > /dev/null
	ok "r RC into another VLAN gets no answer" unanswered mlx5_0 10.4.0.1 mlx5_2 10.4.0.77 10.7.0.1 -s vh_a -c vh_c
	# the same address goes from one HCA to the other: what goes to it follows
	ip -n vh_d link set mv0 down
	ip -n vh_d addr del 10.4.0.9/24 dev mv0
	ip -n vh_a link add link "$ra" name mv1 type macvlan mode bridge
	ip -n vh_a link set mv1 netns vh_d
	ip -n vh_d addr add 10.4.0.9/24 dev mv1
	ip -n vh_d link set mv1 up
	ok "r a GID that moved to another HCA" await gid_index mlx5_0 10.4.0.9
	ip -n vh_b neigh flush dev "$rb" 2>/dev/null
	ok "r RC to it" rc mlx5_0 10.4.0.9 mlx5_2 10.4.0.2 10.4.0.9 -s vh_d -c vh_b
	ip netns del vh_c
	ip netns del vh_d
	ok "r children go with their namespaces, and their GIDs" await eval \
		'no_gid mlx5_0 10.4.0.9 && no_gid mlx5_2 10.7.0.2 && no_gid mlx5_2 10.4.0.77'

	# an address goes under a connection
	ip -n vh_a addr add 10.4.0.11/24 dev "$ra"
	await gid_index mlx5_0 10.4.0.11 > /dev/null
	ip netns exec vh_a ibv_rc_pingpong -e -d mlx5_0 -g "$(gid_index mlx5_0 10.4.0.11)" -n 1000000 > "$tmp/a" 2>&1 & pids+=($!); pa=$!
	await listens $pa 18515
	ip netns exec vh_b ibv_rc_pingpong -e -d mlx5_2 -g 3 -n 1000000 10.4.0.1 > "$tmp/b" 2>&1 & pids+=($!); pb=$!
	base=$(counter mlx5_2 port_xmit_packets)
	await moved
	ip -n vh_a addr del 10.4.0.11/24 dev "$ra"
	await eval '! kill -0 $pa 2> /dev/null || ! kill -0 $pb 2> /dev/null' > /dev/null
	kill -9 $pa $pb 2>/dev/null
	wait $pa $pb 2>/dev/null
	ok "r RC fails with a retry error when its GID goes" \
		grep -h 'transport retry counter exceeded' "$tmp/a" "$tmp/b"

	# links on command
	echo "mlx5_0/1 state=down" > $ctl
	ok "r ctl state=down: no carrier, port down" same "$(carrier vh_a "$ra" || echo none) $(state mlx5_0)" "none DOWN"
	no "r ... and nothing gets through" reaches vh_b 10.4.0.1
	echo "mlx5_0/1 state=active" > $ctl
	ok "r ctl state=active" await carrier vh_a "$ra"
	ok "r ctl pkeys= refused" said 'mlx5_0 has Ethernet ports: no pkeys' "mlx5_0/1 pkeys=0xffff"
	ok "r ctl state=init refused" said 'mlx5_0 has Ethernet ports: state=down or' "mlx5_0/1 state=init"
	drop_netns
	ok "r interfaces come back" await test -e "/sys/class/net/$ra" -a -e "/sys/class/net/$rb"
}
if shared; then data; fi

# ---- v: VFs of an Ethernet PF ----

vf_is() { has "vf $1 .*$2" ip link show "$ra"; } # VF, what ip link says of it
vf_net() { basename "$pf/virtfn$1"/net/*; }
vf_dev() { basename "$pf/virtfn$1"/infiniband/*; }
ip link set "$ra" up
ok "v 3 VFs" sh -c "echo 3 > $pf/sriov_numvfs"
ok "v devices and interfaces" same "$(count vfs) $(for v in 0 1 2; do vf_net $v; done | xargs)" \
	"3 ${ra%f*}f1np0 ${ra%f*}f2np0 ${ra%f*}f3np0"
d0=$(vf_dev 0) d1=$(vf_dev 1)
v0=$(vf_net 0) v1=$(vf_net 1) v2=$(vf_net 2)
ok "v each its own MAC address" same "$(for d in "$ra" "$rb" "$v0" "$v1" "$v2"; do mac "" "$d"; done | sort -u | wc -l)" 5
ok "v no setting of the PF's at first" vf_is 0 \
	'link/ether 00:00:00:00:00:00 .*spoof checking off, link-state auto, trust off'
ok "v link layer" same "$(port $d0 link_layer)" Ethernet
ok "v set them all" sh -c "ip link set $ra vf 2 mac 02:00:00:00:00:32 && ip link set $ra vf 2 vlan 100 qos 3 &&
	ip link set $ra vf 2 max_tx_rate 1000 min_tx_rate 100 && ip link set $ra vf 2 spoofchk on &&
	ip link set $ra vf 2 trust on && ip link set $ra vf 2 state enable"
ok "v shown" vf_is 2 'link/ether 02:00:00:00:00:32 .*vlan 100, qos 3,.* max_tx_rate 1000Mbps, min_tx_rate 100Mbps, spoof checking on, link-state enable, trust on'
no "v VLAN of 802.1ad refused" ip link set "$ra" vf 2 vlan 100 proto 802.1ad
no "v VLAN 4095 refused" ip link set "$ra" vf 2 vlan 4095
no "v no such VF" ip link set "$ra" vf 3 trust on
rebind() {
	local f
	f=$(basename "$(readlink "$pf/virtfn$1")")
	echo "$f" > /sys/bus/pci/drivers/vhca/unbind
	echo "$f" > /sys/bus/pci/drivers/vhca/bind
}
rebind 2
ok "v VF took the MAC address when bound again, and its name" same "$(mac "" "$v2")" 02:00:00:00:00:32
ok "v ... and a GUID made of it" grep -q 0200:00ff:fe00:0032 "$pf"/virtfn2/infiniband/*/node_guid
ok "v trusted, it may take another" ip link set "$v2" address 02:00:00:00:00:33
ip link set "$ra" vf 2 trust off
no "v not trusted, it may not" ip link set "$v2" address 02:00:00:00:00:34
ok "v what the PF has set it may" ip link set "$v2" address 02:00:00:00:00:33
ok "v without a setting it may" ip link set "$v1" address 02:00:00:00:00:21
ip link set "$ra" vf 2 vlan 0
ip link set "$ra" vf 2 spoofchk off
ok "v settings go" vf_is 2 'link/ether 02:00:00:00:00:33 brd [0-9a-f:]*, tx rate.*spoof checking off'

vf_data() {
	ip netns add vh_a
	ip netns add vh_b
	for i in vh_a vh_b; do ip -n $i link set lo up; done
	ip link set "$v0" netns vh_a
	ip link set "$v1" netns vh_b
	ip -n vh_a addr add 10.5.0.1/24 dev "$v0"
	ip -n vh_b addr add 10.5.0.2/24 dev "$v1"
	ip -n vh_a link set "$v0" up
	ip -n vh_b link set "$v1" up
	await carrier vh_a "$v0" > /dev/null
	await eval 'gid_index $d0 10.5.0.1 && gid_index $d1 10.5.0.2' > /dev/null
	ok "v ping VF to VF" reaches vh_a 10.5.0.2
	ok "v RC VF to VF" rc $d0 10.5.0.1 $d1 10.5.0.2 10.5.0.1 -s vh_a -c vh_b
	ok "v statistics of a VF" has 'RX: bytes' ip -s link show "$ra"

	# the link
	ip link set "$ra" vf 0 state disable
	ok "v link disabled" same "$(carrier vh_a "$v0" || echo none) $(state $d0)" "none DOWN"
	ip link set "$ra" vf 0 state enable
	echo "mlx5_0/1 state=down" > $ctl
	ok "v link enabled, whatever the PF's" same "$(state $d0) $(state $d1)" "ACTIVE DOWN"
	echo "mlx5_0/1 state=active" > $ctl
	ip link set "$ra" vf 0 state auto
	ok "v link follows the PF's" same "$(state $d0) $(state $d1)" "ACTIVE ACTIVE"
	await reaches vh_a 10.5.0.2 > /dev/null

	# a VLAN of the PF's: the VF knows nothing of it
	ip link set "$ra" vf 0 vlan 100 qos 5
	ok "v a VF in a VLAN does not reach one that is in none" drops vh_a 10.5.0.2
	neigh vh_a 10.5.0.2 "$(mac vh_b "$v1")" "$v0"
	neigh vh_b 10.5.0.1 "$(mac vh_a "$v0")" "$v1"
	meet() { # a handshake that goes another way: a veth pair
		ip link add v0 netns vh_a type veth peer name v1 netns vh_b
		ip -n vh_a addr add 10.9.0.1/24 dev v0
		ip -n vh_b addr add 10.9.0.2/24 dev v1
		ip -n vh_a link set v0 up
		ip -n vh_b link set v1 up
	}
	meet
	ok "v ... nor by RC, which gets no answer" unanswered $d0 10.5.0.1 $d1 10.5.0.2 10.9.0.1 -s vh_a -c vh_b
	ip link set "$ra" vf 1 vlan 100
	ok "v in the same VLAN it does" reaches vh_a 10.5.0.2
	ok "v ... and by RC" rc $d0 10.5.0.1 $d1 10.5.0.2 10.9.0.1 -s vh_a -c vh_b
	ip link set "$ra" vf 1 vlan 0
	ip -n vh_b link add link "$v1" name vlan100 type vlan id 100
	ip -n vh_b addr flush dev "$v1"
	ip -n vh_b addr add 10.5.0.2/24 dev vlan100
	ip -n vh_b link set vlan100 up
	await gid_index $d1 10.5.0.2 > /dev/null
	ok "v a port that tags by itself is in the same VLAN" reaches vh_a 10.5.0.2
	ok "v ... and by RC" rc $d0 10.5.0.1 $d1 10.5.0.2 10.5.0.1 -s vh_a -c vh_b
	ip link set "$ra" vf 1 vlan 100
	ok "v a VF in a VLAN of the PF's may not tag" drops vh_b 10.5.0.1
	ip link set "$ra" vf 1 vlan 0
	ip link set "$ra" vf 0 vlan 0
	ip -n vh_b link del vlan100
	ip -n vh_b addr add 10.5.0.2/24 dev "$v1"

	# spoof check: a macvlan interface has a MAC address that is not the VF's
	ip -n vh_a neigh flush dev "$v0" nud permanent 2>/dev/null
	ip -n vh_b neigh flush dev "$v1" nud permanent 2>/dev/null
	ip netns add vh_c
	ip -n vh_c link set lo up
	ip -n vh_b link add link "$v1" name mv0 netns vh_c type macvlan mode bridge
	ip -n vh_c addr add 10.5.0.9/24 dev mv0
	ip -n vh_c link set mv0 up
	await gid_index $d1 10.5.0.9 > /dev/null
	ok "v without spoof check a VF may have a macvlan interface" reaches vh_c 10.5.0.1
	ok "v ... and RC from it" rc $d0 10.5.0.1 $d1 10.5.0.9 10.5.0.1 -s vh_a -c vh_c
	ip link set "$ra" vf 1 spoofchk on
	ok "v spoof check drops its frames" drops vh_c 10.5.0.1
	ok "v ... not the VF's own" reaches vh_b 10.5.0.1
	neigh vh_a 10.5.0.9 "$(mac vh_c mv0)" "$v0"
	ip link add w0 netns vh_a type veth peer name w1 netns vh_c
	ip -n vh_a addr add 10.9.1.1/24 dev w0
	ip -n vh_c addr add 10.9.1.2/24 dev w1
	ip -n vh_a link set w0 up
	ip -n vh_c link set w1 up
	neigh vh_c 10.5.0.1 "$(mac vh_a "$v0")" mv0
	ok "v ... and RC from it, which gets no answer" unanswered $d0 10.5.0.1 $d1 10.5.0.9 10.9.1.1 -s vh_a -c vh_c
	ip link set "$ra" vf 1 spoofchk off
	ip netns del vh_c

	# promiscuous: hearing what is for others
	heard() { ip netns exec vh_b cat "/sys/class/net/$v1/statistics/rx_packets"; }
	stranger() { # how many frames for nobody's address the VF in vh_b hears
		local was
		was=$(heard)
		ip netns exec vh_a ping -c 5 -i 0.05 -W 1 10.5.0.99 > /dev/null
		[ $(($(heard) - was)) -ge 5 ] && echo heard || echo not
	}
	neigh vh_a 10.5.0.99 02:00:00:00:00:99 "$v0"
	ip -n vh_b link set "$v1" promisc on
	ok "v not trusted, promiscuous hears nothing more" same "$(stranger)" not
	ip link set "$ra" vf 1 trust on
	ok "v trusted it does" same "$(stranger)" heard
	drop_netns
	await test -e "/sys/class/net/$v0" -a -e "/sys/class/net/$v1" > /dev/null
}
if shared; then vf_data; fi

# net namespaces of the devices
moves() {
	two_netns
	ok "v move a VF's RDMA device" rdma dev set $d0 netns vh_a
	ok "v move another's" rdma dev set $d1 netns vh_b
	ip link set "$v0" netns vh_a
	ip link set "$v1" netns vh_b
	ip -n vh_a addr add 10.5.0.1/24 dev "$v0"
	ip -n vh_b addr add 10.5.0.2/24 dev "$v1"
	ip -n vh_a link set "$v0" up
	ip -n vh_b link set "$v1" up
	gid_there() { ip netns exec vh_a grep -q "$(gid_of 10.5.0.1)" $sys/$d0/ports/1/gids/3; }
	await gid_there > /dev/null
	await reaches vh_a 10.5.0.2 > /dev/null
	ok "v RC between the namespaces" both -s vh_a -c vh_b 18515 ibv_rc_pingpong -d $d0 -g 3 -n 100 -- \
		ibv_rc_pingpong -d $d1 -g 3 -n 100 10.9.0.1
	ok "v rdma_cm between the namespaces" cm vh_a 10.5.0.1 vh_b
	no "v foreign device refused" ip netns exec vh_a timeout 5 ibv_rc_pingpong -d $d1 -g 3 10.9.0.2
	drop_netns
	ok "v devices come back" await has $d0 rdma dev
	ok "v ... and interfaces" await test -e "/sys/class/net/$v0" -a -e "/sys/class/net/$v1"
}
# not while other network namespaces are there, unless it was booted so
if patience=3 await set_exclusive > /dev/null 2>&1; then moves; else skip "v moves of devices" "RDMA mode shared"; fi
rdma system set netns shared 2>/dev/null
ibv_rc_pingpong -e -d mlx5_0 -g 1 -n 1000000 > "$tmp/a" 2>&1 & pids+=($!); pa=$!
ok "v VFs go" sh -c "echo 0 > $pf/sriov_numvfs"
ok "v ... with their interfaces" test ! -e "/sys/class/net/$v0"
ip link add link "$ra" name vlan7 type vlan id 7
kill -9 $pa 2>/dev/null
wait $pa 2>/dev/null
ok "v unload with a child of an interface" await unload
ok "v interfaces gone" test ! -e "/sys/class/net/$ra" -a ! -e /sys/class/net/vlan7


ok "v load with two Ethernet ports" load ports=2,1,1 ethernet=Y,N,N
ok "v an interface per port" same "$(for i in "$pf"/net/*; do cat "$i/dev_port"; done | sort | xargs)" "0 1"
ok "v ... called as the kernel counts" has '^eth' basename -a "$pf"/net/*
ok "v unload again" await unload
finish
