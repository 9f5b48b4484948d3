#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fetches the image that image.txt pins, makes the key and the seed that let us in, and, with a PROVIDER, a box of them.
#
#   vagrant/image.sh                the image, for vagrant-qemu and Lima
#   vagrant/image.sh libvirt        and a box: libvirt, virtualbox or vmware_desktop
#   vagrant/image.sh --arch         nothing: prints the architecture, amd64 or arm64
#
# Everything is kept in $BELTRACE_CACHE (~/.cache/beltrace) and made once. A download that was broken off goes on where
# it stopped; an image with another sum than the pinned one is thrown away. BELTRACE_IMAGE_URL and BELTRACE_IMAGE_SHA512
# take another image. A second one at the same time waits for the first. Needs curl, ssh-keygen and qemu-img; works with
# the bash 3.2 of macOS.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${BELTRACE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/beltrace}/vagrant
provider=${1:-}

say() { echo "image.sh: $*" >&2; }
die() { say "$@"; exit 1; }

need() {
	command -v "$1" >/dev/null && return
	case $(uname -s) in
	Darwin) die "there is no $1: brew install $2" ;;
	*) die "there is no $1: sudo apt-get install -y $3" ;;
	esac
}

# The architecture is the machine's, also in a shell that Rosetta translates. BELTRACE_ARCH says otherwise.
machine() {
	local it=${BELTRACE_ARCH:-}
	if [ -z "$it" ]; then
		it=$(uname -m)
		[ "$(sysctl -n hw.optional.arm64 2>/dev/null || true)" != 1 ] || it=arm64
	fi
	case $it in
	arm64 | aarch64) echo arm64 ;;
	x86_64 | amd64) echo amd64 ;;
	*) die "no image for $it: amd64 or arm64" ;;
	esac
}

pinned() { awk -v key="$1" '$1 == key { print $2 }' "$here/image.txt"; }

sha512() {
	if command -v sha512sum >/dev/null; then sha512sum "$1"; else shasum -a 512 "$1"; fi | cut -d' ' -f1
}

# lock waits until no other image.sh is at work here. The kernel gives it back when we end, however we do; a curl that
# outlives us keeps it until it writes no more.
lock() {
	exec 9>"$cache/lock"
	locked -n && return
	say "another image.sh is at work in $cache: waiting for it"
	locked
}

# locked [-n] locks file 9, with -n only if that can be done at once. There is no flock on macOS.
locked() {
	if command -v flock >/dev/null; then
		flock "$@" 9
	else
		perl -e 'use Fcntl ":flock"; open my $lock, ">&=", 9 or die $!; exit !flock $lock, LOCK_EX | (@ARGV && LOCK_NB)' -- "$@"
	fi
}

