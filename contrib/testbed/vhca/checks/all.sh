#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Checks of the vhca module with InfiniBand ports, to be run as root in a guest with three SR-IOV PFs
# that vhca can take (see ../README.md).  Unloads and loads the module itself.
# Prints TAP; exit status 1 if a check failed.
#
#   VHCA_KO=path   the module (default: ../vhca.ko, else modprobe vhca)

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# ---- load ----

no "load: bad pkeys= refused" load pkeys=0xffff,zebra
no "load: bad ports= refused" load ports=3
no "load: bad speed= refused" load speed=5
ok "load" load
[ -d $sys/mlx5_2 ] || { echo "Bail out! no three HCAs"; exit 1; }
pf=$(readlink -f $sys/mlx5_0/device)
ok "load: one line in the kernel log says TEST-ONLY" \
	same "$(dmesg | sed -n "/$begin/,\$p" | grep -c TEST-ONLY)" 1
pci_order() { for i in 0 1 2; do basename "$(readlink -f $sys/mlx5_$i/device)"; done; }
ok "load: mlx5_N in the order of PCI addresses" same "$(pci_order)" "$(pci_order | sort)"
ok "load: vendor and class of a ConnectX" \
	same "$(cat "$pf"/vendor "$pf"/class | xargs)" "0x15b3 0x020700"

# ---- a: what user space sees ----

ok "a ibstat: 3 active InfiniBand HCAs" same "$(ibstat | grep -c 'State: Active')" 3
ok "a ibv_devinfo" has 'link_layer:.*InfiniBand' ibv_devinfo -d mlx5_0
dev_nodes() {
	local i
	for i in 0 1 2; do
		[ -c /dev/infiniband/uverbs$i ] && [ -c /dev/infiniband/umad$i ] || return 1
	done
	[ -c /dev/infiniband/rdma_cm ]
}
ok "a device nodes" await dev_nodes
ok "a sminfo finds the SM" has 'SMINFO_MASTER' sminfo
ok "a smpquery by LID" has "$(sed 's/0x//;s/://g' $sys/mlx5_1/node_guid)" \
	smpquery nodeinfo "$(printf %d "$(cat $sys/mlx5_1/ports/1/lid)")"

# ---- g: verbs from user space; no IPoIB yet, so that counters are exact ----

snap() { # the data counters of mlx5_0 and mlx5_1
	local d c
	for d in mlx5_0 mlx5_1; do
		for c in port_xmit_data port_rcv_data; do counter $d $c; done
	done | xargs
}
ok "g counters: 64-bit ones" test -e $sys/mlx5_0/ports/1/counters/multicast_rcv_packets
s=$(snap)
ok "g RC pingpong HCA to HCA" both 18515 ibv_rc_pingpong -d mlx5_0 -s 1001 -n 200 -- \
	ibv_rc_pingpong -d mlx5_1 -s 1001 -n 200 127.0.0.1
# 200 messages of 1001 octets, padded: 200 * 251 words, each way
ok "g counters: RC exact" same "$(delta "$s" "$(snap)")" "50200 50200 50200 50200"
s=$(snap)
ok "g UD pingpong" both 18515 ibv_ud_pingpong -d mlx5_0 -s 1001 -n 100 -- \
	ibv_ud_pingpong -d mlx5_1 -s 1001 -n 100 127.0.0.1
ok "g counters: UD exact" same "$(delta "$s" "$(snap)")" "25100 25100 25100 25100"
ok "g UC pingpong" both 18515 ibv_uc_pingpong -d mlx5_0 -n 100 -- \
	ibv_uc_pingpong -d mlx5_1 -n 100 127.0.0.1
ok "g SRQ pingpong" both 18515 ibv_srq_pingpong -d mlx5_0 -n 100 -- \
	ibv_srq_pingpong -d mlx5_1 -n 100 127.0.0.1
ok "g RC pingpong with events, on one HCA" both 18515 ibv_rc_pingpong -e -d mlx5_2 -n 100 -- \
	ibv_rc_pingpong -e -d mlx5_2 -n 100 127.0.0.1
