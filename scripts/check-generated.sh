#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Generates bpf/ anew from a copy of its sources and fails if the committed files differ in any byte.
set -euo pipefail
cd "$(dirname "$0")/.."
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r go.mod go.sum bpf "$copy"
rm -f "$copy"/bpf/*_bpfel.go "$copy"/bpf/*_bpfel.o
(cd "$copy" && go generate ./bpf)
if ! diff -rq bpf "$copy/bpf"; then
	echo "check-generated: the generated files in bpf/ are not what their sources make; run: make generate" >&2
	exit 1
fi
echo "check-generated: bpf/ is up to date"
