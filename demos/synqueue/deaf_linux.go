// SPDX-License-Identifier: Apache-2.0

package synqueue

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// dialDeaf begins to connect, and the socket never hears an answer: it takes segments with a TTL (IPv6: hop limit) of 255
// only, and the server's have 64. So the server's kernel keeps a half-open request, as it does for a SYN with a forged
// source address. It needs no privilege.
func dialDeaf(to netip.AddrPort) (io.Closer, error) {
	var sa unix.Sockaddr
	family, level, option, name := unix.AF_INET6, unix.IPPROTO_IPV6, unix.IPV6_MINHOPCOUNT, "IPV6_MINHOPCOUNT"
	if a := to.Addr().Unmap(); a.Is4() {
		family, level, option, name = unix.AF_INET, unix.IPPROTO_IP, unix.IP_MINTTL, "IP_MINTTL"
		sa = &unix.SockaddrInet4{Port: int(to.Port()), Addr: a.As4()}
	} else {
		sa = &unix.SockaddrInet6{Port: int(to.Port()), Addr: a.As16()}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	s := os.NewFile(uintptr(fd), "deaf")
	if err := unix.SetsockoptInt(fd, level, option, 255); err != nil {
		s.Close()
		return nil, fmt.Errorf("set %s: %w", name, err)
	}
	if err := unix.Connect(fd, sa); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		s.Close()
		return nil, fmt.Errorf("connect: %w", err)
	}
	return s, nil
}
