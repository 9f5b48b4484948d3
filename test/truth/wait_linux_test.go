// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"beltrace/collector/event"
	"beltrace/collector/live"
	"beltrace/internal/testkit"
)

// TestWait: the time in the accept queue is that of the server's delay, and no handshake is in it.
func TestWait(t *testing.T) {
	p, w := newWatched(t, live.Config{})
	var ends []end
	for _, delay := range []time.Duration{0, time.Millisecond, 20 * time.Millisecond, 100 * time.Millisecond} {
		l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 64})
		served, dialed := p.exchange(
			serveArgs{Listener: l, N: 50, Delay: delay, Talk: talk{Read: 10, End: endDrain}},
			dialArgs{Addr: l.Local, N: 50, Talk: talk{Write: 10}, Lanes: 50})
		ends = append(ends, wholes(t, served, dialed)...)
	}
	w.settle(p.client)
	w.verify(ends)
}

// TestWaitOfAQueue: connections that wait behind each other, each with its own time and the queue's length behind it.
func TestWaitOfAQueue(t *testing.T) {
	p, w := newWatched(t, live.Config{})
	l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 16})
	dialed := do[[]socket](p.client, "dial", dialArgs{Addr: l.Local, N: 10, Talk: talk{End: endKeep}})
	served := do[[]socket](p.server, "serve", serveArgs{Listener: l, N: 10, Delay: 2 * time.Millisecond, Talk: talk{End: endKeep}})
	dialed = do[[]socket](p.client, "finish", finishArgs{Sockets: dialed})
	served = do[[]socket](p.server, "finish", finishArgs{Sockets: served, Talk: talk{End: endDrain}})
	w.settle(p.client)
	w.verify(wholes(t, served, dialed))
	if !w.knows(knowsAcceptQueue) {
		return
	}
	for i, s := range served {
		accept := w.only(event.Accept, s)
		if left := uint32(len(served) - 1 - i); accept.AcceptQueue != left {
			t.Errorf("accept %d: accept_queue is %d, want the %d that are left", i, accept.AcceptQueue, left)
		}
	}
}

// only returns the one event of a kind that a server's socket has.
func (w *watch) only(k event.Kind, s socket) event.Event {
	w.t.Helper()
	return w.until(k.String()+" of "+s.Remote.String(), func(e *event.Event) bool {
		return e.Kind == k && e.Remote == s.Remote && e.NetNS == w.ns
	})
}

// TestBlockedAcceptor: threads that were inside accept before beltrace came. Their first accept is seen, once.
func TestBlockedAcceptor(t *testing.T) {
	p := newPair(t)
	l := do[socket](p.server, "listen", listenArgs{Addr: loopback4, Backlog: 16})
	serve, dial := short(l, 3)
	dial.N = 2 * serve.N
	one, two := begin[[]socket](p.server, "serve", serve), begin[[]socket](p.server, "serve", serve)
	untilInAccept(t, p.server.PID, 2)
	w := p.openWatch(t, live.Config{})
	w.knowListener(l, 16)
	dialed := do[[]socket](p.client, "dial", dial)
	served := [][]socket{one.result(), two.result()}
	w.settle(p.client)
	ends := wholes(t, slices.Concat(served...), dialed)
	for i := range ends {
		ends[i].first = ends[i].Cookie == served[0][0].Cookie || ends[i].Cookie == served[1][0].Cookie
	}
	w.verify(ends)
}

// TestEmptyQueue: accept that says EAGAIN is neither an accept nor an error nor a drop.
func TestEmptyQueue(t *testing.T) {
	p, w := newWatched(t, live.Config{})
	l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 16, NonBlocking: true})
	if n := do[int](p.server, "poke", pokeArgs{l, 50}); n != 50 {
		t.Fatalf("EAGAIN %d times, want 50", n)
	}
	w.settle(p.client)
	w.verify(nil)
	for _, row := range w.snapshot().Listeners {
		if row.NetNS != w.ns {
			continue
		}
		for _, a := range row.Acceptors {
			if len(a.Errors) > 0 || a.Accepts > 0 {
				t.Errorf("EAGAIN left %+v", a)
			}
		}
		if len(row.SYNDrops) > 0 || row.Overflows.V > 0 {
			t.Errorf("EAGAIN counts as a drop: %v, overflows %v", row.SYNDrops, row.Overflows)
		}
	}
}

