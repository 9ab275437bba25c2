#!/bin/bash
# Attaching and its undo in bare kernel calls (ip, rdma, sysfs), without any of our code: the order of steps that
# doc/adr/0004-order-of-an-attach.md fixes, tried by two jobs at once while udev watches. Prints TAP.
#
#   bare_attach.sh vf ROUNDS       an SR-IOV VF with its RDMA device; needs the exclusive RDMA mode and VFs of mlx5_0
#   bare_attach.sh ipoib ROUNDS    a child of mlx5_0's IPoIB interface; needs the shared RDMA mode
set -u
mode=$1 rounds=$2
pf=$(basename "$(readlink -f /sys/class/infiniband/mlx5_0/device)")
pci=/sys/bus/pci/devices
work=$(mktemp -d)
failed=0 count=0

ok() {
    count=$((count + 1))
    if "${@:2}" > "$work/said" 2>&1; then echo "ok $count - $1"; else
        echo "not ok $count - $1"
        sed 's/^/# /' "$work/said"
        failed=1
    fi
}

within() { # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    until "${@:2}"; do
        if [ $SECONDS -ge $end ]; then return 1; fi
        sleep 0.02
    done
}

netdev_of() { ls "$pci/$1/net" 2> /dev/null; }
rdma_of() { ls "$pci/$1/infiniband" 2> /dev/null; }
has() { [ -n "$("$@")" ]; }
ns() { ip netns exec "$job" "$@"; }
child_of() { ip -o link show | grep -o "$1-[^@]*"; }
carrier() { ip -o -n "$job" link show ib0 | grep -q LOWER_UP; }

# ---- the two modes; $job names the network namespace, fields of a claim are in files of $work/$job

attach_vf() {
    local n vf dev
    for n in 0 1 2 3; do mkdir "$work/claim-$n" 2> /dev/null && break; done || return 1
    echo "$n" > "$work/$job/vf"
    vf=$(basename "$(readlink -f "$pci/$pf/virtfn$n")")
    echo "$vf" > "$work/$job/pci"
    exec 9> "$work/lock"
    flock 9 # one re-registration at a time: minors of uverbs nodes change hands in parallel ones
    netdev_of "$vf" > "$work/$job/name"
    rdma_of "$vf" > "$work/$job/rdma"
    ip link set ib0 vf "$n" node_guid "00:11:22:33:44:00:00:1$n" &&
        ip link set ib0 vf "$n" port_guid "00:11:22:33:44:00:00:2$n" || return 1
    echo "$vf" > "$pci/$vf/driver/unbind" && echo "$vf" > /sys/bus/pci/drivers/vhca/bind || return 1
    within 5 has netdev_of "$vf" && within 5 has rdma_of "$vf" || return 1
    udevadm settle
    dev=$(rdma_of "$vf")
    echo "$dev" > "$work/$job/dev"
    rdma dev set "$dev" netns "$job" || return 1
    udevadm settle # it renames what is made anew, under the feet of who goes by names as this script has to
    if has netdev_of "$vf"; then # before 6.17 it is made anew here
        ip link set "$(netdev_of "$vf")" netns "$job" name ib0 || return 1
    else
        ns ip link set "$(ns sh -c "mount -t sysfs sysfs /sys; ls $pci/$vf/net")" name ib0 || return 1
    fi
    flock -u 9
    ip -n "$job" link set ib0 up && within 5 carrier || return 1
    [ "$(ns rdma dev | wc -l)" = 1 ] || return 1
    grep -qx "$dev" /sys/class/infiniband_verbs/*/ibdev
}

release_vf() {
    local n vf
    n=$(< "$work/$job/vf") vf=$(< "$work/$job/pci")
    exec 9> "$work/lock"
    flock 9
    ns rdma dev set "$(< "$work/$job/dev")" netns host || return 1
    within 5 has netdev_of "$vf" && within 5 has rdma_of "$vf" || return 1
    ip link set ib0 vf "$n" node_guid 00:00:00:00:00:00:00:00 && ip link set ib0 vf "$n" port_guid 00:00:00:00:00:00:00:00 || return 1
    echo "$vf" > "$pci/$vf/driver/unbind" && echo "$vf" > /sys/bus/pci/drivers/vhca/bind || return 1
    within 5 has netdev_of "$vf" && within 5 has rdma_of "$vf" || return 1
    udevadm settle
    if [ "$(netdev_of "$vf")" != "$(< "$work/$job/name")" ]; then ip link set "$(netdev_of "$vf")" name "$(< "$work/$job/name")" || return 1; fi
    if [ "$(rdma_of "$vf")" != "$(< "$work/$job/rdma")" ]; then rdma dev set "$(rdma_of "$vf")" name "$(< "$work/$job/rdma")" || return 1; fi
    rmdir "$work/claim-$n"
}

attach_ipoib() {
    grep -qi 0x8001 /sys/class/infiniband/mlx5_0/ports/1/pkeys/* || return 1
    ip link add link ib0 name "$job-tmp" type ipoib pkey 0x8001 mode datagram &&
        ip link set "$job-tmp" alias "bare:$job" &&
        ip link set "$job-tmp" netns "$job" name ib0 &&
        ip -n "$job" link set ib0 up && within 5 carrier
}

release_ipoib() { ip -n "$job" link del ib0; }

one_job() {
    job=$1
    mkdir "$work/$job"
    ip netns add "$job"
    ns ip link set lo up
    "attach_$mode" && "release_$mode"
    local status=$?
    ip netns del "$job"
    rm -r "${work:?}/$job"
    return $status
}

two_jobs() {
    (one_job "a$1") &
    local first=$!
    (one_job "b$1") && wait $first
}

# What a node looks like from outside: names, settings, devices.
picture() {
    ip -o link show | sed 's/^[0-9]*: //; s/ qdisc.*//' | sort
    ip link show ib0 | grep 'vf '
    rdma dev show | sed 's/^[0-9]*: //' | sort
    find /dev/infiniband -type c | wc -l # udev adds links by path and by name
}

/lib/systemd/systemd-udevd --daemon || exit 1
udevadm settle
ip netns attach host $$
picture > "$work/before"
for round in $(seq "$rounds"); do ok "round $round, two jobs" two_jobs "$round"; done
udevadm settle
picture > "$work/after"
ok "the node is as before" diff "$work/before" "$work/after"
ip netns del host
udevadm control --exit
rm -r "$work"
echo "1..$count"
exit $failed
