#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the release for one system once more, in a copy of the tree elsewhere, without its git and with an empty build
# cache, and fails if the archive differs in any byte from the one in dist/. The argument is the system.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${1:?usage: check-release.sh GOOS/GOARCH}
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
mkdir "$copy/tree"
tar -c --exclude=./.git --exclude=./bin --exclude=./dist . | tar -x -C "$copy/tree"
find "$copy/tree" -exec touch -d '2001-01-01' {} +
version=$(make -s print-version)
GOCACHE=$copy/cache make -s -C "$copy/tree" release VERSION="$version" COMMIT="$(make -s print-commit)" \
	COMMIT_TIME="$(make -s print-commit-time)" TARGETS="$target" >/dev/null
name=beltrace-$version-${target/\//-}.tar.gz
if ! cmp "dist/$name" "$copy/tree/dist/$name"; then
	echo "check-release: two builds of $name differ" >&2
	exit 1
fi
grep -Fx "$(cat "$copy/tree/dist/SHA256SUMS")" dist/SHA256SUMS >/dev/null || {
	echo "check-release: the checksum of $name differs" >&2
	exit 1
}
echo "check-release: two builds of $name gave the same bytes"
