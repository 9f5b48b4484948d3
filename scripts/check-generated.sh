#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Compiles the BPF programs anew in a copy of the tree and fails if the committed results differ in any byte.
set -euo pipefail
cd "$(dirname "$0")/.."
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
tar -c --exclude=./.git --exclude=./bin . | tar -x -C "$copy"
find "$copy" -name '*_bpfel.go' -delete -o -name '*_bpfel.o' -delete
(cd "$copy" && go generate ./...)
results() { (cd "$1" && find . -name '*_bpfel.*' -exec sha256sum {} + | sort -k 2); }
if ! diff <(results .) <(results "$copy"); then
	echo "check-generated: these files are not what their sources make; run: make generate" >&2
	exit 1
fi
echo "check-generated: the generated files are up to date"
