// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"beltrace/collector/event"
	"beltrace/collector/live"
)

// TestListenUnbound: a listener whose port listen() chooses is told with it, and selected by it.
func TestListenUnbound(t *testing.T) {
	for name, ports := range map[string][]uint16{"no filter": nil, "port": {onePort.Port(), settlePort}, "another port": {otherPort.Port(), settlePort}} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			w := p.openWatch(t, live.Config{Ports: ports})
			p.ns.Sysctl(t, "ipv4/ip_local_port_range", fmt.Sprintf("%d %[1]d", onePort.Port()))
			l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 16, Unbound: true})
			if l.Local != netip.AddrPortFrom(netip.IPv4Unspecified(), onePort.Port()) {
				t.Fatalf("it listens on %v", l.Local)
			}
			p.ns.Sysctl(t, "ipv4/ip_local_port_range", "20000 30000")
			serve, dial := short(l, 3)
			dial.Addr = onePort
			served, dialed := p.exchange(serve, dial)
			closed := do[[]socket](p.server, "finish", finishArgs{Sockets: []socket{l}})
			w.settle(p.client)
			if name == "another port" {
				w.counts(l.Local, event.Listen, 0)
				w.counts(l.Local, event.Unlisten, 0)
				w.counts(onePort, event.Established, 0)
				return
			}
			w.verify(wholes(t, served, dialed))
			w.counts(l.Local, event.Listen, 1)
			w.counts(l.Local, event.Unlisten, 1)
			w.checkListen(l, 16, 16)
			w.checkUnlisten(closed[0], 16)
		})
	}
}

// opContend binds two sockets to an address, listens on the first, and cannot on the second.
func opContend(addr netip.AddrPort) (l socket, err error) {
	family, sa := toSockaddr(addr)
	var fds [2]int
	for i := range fds {
		if fds[i], err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP); err != nil {
			return l, fmt.Errorf("socket: %w", err)
		}
		if err := unix.SetsockoptInt(fds[i], unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return l, fmt.Errorf("SO_REUSEADDR: %w", err)
		}
		if err := unix.Bind(fds[i], sa); err != nil {
			return l, fmt.Errorf("bind %v: %w", addr, err)
		}
	}
	if err := unix.Listen(fds[0], 16); err != nil {
		return l, fmt.Errorf("listen: %w", err)
	}
	if err := unix.Listen(fds[1], 16); !errors.Is(err, unix.EADDRINUSE) {
		return l, fmt.Errorf("the second listen: %v, want EADDRINUSE", err)
	}
	if err := unix.Close(fds[1]); err != nil {
		return l, err
	}
	return l, l.self(fds[0])
}

// TestListenFails: a socket that could not listen has neither begun nor ended to.
func TestListenFails(t *testing.T) {
	p, w := newWatched(t, live.Config{})
	l := do[socket](p.server, "contend", onePort)
	do[[]socket](p.server, "finish", finishArgs{Sockets: []socket{l}})
	w.settle(p.client)
	w.counts(onePort, event.Listen, 1)
	w.counts(onePort, event.Unlisten, 1)
}
