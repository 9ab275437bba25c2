# bash -s ROUNDS, on n0 as root: times `srun -n2 true` without the plugin, with it switched off and with verbs, in
# changing order, and prints "ROUND WHAT SECONDS" for each. Round 0 only warms up.
set -eu
export LC_ALL=C
plugin=/etc/slurm/plugstack.conf.d/container-ib.conf
without() { mv "$plugin" "$plugin.away"; }
with() { if [ -e "$plugin.away" ]; then mv "$plugin.away" "$plugin"; fi; }
trap with EXIT

timed() { # WHAT [OPTION]
    local begin=${EPOCHREALTIME/./}
    srun --chdir=/tmp -n2 "${@:2}" true < /dev/null
    echo "$round $1 $((${EPOCHREALTIME/./} - begin))e-6"
}
absent() { without; timed absent; with; }
none() { timed none --container-ib=none; }
verbs() { timed verbs --container-ib=verbs; }

orders=("absent none verbs" "none verbs absent" "verbs absent none")
for ((round = 0; round <= $1; round++)); do
    for what in ${orders[round % 3]}; do $what; done
done