ok "g ib_write_lat" both 18515 ib_write_lat -d mlx5_0 -n 50 -F -- \
	ib_write_lat -d mlx5_1 -n 50 -F 127.0.0.1
s=$(snap)
ok "g ib_read_lat" both 18515 ib_read_lat -d mlx5_0 -s 4096 -n 50 -F -- \
	ib_read_lat -d mlx5_1 -s 4096 -n 50 -F 127.0.0.1
# the client (mlx5_1) reads: data leaves mlx5_0 only
read -r t0 r0 t1 r1 <<< "$(delta "$s" "$(snap)")"
ok "g counters: READ data counts where it flows" \
	test "$t0" -ge $((50 * 1024)) -a "$t0" = "$r1" -a "$r0" = 0 -a "$t1" = 0
s=$(snap)
ok "g ib_atomic_lat" both 18515 ib_atomic_lat -d mlx5_0 -n 50 -F -- \
	ib_atomic_lat -d mlx5_1 -n 50 -F 127.0.0.1
read -r t0 r0 t1 r1 <<< "$(delta "$s" "$(snap)")"
ok "g counters: atomics' old values count where they flow" \
	test "$t0" -ge 100 -a "$t0" = "$r1" -a "$r0" = 0 -a "$t1" = 0
lid1=$(printf %d "$(cat $sys/mlx5_1/ports/1/lid)")
perfquery_ok() { # its own MADs count too
	local low got
	low=$(counter mlx5_1 port_xmit_data)
	got=$(perfquery -x "$lid1" 1 | sed -n 's/^PortXmitData:\.*//p')
	echo "sysfs before $low, perfquery $got, sysfs after $(counter mlx5_1 port_xmit_data)"
	[ "$got" -ge "$low" ] && [ "$got" -le "$(counter mlx5_1 port_xmit_data)" ]
}
ok "g perfquery -x agrees with sysfs" perfquery_ok

# ---- h: UCX and MPI ----

ok "h ucx_perftest RC" both 13337 env UCX_TLS=rc,self UCX_NET_DEVICES=mlx5_0:1 ucx_perftest "${p0[@]}" -c 0 -- \
	env UCX_TLS=rc,self UCX_NET_DEVICES=mlx5_1:1 ucx_perftest "${p0[@]}" 127.0.0.1 -t tag_lat -n 200 -w 10 -c 1
cat > "$tmp/rank.sh" <<-'END'
	export UCX_NET_DEVICES=mlx5_$OMPI_COMM_WORLD_RANK:1 UCX_TLS=rc,self
	exec "$1"
END
if command -v mpicc > /dev/null && OMPI_CC=$(command -v gcc gcc-12 gcc-14 cc | head -n 1) \
	mpicc -std=gnu99 -O -o "$tmp/pp" "$here/mpi_pingpong.c" 2> "$tmp/mpicc"; then
	s=$(snap)
	ok "h Open MPI over two HCAs, data checked" timeout 100 mpirun --oversubscribe --mca pml ucx \
		-np 2 bash "$tmp/rank.sh" "$tmp/pp"
	read -r t0 r0 t1 r1 <<< "$(delta "$s" "$(snap)")"
	ok "h the bytes went over both HCAs" \
		test "$t0" = "$r1" -a "$t1" = "$r0" -a "$t0" -gt 5000000 -a "$t1" -gt 5000000
else
	skip "h Open MPI over two HCAs, data checked" "no mpicc"
	skip "h the bytes went over both HCAs" "no mpicc"
fi

# ---- x: faults on command ----

