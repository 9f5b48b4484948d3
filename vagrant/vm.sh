#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The VM from the outside: what `make vm` and its sisters do. Each verb but halt and destroy first sees to it that the VM
# runs with the sources as they are here. Each says what it does, or what is missing, with the command that mends it.
#
#   vm.sh demo [NAME [FLAGS]]  a demo in the dashboard (request-response)
#   vm.sh top [FLAGS]     the dashboard of the whole VM
#   vm.sh test [RUN=REGEXP] [PKG=PACKAGES]   the whole test suite, or some of it, as root on the VM's kernel
#   vm.sh record [FLAGS]  a recording of 10 s, or as long as --for says, brought home
#   vm.sh halt | destroy
#
# The provider is QEMU on macOS; on Linux it is libvirt, or else VirtualBox, or else QEMU. VAGRANT_DEFAULT_PROVIDER says
# otherwise. Works with the bash 3.2 of macOS.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { echo "vm: $*" >&2; }
die() { say "$@"; exit 1; }
mac() { [ "$(uname -s)" = Darwin ]; }
has() { command -v "$1" >/dev/null; }
either() { if mac; then echo "$1"; else echo "$2"; fi; }

need_vagrant() {
	has vagrant || die "there is no Vagrant: $(either 'brew install hashicorp/tap/hashicorp-vagrant' \
		'sudo apt-get install -y vagrant vagrant-libvirt libvirt-daemon-system qemu-utils rsync')"
}

need_rsync() {
	has rsync || die "there is no rsync: $(either 'brew install rsync' 'sudo apt-get install -y rsync')"
}

plugin() { vagrant plugin list 2>/dev/null | grep -q "^$1 "; }

# The provider of the VM that is there, running or not.
made() {
	local id
	for id in "${VAGRANT_DOTFILE_PATH:-.vagrant}"/machines/default/*/id; do
		[ -s "$id" ] && basename "$(dirname "$id")" && return
	done
	return 1
}

# That one, or else the one that is asked for, or else the best one here.
provider() {
	made && return
	if [ -n "${VAGRANT_DEFAULT_PROVIDER:-}" ]; then
		echo "$VAGRANT_DEFAULT_PROVIDER"
	elif mac; then
		echo qemu
	elif plugin vagrant-libvirt; then
		echo libvirt
	elif has VBoxManage; then
		echo virtualbox
	elif plugin vagrant-qemu; then
		echo qemu
	fi
}

need_provider() {
	case $provider in
	'') die "there is no provider: sudo apt-get install -y vagrant-libvirt libvirt-daemon-system, or vagrant plugin install vagrant-qemu" ;;
	qemu)
		has qemu-img || die "there is no QEMU: $(either 'brew install qemu' 'sudo apt-get install -y qemu-system qemu-utils')"
		plugin vagrant-qemu || die "Vagrant cannot drive QEMU: vagrant plugin install vagrant-qemu"
		;;
	libvirt)
		plugin vagrant-libvirt || die "Vagrant cannot drive libvirt: sudo apt-get install -y vagrant-libvirt libvirt-daemon-system"
		;;
	virtualbox)
		has VBoxManage || die "there is no VirtualBox: https://www.virtualbox.org/wiki/Downloads (7.1.6 or newer on Apple silicon)"
		;;
	vmware_desktop)
		plugin vagrant-vmware-desktop || die "Vagrant cannot drive VMware: vagrant plugin install vagrant-vmware-desktop"
		;;
	parallels)
		plugin vagrant-parallels || die "Vagrant cannot drive Parallels: vagrant plugin install vagrant-parallels"
		;;
	esac
}

# build compiles for the VM here, if there is a Go: it is quicker than in the VM, which needs none then.
build() {
	rm -rf .build
	has go || return 0
	local arch
	arch=$(./image.sh --arch)
	say "building for linux/$arch"
	(cd .. && make -s guest-build GUEST_ARCH="$arch") || die "the build failed"
}

# state is asked for on its own (is=$(state)), so that what Vagrant refuses ends here.
state() { vagrant status --machine-readable | awk -F, '$3 == "state" { print $4 }'; }

up() {
	need_vagrant
	need_rsync
	provider=$(provider)
	need_provider
	[ -n "${BELTRACE_BOX:-}" ] || ./image.sh "$provider"
	build
	local is
	is=$(state)
	if [ "$is" = running ]; then
		say "the VM runs ($provider): bringing the sources"
		vagrant rsync
		vagrant provision
	else
		say "starting the VM ($provider); the first time takes some minutes"
		vagrant up --provider="$provider" --provision
	fi
	vagrant ssh-config >"$work/ssh"
}

# guest COMMAND: runs it there, in this terminal if there is one.
guest() {
	local tty=-T
	[ -t 0 ] && [ -t 1 ] && tty=-t
	ssh -F "$work/ssh" $tty default -- "bash -lc $(printf %q "$*")"
}

goes_on="q leaves it, and the VM goes on until make vm-halt"

record() {
	local name
	name=beltrace-$(date +%Y%m%d-%H%M%S).ndjson.zst
	case " $* " in *" --for "* | *" --for="*) ;; *) set -- "$@" --for 10s ;; esac
	say "recording in the VM ($*), then it comes to $from"
	guest "sudo beltrace record /tmp/$name $*"
	ssh -F "$work/ssh" -T default -- "sudo cat /tmp/$name && sudo rm /tmp/$name" >"$from/$name"
	say "look at it: beltrace replay $name"
	echo "$name"
}

suite() {
	say "running ${*:-the whole test suite} as root on the VM's kernel; the first time Go fetches and compiles everything"
	guest "cd /vagrant && sudo make test $([ $# -eq 0 ] || printf '%q ' "$@")"
}

# existing VERB ends here if there is no VM.
existing() {
	if ! provider=$(made); then
		say "there is no VM to $1: make vm makes one"
		exit
	fi
	need_vagrant
	need_provider
}

halt() {
	existing stop
	local is
	is=$(state)
	case $is in
	shutoff | poweroff | stopped | not_running) say "the VM ($provider) is stopped already: make vm starts it, make vm-destroy removes it" ;;
	not_created) say "the VM ($provider) was removed by something else: make vm makes another, make vm-destroy clears up" ;;
	*)
		say "stopping the VM ($provider): make vm starts it again, make vm-destroy removes it"
		vagrant halt
		;;
	esac
}

destroy() {
	existing remove
	say "removing the VM ($provider): make vm makes another, of the image that stays in ${BELTRACE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/beltrace}"
	vagrant destroy -f
}

from=${BELTRACE_FROM:-$OLDPWD}
verb=${1:-demo}
[ $# -gt 0 ] && shift
case $verb in
demo) up; say "demo ${*:-request-response}: $goes_on"; guest "sudo beltrace demo ${*:-request-response}" ;;
top) up; say "the dashboard of the whole VM: $goes_on"; guest "sudo beltrace top $*" ;;
test) up; suite "$@" ;;
record) up; record "$@" ;;
halt) halt ;;
destroy) destroy ;;
*) die "no verb $verb: demo, top, test, record, halt, destroy" ;;
esac
