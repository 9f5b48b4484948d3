// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"context"
	"io"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"beltrace/collector"
	"beltrace/collector/event"
	"beltrace/collector/live"
	"beltrace/collector/model"
	"beltrace/collector/probes"
	"beltrace/internal/testkit"
)

// settlePort is where settle connects to; nobody listens there.
const settlePort = 7

// settleTime is how long an event may take from the kernel to the test.
const settleTime = 10 * time.Second

// watch is a live session and what it has seen, read as cmd/beltrace reads it.
type watch struct {
	t       testing.TB
	ns      uint32 // network namespace of the test
	strict  bool   // events of other namespaces are wrong, too
	crowded bool   // events of processes that are not the test's are none of its business
	tier    probes.Tier
	known   map[string]bool // by fact; see knows
	session *live.Session
	lent    bool          // the session is the shared one
	done    chan struct{} // closed when the session's events have ended

	mu        sync.Mutex
	collector *collector.Collector
	detail    func(conn uint64) // answers the collector; nil: nobody does
	events    []event.Event
	more      chan struct{} // closed and made anew with each event
	err       error

	failures  int
	missing   uint64              // sockets that are incomplete because a run was left out
	listeners map[uint64]listener // by cookie
	comms     map[uint32]string   // by pid
}

// listener is what is known of a listener of the test's programs.
type listener struct {
	socket
	backlog int // 0: not to be compared
}

// forcedTier is the tier that the harness holds the tests to.
func forcedTier(t testing.TB) probes.Tier {
	t.Helper()
	name := os.Getenv("BELTRACE_TIER")
	if name == "" {
		return ""
	}
	tier, err := probes.ParseTier(name)
	if err != nil {
		t.Fatal(err)
	}
	return tier
}

// reading is what all sessions read: in a guest it takes seconds.
var reading live.Reading

// openSession opens a session of the tier that is tested.
func openSession(t testing.TB, c live.Config) *live.Session {
	t.Helper()
	c.Tier, c.Reading = forcedTier(t), &reading
	session, err := live.Open(context.Background(), c)
	if err != nil {
		t.Fatalf("open live session: %v", err)
	}
	return session
}

// openWatch opens a session and reads it until the test ends.
func (p *pair) openWatch(t testing.TB, c live.Config) *watch {
	t.Helper()
	shared.close(t)
	session := openSession(t, c)
	w := p.newWatch(t)
	w.session = session
	w.hold(session.Info().Tier)
	go w.read(session)
	t.Cleanup(w.close)
	return w
}

// newWatch returns a watch that has seen nothing.
func (p *pair) newWatch(t testing.TB) *watch {
	w := &watch{
		t: t, ns: p.ns.ID, crowded: p.crowded, done: make(chan struct{}), more: make(chan struct{}),
		listeners: map[uint64]listener{},
		comms:     map[uint32]string{p.server.PID: serverName(), p.client.PID: clientName()},
	}
	w.collector = collector.New(collector.Options{Detail: func(conn uint64) { // Add is called with the lock held
		if w.detail != nil {
			w.detail(conn)
		}
	}})
	return w
}

// read is the session's one reader.
func (w *watch) read(session event.Source) {
	defer close(w.done)
	source := collector.Ordered(session)
	for {
		var e event.Event
		err := source.Next(&e)
		if w.take(&e, err); err != nil {
			return
		}
	}
}

// take takes what the session's source returned.
func (w *watch) take(e *event.Event, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		if err != io.EOF {
			w.err = err
		}
		return
	}
	w.collector.Add(e)
	if e.Kind != event.Watermark {
		w.events = append(w.events, *e)
		close(w.more)
		w.more = make(chan struct{})
	}
}

// close ends the session, or gives it back. It may be called twice.
func (w *watch) close() {
	if w.lent {
		shared.give(nil)
	} else {
		if err := w.session.Close(); err != nil {
			w.t.Errorf("close session: %v", err)
		}
		<-w.done
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		w.t.Errorf("read session: %v", w.err)
	}
}

// seen returns the events so far.
func (w *watch) seen() []event.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.events)
}

// snapshot returns the model so far.
func (w *watch) snapshot() *model.Snapshot {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.collector.Snapshot(testkit.Mono())
}

