#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Draws docs/screens/*.svg from the recording beside them, in the real dashboard in a tmux. With -record it makes the
# recording anew first: four servers and their clients on loopback, watched by beltrace (as root).
set -eu
cd "$(dirname "$0")/.."
command -v tmux >/dev/null || { echo "scripts/screens.sh needs: apt-get install -y tmux" >&2; exit 1; }
make build
exec go run ./internal/screens "$@"
