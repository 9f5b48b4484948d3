#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Called by mmdebstrap with the new system's root: makes of it an image as a cloud's, that is given to a VM at its first boot.
set -eu
root=$1
here=$(dirname "$0")
cp "$here/files/20-ether.network" "$root/etc/systemd/network/"
cp "$here/files/99-test.cfg" "$root/etc/cloud/cloud.cfg.d/"
chroot "$root" systemctl enable systemd-networkd
chroot "$root" systemctl mask systemd-networkd-wait-online.service
# A host behind a proxy that looks into TLS.
if ls /usr/local/share/ca-certificates/*.crt >/dev/null 2>&1; then
	cp /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/"
	chroot "$root" update-ca-certificates
fi
: >"$root/etc/machine-id"
rm -f "$root"/etc/ssh/ssh_host_* "$root"/var/cache/apt/archives/*.deb