// until waits for an event that fits, and returns it.
func (w *watch) until(what string, fits func(*event.Event) bool) event.Event {
	w.t.Helper()
	patience := time.After(settleTime)
	for looked := 0; ; {
		w.mu.Lock()
		events, more := w.events, w.more
		w.mu.Unlock()
		for ; looked < len(events); looked++ {
			if fits(&events[looked]) {
				return events[looked]
			}
		}
		select {
		case <-more:
		case <-patience:
			w.t.Fatalf("no event in %v: %s", settleTime, what)
		}
	}
}

// settle waits until all that happened before it has arrived: an agent makes a connect that is refused, and events
// come in the order of their time.
func (w *watch) settle(a *agent) { w.settleAt(a, netip.AddrPortFrom(loopback4.Addr(), settlePort)) }

// settleAt is settle with an address that passes the test's filters, and at which nobody listens.
func (w *watch) settleAt(a *agent, addr netip.AddrPort) {
	w.t.Helper()
	last := do[[]socket](a, "dial", dialArgs{Addr: addr, N: 1})[0]
	w.until("the refused connect that ends the test", func(e *event.Event) bool {
		return e.Kind == event.Close && e.Remote == addr && e.TS >= last.Called && e.NetNS == w.ns
	})
}

// complaints is how many of a test's failures are printed: hundreds of events tend to be wrong in the same way.
const complaints = 12

// wrong fails the test.
func (w *watch) wrong(format string, args ...any) {
	w.t.Helper()
	switch w.failures++; {
	case w.failures < complaints:
		w.t.Errorf(format, args...)
	case w.failures == complaints:
		w.t.Errorf("and more")
	}
}

// lossless fails the test if an event was lost.
func (w *watch) lossless() {
	w.t.Helper()
	for _, e := range w.seen() {
		if e.Kind == event.Lost && !mayBeLost(e.Where) {
			w.wrong("lost: %s", e.AppendJSON(nil))
		}
	}
}

// mayBeLost reports whether something may be counted as lost there although nothing is missing. So it is in an emulated
// guest: "order" is late, and "missed" an upper bound. What is really missing the test's own comparison finds.
func mayBeLost(where string) bool { return testkit.Guest() && (where == "order" || where == "missed") }

// excused reports whether the kinds that are missing are among those that beltrace itself counts as missed. It can be
// so in an emulated guest only, where a task is interrupted as often as it runs.
func (w *watch) excused(got, want []event.Kind) bool {
	missing := slices.Clone(want)
	for _, k := range got {
		i := slices.Index(missing, k)
		if i < 0 {
			return false
		}
		missing = slices.Delete(missing, i, i+1)
	}
	if !testkit.Guest() {
		return false
	}
	w.missing++ // without its first change nothing more is seen of a socket
	return testkit.Until(settleTime/2, func() bool { return w.missed() >= w.missing })
}

// missed is how many runs of its programs beltrace says that the kernel left out.
func (w *watch) missed() uint64 {
	var n uint64
	for _, e := range w.seen() {
		if e.Kind == event.Lost && e.Where == "missed" {
			n += e.Count
		}
	}
	return n
}

// knowListener tells the watch of a listener, to compare events with.
func (w *watch) knowListener(l socket, backlog int) { w.listeners[l.Cookie] = listener{l, backlog} }

// shared reports whether another listener has the same address.
func (w *watch) shared(l listener) bool {
	for cookie, other := range w.listeners {
		if cookie != l.Cookie && other.Local == l.Local {
			return true
		}
	}
	return false
}

// newWatched returns a pair with the shared session of this configuration, which has no filters.
func newWatched(t *testing.T, c live.Config) (*pair, *watch) {
	t.Helper()
	p := newPair(t)
	return p, shared.begin(t, p, c)
}

// newWatchedAlone returns a pair with a session of its own, which must leave nothing behind.
func newWatchedAlone(t *testing.T, c live.Config) (*pair, *watch) {
	t.Helper()
	noLeaks(t)
	p := newPair(t)
	return p, p.openWatch(t, c)
}

// listen makes a listener that the comparison knows.
func (w *watch) listen(p *pair, args listenArgs) socket {
	w.t.Helper()
	l := do[socket](p.server, "listen", args)
	w.knowListener(l, args.Backlog)
	return l
}
