#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Generates bpf/ and test/bench/ anew from a copy of their sources and fails if the committed files differ in any byte.
set -euo pipefail
cd "$(dirname "$0")/.."
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp --parents -r go.mod go.sum bpf test/bench "$copy"
rm -f "$copy"/{bpf,test/bench}/*_bpfel.{go,o}
(cd "$copy" && go generate ./bpf ./test/bench)
for dir in bpf test/bench; do
	if ! diff -rq "$dir" "$copy/$dir"; then
		echo "check-generated: the generated files in $dir/ are not what their sources make; run: make generate" >&2
		exit 1
	fi
done
echo "check-generated: bpf/ and test/bench/ are up to date"
