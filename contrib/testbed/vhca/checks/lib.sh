# SPDX-License-Identifier: GPL-2.0-only
#
# What the checks have in common; sourced by them.
# shellcheck shell=bash

here=$(cd "$(dirname "$0")" && pwd)
ko=${VHCA_KO:-$here/../vhca.ko}
tmp=$(mktemp -d) || exit 1
n=0 failed=0 pids=()
begin="vhca checks begin $$"
sys=/sys/class/infiniband
ctl=/sys/module/vhca/parameters/ctl
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
ulimit -l unlimited

result() { # yes|no description [log]
	n=$((n + 1))
	[ "$1" = yes ] && { echo "ok $n - $2"; return; }
	echo "not ok $n - $2"
	failed=$((failed + 1))
	[ -z "$3" ] || sed 's/^/#   /' "$3" | tail -n 8
}

# ok "description" command...: must succeed.  no: must fail.
ok() {
	local d=$1
	shift
	if "$@" > "$tmp/log" 2>&1; then result yes "$d"; else result no "$d" "$tmp/log"; fi
}

no() {
	local d=$1
	shift
	if "$@" > "$tmp/log" 2>&1; then result no "$d" "$tmp/log"; else result yes "$d"; fi
}

skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; }

same() { echo "got \"$1\", want \"$2\""; [ "$1" = "$2" ]; }

has() { # regular expression, command...
	local re=$1 out
	shift
	out=$("$@" 2>&1)
	echo "$out"
	grep -qE -- "$re" <<< "$out"
}

# Wait until a command succeeds, 15 s (or $patience) at most.
await() {
	local end=$((SECONDS + ${patience:-15}))
	until "$@"; do
		[ $SECONDS -lt $end ] || { echo "waited in vain for: $*"; return 1; }
		sleep 0.1
	done
}

ns() { # namespace or "", command...
	local ns=$1
	shift
	if [ -n "$ns" ]; then ip netns exec "$ns" "$@"; else "$@"; fi
}

listens() { # pid, TCP port: in that process's net namespace
	grep -qE ":$(printf %04X "$2") [0-9A-F]+:0000 0A" "/proc/$1/net/tcp" "/proc/$1/net/tcp6" 2>/dev/null ||
		! kill -0 "$1" 2>/dev/null
}

# A server and its client, both must succeed:
# both [-s netns] [-c netns] port server... -- client...
both() {
	local s="" c="" port srv=() pid r1 r2
	while :; do
		case $1 in
		-s) s=$2 ;;
		-c) c=$2 ;;
		*) break ;;
		esac
		shift 2
	done
	port=$1
	shift
	while [ "$1" != -- ]; do srv+=("$1"); shift; done
	shift
	if [ -n "$s" ]; then
		ip netns exec "$s" timeout 60 "${srv[@]}" > "$tmp/server" 2>&1 &
	else
		timeout 60 "${srv[@]}" > "$tmp/server" 2>&1 &
	fi
	pid=$!
	patience=60 await listens $pid "$port"
	ns "$c" timeout 60 "$@"
	r1=$?
	# a server whose client failed would wait for ever
	[ $r1 = 0 ] || kill $pid 2>/dev/null
	wait $pid
	r2=$?
	[ $r2 = 0 ] || cat "$tmp/server"
	return $((r1 | r2))
}

netdev() { # RDMA device, port (default 1)
	local d
	for d in "$sys/$1"/device/net/*; do
		[ "$(cat "$d/dev_port" 2>/dev/null)" = $((${2:-1} - 1)) ] && basename "$d"
	done
}

carrier() { ns "$1" ip -br link show "$2" | grep -q LOWER_UP; }
counter() { cat "$sys/$1/ports/1/counters/$2"; }
state() { sed 's/.*: //' "$sys/$1/ports/${2:-1}/state"; }
vfs() { basename -a "$pf"/virtfn*/infiniband/* 2>/dev/null | sort -V; }
count() { "$@" 2>/dev/null | wc -l; }
count_is() { [ "$(count "${@:2}")" = "$1" ]; }
vf_netdevs() { ls -d "$pf"/virtfn*/net/*; }

load() {
	local m
	for m in rdmavt ib_umad ib_uverbs rdma_ucm udp_tunnel; do modprobe $m 2>/dev/null; done
	if [ -e "$ko" ]; then insmod "$ko" "$@"; else modprobe vhca "$@"; fi
}

unload() { rmmod vhca; }

cleanup() {
	local p
	for p in "${pids[@]}"; do kill -9 "$p" 2>/dev/null; done
	ip netns del vh_a 2>/dev/null
	ip netns del vh_b 2>/dev/null
	ip netns del vh_c 2>/dev/null
	ip netns del vh_d 2>/dev/null
	rm -rf "$tmp"
}
trap cleanup EXIT

# netns vh_a and vh_b with a veth pair between them, for the handshakes
two_netns() {
	ip netns add vh_a
	ip netns add vh_b
	ip link add v0 netns vh_a type veth peer name v1 netns vh_b
	ip -n vh_a addr add 10.9.0.1/24 dev v0
	ip -n vh_b addr add 10.9.0.2/24 dev v1
	ip -n vh_a link set lo up
	ip -n vh_b link set lo up
	ip -n vh_a link set v0 up
	ip -n vh_b link set v1 up
}

drop_netns() {
	ip netns del vh_a
	ip netns del vh_b
}

delta() { # from, to
	local a b i
	read -ra a <<< "$1"
	read -ra b <<< "$2"
	for i in 0 1 2 3; do echo $((b[i] - a[i])); done | xargs
}


said() { # what the kernel log must say, words for ctl: refused, and said why
	echo "vhca check $n" > /dev/kmsg
	echo "${*:2}" > $ctl && return 1
	has "$1" sh -c "dmesg | sed -n '/vhca check $n\$/,\$p'"
}

set_exclusive() { rdma system set netns exclusive; }

# where it is built with MPI (trixie), it is an MPI program unless told not to be
p0=()
if ldd "$(command -v ucx_perftest)" | grep -q libmpi; then p0=(-P 0); fi

# rdmavt warns of its own memcpy once per boot (qp.c:2041 on 6.1)
complaints() {
	dmesg | sed -n "/$begin/,\$p" |
		grep -E 'WARNING:|BUG:|BUG [a-z]|Oops|soft lockup|hung task|rcu.*stall|Poison|Redzone|Object already free|refcount_t' |
		grep -v 'rdmavt/qp.c:[0-9]* rvt_post_'
	return 0
}

# The last check, the plan, and the exit.
finish() {
	ok "kernel log clean" same "$(complaints)" ""
	echo "1..$n"
	[ $failed = 0 ] || { echo "# $failed of $n failed"; exit 1; }
	exit 0
}

[ "$(id -u)" = 0 ] || { echo "Bail out! not root"; exit 1; }
echo "$begin" > /dev/kmsg
ip link set lo up
modprobe -r ib_ipoib 2>/dev/null
[ ! -d /sys/module/vhca ] || unload
