#!/bin/bash
# Keeps a worker running on each of some machines over ssh:  launch.sh COORDINATOR MODELS HOST…
#
# It ends when the run is complete. When it is ended itself, in whatever way, or when the connection breaks, the workers notice the
# end of their input, give back what they have not finished, and leave. It copies no programs and no models to the machines.
set -euo pipefail

if (( $# < 3 )); then
    echo "usage: launch.sh COORDINATOR MODELS HOST..." >&2
    exit 2
fi
coordinator=$1 models=$2
shift 2
program=${BABELQUANT_WORKER:-babelquant-worker} # on the machines
read -ra flags <<<"${BABELQUANT_FLAGS:-}"       # more flags of babelquant-worker
read -ra ssh <<<"${SSH:-ssh -o BatchMode=yes -o ServerAliveInterval=10 -o ServerAliveCountMax=3}"

# On the machine: the worker, and a watchdog that ends it when nobody holds the other end of stdin any more.
# shellcheck disable=SC2016
remote='exec 3<&0
"$@" </dev/null 3<&- &
worker=$!
{ cat <&3; kill -TERM $worker; } >/dev/null 2>&1 &
watchdog=$!
wait $worker
code=$?
kill $watchdog
exit $code'

# Runs workers on one machine, one after the other, until the run is complete or there is no point in another one.
keep() {
    local host=$1 code command
    command=$(printf '%q ' sh -c "$remote" sh "$program" --coordinator "$coordinator" --models "$models" --name "$host" "${flags[@]}")
    while :; do
        code=0
        "${ssh[@]}" "$host" "$command" <&4 4<&- || code=$?
        kill -0 $$ 2>/dev/null || return 75 # the launcher is gone
        case $code in
            0 | 3) echo "$host: ended with $code: the run is complete, or this worker was drained"; return 0 ;;
            75 | 255 | 129 | 13[0-9] | 14[0-9]) echo "$host: ended with $code (255: ssh), again in 5 s"; sleep 5 ;;
            *) echo "$host: STOPPED with $code, running it again cannot help (codes: deploy/README.md)"; return "$code" ;;
        esac
    done
}

# The input of all workers: a pipe that ends when this process and the pipe's keeper are gone. The keeper goes with this process.
exec 4< <(while kill -0 $$ 2>/dev/null; do sleep 1; done)

hosts=()
for host in "$@"; do
    keep "$host" &
    hosts+=($!)
done
trap 'trap - INT TERM; kill "${hosts[@]}" 2>/dev/null; exit 75' INT TERM
code=0
for pid in "${hosts[@]}"; do wait "$pid" || code=$?; done
exit "$code"
