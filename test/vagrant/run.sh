#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Brings the project's own VM up for real: image.sh, Vagrantfile, provision.sh and vm.sh, unchanged, under `vagrant up
# --provider=libvirt`, and uses it as one does. The hardware is emulated, and an image that is built here from Debian's
# packages stands in for Debian's cloud image. Needs root on Debian. The last result stands in docs/vagrant.md.
#
#   test/vagrant/run.sh             the program is built on the host, as for somebody with Go
#   BUILD=guest test/vagrant/run.sh   it is built in the VM
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
dir=${BELTRACE_CACHE:-/var/cache/beltrace}/vagrant-test
suite=trixie
mkdir -p "$dir"
export BELTRACE_CACHE=$dir/cache VAGRANT_HOME=$dir/home VAGRANT_DOTFILE_PATH=$dir/dot VAGRANT_DEFAULT_PROVIDER=libvirt
export VAGRANT_CHECKPOINT_DISABLE=1 LC_ALL=C.UTF-8
unset BELTRACE_BOX BELTRACE_ARCH

results=()
step() {
	local from=$SECONDS name=$1 rc
	shift
	printf '\n==== %s\n' "$name"
	set +e
	(set -e; "$@") # in a condition set -e would not hold
	rc=$?
	set -e
	[ $rc -eq 0 ] || { echo "test-vagrant: FAILED: $name" >&2; exit 1; }
	results+=("$name|$((SECONDS - from))")
}

# image builds a Debian with cloud-init that boots from its kernel directly: no boot loader, no loop device.
image() {
	if [ -e "$dir/image.qcow2" ] && [ -n "$(find "$dir/image.qcow2" -mtime -14)" ] && [ "$dir/image.qcow2" -nt test/vagrant/image-hook.sh ]; then
		echo "image of $(date -r "$dir/image.qcow2" -I) is recent enough"
		return
	fi
	local tree=$dir/tree
	rm -rf "$tree"
	mmdebstrap --variant=important --aptopt='Acquire::Languages "none"' \
		--include=systemd-sysv,dbus,libpam-systemd,systemd-resolved,openssh-server,sudo,ca-certificates,cloud-init,linux-image-cloud-amd64 \
		--customize-hook="$root/test/vagrant/image-hook.sh" \
		"$suite" "$tree"
	cp "$tree"/boot/vmlinuz-* "$dir/vmlinuz"
	cp "$tree"/boot/initrd.img-* "$dir/initrd"
	rm -f "$dir/image.raw"
	mkfs.ext4 -q -L vmroot -d "$tree" "$dir/image.raw" 8G
	qemu-img convert -c -O qcow2 "$dir/image.raw" "$dir/image.qcow2"
	rm -rf "$tree" "$dir/image.raw"
	ls -lh "$dir/image.qcow2"
}

# emulation is what this test adds, in the user's own Vagrantfile: the project's is left as it is.
emulation() {
	mkdir -p "$VAGRANT_HOME"
	cat >"$dir/emulator" <<-'EOF'
		#!/bin/bash
		# libvirt can say neither of these. With a thread for each CPU the guest's kernel crashes.
		args=("$@")
		for i in "${!args[@]}"; do
			case ${args[i]} in
			-accel) args[i + 1]=tcg,thread=single ;;
			-cpu) args[i + 1]=max ;;
			esac
		done
		exec qemu-system-x86_64 "${args[@]}"
	EOF
	chmod +x "$dir/emulator"
	cat >"$VAGRANT_HOME/Vagrantfile" <<-EOF
		Vagrant.configure("2") do |config|
		  config.vm.provider "libvirt" do |l|
		    l.driver = "qemu"
		    l.kernel = "$dir/vmlinuz"
		    l.initrd = "$dir/initrd"
		    l.cmd_line = "root=LABEL=vmroot rw console=ttyS0"
		    l.video_type = "none"
		    l.emulator_path = "$dir/emulator"
		  end
		end
	EOF
	BELTRACE_IMAGE_SHA512=$(sha512sum "$dir/image.qcow2" | cut -d' ' -f1)
	export BELTRACE_IMAGE_SHA512 BELTRACE_IMAGE_URL=file://$dir/image.qcow2
}

daemons() {
	[ -e "$dir/qemu.conf" ] || cp /etc/libvirt/qemu.conf "$dir/qemu.conf"
	# As another user libvirt would ask QEMU 28 times what it can do.
	printf 'user = "root"\ngroup = "root"\n' >/etc/libvirt/qemu.conf
	local d
	for d in virtlogd libvirtd; do
		[ -e "/run/$d.pid" ] && kill -0 "$(cat "/run/$d.pid")" 2>/dev/null && continue
		"$d" -d
		echo "$d" >>"$dir/started"
	done
	timeout 30 bash -c 'until virsh -q -c qemu:///system list; do sleep 1; done'
}