before=$(cat $ctl)
ok "x ctl: unknown device refused by name" said 'no device "mlx9_7"' "mlx9_7/1 state=down"
ok "x ctl: unknown port refused" said 'mlx5_0 has no port 2' "mlx5_0/2 state=down"
ok "x ctl: unknown key refused, nothing done" said 'unknown key "stat"' "mlx5_0/1 state=down stat=up"
ok "x ctl: bad value refused, nothing done" said 'bad value state="up"' "mlx5_0/1 speed=32 state=up"
ok "x ctl: bad pkeys refused" said 'bad value pkeys="0xffff,"' "mlx5_0/1 pkeys=0xffff,"
ok "x ctl: key given twice refused" said 'given twice: speed' "mlx5_0/1 speed=32 speed=64"
ok "x ctl: nothing to do refused" said 'nothing to do' "mlx5_0/1"
ok "x ctl: all that changed nothing" same "$(cat $ctl)" "$before"
ok "x ctl: set" sh -c "echo 'mlx5_2/1 state=armed speed=32 width=1 pkeys=0xffff,0x8005' > $ctl"
ok "x ctl: shown in the same grammar" \
	has '^mlx5_2/1 state=armed speed=32 width=1 pkeys=0xffff,0x8005$' cat $ctl
ok "x ctl: seen in sysfs" same "$(state mlx5_2) $(cat $sys/mlx5_2/ports/1/rate)" "ARMED 25 Gb/sec (1X EDR)"
ok "x ctl: by PCI address, what was read can be written" sh -c \
	"echo '$(basename "$(readlink -f $sys/mlx5_2/device)")/1$(grep mlx5_2 <<< "$before" | cut -c9-)' > $ctl"
ok "x ctl: back as it was" same "$(cat $ctl)" "$before"

ibv_rc_pingpong -e -d mlx5_0 -n 3000 > "$tmp/a" 2>&1 & pids+=($!); pa=$!
await listens $pa 18515
ibv_rc_pingpong -e -d mlx5_1 -n 3000 127.0.0.1 > "$tmp/b" 2>&1 & pids+=($!); pb=$!
base=$(counter mlx5_1 port_xmit_packets)
moved() { [ "$(counter mlx5_1 port_xmit_packets)" -gt $((base + 20)) ]; }
await moved
echo "mlx5_1/1 state=down" > $ctl
echo "mlx5_1/1 state=active" > $ctl
ok "x RC survives a short loss of link" wait $pb
wait $pa
ibv_rc_pingpong -e -d mlx5_0 -n 1000000 > "$tmp/a" 2>&1 & pids+=($!); pa=$!
await listens $pa 18515
ibv_rc_pingpong -e -d mlx5_1 -n 1000000 127.0.0.1 > "$tmp/b" 2>&1 & pids+=($!); pb=$!
base=$(counter mlx5_1 port_xmit_packets)
await moved
echo "mlx5_1/1 state=down" > $ctl
gone() { ! kill -0 $pb 2>/dev/null || ! kill -0 $pa 2>/dev/null; }
await gone
kill $pa $pb 2>/dev/null
wait $pa $pb
ok "x RC fails with a retry error when the link stays down" \
	grep -qh 'transport retry counter exceeded' "$tmp/a" "$tmp/b"
echo "mlx5_1/1 state=active" > $ctl

# ---- b, c: IPoIB ----

ok "b ib_ipoib" modprobe ib_ipoib
await test -n "$(netdev mlx5_2)" > /dev/null
ib0=$(netdev mlx5_0) ib1=$(netdev mlx5_1)
ok "b netdevs in the order of the HCAs" \
	same "$(netdev mlx5_0) $(netdev mlx5_1) $(netdev mlx5_2)" "ib0 ib1 ib2"
