#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Prints the Debian packages that this machine lacks. Each argument is THING=PACKAGE; THING is a command, or a file if
# it has a slash. Prints nothing and exits 0 if all are there, else exits 1.
set -euo pipefail
missing=()
for pair in "$@"; do
	thing=${pair%%=*} package=${pair#*=}
	case $thing in
	*/*) [ -e "$thing" ] && continue ;;
	*) PATH=$PATH:/usr/sbin:/sbin command -v "$thing" >/dev/null && continue ;;
	esac
	missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
printf '%s\n' "${missing[@]}" | sort -u | paste -sd' '
exit 1
