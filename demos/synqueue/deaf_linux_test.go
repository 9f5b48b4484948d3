// SPDX-License-Identifier: Apache-2.0

package synqueue

import (
	"net/netip"
	"testing"
	"time"

	"beltrace/demos/demo"
)

// TestDeaf leaves a half-open request at a listener of each family, and as the client never hears, it stays.
func TestDeaf(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(addr, func(t *testing.T) {
			ln, err := demo.Listen(t.Context(), addr, Backlog)
			if err != nil {
				t.Skipf("this address is not here: %v", err)
			}
			defer ln.Close()
			at := netip.MustParseAddrPort(ln.Addr().String())
			c, err := dialDeaf(at)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			time.Sleep(50 * time.Millisecond) // one that hears is connected by then
			if n := halfOpen(at.Port()); n != 1 {
				t.Errorf("%d half-open requests, want 1", n)
			}
		})
	}
}
