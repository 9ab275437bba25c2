#!/bin/bash
# sweep.sh JOB OPTION: reads faults (fault.c), one a line, and does each to a step of that job with that option. Prints
# for each "FAULT|STATUS|VERDICT|CALL|MESSAGES"; the verdict is "ok" when the step has ended in time, the node is as it was
# before, at last after a reap, and two more reaps have found nothing. Ends at the first fault that has left something.
job=$1 option=$2

picture() { sh /usr/local/lib/picture.sh > "$1"; }
is_as_before() { picture /run/sweep.now && left=$(diff /run/sweep.before /run/sweep.now); }
happened() { grep -q '^happens$' /run/fault.log; }
is_over() { ! pgrep container-ib-ag > /dev/null && ! compgen -G '/run/container-ib/[0-9]*' > /dev/null; }

wait_until() { # COMMAND; a reaper comes by meanwhile, as the epilog would
    for _ in {1..40}; do
        if "$1"; then return; fi
        if [ "$1" = is_over ]; then container-ib reap >> /tmp/said 2>&1; fi
        sleep 0.1
    done
    return 1
}

# Within the time that nothing of ours waits on a node where nothing else is wrong.
ends() { timeout 30 tail --pid="$1" -f /dev/null; }

step=(setpriv --reuid=alice --regid=alice --init-groups
    srun --jobid="$job" --chdir=/tmp -w n0 -n1 --overlap --mpi=pmix --container-ib="$option" true)

rm -f /run/fault
"${step[@]}" < /dev/null || exit
wait_until is_over # srun does not wait for slurmstepd
picture /run/sweep.before
while read -r fault; do
    rm -f /run/fault.log
    echo "$fault" > /run/fault
    "${step[@]}" > /tmp/said 2>&1 < /dev/null &
    srun=$!
    verdict=ok
    case $fault in
        # srun would wait for the dead slurmstepd
        *stepd) wait_until happened && wait_until is_over; kill -KILL $srun ;;
        *) if ! ends $srun; then verdict="it does not end: $(ps -eo pid,ppid,etimes,stat,wchan:20,args)"; kill -KILL $srun; fi ;;
    esac
    wait $srun 2> /dev/null
    status=$?
    wait_until is_over
    again=$(container-ib reap 2>&1; container-ib reap 2>&1)
    if [ "$verdict" = ok ] && ! wait_until is_as_before; then verdict="left behind: $left"; fi
    if [ "$again" ]; then verdict="reaping again found '$again'"; fi
    if ! happened; then verdict="it did not happen"; fi
    echo "$fault|$status|${verdict//$'\n'/; }|$(grep -P "^${fault%% *}\\t" /run/fault.log)|$(tr '\n' ' ' < /tmp/said)"
    case $verdict in left*) break ;; esac # the next ones would find it too, each after a long wait
done
rm -f /run/fault /run/sweep.*
