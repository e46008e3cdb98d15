#!/bin/bash
# Sends the spans of a run to an OpenTelemetry collector on loopback:
#     cargo build --release --workspace --bins --features babelquant-proto/otel && tests/deploy/otel.sh
#
# Every unit must be in the span of a job and every result in that of a commit, each under its program's name; a collector that is not there must
# change nothing. Needs CPython 3 with venv. The collector is a stand-in that speaks the protocol.
set -euo pipefail

# shellcheck source=tests/deploy/common.sh
. "$(dirname "$0")/common.sh"

dir=$(mktemp -d)
mine=()
clean_up() {
    local code=$? pid
    for pid in "${mine[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    keep_or_remove "$dir" "$code"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --requirement "$(dirname "$0")/otel/requirements.txt"
small_study "$dir" 2048 fin tur

mkfifo "$dir/stop"
"$dir/venv/bin/python" "$(dirname "$0")/otel/collector.py" <"$dir/stop" >"$dir/spans" 2>"$dir/collector.log" &
collector=$!
mine+=("$collector")
exec 3>"$dir/stop"
within 30 "the collector listens" test -s "$dir/spans"

# Runs the study into DIR/OUT, with spans sent to URL.
run() { # OUT URL
    local out=$1 address serve
    export OTEL_EXPORTER_OTLP_ENDPOINT=$2
    "$bin/babelquant" serve "$dir/study/study.toml" --out "$dir/$out" --listen 127.0.0.1:0 >"$dir/$out.out" 2>"$dir/$out.log" &
    serve=$!
    mine+=("$serve")
    within 30 "the coordinator listens" grep -q listening "$dir/$out.out"
    address=$(sed -n 's/^listening on //p' "$dir/$out.out")
    "$bin/babelquant-worker" --coordinator "$address" --models "$dir/study/model" 2>"$dir/$out-worker.log" || fail "the worker ended with $?"
    wait "$serve" || fail "the coordinator ended with $?"
}

run collected "$(head -n 1 "$dir/spans")"
! grep -q "built without otel" "$dir/collected.log" || fail "these programs were built without the feature otel"
say "a run whose spans are collected"
exec 3>&-
wait "$collector"
python3 - "$dir/spans" "$dir/collected/_SUCCESS.json" <<'PYTHON'
import collections
import json
import sys

spans = [json.loads(line) for line in open(sys.argv[1]).readlines()[1:]]
by_name = collections.defaultdict(list)
for span in spans:
    by_name[span["service"], span["name"]].append(span)
for (service, name), those in sorted(by_name.items()):
    print(f"        {len(those):5} × {name} of {service}")
jobs, commits = by_name["babelquant-worker", "job"], by_name["babelquant", "commit"]
units = sum(int(job["attributes"]["units"]) for job in jobs)
entries = sum(int(commit["attributes"]["entries"]) for commit in commits)
assert units == entries > 50, f"{units} units in jobs, {entries} entries in commits"
assert all(job["attributes"]["words"] and job["nanoseconds"] > 0 for job in jobs), jobs
[run], [worker] = by_name["babelquant", "run"], by_name["babelquant-worker", "worker"]
assert {job["trace"] for job in jobs} == {worker["trace"]} and worker["attributes"]["run"] == run["attributes"]["id"], (run, worker)
PYTHON

run alone http://127.0.0.1:1
cmp "$dir/collected/_SUCCESS.json" "$dir/alone/_SUCCESS.json"
say "a run whose collector is not there"
echo PASSED
