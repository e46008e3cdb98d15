#!/bin/bash
# Runs studies with their results in a bucket and breaks things between the coordinator and the bucket meanwhile:
#     tests/deploy/s3.sh               programs from target/release, or from the directory in BABELQUANT_BIN
#
# The bucket is one of moto's server on this machine, behind a proxy that refuses requests before they are applied, loses answers of what was
# applied, cuts bodies, dawdles, says nothing and goes away (s3/proxy.py). Whatever happens, the files under data/ and _SUCCESS.json must be
# the bytes of a run into a directory without faults, and every fault must have fired. Then the store's own tests run on the bucket, and what
# analysts use reads from it. About two minutes on two CPUs. It is no test of Amazon's S3, or of any store but moto's.
#
# Needs Python with pip, and says SKIPPED where moto cannot be had. KEEP=1 keeps the directory with all logs.
set -euo pipefail

# shellcheck source=tests/deploy/common.sh
. "$(dirname "$0")/common.sh"
here=$root/tests/deploy/s3

dir=$(mktemp -d)
trap 'keep_or_remove "$dir" $?' EXIT

python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt" \
    --requirement "$root/tests/reference/analysts.txt" >"$dir/pip.log" 2>&1 || skip "moto cannot be installed: $(tail -n 1 "$dir/pip.log")"
export PYTHONDONTWRITEBYTECODE=1

small_study "$dir" 512 fin
cp "$dir/study/study.toml" "$dir/study/more.toml"
sed -i 's/^scopes.*/scopes = ["all"]/' "$dir/study/study.toml"
export XDG_CACHE_HOME=$dir/cache
"$bin/babelquant" run "$dir/study/study.toml" --out "$dir/expected" >"$dir/expected.log" 2>&1 || fail "run: $(tail -3 "$dir/expected.log")"
say "the run into a directory is complete"

mkdir "$dir/place"
"$dir/venv/bin/python" "$here/run.py" "$bin" "$dir/study" "$dir/expected" "$dir/place" |
    while IFS= read -r line; do say "$line"; done
say "PASSED"
