#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Everything that `make lint` checks. Goes on after a finding and fails at the end.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
status=0
step() {
	local name=$1
	shift
	"$@" || {
		echo "lint: $name found something" >&2
		status=1
	}
}
unformatted=$(find . -name '*.go' -not -path './bin/*' -not -path './dist/*' -exec gofmt -l {} +)
step "gofmt (make fmt): $unformatted" test -z "$unformatted"
step "go vet" go vet ./...
step "go vet (guest)" go vet -tags guest ./test/vm/smoke ./test/recordings
step "go vet (darwin)" env GOOS=darwin go vet ./...
step "go vet (windows)" env GOOS=windows go vet ./...
step staticcheck go tool -modfile=tools.mod staticcheck -tags guest ./...
step shellcheck shellcheck .ci/run scripts/*.sh vagrant/*.sh test/vagrant/*.sh
step "shellcheck (guest)" shellcheck -s dash test/vm/init.sh # busybox sh is an ash
for header in bpf/*.bpf.h; do # each brings what it needs
	step "$header alone" clang-16 -target bpfel -D__TARGET_ARCH_x86 -Ibpf/include -w -fsyntax-only -x c "$header"
done
step clang-format find . -name '*.[ch]' -exec clang-format-16 --dry-run --Werror {} +
[ $status -eq 0 ] && echo "lint: nothing found"
exit $status
