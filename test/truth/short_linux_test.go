// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"net/netip"
	"testing"

	"beltrace/collector/live"
)

// TestShortConnections makes 200 short connections and finds each event of each, once.
func TestShortConnections(t *testing.T) {
	for _, c := range []struct {
		name   string
		listen netip.AddrPort
		dial   netip.Addr // where it differs
		lanes  int
	}{
		{"IPv4 one after the other", loopback4, netip.Addr{}, 1},
		{"IPv4 8 at once", loopback4, netip.Addr{}, 8},
		{"IPv6 one after the other", loopback6, netip.Addr{}, 1},
		{"IPv6 8 at once", loopback6, netip.Addr{}, 8},
		{"IPv4 to a listener of both", any6, loopback4.Addr(), 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, w := newWatched(t, live.Config{})
			l := w.listen(p, listenArgs{Addr: c.listen, Backlog: 128})
			serve, dial := short(l, 200)
			dial.Lanes = c.lanes
			if c.dial.IsValid() {
				dial.Addr = netip.AddrPortFrom(c.dial, l.Local.Port())
			}
			served, dialed := p.exchange(serve, dial)
			w.settle(p.client)
			w.verify(wholes(t, served, dialed))
			w.verifyNoSYN()
		})
	}
}

// TestServerClosesFirst: the sides of the two ends are swapped.
func TestServerClosesFirst(t *testing.T) {
	p, w := newWatched(t, live.Config{})
	l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 16})
	served, dialed := p.exchange(
		serveArgs{Listener: l, N: 10, Talk: talk{Read: 10, Write: 70_000}},
		dialArgs{Addr: l.Local, N: 10, Talk: talk{Write: 10, Read: 70_000, End: endDrain}})
	w.settle(p.client)
	w.verify(wholes(t, served, dialed))
}

// TestReusePort: two listeners share a port; each connection names the one that accepted it.
func TestReusePort(t *testing.T) {
	p, w := newWatched(t, live.Config{})
	first := w.listen(p, listenArgs{Addr: loopback4, Backlog: 64, ReusePort: true})
	second := w.listen(p, listenArgs{Addr: first.Local, Backlog: 64, ReusePort: true})
	dialed := do[[]socket](p.client, "dial", dialArgs{Addr: first.Local, N: 40, Talk: talk{Write: 5, End: endKeep}})
	var served []socket
	for i, n := range w.split(p, first, second, len(dialed)) {
		l := []socket{first, second}[i]
		served = append(served, do[[]socket](p.server, "serve", serveArgs{Listener: l, N: n, Talk: talk{Read: 5, End: endKeep}})...)
	}
	dialed = do[[]socket](p.client, "finish", finishArgs{Sockets: dialed})
	served = do[[]socket](p.server, "finish", finishArgs{Sockets: served, Talk: talk{End: endDrain}})
	w.settle(p.client)
	w.verify(wholes(t, served, dialed))
}

// split returns how many connections wait at each of two non-empty listeners.
func (w *watch) split(p *pair, first, second socket, all int) [2]int {
	w.t.Helper()
	n := do[int](p.server, "waiting", first)
	if m := do[int](p.server, "waiting", second); n == 0 || m == 0 || n+m != all {
		w.t.Fatalf("%d and %d connections wait at two listeners, want %d together", n, m, all)
	}
	return [2]int{n, all - n}
}

// TestReset: the client ends with a RST, which both ends see.
func TestReset(t *testing.T) {
	p, w := newWatched(t, live.Config{})
	l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 16})
	served, dialed := p.exchange(
		serveArgs{Listener: l, N: 20, Talk: talk{Write: 3, End: endDrain}},
		dialArgs{Addr: l.Local, N: 20, Talk: talk{Read: 3, End: endReset}})
	w.settle(p.client)
	w.verify(reset(wholes(t, served, dialed)))
}
