// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package requestcost

import "net"

// cookie is the kernel's number of a connection: no kernel but Linux gives one.
func cookie(*net.TCPConn) uint64 { return 0 }
