// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"beltrace/internal/unix"
)

// Listen opens a plain TCP listener at addr ("127.0.0.1:0": a port that the kernel chooses). Backlog 0 is the system's
// default. It is what Env.Listen stands on.
//
// Multipath TCP, Go's default for listeners, is off: it hides the accept queue on a second socket.
func Listen(ctx context.Context, addr string, backlog int) (*net.TCPListener, error) {
	if backlog > 0 {
		return listenWith(addr, backlog)
	}
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	ln, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return ln.(*net.TCPListener), nil
}

// ListenShared opens n listeners that share one address by SO_REUSEPORT: each has an accept queue of its own, and the kernel
// chooses for each connection.
func ListenShared(ctx context.Context, addr string, n int) ([]*net.TCPListener, error) {
	var out []*net.TCPListener
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		ctl := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
		return errors.Join(ctl, os.NewSyscallError("setsockopt", err))
	}}
	lc.SetMultipathTCP(false)
	for range n {
		ln, err := lc.Listen(ctx, "tcp", addr)
		if err != nil {
			for _, open := range out {
				open.Close()
			}
			return nil, err
		}
		out, addr = append(out, ln.(*net.TCPListener)), ln.Addr().String()
	}
	return out, nil
}

// listenWith listens with a backlog, which package net cannot be told. To call listen again with another one would leave two
// numbers to wonder about.
func listenWith(addr string, backlog int) (*net.TCPListener, error) {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	f, err := bound(at)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	defer f.Close()
	if err := unix.Listen(int(f.Fd()), backlog); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	ln, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	return ln.(*net.TCPListener), nil
}

// bound returns a socket with that address.
func bound(at netip.AddrPort) (*os.File, error) {
	var family int
	var sa unix.Sockaddr
	if a := at.Addr().Unmap(); a.Is4() {
		family, sa = unix.AF_INET, &unix.SockaddrInet4{Port: int(at.Port()), Addr: a.As4()}
	} else {
		family, sa = unix.AF_INET6, &unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}
	}
	syscall.ForkLock.RLock() // no child gets it between the two calls
	fd, err := unix.Socket(family, unix.SOCK_STREAM, unix.IPPROTO_TCP)
	if err == nil {
		unix.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	f := os.NewFile(uintptr(fd), "listener")
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		f.Close()
		return nil, os.NewSyscallError("setsockopt", err)
	}
	if err := unix.Bind(fd, sa); err != nil {
		f.Close()
		return nil, os.NewSyscallError("bind", err)
	}
	return f, nil
}

// Now reads CLOCK_MONOTONIC, the clock of every kernel event, in ns.
func Now() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err) // the clock is there on every system that Go runs on
	}
	return ts.Nano()
}