ip netns add vh_a
ip netns add vh_b
ip link set "$ib0" up
ip link set "$ib1" up
ok "b child of $ib0" ip link add link "$ib0" name vhc0 type ipoib pkey 0x8001
ok "b child of $ib1" ip link add link "$ib1" name vhc1 type ipoib pkey 0x8001
modprobe macvlan 2>/dev/null
no "b macvlan refused" ip link add link "$ib0" name vhm0 type macvlan mode bridge
ok "b move child to a netns" ip link set vhc0 netns vh_a
ok "b move child to another netns" ip link set vhc1 netns vh_b
ip -n vh_a addr add 10.1.0.1/24 dev vhc0
ip -n vh_b addr add 10.1.0.2/24 dev vhc1
ip -n vh_a link set vhc0 up
ip -n vh_b link set vhc1 up
ok "c carrier of the one" await carrier vh_a vhc0
ok "c carrier of the other" await carrier vh_b vhc1
ok "c ping between children in two netns" ip netns exec vh_a ping -c 3 -i 0.2 -W 5 10.1.0.2
ok "c iperf3 between them" both -s vh_a -c vh_b 5201 iperf3 -s -1 -- iperf3 -c 10.1.0.1 -t 1
ip -n vh_a link del vhc0
ip -n vh_b link del vhc1
ip link add link "$ib0" name vhc0 type ipoib pkey 0x9999
ip link set vhc0 up
no "c no carrier with a P_Key that the port lacks" carrier "" vhc0
echo "mlx5_0/1 pkeys=0xffff,0x8001,0x9999" > $ctl
ok "c carrier when the P_Key comes" await carrier "" vhc0
ip link del vhc0
echo "mlx5_0/1 pkeys=0xffff,0x8001,0x8002,0x7fff" > $ctl

# ---- d: SR-IOV ----

ok "d sriov_numvfs 4" sh -c "echo 4 > $pf/sriov_numvfs"
ok "d 4 VF devices" same "$(vfs | xargs)" "mlx5_3 mlx5_4 mlx5_5 mlx5_6"
ok "d physfn" same "$(readlink -f "$pf"/virtfn1/physfn)" "$pf"
ok "d 4 VF netdevs" await count_is 4 vf_netdevs
ok "d set node_guid" ip link set "$ib0" vf 1 node_guid 00:11:22:33:44:55:66:77
ok "d set port_guid" ip link set "$ib0" vf 1 port_guid 00:11:22:33:44:55:66:78
ok "d shown by ip link" \
	has 'vf 1 .*NODE_GUID 00:11:22:33:44:55:66:77, PORT_GUID 00:11:22:33:44:55:66:78' \
	ip link show "$ib0"
v=$(basename "$(readlink "$pf/virtfn1")")
echo "$v" > /sys/bus/pci/drivers/vhca/unbind
echo "$v" > /sys/bus/pci/drivers/vhca/bind
ok "d VF took the GUID, and its old name" grep -q 0011:2233:4455:6677 "$pf/virtfn1/infiniband/mlx5_4/node_guid"
ip link set "$ib0" vf 2 state disable
ok "d VF link off" same "$(state mlx5_5)" DOWN
echo "mlx5_0/1 state=down" > $ctl
ok "d VF links follow the PF" same "$(state mlx5_3)" DOWN
echo "mlx5_0/1 state=active" > $ctl
ok "d ... and come back, but not the disabled one" same "$(state mlx5_3) $(state mlx5_5)" "ACTIVE DOWN"
await count_is 4 vf_netdevs
n0=$(netdev mlx5_3) n1=$(netdev mlx5_4)
ip link set "$n0" netns vh_a
ip link set "$n1" netns vh_b
ip -n vh_a addr add 10.3.0.1/24 dev "$n0"
ip -n vh_b addr add 10.3.0.2/24 dev "$n1"
ip -n vh_a link set "$n0" up
ip -n vh_b link set "$n1" up
await carrier vh_a "$n0"
await carrier vh_b "$n1"
ok "d ping VF to VF" ip netns exec vh_a ping -c 2 -i 0.2 -W 5 10.3.0.2

# ---- e: where hwloc sees them ----

# One CPU set from lstopo's view, one from the driver core's; and not "all".
local_to() { # HCA
	local got want all
	got=$(hwloc-calc --whole-system "os=$1" 2>/dev/null || hwloc-calc "os=$1") || return 1
	want=$(sed 's/,//g;s/^0*//' "$sys/$1/device/local_cpus")
	all=$(hwloc-calc all)
	echo "hwloc $got, local_cpus $want, all $all"
	[ $((got)) = $((0x$want)) ] && { [ "$(nproc)" = 1 ] || [ $((got)) != $((all)) ]; }
}
topology() {
	local d
	for d in mlx5_0 mlx5_1 mlx5_2 mlx5_3; do local_to $d || return 1; done
}
ok "e hwloc: HCAs below their NUMA nodes" topology

