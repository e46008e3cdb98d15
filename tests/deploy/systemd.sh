#!/usr/bin/env bash
# Verifies deploy/systemd/ as systemd itself does, offline: unknown keys and missing programs are failures.
#     tests/deploy/systemd.sh          programs from target/release, or from the directory in BABELQUANT_BIN
# No systemd runs them here.
set -euo pipefail

# shellcheck source=tests/deploy/common.sh
. "$(dirname "$0")/common.sh"
command -v systemd-analyze >/dev/null || skip "no systemd-analyze here"

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
for unit in "$root"/deploy/systemd/*.service; do
    # The programs of this checkout stand in for those in /usr/local/bin.
    sed "s|/usr/local/bin/|$bin/|g" "$unit" >"$dir/$(basename "$unit")"
done
cd "$dir"
said=$(systemd-analyze verify ./babelquant-coordinator.service "./babelquant-worker@cpu.service" 2>&1) || fail "$said"
[[ -z $said ]] || fail "$said"
# What a verifier must find, or its silence says nothing.
sed 's|^ExecStart=|Exec-Start=|' babelquant-coordinator.service >wrong.service
systemd-analyze verify ./wrong.service >/dev/null 2>&1 && fail "a unit that starts nothing passes"
say "PASSED"
