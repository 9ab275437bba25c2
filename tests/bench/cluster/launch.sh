# bash -s ROUNDS, on n0 as root: times `srun -n2 true` without the plugin, with it switched off and with verbs, in
# changing order, and prints "ROUND WHAT SECONDS" for each. Round 0 only warms up.
set -eu
export LC_ALL=C
plugin=/etc/slurm/plugstack.conf.d/container-ib.conf
without() { mv "$plugin" "$plugin.away"; }
with() { if [ -e "$plugin.away" ]; then mv "$plugin.away" "$plugin"; fi; }
trap with EXIT

# A step ends, and the epilog of its job runs, when its srun is long gone: nobody shall pay for the one before. slurmd
# keeps one slurmstepd, "infinity".
settle() {
    local quiet=0
    for _ in {1..600}; do
        if pgrep -af '^slurmstepd|/container-ib-agent' | grep -qv infinity; then quiet=0; else quiet=$((quiet + 1)); fi
        if [ $quiet = 3 ]; then return; fi
        sleep 0.1
    done
    echo "steps do not end" >&2
    return 1
}

timed() { # WHAT [OPTION]
    settle
    local begin=${EPOCHREALTIME/./}
    srun --chdir=/tmp -w n0 -n2 "${@:2}" true < /dev/null
    echo "$round $1 $((${EPOCHREALTIME/./} - begin))e-6"
}
absent() { without; timed absent; with; }
none() { timed none --container-ib=none; }
verbs() { timed verbs --container-ib=verbs; }

orders=("absent none verbs" "verbs none absent" "none verbs absent" "absent verbs none" "verbs absent none" "none absent verbs")
for ((round = 0; round <= $1; round++)); do
    for what in ${orders[round % 6]}; do $what; done
done
