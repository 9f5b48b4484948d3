// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"beltrace/collector/event"
	"beltrace/collector/live"
	"beltrace/internal/testkit"
)

// TestRefused: nobody listens on the port.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		ip   netip.Addr
		how  string
	}{
		{"IPv4", loopback4.Addr(), plainly},
		{"IPv6", loopback6.Addr(), plainly},
		{"non-blocking", loopback4.Addr(), nonBlocking},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, w := newWatched(t, live.Config{})
			dialed := do[[]socket](p.client, "dial", dialArgs{Addr: netip.AddrPortFrom(c.ip, 1), N: 10, How: c.how})
			w.settle(p.client)
			var ends []end
			for _, s := range dialed {
				if s.Errno != int32(unix.ECONNREFUSED) {
					t.Fatalf("connect said %d", s.Errno)
				}
				x := failed(s, event.ReasonRefused)
				x.kinds = append(x.kinds, event.Reset)
				ends = append(ends, x)
			}
			w.verify(ends)
		})
	}
}

// TestUnreachable: there is no route, which connect knows before it sends anything.
func TestUnreachable(t *testing.T) {
	p, w := newWatched(t, live.Config{})
	dialed := do[[]socket](p.client, "dial", dialArgs{Addr: noRoute, N: 5})
	w.settle(p.client)
	var ends []end
	for _, s := range dialed {
		if s.Errno != int32(unix.ENETUNREACH) {
			t.Fatalf("connect said %d", s.Errno)
		}
		if w.knows(knowsUnsent) {
			ends = append(ends, failed(s, event.ReasonUnreachable))
		}
	}
	w.verifyAlike(ends)
}

// verifyAlike is verify for ends that nothing tells apart: no port, no cookie.
func (w *watch) verifyAlike(ends []end) {
	w.t.Helper()
	events := w.ofConnections()
	var conns []uint64
	for i := range events {
		if !slices.Contains(conns, events[i].Conn) {
			conns = append(conns, events[i].Conn)
		}
	}
	if len(conns) != len(ends) {
		w.t.Fatalf("%d connections were seen, want %d", len(conns), len(ends))
	}
	for i, conn := range conns { // both in the order of time
		w.verifyEnd(&ends[i], byConn(events)[conn], new(times))
	}
}

// TestTimeout: a listener's accept queue is full, so the client's SYNs are dropped until it gives up.
func TestTimeout(t *testing.T) {
	p, w := newWatched(t, live.Config{})
	l := w.listen(p, listenArgs{Addr: loopback4})
	queued := do[[]socket](p.client, "dial", dialArgs{Addr: l.Local, N: 1, Talk: talk{End: endKeep}})
	dialed := do[[]socket](p.client, "dial", dialArgs{Addr: l.Local, N: 2, Lanes: 2, How: oneSYNRetry})
	w.settle(p.client)
	ends := []end{
		{socket: queued[0], role: event.RoleClient, kinds: []event.Kind{event.Connect, event.Established}},
		{
			socket: socket{Local: l.Local, Remote: queued[0].Local, PID: l.PID, Listener: l.Cookie}, listening: l.PID,
			peer: queued[0], role: event.RoleServer, kinds: []event.Kind{event.Established},
		},
	}
	for _, s := range dialed {
		if s.Errno != int32(unix.ETIMEDOUT) {
			t.Fatalf("connect said %d", s.Errno)
		}
		x := failed(s, event.ReasonTimeout)
		x.again = true
		ends = append(ends, x)
	}
	w.verify(ends)
}

// TestNeverAccepted: the kernel completes handshakes for a server that never accepts. When it closes its listener, they
// are reset.
func TestNeverAccepted(t *testing.T) {
	p, w := newWatched(t, live.Config{})
	l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 16})
	reading := begin[[]socket](p.client, "dial", dialArgs{Addr: l.Local, N: 5, Lanes: 5, Talk: talk{End: endDrain}})
	w.untilQueued(p, l, 5)
	closed := do[[]socket](p.server, "finish", finishArgs{Sockets: []socket{l}})[0]
	dialed := reading.result()
	w.settle(p.client)
	var ends []end
	for _, s := range dialed {
		queued := socket{
			Local: l.Local, Remote: s.Local, PID: l.PID, Listener: l.Cookie,
			Called: s.Called, Returned: s.Returned, CloseCalled: closed.CloseCalled, CloseReturned: closed.CloseReturned,
		}
		ends = append(ends,
			end{
				socket: s, role: event.RoleClient, peer: queued, side: event.SideRemote, reason: event.ReasonReset,
				errnoOfEnd: int32(unix.ECONNRESET), kinds: []event.Kind{event.Connect, event.Established, event.Reset, event.Close},
			},
			end{
				socket: queued, role: event.RoleServer, peer: s, side: event.SideLocal, reason: event.ReasonListenerEnd,
				listening: l.PID, kinds: []event.Kind{event.Established, event.Reset, event.Close},
			})
	}
	w.verify(ends)
	w.counts(l.Local, event.Unlisten, 1)
}

// untilQueued waits until n connections wait at a listener, by the program's own knowledge.
func (w *watch) untilQueued(p *pair, l socket, n int) {
	w.t.Helper()
	if !testkit.Until(settleTime, func() bool { return do[int](p.server, "waiting", l) == n }) {
		w.t.Fatalf("%d connections wait at the listener, want %d", do[int](p.server, "waiting", l), n)
	}
}
