#!/bin/sh
# Runs the coordinator in its pod:  coordinator.sh serve STUDY --out OUT …
#
# A StatefulSet starts again whatever ends. So once the run is complete this stays, without work, and the results can be copied out
# of the pod; it stays too where another coordinator goes on with the run, which a new start would take it from. Every other end is the
# pod's end, with the program's exit code.
babelquant "$@" &
program=$!

# A trapped signal interrupts `wait`, which then says nothing about the program.
signals=0
trap 'signals=$((signals + 1)); kill -TERM "$program" 2>/dev/null' TERM INT
seen=-1 code=0
while [ "$seen" != "$signals" ]; do
    seen=$signals code=0
    wait "$program" || code=$?
done

stay() {
    echo "$1"
    trap 'exit 0' TERM INT
    sleep infinity &
    wait
}

case $code in
    0 | 3)
        stay "the run is complete ($code); the pod stays, to copy the results from" ;;
    76)
        stay "another coordinator goes on with this output ($code); the pod stays without work: delete it to take the output over again" ;;
    75)
        echo "unfinished; the same command goes on" ;;
    *)
        echo "STOPPED with $code; the lines above say why (codes: deploy/README.md)" ;;
esac
exit "$code"
