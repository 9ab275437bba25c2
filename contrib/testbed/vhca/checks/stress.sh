#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Things taken away while in use, over and over: VFs under running pingpongs,
# IPoIB children with their netns, links, all next to IPoIB traffic.  As root
# in a guest with the module, three PFs and ib_ipoib; best booted with
# slub_debug=FZPU.  stress.sh [rounds, default 50], each two or three seconds.

rounds=${1:-50}
pf=$(readlink -f /sys/class/infiniband/mlx5_0/device)
ctl=/sys/module/vhca/parameters/ctl
round=0 pongs=0 bad=0
ulimit -l unlimited
echo "vhca stress begin" > /dev/kmsg

fail() { echo "# $*"; bad=$((bad + 1)); }
ends() { timeout 60 ibv_rc_pingpong -e -d "$1" -p "$2" -n 300 "${@:3}" > /dev/null 2>&1; }
# In a subshell that becomes the program, so that kill reaches it.
goes_on() { exec ibv_rc_pingpong -e -d "$1" -p "$2" -n 1000000 "${@:3}" > /dev/null 2>&1; }
listens() { for _ in $(seq 50); do ss -Hltn "sport = :$1" | grep -q . && return; sleep 0.1; done; }

ip netns add vh_a
ip netns add vh_b
ip link set ib0 up
for i in 1 2; do
	ns=vh_$(tr 12 ab <<< $i)
	ip link set ib$i netns "$ns"
	ip -n "$ns" addr add 10.1.0.$i/24 dev ib$i
	ip -n "$ns" link set ib$i up
done
ip netns exec vh_b ping -q -i 0.01 10.1.0.1 > /dev/null 2>&1 & ping=$!

while [ $round -lt "$rounds" ]; do
	round=$((round + 1))
	echo 3 > "$pf/sriov_numvfs" || fail "numvfs 3"
	ip netns add vh_c
	ip link add link ib0 name vhk type ipoib pkey 0x8001 && ip link set vhk netns vh_c &&
		ip -n vh_c link set vhk up || fail "child"
	ends mlx5_3 19000 & p=$!
	listens 19000
	ends mlx5_4 19000 127.0.0.1 && wait $p && pongs=$((pongs + 1)) || fail "pingpong"
	goes_on mlx5_4 19001 & p=$!
	listens 19001
	goes_on mlx5_5 19001 127.0.0.1 & q=$!
	goes_on mlx5_0 19002 & r=$!
	listens 19002
	goes_on mlx5_0 19002 127.0.0.1 & t=$!
	sleep 0.3
	echo "mlx5_0/1 state=down" > $ctl
	[ $((round % 2)) = 0 ] && kill -9 $r
	echo "mlx5_0/1 state=active" > $ctl
	echo 0 > "$pf/sriov_numvfs" || fail "numvfs 0"
	kill -9 $p $q $r $t 2>/dev/null
	wait $p $q $r $t 2>/dev/null
	ip -n vh_c link del vhk
	ip netns del vh_c
	echo "# round $round ends at $SECONDS s"
done
kill $ping
ip netns del vh_a
ip netns del vh_b
echo "# $rounds rounds, $pongs pingpongs done"
[ $bad = 0 ] || echo "not ok 1 - stress: $bad failures"
[ $bad = 0 ] && echo "ok 1 - stress"
if dmesg | sed -n '/vhca stress begin/,$p' | grep -E 'WARNING:|BUG[: ]|Oops|lockup|stall|hung|Poison|Redzone' |
	grep -v 'rdmavt/qp.c:[0-9]* rvt_post_'; then
	echo "not ok 2 - kernel log clean"
	bad=1
else
	echo "ok 2 - kernel log clean"
fi
echo "1..2"
exit $((bad != 0))
