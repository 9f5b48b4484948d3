// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// keepsPort reports whether the socket /proc/PID/fd/N keeps addr from being listened on though it does not listen. One that
// is only bound is in no table of the kernel: it has to be asked.
func keepsPort(file string, addr netip.AddrPort) bool {
	return askSocket(file, func(s int) bool {
		at, err := unix.Getsockname(s)
		return err == nil && inTheWay(addrPortOf(at), addr) && blocks(s) && isHere(s)
	}) && !sparesIPv4(file, addr)
}

// sparesIPv4 reports whether addr is one of IPv4 and the socket /proc/PID/fd/N for all addresses of IPv6 only.
func sparesIPv4(file string, addr netip.AddrPort) bool {
	return addr.Addr().Is4() && !addr.Addr().IsUnspecified() && askSocket(file, func(s int) bool {
		only, err := unix.GetsockoptInt(s, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
		return err == nil && only != 0
	})
}

// askSocket asks the socket /proc/PID/fd/N, which takes 5.6 and root. False when that fails.
func askSocket(file string, ask func(s int) bool) bool {
	var pid, fd int
	if _, err := fmt.Sscanf(file, "/proc/%d/fd/%d", &pid, &fd); err != nil {
		return false
	}
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return false
	}
	defer unix.Close(process)
	s, err := unix.PidfdGetfd(process, fd, 0)
	if err != nil {
		return false
	}
	defer unix.Close(s)
	return ask(s)
}

// blocks reports whether a TCP socket would not let us use its address, too.
func blocks(s int) bool {
	proto, err := unix.GetsockoptInt(s, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	if err != nil || proto != unix.IPPROTO_TCP && proto != unix.IPPROTO_MPTCP {
		return false
	}
	reuse, err := unix.GetsockoptInt(s, unix.SOL_SOCKET, unix.SO_REUSEADDR)
	return err == nil && reuse == 0
}

// isHere reports whether the socket is in our network namespace, whichever its process is in.
func isHere(s int) bool {
	ns, err := unix.IoctlRetInt(s, unix.SIOCGSKNS)
	if err != nil {
		return false
	}
	defer unix.Close(ns)
	var its, ours unix.Stat_t
	return unix.Fstat(ns, &its) == nil && unix.Stat("/proc/self/ns/net", &ours) == nil && its.Ino == ours.Ino && its.Dev == ours.Dev
}

// addrPortOf is the zero AddrPort for a socket of another family.
func addrPortOf(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	}
	return netip.AddrPort{}
}