drop_netns
await test -e "$pf/virtfn0/net/$n0" > /dev/null

# ---- f: net namespaces of RDMA devices ----

ok "f exclusive mode" await set_exclusive
two_netns
ok "f move VF" rdma dev set mlx5_3 netns vh_a
ok "f move PF" rdma dev set mlx5_1 netns vh_b
ok "f seen there" has mlx5_3 ip netns exec vh_a rdma dev
no "f not seen here" has mlx5_3 rdma dev
ok "f RC pingpong between the namespaces" both -s vh_a -c vh_b 18515 \
	ibv_rc_pingpong -d mlx5_3 -n 100 -- ibv_rc_pingpong -d mlx5_1 -n 100 10.9.0.1
no "f foreign device refused" ip netns exec vh_a timeout 5 ibv_rc_pingpong -d mlx5_1 10.9.0.2
# up to 6.16 the netdev comes back in the first netns, later with the device
if ip link show "$ib1" > /dev/null 2>&1; then ip link set "$ib1" netns vh_b; fi
ip -n vh_b addr add 10.8.0.2/24 dev "$ib1"
ip -n vh_b link set "$ib1" up
ip addr add 10.8.0.1/24 dev "$ib0"
await carrier vh_b "$ib1"
await carrier "" "$ib0"
ok "f IPoIB of the moved device" ip netns exec vh_b ping -c 2 -i 0.2 -W 5 10.8.0.1
rping_ok() {
	rping -s -a 10.8.0.1 -C 2 & pids+=($!)
	await has '7174' rdma resource show cm_id > /dev/null
	ip netns exec vh_b timeout 20 rping -c -a 10.8.0.1 -C 2
}
ok "f rdma_cm between the namespaces" rping_ok
drop_netns
ok "f devices come back" await has mlx5_1 rdma dev

# ---- life cycle ----

ibv_rc_pingpong -e -d mlx5_3 -n 1000000 > "$tmp/a" 2>&1 & pids+=($!); pa=$!
await listens $pa 18515
ibv_rc_pingpong -e -d mlx5_4 -n 1000000 127.0.0.1 > "$tmp/b" 2>&1 & pids+=($!); pb=$!
base=$(counter mlx5_4 port_xmit_packets)
moved() { [ "$(counter mlx5_4 port_xmit_packets)" -gt $((base + 20)) ]; }
await moved
no "l unload with live mappings refused" rmmod vhca
ok "l VFs go under a running pingpong" sh -c "echo 0 > $pf/sriov_numvfs"
ok "l VFs gone" same "$(count ls $sys)" 3
kill -9 $pa $pb 2>/dev/null
wait $pa $pb 2>/dev/null
ok "l 8 VFs on two PFs" sh -c "echo 8 > $pf/sriov_numvfs && echo 8 > $sys/mlx5_2/device/sriov_numvfs"
ok "l 19 HCAs" same "$(count ls $sys)" 19
ok "l ctl shows all of them" same "$(wc -l < $ctl)" 19
ok "l unload with VFs" await unload
ok "l PCI ids as they were" same "$(cat "$pf"/vendor "$pf"/device | xargs)" "0x1b36 0x0010"
ok "l load again: two ports, other name, no GUIDs for VFs" load ports=2,1,1 name=vib_ vf_autoguid=0
ok "l dual-port PF" test -d $sys/vib_0/ports/2 -a ! -e $sys/vib_1/ports/2
ok "l a netdev per port" await test -n "$(netdev vib_0 1)" -a -n "$(netdev vib_0 2)"
echo 1 > "$pf/sriov_numvfs"
ok "l VF without a GUID is down" same "$(state vib_3)" DOWN
ok "l unload" await unload
rdma system set netns shared 2>/dev/null

finish
