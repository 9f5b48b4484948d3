#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes a fresh Debian 13 ready: what beltrace needs to be built and to watch, the program itself, and a terminal that
# shows the dashboard as it should be. Vagrant and Lima run it as root; a second run changes nothing.
# The argument is where the sources are (/vagrant).
set -euo pipefail
src=${1:-/vagrant}
export DEBIAN_FRONTEND=noninteractive

say() { echo "provision: $*"; }

# put FILE: writes standard input there, unless that is what it says already.
put() {
	local text
	text=$(cat)
	[ "$(cat "$1" 2>/dev/null)" = "$text" ] && return
	mkdir -p "$(dirname "$1")"
	printf '%s\n' "$text" >"$1"
	say "wrote $1"
}

# cloud-init may still be at work; its exit status says how it went, not whether it is done. Lima has it run us: then it
# waits for us.
if command -v cloud-init >/dev/null && ! grep -q 'cloud-final\.service' /proc/self/cgroup; then
	cloud-init status --wait >/dev/null || true
fi

release() { sed -n "s/^$1=//p" /etc/os-release | tr -d '"'; } # not sourced: it has a VERSION, too
version_id=$(release VERSION_ID) # testing and unstable have none
if [ "$(release ID)" != debian ] || [ "${version_id:-99}" -lt 13 ]; then
	echo "provision: this is $(release PRETTY_NAME): Debian 13 or newer has the kernel and the Go that are needed" >&2
	exit 1
fi

missing=()
for package in golang-go make ca-certificates curl tmux bpftool bash-completion ncurses-term; do
	dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
	say "installing ${missing[*]}"
	apt-get -o DPkg::Lock::Timeout=300 update -q
	apt-get -o DPkg::Lock::Timeout=300 install -q -y --no-install-recommends "${missing[@]}"
fi

# tracefs and bpffs, at each boot.
for fs in "tracefs /sys/kernel/tracing tracefs nosuid,nodev,noexec 0 0" "bpf /sys/fs/bpf bpf nosuid,nodev,noexec,mode=700 0 0"; do
	read -r _ at _ <<<"$fs"
	grep -q " $at " /etc/fstab || { echo "$fs" >>/etc/fstab && say "$at is mounted at boot"; }
	mountpoint -q "$at" || mount "$at"
done

# The dashboard needs UTF-8, and a terminal type that this machine knows; ssh hands on what the host has.
put /etc/default/locale <<<"LANG=C.UTF-8"
put /etc/profile.d/beltrace.sh <<'EOF'
# Written by provision.sh of beltrace.
export LANG="${LANG:-C.UTF-8}"
infocmp "${TERM:-dumb}" >/dev/null 2>&1 || export TERM=xterm-256color
case $TERM in xterm | screen | tmux) export TERM=$TERM-256color ;; esac
EOF

# The program: the host's build of these sources, if it could make one, else built here.
build=$src/vagrant/.build/beltrace
if [ -x "$build" ] && "$build" version >/dev/null 2>&1; then
	mkdir -p "$src/bin"
	cmp -s "$build" "$src/bin/beltrace" || cp "$build" "$src/bin/beltrace"
else
	say "building beltrace (the first time Go fetches the version that go.mod asks for)"
	sudo -H -u "$(stat -c %U "$src")" make -s -C "$src" build ${VERSION:+VERSION="$VERSION"} ${COMMIT:+COMMIT="$COMMIT"}
fi
(cd "$src" && scripts/install.sh /usr/local >/dev/null)
say "$(beltrace version | head -1), $(beltrace doctor 2>/dev/null | grep '^tier' | tr -s ' ')"
