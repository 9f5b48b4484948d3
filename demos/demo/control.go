// SPDX-License-Identifier: Apache-2.0

package demo

import "syscall"

// controlOf makes a net.Dialer's Control of a function of a descriptor.
func controlOf(set func(fd int) error) func(string, string, syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		var err error
		if other := c.Control(func(fd uintptr) { err = set(int(fd)) }); other != nil {
			return other
		}
		return err
	}
}
