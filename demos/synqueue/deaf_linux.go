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

// dialDeaf begins to connect, and the socket never hears an answer: it takes segments with a TTL of 255 only, and the
// server's have 64. So the server's kernel keeps a half-open request, as it does for a SYN with a forged source address.
// It needs no privilege.
func dialDeaf(to netip.AddrPort) (io.Closer, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	s := os.NewFile(uintptr(fd), "deaf")
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MINTTL, 255); err != nil {
		s.Close()
		return nil, fmt.Errorf("set IP_MINTTL: %w", err)
	}
	err = unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().Unmap().As4()})
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		s.Close()
		return nil, fmt.Errorf("connect: %w", err)
	}
	return s, nil
}
