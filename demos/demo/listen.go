// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// Listen opens a plain TCP listener at addr ("127.0.0.1:0": a port that the kernel chooses). Backlog 0 is the system's
// default. It is what Env.Listen stands on.
//
// Multipath TCP, Go's default for listeners, is off: it hides the accept queue on a second socket.
func Listen(ctx context.Context, addr string, backlog int) (*net.TCPListener, error) {
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	ln, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	tcp := ln.(*net.TCPListener)
	if backlog > 0 {
		if err := shorten(tcp, backlog); err != nil {
			tcp.Close()
			return nil, fmt.Errorf("set backlog %d of %s: %w", backlog, tcp.Addr(), err)
		}
	}
	return tcp, nil
}

// shorten calls listen once more: a listening socket takes the new backlog.
func shorten(ln *net.TCPListener, backlog int) error {
	raw, err := ln.SyscallConn()
	if err != nil {
		return err
	}
	var listenErr error
	if err := raw.Control(func(fd uintptr) { listenErr = unix.Listen(int(fd), backlog) }); err != nil {
		return err
	}
	return listenErr
}

// Now reads CLOCK_MONOTONIC, the clock of every kernel event, in ns.
func Now() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err) // the clock is there on every system that Go runs on
	}
	return ts.Nano()
}