// TestDeferAccept: with TCP_DEFER_ACCEPT the child is made by the client's first data, and its wait begins there.
func TestDeferAccept(t *testing.T) {
	p, w := newWatched(t, live.Config{})
	l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 16, DeferAccept: true})
	serve, dial := short(l, 5)
	dial.Pause = 30 * time.Millisecond
	served, dialed := p.exchange(serve, dial)
	for i := range dialed {
		dialed[i].Deferred = true
	}
	w.settle(p.client)
	w.verify(wholes(t, served, dialed))
}

// TestFastOpen: the child is in the accept queue before its handshake is done. Nothing is negative, nothing doubled.
func TestFastOpen(t *testing.T) {
	p, w := newWatched(t, live.Config{})
	p.ns.Sysctl(t, "ipv4/tcp_fastopen", fastOpenFreely)
	n := 500 // the acceptor takes some of them before the handshake has ended on the other CPU
	if testkit.Guest() {
		n = 20
	}
	var ends []end
	for _, how := range []string{fastConnect, fastSend} {
		l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 16, FastOpen: true})
		serve, dial := short(l, n)
		dial.How = how
		served, dialed := p.exchange(serve, dial)
		ends = append(ends, wholes(t, served, dialed)...)
	}
	w.settle(p.client)
	w.verify(ends)
}

// TestAcceptedEarly: with TCP Fast Open connections are accepted, and the end of their handshakes comes a good while later.
// They keep the numbers under which they were accepted.
func TestAcceptedEarly(t *testing.T) {
	s := newSpoofing(t, 16, live.Config{}, map[string]string{"tcp_fastopen": "0x607"}) // of all listeners, without cookies
	const n, data = 3, "data"
	serving := begin[[]socket](s.server, "serve", serveArgs{Listener: s.l, N: n, Talk: talk{Read: len(data), End: endKeep}})
	syns := spoofArgs{Tun: s.tun, Port: s.l.Local.Port(), N: n, Answer: true, Data: data}
	clients := do[[]spoofed](s.client, "spoof", syns)
	served := serving.result()
	s.ack(clients)
	for _, x := range served {
		s.until("the handshake's end", func(e *event.Event) bool {
			return e.Kind == event.Established && e.NetNS == s.ns() && e.Remote == x.Remote
		})
	}
	served = do[[]socket](s.server, "finish", finishArgs{Sockets: served, Talk: talk{End: endReset}})
	var ends []end
	for _, x := range served {
		ends = append(ends, end{
			socket: x, role: event.RoleServer, peer: socket{Fast: true}, listening: x.PID, bytes: true,
			side: event.SideLocal, reason: event.ReasonAborted,
			kinds: []event.Kind{event.Accept, event.Established, event.Reset, event.Close},
		})
	}
	s.settle(s.client)
	s.verify(ends)
}

// TestGoListener: net.Listen makes an MPTCP listener, whose socket is doubled in the kernel. Nothing else is.
func TestGoListener(t *testing.T) {
	p, w := newWatched(t, live.Config{})
	addr := netip.AddrPortFrom(loopback4.Addr(), 4711)
	const n = 20
	serving := begin[goServed](p.server, "goserve", goServeArgs{Addr: addr, N: n})
	untilListening(t, p.server.PID, addr)
	dialed := do[[]socket](p.client, "dial", dialArgs{Addr: addr, N: n, Talk: talk{Write: 10, End: endDrain}})
	result := serving.result()
	t.Logf("MPTCP listener: %v", result.Multipath)
	w.settle(p.client)
	w.verify(wholes(t, result.Served, dialed))
	w.counts(addr, event.Listen, 1)
	w.counts(addr, event.Unlisten, 1)
	rows := 0
	for _, row := range w.snapshot().Listeners {
		if row.Local == addr.String() && row.NetNS == w.ns {
			rows++
			if row.Accepted != n || row.Established != n {
				t.Errorf("the listener has %d accepted, %d established, want %d", row.Accepted, row.Established, n)
			}
		}
	}
	if rows != 1 {
		t.Errorf("%d listeners on %v in the snapshot, want 1", rows, addr)
	}
}

// counts checks how many events of a kind a listener has.
func (w *watch) counts(addr netip.AddrPort, k event.Kind, want int) {
	w.t.Helper()
	n := 0
	for _, e := range w.seen() {
		if e.Kind == k && e.Local == addr && e.NetNS == w.ns {
			n++
		}
	}
	if n != want {
		w.t.Errorf("%d %s events of %v, want %d", n, k, addr, want)
	}
}