cleanup() {
	local rc=$? net d
	set +e
	PATH=$path
	if [ -d "$VAGRANT_DOTFILE_PATH" ]; then vagrant/vm.sh destroy >/dev/null 2>&1; fi
	for d in $(virsh -c qemu:///system vol-list default 2>/dev/null | awk '/beltrace-VAGRANTSLASH-other/ { print $1 }'); do
		virsh -q -c qemu:///system vol-delete "$d" default >/dev/null
	done
	for net in $(virsh -c qemu:///system net-list --name 2>/dev/null); do virsh -q -c qemu:///system net-destroy "$net"; done
	for d in $(tac "$dir/started"); do kill "$(cat "/run/$d.pid")"; done
	rm -f "$dir/started"
	[ -e "$dir/qemu.conf" ] && mv "$dir/qemu.conf" /etc/libvirt/qemu.conf
	exit $rc
}

guest() { (cd vagrant && vagrant ssh --no-tty -c "$*"); }

make_vm() {
	make vm >"$dir/make-vm.out"
	tail -n 40 "$dir/make-vm.out"
	grep -q 'claims proven' "$dir/make-vm.out"
	! grep -q FAILED "$dir/make-vm.out"
}

# The doctor knows the kernel's best tier; the terminal keeps its colours; tracefs and bpffs are there after a boot.
inside() {
	guest 'sudo beltrace doctor' | tee "$dir/doctor.out"
	grep -Eq '^tier +full' "$dir/doctor.out"
	guest "bash -lc 'locale charmap'" | grep -q UTF-8
	guest 'mountpoint -q /sys/kernel/tracing && mountpoint -q /sys/fs/bpf && type -P beltrace && ls /usr/local/share/man/man1/beltrace.1'
	guest 'bash -lic "complete -p beltrace 2>/dev/null || { _completion_loader beltrace; complete -p beltrace; }"'
	if guest 'exit 7'; then return 1; fi # the exit code comes home
}

# A second provisioning writes nothing.
again() {
	guest 'sudo touch /run/stamp && sleep 1'
	(cd vagrant && vagrant rsync && vagrant provision)
	local newer
	newer=$(guest 'sudo find /etc /usr /opt /var/lib/dpkg /boot -xdev -type f -newer /run/stamp' | tr -d '\r')
	[ -z "$newer" ] || { echo "the second run wrote: $newer"; return 1; }
}

# A recording of traffic in the VM comes home and shows the same there.
recording() {
	rm -f "$dir"/beltrace-*.zst
	guest 'nohup beltrace demo request-response --serve-only --listen 8080 >/dev/null 2>&1 & sleep 3'
	guest 'nohup sh -c "while sleep 0.5; do curl -s http://127.0.0.1:8080/orders/7; done" >/dev/null 2>&1 & sleep 1'
	BELTRACE_FROM=$dir make vm-record FLAGS='--port 8080 --for 5s'
	PATH=$path make -s build
	bin/beltrace replay --once --json "$dir"/beltrace-*.zst >"$dir/replay.json"
	python3 - "$dir/replay.json" <<-'EOF'
		import json, sys
		s = json.load(open(sys.argv[1]))
		accepted = sum(l["accepted"] for l in s["listeners"] if l["local"].endswith(":8080"))
		print("tier", s["tier"], "kernel", s["kernel"], "accepted", accepted)
		assert s["tier"] == "full" and accepted > 0
	EOF
}

halt_and_up() {
	make vm-halt
	make vm FLAGS=--json >"$dir/again.out"
	grep -q '"ok":true' "$dir/again.out"
	make vm-halt
}

report() {
	local kernel line where='on the host'
	[ "${BUILD:-host}" = host ] || where='in the VM'
	kernel=$(sed -n 's/^kernel *//p' "$dir/doctor.out")
	{
		printf '# The VM, tested\n\n<!-- Written by "make test-vagrant". -->\n\n'
		echo "\`make test-vagrant\` brings the VM up for real, with \`vagrant/\` unchanged: Vagrant $(vagrant --version | cut -d' ' -f2),"
		echo "libvirt $(libvirtd --version | awk '{print $3}'), QEMU $(qemu-system-x86_64 --version | sed -n '1s/.*version \([0-9.]*\).*/\1/p') on amd64 without KVM, so that everything is emulated and slow. An image that the test"
		echo "builds from Debian $suite's packages, with cloud-init, stands in for Debian's cloud image."
		echo
		echo "Last result: all passed on $(date -u +%Y-%m-%d), commit \`$(git rev-parse --short HEAD)\`, guest kernel $kernel; beltrace was built $where."
		printf '\n| step | s |\n|---|---|\n'
		for line in "${results[@]}"; do echo "| ${line%|*} | ${line##*|} |"; done
		cat test/vagrant/files/untested.md
	} >docs/vagrant.md
}

path=$PATH
: >"$dir/started"
trap cleanup EXIT
step "an image from Debian's packages" image
emulation
step "libvirt" daemons
if [ "${BUILD:-host}" = guest ]; then # as for somebody without Go
	PATH=/usr/sbin:/usr/bin:/sbin:/bin
	! command -v go >/dev/null || { echo "test-vagrant: BUILD=guest: there is a Go in $PATH" >&2; exit 1; }
fi
step "\`make vm\`: image.sh, up, rsync, provision, a demo whose claims are proven" make_vm
step "inside: doctor says tier full; mounts, locale, completion, manual; an exit code comes home" inside
step "provision again: nothing changes" again
step "\`make vm-record\`: the recording comes home and is replayed" recording
step "\`make vm-halt\`, \`make vm\` once more, halt" halt_and_up
step "\`make vm-destroy\`" make vm-destroy
report
echo "test-vagrant: all passed in $SECONDS s"
