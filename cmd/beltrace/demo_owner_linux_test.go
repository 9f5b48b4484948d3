// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPortOwner(t *testing.T) {
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	us := fmt.Sprintf("%s (pid %d)", strings.TrimSpace(string(comm)), os.Getpid())
	// net.Listen makes what most Go servers have: an MPTCP listener where the kernel allows.
	for _, at := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"} {
		ln, err := net.Listen("tcp", at)
		if err != nil {
			t.Logf("%s: %v", at, err) // no IPv6 here
			continue
		}
		addr := ln.Addr().(*net.TCPAddr).AddrPort()
		if got := portOwner("/proc", addr); got != us {
			t.Errorf("owner of %s is %q, want %q", addr, got, us)
		}
		ln.Close()
		if got := portOwner("/proc", addr); got != "" {
			t.Errorf("owner of %s is %q after its end", addr, got)
		}
	}
}

// TestListenersAt reads a table as a kernel writes it: who keeps 127.0.0.1:8080 (0x1F90) from being used.
func TestListenersAt(t *testing.T) {
	table := filepath.Join(t.TempDir(), "tcp")
	lines := []string{
		"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
		"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0",
		"   1: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12 1 0",
		"   2: 0200007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 13 1 0",
		"   3: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 14 1 0",
		"   4: 0100007F:1F90 0100007F:C000 01 00000000:00000000 00:00000000 00000000     0        0 15 1 0",
		"   5: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 0:0 00:0 0     0        0 16 1 0",
		"   6: 0000000000000000FFFF00000100007F:1F90 00000000000000000000000000000000:0000 0A 0:0 00:0 0     0        0 17 1 0",
		"   7: nonsense",
	}
	if err := os.WriteFile(table, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(listenersAt(table, netip.MustParseAddrPort("127.0.0.1:8080")))
	if want := "[11 12 16 17]"; got != want {
		t.Errorf("inodes %s, want %s", got, want)
	}
	if got := listenersAt(table+"x", netip.AddrPort{}); got != nil {
		t.Errorf("no table, but %v", got)
	}
}
