# bash -s ROUNDS NODES, where srun is to run, as root: times a step of one task on each of NODES nodes without the plugin, with
# the plugin unused, and with verbs, in changing order, and prints "ROUND WHAT SECONDS TICKS" for each. TICKS are the CPU
# time that all processes of the nodes have used meanwhile, in clock ticks. Round 0 only warms up.
set -eu
export LC_ALL=C
nodes=$2
plugin=/etc/slurm/plugstack.conf.d/container-ib.conf
without() { mv "$plugin" "$plugin.away"; }
with() { if [ -e "$plugin.away" ]; then mv "$plugin.away" "$plugin"; fi; }
trap with EXIT

# Of every process of a node its own time and that of the children it has waited for, so none is lost when one ends.
ticks() {
    perl -e '
        my %nodes = map { (readlink "/proc/$_/ns/pid") => 1 } map { open my $f, "<", $_; <$f> =~ /(\d+)/ } glob "/run/testbed/n*/pid";
        my $sum = 0;
        for my $process (glob "/proc/[0-9]*") {
            next unless $nodes{readlink("$process/ns/pid") // ""};
            open my $stat, "<", "$process/stat" or next;
            my @field = split " ", <$stat> =~ s/.*\)//sr;
            $sum += $_ for @field[11 .. 14];
        }
        print $sum'
}

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
    local before begin took
    settle
    before=$(ticks)
    begin=${EPOCHREALTIME/./}
    srun --chdir=/tmp -N "$nodes" -n "$nodes" "${@:2}" true < /dev/null 2> /dev/null
    took=$((${EPOCHREALTIME/./} - begin))
    settle
    echo "$round $1 ${took}e-6 $(($(ticks) - before))"
}
absent() { without; timed absent; with; }
unused() { timed unused; }
verbs() { timed verbs --container-ib=verbs; }

orders=("absent unused verbs" "verbs unused absent" "unused verbs absent" "absent verbs unused" "verbs absent unused" "unused absent verbs")
for ((round = 0; round <= $1; round++)); do
    for what in ${orders[round % 6]}; do $what; done
done
