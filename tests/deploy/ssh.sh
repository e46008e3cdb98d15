#!/bin/bash
# Runs deploy/ssh/launch.sh against an sshd of its own on loopback:
#     tests/deploy/ssh.sh              programs from target/release, or from the directory in BABELQUANT_BIN
#
# The launcher is killed with SIGKILL, after which no worker may be left, and started again; the run must complete. Needs root and
# an installed sshd, and says SKIPPED otherwise. It is no test of ssh on real networks.
set -euo pipefail

# shellcheck source=tests/deploy/common.sh
. "$(dirname "$0")/common.sh"
(( EUID == 0 )) || skip "needs root to run sshd"
[[ -x /usr/sbin/sshd ]] || skip "no sshd here"

dir=$(mktemp -d)
mine=()
clean_up() {
    local pid
    for pid in "${mine[@]}" $(workers); do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$dir"
}
# The workers that this test has started know its directory.
workers() { pgrep -f "^$bin/babelquant-worker .*--models $dir/" || true; }
trap clean_up EXIT
trap 'exit 130' INT TERM

small_study "$dir" 2048 fin tur

ssh-keygen -q -t ed25519 -N '' -f "$dir/host_key"
ssh-keygen -q -t ed25519 -N '' -f "$dir/key"
mkdir -p /run/sshd
port=$((20000 + RANDOM % 9000))
/usr/sbin/sshd -D -f /dev/null -E "$dir/sshd.log" -h "$dir/host_key" -o ListenAddress=127.0.0.1 -o Port=$port -o UsePAM=no \
    -o StrictModes=no -o PidFile="$dir/sshd.pid" -o AuthorizedKeysFile="$dir/key.pub" &
mine+=($!)
export SSH="ssh -F /dev/null -p $port -i $dir/key -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=$dir/hosts -q"
# shellcheck disable=SC2086
within 20 "sshd answers" $SSH 127.0.0.1 true

"$bin/babelquant" serve "$dir/study/study.toml" --out "$dir/out" --listen 127.0.0.1:0 >"$dir/serve.out" 2>"$dir/serve.log" &
serve=$!
mine+=("$serve")
within 30 "the coordinator listens" grep -q "^listening on" "$dir/serve.out"
url=$(sed -n 's/^listening on //p' "$dir/serve.out")
export BABELQUANT_WORKER=$bin/babelquant-worker BABELQUANT_FLAGS="--cache $dir/cache"

launch() {
    "$root/deploy/ssh/launch.sh" "$url" "$dir/study" 127.0.0.1 localhost >>"$dir/launch.log" 2>&1 &
    launcher=$!
}
both() { [[ $(workers | wc -l) == 2 ]]; }
none() { [[ -z $(workers) ]]; }
launch
within 30 "two workers run" both
say "two workers: $("$bin/babelquant" status "$url")"
kill -9 "$launcher"
within 20 "no worker is left" none
say "killed the launcher, no worker is left: $("$bin/babelquant" status "$url")"
launch
mine+=("$launcher")
within 30 "two workers run again" both
# shellcheck disable=SC2046
kill -9 $(workers | head -1)
say "killed a worker"
code=0
wait "$serve" || code=$?
(( code == 0 )) || fail "the coordinator ended with $code: $(tail -2 "$dir/serve.log")"
wait "$launcher" || code=$?
grep -h "^127\|^localhost" "$dir/launch.log"
(( code == 0 )) || fail "the launcher ended with $code"
[[ -e $dir/out/_SUCCESS.json ]] || fail "the run is not complete"
say "PASSED"
