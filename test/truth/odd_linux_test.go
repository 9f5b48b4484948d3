// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"slices"
	"strings"
	"testing"

	"beltrace/collector/event"
	"beltrace/collector/live"
	"beltrace/internal/testkit"
)

// TestHeir: an accepted socket that a forked child uses and closes stays one connection, of the process that accepted it.
func TestHeir(t *testing.T) {
	p, w := newWatched(t, live.Config{})
	l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 16})
	reading := begin[[]socket](p.client, "dial", dialArgs{Addr: l.Local, N: 1, Talk: talk{Write: 3, Read: 70, End: endDrain}})
	served := do[[]socket](p.server, "serve", serveArgs{Listener: l, N: 1, Talk: talk{Read: 3, End: endKeep}})
	left := do[socket](p.server, "bequest", bequestArgs{served[0], 70})
	dialed := reading.result()
	w.settle(p.client)
	w.verify(wholes(t, []socket{left}, dialed))
}

// TestRingAccept: io_uring's accept makes no system call accept. It is told on the tiers that hook functions.
func TestRingAccept(t *testing.T) {
	p, w := newWatched(t, live.Config{})
	l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 16})
	serve, dial := short(l, 10)
	serving := begin[[]socket](p.server, "ring", serve)
	dialing := begin[[]socket](p.client, "dial", dial)
	served := serving.result()
	if served == nil {
		t.Skip("this kernel has no io_uring for us")
	}
	dialed := dialing.result()
	w.settle(p.client)
	w.verify(w.byRing(wholes(t, served, dialed)))
}

// byRing takes the accept event from servers' ends where an accept by io_uring cannot be known.
func (w *watch) byRing(ends []end) []end {
	w.t.Helper()
	for i := range ends {
		if ends[i].role == event.RoleServer && !w.knows(knowsRingAccept) {
			ends[i].kinds = slices.DeleteFunc(ends[i].kinds, func(k event.Kind) bool { return k == event.Accept })
		}
	}
	return ends
}

// TestRingAcceptOutlivesListener: connections that were accepted go on when their listener stops, and end by
// themselves. Where their accept was not seen they could be taken for the ones that end with it.
func TestRingAcceptOutlivesListener(t *testing.T) {
	p, w := newWatched(t, live.Config{})
	l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 16})
	dialed := do[[]socket](p.client, "dial", dialArgs{Addr: l.Local, N: 3, Talk: talk{Write: 5, End: endKeep}})
	served := do[[]socket](p.server, "ring", serveArgs{Listener: l, N: 3, Talk: talk{Read: 5, End: endKeep}})
	if served == nil {
		t.Skip("this kernel has no io_uring for us")
	}
	do[[]socket](p.server, "finish", finishArgs{Sockets: []socket{l}, Talk: talk{End: endStop}})
	dialed = do[[]socket](p.client, "finish", finishArgs{Sockets: dialed})
	served = do[[]socket](p.server, "finish", finishArgs{Sockets: served, Talk: talk{End: endDrain}})
	w.settle(p.client)
	w.verify(w.byRing(wholes(t, served, dialed)))
}

// TestNonBlockingConnect: connect returns before the handshake is done.
func TestNonBlockingConnect(t *testing.T) {
	p, w := newWatched(t, live.Config{})
	l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 16})
	serve, dial := short(l, 20)
	dial.How = nonBlocking
	served, dialed := p.exchange(serve, dial)
	w.settle(p.client)
	w.verify(wholes(t, served, dialed))
}

// TestLossIsCounted: the ring is far too small. What is missing is counted: of each connection's events, delivered and
// lost are all that was made.
func TestLossIsCounted(t *testing.T) {
	if testkit.Guest() && strings.HasPrefix(kernelRelease(t), "7.") {
		t.Skip("7.x leaves out runs of programs on an emulated CPU: what is delivered and lost is not all that was made")
	}
	p := newPair(t)
	w := p.openWatch(t, live.Config{RingBytes: 4096, NetNS: p.ns.Path(), Cheap: true})
	w.strict = true
	l := do[socket](p.server, "listen", listenArgs{Addr: loopback4, Backlog: 256})
	serve, dial := short(l, 300)
	dial.Lanes = 8
	p.exchange(serve, dial)
	made := uint64(1 + 6*serve.N) // listen, and three events of each end
	testkit.Until(settleTime, func() bool {
		delivered, lost := w.throughRing()
		return delivered+lost >= made
	})
	w.close()
	delivered, lost := w.throughRing()
	t.Logf("made %d, delivered %d, lost %d", made, delivered, lost)
	if all := delivered + lost; all != made {
		t.Errorf("%d events are delivered and %d lost, %d were made", delivered, lost, made)
	}
	if lost == 0 {
		t.Errorf("%d events went through a ring for two dozen and none is lost", delivered)
	}
	if got := w.snapshot().Lost["ring"]; got != lost {
		t.Errorf("the snapshot says %d lost in the ring, want %d", got, lost)
	}
}

// throughRing counts the events of listeners and connections that came through the ring, and what it had no room for.
func (w *watch) throughRing() (delivered, lost uint64) {
	for _, e := range w.seen() {
		switch {
		case e.Kind == event.Lost && e.Where == "ring":
			lost += e.Count
		case slices.Contains([]event.Kind{event.Listen, event.Connect, event.Established, event.Accept, event.Close}, e.Kind):
			delivered++
		}
	}
	return delivered, lost
}
