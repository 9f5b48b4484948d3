#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs bin/beltrace with its man pages and completions below the first argument (the prefix). The environment's
# DESTDIR is put before it, for packages. Takes sudo only where it may not write.
set -euo pipefail
cd "$(dirname "$0")/.."
prefix=${1:-}
[ -n "$prefix" ] || { echo "install: PREFIX is empty: name the folder to install below, as in make install PREFIX=/usr/local" >&2; exit 1; }
to=${DESTDIR:-}$prefix
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
share=$stage/share
mkdir -p "$stage/bin" "$share/man/man1" "$share/bash-completion/completions" "$share/zsh/site-functions" \
	"$share/fish/vendor_completions.d"
cp bin/beltrace "$stage/bin/beltrace"
bin/beltrace __man "$share/man/man1"
bin/beltrace completion bash >"$share/bash-completion/completions/beltrace"
bin/beltrace completion zsh >"$share/zsh/site-functions/_beltrace"
bin/beltrace completion fish >"$share/fish/vendor_completions.d/beltrace.fish"

# The nearest directory that is there decides who may write.
as=()
at=$to
while [ ! -e "$at" ]; do at=$(dirname "$at"); done
[ -w "$at" ] || as=(sudo)
while IFS= read -r file; do
	mode=644
	[ "$file" = bin/beltrace ] && mode=755
	[ -d "$to/$(dirname "$file")" ] || ${as[@]+"${as[@]}"} install -d "$to/$(dirname "$file")"
	${as[@]+"${as[@]}"} install -C -m "$mode" "$stage/$file" "$to/$file"
	echo "  $to/$file"
done < <(cd "$stage" && find . -type f | sed 's|^\./||' | LC_ALL=C sort)
