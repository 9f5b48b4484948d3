#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
# The first process of a guest: makes it a usual machine, runs each test binary in /tests, says how it went, powers off.
# The host believes only the line "guest: exit N"; without it the guest has failed.
/bin/busybox --install -s /bin
export PATH=/bin HOME=/root TMPDIR=/tmp
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
mount -t tracefs tracefs /sys/kernel/tracing
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
hostname guest
for ko in /modules/*.ko; do
  [ -e "$ko" ] && { insmod "$ko" || echo "guest: insmod $ko failed"; }
done
dmesg -n 1 # results share the console with the kernel: only an emergency may interrupt them
echo # end the line that the firmware left open
echo "guest: kernel $(uname -r) $(uname -m)"

status=0
for dir in /tests/*/; do
  name=$(basename "$dir")
  cd "$dir" || exit 1
  echo "guest: begin $name"
  # shellcheck disable=SC1091 # written by the host
  ( . /env; exec ./run.test "$@" )
  rc=$?
  echo
  echo "guest: end $name $rc"
  [ $rc -eq 0 ] || status=1
done
if [ $status -ne 0 ]; then
  echo "guest: last kernel messages"
  dmesg | tail -20
fi
echo "guest: exit $status"
sync
poweroff -f