# fetch URL PART: appends to PART what is missing.
fetch() {
	local how=(-f -L -C - --retry 3 --connect-timeout 30 -o "$2" -w '%{http_code}') rc=0 status host
	host=${1#*://}
	host=${host%%/*}
	case $1 in https://*) how+=(--proto '=https' --proto-redir '=https') ;; esac
	if [ -t 2 ]; then how+=(--progress-bar); else how+=(-s); fi
	status=$(curl "${how[@]}" "$1") || rc=$?
	case $rc:$status in
	0:*) ;;
	33:*) rm -f "$2"; die "this server cannot go on with a download: start it again" ;;
	22:416) ;; # there is no rest: the sum will say what it is
	22:404) die "$1 is no longer there: write a newer version into vagrant/image.txt, with its sums" ;;
	5:*) die "there is no such proxy as http_proxy or https_proxy names" ;;
	6:*) die "there is no host $host here: is this machine on the network? Run this again when it is" ;;
	7:* | 28:*) die "no connection to $host: is there a firewall, or a proxy to name (https_proxy=http://HOST:PORT)?" ;;
	23:*) die "the image cannot be written to $2: is the disk full? Make room and run this again, or BELTRACE_CACHE=FOLDER" ;;
	60:*) die "the certificate of $host is not trusted here: is the clock right, or does a proxy stand between?" ;;
	22:*) die "the server refuses $1 (HTTP $status): try again later" ;;
	*) die "the download of $1 broke off (curl: $rc): run this again and it goes on" ;;
	esac
}

get_image() {
	[ -e "$image" ] && return
	local part=$image.part
	if [ ! -e "$part" ] || [ "$(sha512 "$part")" != "$sum" ]; then
		say "fetching $url (about 430 MB, once)"
		fetch "$url" "$part"
	fi
	local got
	got=$(sha512 "$part")
	if [ "$got" != "$sum" ]; then
		rm -f "$part"
		die "$url is not what it should be, and was thrown away: SHA-512 $got, want $sum"
	fi
	mv "$part" "$image"
	say "$image"
}

# get_seed makes our key, and the disk from which cloud-init learns at the first boot who may log in.
get_seed() {
	if [ ! -e "$cache/key" ]; then
		need ssh-keygen openssh openssh-client
		ssh-keygen -q -t rsa -b 3072 -m PEM -N '' -C beltrace -f "$cache/key" # Vagrant reads this kind without a gem
	fi
	local dir=$cache/seed.d was
	was=$(cat "$dir/user-data" 2>/dev/null || true)
	mkdir -p "$dir"
	printf 'instance-id: beltrace\nlocal-hostname: beltrace\n' >"$dir/meta-data"
	cat >"$dir/user-data" <<-EOF
		#cloud-config
		users:
		  - name: vagrant
		    shell: /bin/bash
		    sudo: "ALL=(ALL) NOPASSWD:ALL"
		    lock_passwd: true
		    ssh_authorized_keys: ["$(cat "$cache/key.pub")"]
		ssh_pwauth: false
		bootcmd: # they would hold the package manager's lock while we install
		  - [systemctl, mask, --runtime, --now, apt-daily.timer, apt-daily-upgrade.timer]
	EOF
	[ -e "$cache/seed.qcow2" ] && [ "$was" = "$(cat "$dir/user-data")" ] && return
	qemu-img convert -O qcow2 "json:{\"driver\":\"raw\",\"file\":{\"driver\":\"vvfat\",\"dir\":\"$dir\",\"label\":\"cidata\"}}" \
		"$cache/seed.qcow2.part"
	mv "$cache/seed.qcow2.part" "$cache/seed.qcow2"
}

# finish_box makes $box out of the folder $work.
finish_box() {
	tar -C "$work" -czf "$box.part" .
	mv "$box.part" "$box"
	say "$box"
}

# The disk as the provider wants it, of BELTRACE_DISK gigabytes, and the seed beside it.
disks() {
	local format=$1 to=$2
	cp "$image" "$work/disk.tmp"
	qemu-img resize -q -f qcow2 "$work/disk.tmp" "${BELTRACE_DISK:-10}G"
	if [ "$format" = qcow2 ]; then
		mv "$work/disk.tmp" "$work/disk.$to"
		cp "$cache/seed.qcow2" "$work/seed.$to"
		return
	fi
	qemu-img convert -O "$format" "$work/disk.tmp" "$work/disk.$to"
	qemu-img convert -O "$format" "$cache/seed.qcow2" "$work/seed.$to"
	rm "$work/disk.tmp"
}

libvirt_box() {
	disks qcow2 qcow2
	echo '{"provider":"libvirt","format":"qcow2","disks":[{"path":"disk.qcow2"},{"path":"seed.qcow2"}]}' >"$work/metadata.json"
}

virtualbox_box() {
	command -v VBoxManage >/dev/null || die "there is no VBoxManage: install VirtualBox (7.1.6 or newer on Apple silicon)"
	local vm=beltrace-box-$$ type=Debian_64 arm=()
	[ "$arch" = arm64 ] && type=Debian_arm64 arm=(--platform-architecture arm)
	disks vmdk vmdk
	VBoxManage createvm --name "$vm" --ostype "$type" --basefolder "$work" --register ${arm[@]+"${arm[@]}"}
	VBoxManage modifyvm "$vm" --memory 2048 --cpus 2 --nic1 nat --firmware efi --audio-enabled off
	VBoxManage storagectl "$vm" --name disks --add virtio-scsi --controller VirtioSCSI --bootable on
	VBoxManage storageattach "$vm" --storagectl disks --port 0 --type hdd --medium "$work/disk.vmdk"
	VBoxManage storageattach "$vm" --storagectl disks --port 1 --type hdd --medium "$work/seed.vmdk"
	VBoxManage export "$vm" -o "$work/box.ovf"
	VBoxManage unregistervm "$vm" --delete
	rm -rf "${work:?}/$vm" "$work"/disk.vmdk "$work"/seed.vmdk
	echo '{"provider":"virtualbox"}' >"$work/metadata.json"
}

vmware_desktop_box() {
	local guest=debian12-64
	[ "$arch" = arm64 ] && guest='arm-debian12-64'
	disks vmdk vmdk
	echo '{"provider":"vmware_desktop"}' >"$work/metadata.json"
	cat >"$work/beltrace.vmx" <<-EOF
		.encoding = "UTF-8"
		config.version = "8"
		virtualHW.version = "20"
		displayName = "beltrace"
		guestOS = "$guest"
		firmware = "efi"
		memsize = "2048"
		numvcpus = "2"
		nvme0.present = "TRUE"
		nvme0:0.present = "TRUE"
		nvme0:0.fileName = "disk.vmdk"
		nvme0:1.present = "TRUE"
		nvme0:1.fileName = "seed.vmdk"
		ethernet0.present = "TRUE"
		ethernet0.connectionType = "nat"
		ethernet0.virtualDev = "vmxnet3"
		ethernet0.addressType = "generated"
		pciBridge0.present = "TRUE"
		pciBridge4.present = "TRUE"
		pciBridge4.virtualDev = "pcieRootPort"
		pciBridge4.functions = "8"
	EOF
}

# The settings are checked before anything is fetched or made; the Vagrantfile asks for --arch first.
for name in BELTRACE_CPUS BELTRACE_MEMORY BELTRACE_DISK BELTRACE_SSH_PORT; do
	case ${!name:-1} in
	0* | *[!0-9]*) die "$name=${!name}: must be a whole number, from 1 on" ;;
	esac
done
case $cache in
/*) ;;
*) die "$cache: BELTRACE_CACHE and XDG_CACHE_HOME must be whole paths, from / on" ;;
esac
arch=$(machine)
if [ "$provider" = --arch ]; then
	echo "$arch"
	exit
fi
version=$(pinned version)
url=https://cloud.debian.org/images/cloud/trixie/$version/debian-13-generic-$arch-$version.qcow2
sum=$(pinned "$arch")
name=debian-13-$arch-$version
if [ -n "${BELTRACE_IMAGE_URL:-}${BELTRACE_IMAGE_SHA512:-}" ]; then
	url=${BELTRACE_IMAGE_URL:?goes with BELTRACE_IMAGE_SHA512} sum=${BELTRACE_IMAGE_SHA512:?goes with BELTRACE_IMAGE_URL}
	name=other-$arch-$(printf %s "$sum" | cut -c1-12)
fi
[ -n "$sum" ] || die "image.txt has no sum for $arch"
image=$cache/$name.qcow2
case $provider in
'' | libvirt | virtualbox | vmware_desktop) ;;
qemu) provider= ;; # boots the image itself
parallels) die "nothing here makes a box for Parallels: use QEMU, or a box of your own (BELTRACE_BOX=bento/debian-13)" ;;
*) die "no box for $provider: the providers are qemu, libvirt, virtualbox and vmware_desktop; another takes a box of your own (BELTRACE_BOX)" ;;
esac

need curl curl curl
need qemu-img qemu qemu-utils
command -v flock >/dev/null || need perl perl perl
why=$(mkdir -p "$cache" 2>&1) || die "the image cannot be kept: $why (BELTRACE_CACHE=FOLDER takes another)"
[ -w "$cache" ] || die "the image cannot be kept: $cache is not yours to write (BELTRACE_CACHE=FOLDER takes another)"
lock
get_image
get_seed
ln -sf "$image" "$cache/debian-13.qcow2" # for lima.yaml
if [ -n "$provider" ]; then
	box=$cache/$name-$provider.box
	if [ ! -e "$box" ] || [ "$cache/seed.qcow2" -nt "$box" ]; then
		work=$(mktemp -d "$cache/box.XXXXXX")
		trap 'rm -rf "$work"' EXIT
		"${provider}_box" 9>&- # what VBoxManage starts goes on, and must not keep the lock
		finish_box
	fi
fi
