// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"beltrace/collector/event"
	"beltrace/collector/live"
)

// TestListen: a listener's beginning and end, with the backlog that it asked for and the one that it got. All are open at the
// same time: a port that is free again may be the next one's.
func TestListen(t *testing.T) {
	p, w := newWatched(t, live.Config{})
	most := somaxconn(t, p)
	var open []socket
	var asked, effective []int
	for _, c := range [][2]int{{0, 0}, {7, 7}, {most + 1000, most}} {
		for _, addr := range []string{"127.0.0.1:0", "[::1]:0", "[::]:0"} {
			open = append(open, do[socket](p.server, "listen", listenArgs{Addr: netip.MustParseAddrPort(addr), Backlog: c[0]}))
			asked, effective = append(asked, c[0]), append(effective, c[1])
		}
	}
	closed := do[[]socket](p.server, "finish", finishArgs{Sockets: open})
	w.settle(p.client)
	for i, l := range open {
		w.counts(l.Local, event.Listen, 1)
		w.counts(l.Local, event.Unlisten, 1)
		w.checkListen(l, asked[i], effective[i])
		w.checkUnlisten(closed[i], effective[i])
	}
}

// somaxconn is the largest backlog in the pair's namespace.
func somaxconn(t testing.TB, p *pair) int {
	t.Helper()
	var text []byte
	err := p.ns.Do(func() (err error) {
		text, err = os.ReadFile("/proc/sys/net/core/somaxconn")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// ofListener returns the one event of a kind that a listener has.
func (w *watch) ofListener(k event.Kind, l socket) event.Event {
	w.t.Helper()
	return w.until(k.String()+" of "+l.Local.String(), func(e *event.Event) bool {
		return e.Kind == k && e.Local == l.Local && e.NetNS == w.ns
	})
}

func (w *watch) checkListen(l socket, asked, effective int) {
	w.t.Helper()
	e := w.ofListener(event.Listen, l)
	c := &checker{e: &e}
	c.stamped(l.Called, l.Returned)
	w.checkOwned(c, l)
	is(c, event.FieldBacklog, e.Backlog, uint32(effective))
	if w.knows(knowsAsked) {
		is(c, event.FieldBacklogAsked, e.BacklogAsked, int32(asked))
	} else {
		c.absent(event.FieldBacklogAsked)
	}
	c.absent(event.FieldPreExisting)
	w.report(c)
}

func (w *watch) checkUnlisten(l socket, effective int) {
	w.t.Helper()
	e := w.ofListener(event.Unlisten, l)
	c := &checker{e: &e}
	c.stamped(l.CloseCalled, l.CloseReturned)
	w.checkOwned(c, l)
	is(c, event.FieldBacklog, e.Backlog, uint32(effective))
	w.report(c)
}

func (w *watch) checkOwned(c *checker, l socket) {
	e := c.e
	is(c, event.FieldPID, e.PID, l.PID)
	is(c, event.FieldTID, e.TID, l.TID)
	is(c, event.FieldComm, e.Comm, serverName())
	is(c, event.FieldProto, e.Proto, "tcp")
	is(c, event.FieldListener, e.Listener, l.Local)
	if w.knows(knowsCookie) {
		is(c, event.FieldConn, e.Conn, l.Cookie)
	}
}

// TestSYN: with syn switched on each SYN is told, with both queues by their right names; or it is nowhere, and the
// probe says so.
func TestSYN(t *testing.T) {
	p, w := newWatched(t, live.Config{SYN: true})
	l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 16})
	const n = 5
	dialed := do[[]socket](p.client, "dial", dialArgs{Addr: l.Local, N: n, Talk: talk{End: endKeep}})
	w.settle(p.client)
	if !w.knows(knowsSYN) {
		w.verifyNoSYN()
		return
	}
	var syns []event.Event
	for _, e := range w.seen() {
		if e.Kind == event.SYN && e.NetNS == w.ns && e.Listener == l.Local {
			syns = append(syns, e)
		}
	}
	if len(syns) != n {
		t.Fatalf("%d syn events, want %d", len(syns), n)
	}
	for i, s := range dialed {
		e := syns[i]
		c := &checker{e: &e}
		c.stamped(s.Called, s.Returned)
		is(c, event.FieldRemote, e.Remote, s.Local)
		is(c, event.FieldAcceptQueue, e.AcceptQueue, uint32(i)) // those before it, nobody accepts
		is(c, event.FieldBacklog, e.Backlog, 16)
		c.between(event.FieldSYNQueue, int64(e.SYNQueue), 0, 1) // itself, or not yet
		w.report(c)
	}
}

// TestQueueSample: a server that does nothing gives no event; its queue is told all the same.
func TestQueueSample(t *testing.T) {
	t.Run("own network namespace", func(t *testing.T) {
		p := pairAtHome(t)
		shared.begin(t, p, live.Config{}).sampled(p)
	})
	t.Run("another network namespace", func(t *testing.T) {
		p, w := newWatched(t, live.Config{})
		if !w.knows(knowsElsewhere) {
			t.Skip("this kernel lists the sockets of one network namespace only")
		}
		w.sampled(p)
	})
}

func (w *watch) sampled(p *pair) {
	w.t.Helper()
	l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 3})
	do[[]socket](p.client, "dial", dialArgs{Addr: l.Local, N: 4, Talk: talk{End: endKeep}})
	e := w.until("a sample of the full queue", func(e *event.Event) bool {
		return e.Kind == event.Queue && e.NetNS == w.ns && e.Listener == l.Local && e.AcceptQueue == 4
	})
	c := &checker{e: &e}
	is(c, event.FieldAcceptQueue, e.AcceptQueue, 4) // a backlog of N holds N + 1
	is(c, event.FieldSYNQueue, e.SYNQueue, 0)
	is(c, event.FieldBacklog, e.Backlog, 3)
	is(c, event.FieldSkDrops, e.SkDrops, 0)
	if w.knows(knowsRefusals) {
		is(c, event.FieldDrops, e.Drops, 0)
	} else {
		c.absent(event.FieldDrops)
	}
	w.report(c)
}
