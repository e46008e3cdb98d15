# shellcheck shell=bash
# What the tests of deploy/ share: where the programs are, how a test ends, how it waits, and a small study. Sourced by them; it is no
# test.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=$(cd "${BABELQUANT_BIN:-$root/target/release}" && pwd)

skip() { echo "SKIPPED: $*"; exit 0; }
fail() { echo "FAILED: $*" >&2; exit 1; }
say() { printf '%4d s  %s\n' "$SECONDS" "$*"; }

[[ -x $bin/babelquant && -x $bin/babelquant-worker ]] || fail "no babelquant and babelquant-worker in $bin: cargo build --release --workspace"

# The end of a test that exits with CODE: its logs are kept where it failed, or where KEEP=1 asks for them.
keep_or_remove() { # DIR CODE
    if [[ -n ${KEEP:-} || $2 != 0 ]]; then echo "logs: $1"; else rm -rf "$1"; fi
}

# What a test shows when it has waited in vain.
show() { :; }

# Waits until a command succeeds, at most $1 seconds.
within() { # SECONDS WHAT COMMAND…
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        (( SECONDS < end )) || { show; fail "not within the time: $what"; }
        sleep 0.3
    done
}

# A study of the demo's model in DIR/study, over the demo's text in some languages.
small_study() { # DIR SHARD_BYTES LANGUAGE…
    local dir=$1 shard_bytes=$2 demo language
    shift 2
    "$bin/babelquant" demo --out "$dir/demo" >"$dir/demo.log" 2>&1 &
    demo=$!
    within 60 "the demo unpacks its files" test -e "$dir/demo/study.toml"
    kill "$demo"
    wait "$demo" || true
    mkdir -p "$dir/study/corpus"
    cp -r "$dir/demo/input/model" "$dir/study/model"
    for language in "$@"; do cp "$dir/demo/input/corpus/$language.txt" "$dir/study/corpus/"; done
    cat >"$dir/study/study.toml" <<STUDY
components = ["mlp"]
configs = ["int4-channel", "int3-channel"]
dtype = "f32"
metrics = ["nll", "top1", "kl"]
scopes = ["all", "only(each)"]

[corpus]
path = "corpus/{language}.txt"
shard_bytes = $shard_bytes

[[models]]
name = "demo"
path = "model"
STUDY
}
