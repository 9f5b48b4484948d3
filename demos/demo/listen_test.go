// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"errors"
	"net"
	"syscall"
	"testing"
)

// TestListen listens with a backlog and without one, and is refused an address that somebody has.
func TestListen(t *testing.T) {
	for _, backlog := range []int{0, 3} {
		for _, addr := range []string{"127.0.0.1:0", "[::1]:0", "0.0.0.0:0"} {
			ln, err := Listen(t.Context(), addr, backlog)
			if errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) {
				t.Logf("%s: %v", addr, err) // no IPv6 here
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			c, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if s, err := ln.Accept(); err != nil || s.RemoteAddr().String() != c.LocalAddr().String() {
				t.Errorf("accepted %v, %v, not %v", s, err, c.LocalAddr())
			} else {
				s.Close()
			}
			c.Close()
			if _, err := Listen(t.Context(), ln.Addr().String(), backlog); !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("a second listener at %s: %v", ln.Addr(), err)
			}
			ln.Close()
		}
	}
}
