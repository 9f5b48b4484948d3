// SPDX-License-Identifier: Apache-2.0

package requestcost

import (
	"net"

	"golang.org/x/sys/unix"
)

// cookie is the kernel's number of a connection; 0 where it has none.
func cookie(c *net.TCPConn) (n uint64) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	err = raw.Control(func(fd uintptr) { n, _ = unix.GetsockoptUint64(int(fd), unix.SOL_SOCKET, unix.SO_COOKIE) })
	if err != nil {
		return 0
	}
	return n
}
