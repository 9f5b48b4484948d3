// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"beltrace/internal/testkit"
)

func TestPortOwner(t *testing.T) {
	us := portOwnerSelf(t)
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

// TestBoundPortOwner: a socket that is bound and does not listen keeps its port from us, unless both allow the address to be
// used again, or it is in another network namespace. No table of the kernel has it.
func TestBoundPortOwner(t *testing.T) {
	testkit.Root(t)
	us := portOwnerSelf(t)
	other := testkit.NewNetNS(t)
	for _, c := range []struct {
		name string
		at   netip.Addr
		open func(netip.Addr) (int, error)
		want string
	}{
		{"bound", netip.MustParseAddr("127.0.0.1"), bound(unix.SOCK_STREAM, 0), us},
		{"to all addresses", netip.MustParseAddr("0.0.0.0"), bound(unix.SOCK_STREAM, 0), us},
		{"IPv6", netip.MustParseAddr("::1"), bound(unix.SOCK_STREAM, 0), us},
		{"to be used again", netip.MustParseAddr("127.0.0.1"), bound(unix.SOCK_STREAM, 1), ""},
		{"UDP", netip.MustParseAddr("127.0.0.1"), bound(unix.SOCK_DGRAM, 0), ""},
		{"a client's own connection", netip.MustParseAddr("127.0.0.1"), connected(t), us},
		{"in another namespace", netip.MustParseAddr("127.0.0.1"), func(at netip.Addr) (fd int, err error) {
			err = other.Do(func() error { fd, err = bound(unix.SOCK_STREAM, 0)(at); return err })
			return fd, err
		}, ""},
	} {
		fd, err := c.open(c.at)
		if err != nil {
			t.Logf("%s: %v", c.name, err) // no IPv6 here
			continue
		}
		sa, err := unix.Getsockname(fd)
		if err != nil {
			t.Fatal(err)
		}
		at := addrPortOf(sa)
		if got := portOwner("/proc", at); got != c.want {
			t.Errorf("%s: owner of %s is %q, want %q", c.name, at, got, c.want)
		}
		if next := netip.AddrPortFrom(at.Addr(), at.Port()-1); portOwner("/proc", next) == us {
			t.Errorf("%s: %s is ours, too", c.name, next)
		}
		unix.Close(fd)
		if got := portOwner("/proc", at); got == us {
			t.Errorf("%s: %s is ours after its end", c.name, at)
		}
	}
}

// TestPortOwnerOfSeveral: of the processes that have a port, the one in the way is named.
func TestPortOwnerOfSeveral(t *testing.T) {
	testkit.Root(t)
	if ln, err := net.Listen("tcp6", "[::1]:0"); err != nil {
		t.Skipf("IPv6: %v", err)
	} else {
		ln.Close()
	}
	port := reserved(t)
	alpha := holdPort(t, "alpha", netip.AddrPortFrom(netip.IPv4Unspecified(), port))
	beta := holdPort(t, "beta", netip.AddrPortFrom(netip.IPv6Loopback(), port))
	for _, c := range []struct{ addr, want string }{
		{"127.0.0.1", alpha},
		{"::1", beta},
		{"::2", ""}, // an IPv4 socket has no address of IPv6
		{"0.0.0.0", alpha},
		{"::", beta},
	} {
		if got := portOwner("/proc", netip.AddrPortFrom(netip.MustParseAddr(c.addr), port)); got != c.want {
			t.Errorf("owner of %s is %q, want %q", c.addr, got, c.want)
		}
	}
	port = reserved(t)
	gamma := holdPort(t, "gamma", netip.AddrPortFrom(netip.IPv6Unspecified(), port)) // of IPv6 only
	for addr, want := range map[string]string{"127.0.0.1": "", "::1": gamma, "0.0.0.0": gamma} {
		if got := portOwner("/proc", netip.AddrPortFrom(netip.MustParseAddr(addr), port)); got != want {
			t.Errorf("owner of %s is %q, want %q", addr, got, want)
		}
	}
}

// TestInUseIsClean: a process may have a name that a terminal obeys.
func TestInUseIsClean(t *testing.T) {
	at := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), reserved(t))
	holdPort(t, "x\x1b[31my", at)
	if got := inUse(at.String()).Error(); strings.Contains(got, "\x1b") || !strings.Contains(got, " is in use by x") {
		t.Errorf("%q", got)
	}
}

// reserved returns a port that is free at all addresses, IPv6's too.
func reserved(t *testing.T) uint16 {
	t.Helper()
	ln, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).AddrPort().Port()
}

// holdPort has a process of that name listen at addr, for one family of addresses only, and returns how it is named.
func holdPort(t *testing.T, name string, addr netip.AddrPort) string {
	t.Helper()
	network := "tcp6"
	if addr.Addr().Is4() {
		network = "tcp4"
	}
	ln, err := net.Listen(network, addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	socket, err := ln.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	named := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(sleep, named); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(named, "1000")
	cmd.ExtraFiles = []*os.File{socket}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return fmt.Sprintf("%s (pid %d)", name, cmd.Process.Pid)
}

// connected opens a socket, binds it and connects it to a listener.
func connected(t *testing.T) func(netip.Addr) (int, error) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	to := ln.Addr().(*net.TCPAddr).AddrPort()
	return func(at netip.Addr) (int, error) {
		fd, err := bound(unix.SOCK_STREAM, 0)(at)
		if err != nil {
			return -1, err
		}
		return fd, unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())})
	}
}

// bound opens a socket and binds it to a port that the kernel chooses.
func bound(kind, reuse int) func(netip.Addr) (int, error) {
	return func(at netip.Addr) (int, error) {
		family, sa := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Addr: at.As16()})
		if at.Is4() {
			family, sa = unix.AF_INET, &unix.SockaddrInet4{Addr: at.As4()}
		}
		fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return -1, err
		}
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, reuse); err != nil {
			return -1, err
		}
		return fd, unix.Bind(fd, sa)
	}
}

// portOwnerSelf is how this process is named.
func portOwnerSelf(t *testing.T) string {
	t.Helper()
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s (pid %d)", strings.TrimSpace(string(comm)), os.Getpid())
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
	got := ""
	for _, h := range listenersAt(table, netip.MustParseAddrPort("127.0.0.1:8080")) {
		got += h.socket
	}
	if want := "socket:[11]socket:[12]socket:[16]socket:[17]"; got != want {
		t.Errorf("sockets %s, want %s", got, want)
	}
	if got := listenersAt(table+"x", netip.AddrPort{}); got != nil {
		t.Errorf("no table, but %v", got)
	}
}
