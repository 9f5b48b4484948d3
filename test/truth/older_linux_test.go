// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"beltrace/collector/event"
	"beltrace/collector/live"
	"beltrace/collector/model"
	"beltrace/internal/testkit"
)

// older is a listener with connections that were there before beltrace.
type older struct {
	listener       socket
	served, dialed []socket // in the hands of their programs
	queued         socket   // the client's end of one that nobody has accepted
}

func (p *pair) age(t testing.TB) older {
	t.Helper()
	l := do[socket](p.server, "listen", listenArgs{Addr: loopback4, Backlog: 16})
	served, dialed := p.exchange(
		serveArgs{Listener: l, N: 3, Talk: talk{Read: 11, Write: 22, End: endKeep}},
		dialArgs{Addr: l.Local, N: 3, Talk: talk{Write: 11, Read: 22, End: endKeep}})
	matched(t, served, dialed)
	queued := do[[]socket](p.client, "dial", dialArgs{Addr: l.Local, N: 1, Talk: talk{End: endKeep}})
	return older{l, served, dialed, queued[0]}
}

// TestOlder: listeners and connections that are older than beltrace, in its own network namespace and in another.
func TestOlder(t *testing.T) {
	for _, c := range []struct {
		name string
		pair func(testing.TB) *pair
	}{
		{"own network namespace", pairAtHome},
		{"another network namespace", newPair},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := c.pair(t)
			o := p.age(t)
			w := p.openWatch(t, live.Config{})
			w.knowListener(o.listener, 16)
			w.seeded(o)
			w.endOlder(p, o)
		})
	}
}

// TestOlderHidden: a listener in a network namespace that nothing else keeps is found: no process is in it, no mount has it.
func TestOlderHidden(t *testing.T) {
	p := newPair(t)
	l := do[socket](p.server, "listen", listenArgs{Addr: loopback4, Backlog: 7, Hidden: true})
	w := p.openWatch(t, live.Config{})
	e := w.until("the listener", func(e *event.Event) bool { return e.Kind == event.Listen && e.PID == l.PID })
	c := &checker{e: &e}
	is(c, event.FieldLocal, e.Local, l.Local)
	is(c, event.FieldBacklog, e.Backlog, 7)
	is(c, event.FieldPreExisting, e.PreExisting, true)
	if !e.Known(event.FieldNetNS) || e.NetNS == w.ns {
		w.wrong("its network namespace is %d, the process's %d", e.NetNS, w.ns)
	}
	w.report(c)
}

// TestOlderRequests: of a connection that was there before, what its server's thread does for each request is known as well.
func TestOlderRequests(t *testing.T) {
	p := newPair(t)
	server := do[netip.AddrPort](p.server, "plain", plainServer{Addr: loopback4})
	begin[[]fetched](p.client, "ask", askArgs{Server: server, Paths: slices.Repeat([]string{"/sleep/2"}, 20_000)}) // ends with the test
	w := p.openWatch(t, live.Config{NetNS: p.ns.Path()})
	if !w.knowsTurns() || w.leavesOut() {
		return
	}
	var all []model.Exchange
	slept := func() (n int) {
		all = w.snapshot().Exchanges
		for _, x := range all[:min(len(all), 20)] { // the last ones: those before them may have begun before the watch, or soon after
			if x.Local == server.String() && inPhase(&x, "app.blocked:nanosleep") >= 1900*time.Microsecond {
				n++
			}
		}
		return n
	}
	if !testkit.Until(settleTime, func() bool { return slept() >= 18 }) {
		for _, x := range all[:min(len(all), 20)] {
			t.Errorf("a request whose handler slept 2 ms in nanosleep took %v", x.Phases)
		}
	}
}

// TestOlderQueue: of connections that are older than beltrace those wait that nobody has accepted, and no others, whether
// their clients are still there or not; each of them is seen to be accepted.
func TestOlderQueue(t *testing.T) {
	p := newPair(t)
	o := p.age(t)
	gone := do[[]socket](p.client, "dial", dialArgs{Addr: o.listener.Local, N: 4, Talk: talk{Write: 11}})
	var waits []string
	for _, s := range append(gone, o.queued) {
		waits = append(waits, s.Local.String())
	}
	slices.Sort(waits)
	w := p.openWatch(t, live.Config{NetNS: p.ns.Path()})
	w.until("a sample of the queue", func(e *event.Event) bool { return e.Kind == event.Queue && e.AcceptQueue == 5 })
	var told, shown []string
	for _, e := range w.seen() {
		if e.Kind == event.Established && e.Known(event.FieldQueued) {
			told = append(told, e.Remote.String())
		}
	}
	for _, c := range w.snapshot().Connections {
		if c.State == model.StateAcceptQueue {
			shown = append(shown, c.Remote)
		}
	}
	slices.Sort(told)
	slices.Sort(shown)
	if !slices.Equal(told, waits) || !slices.Equal(shown, waits) {
		t.Errorf("said to wait: %v, shown: %v, want %v", told, shown, waits)
	}
	for _, s := range do[[]socket](p.server, "serve", serveArgs{Listener: o.listener, N: 5, Talk: talk{End: endKeep}}) {
		e := w.until("that it is accepted", func(e *event.Event) bool { return e.Kind == event.Accept && e.Remote == s.Remote })
		c := &checker{e: &e}
		is(c, event.FieldListenerConn, e.ListenerConn, o.told(w))
		c.absent(event.FieldWaitNS) // since when, nobody knows
		w.report(c)
	}
}

// told is the listener's number as events tell it.
func (o older) told(w *watch) uint64 {
	return w.until("the listener", func(e *event.Event) bool { return e.Kind == event.Listen && e.Local == o.listener.Local }).Conn
}

// TestOlderPeer: a connection from a port that its own program listens at, too, as in peer-to-peer networks, is no child
// of that listener.
func TestOlderPeer(t *testing.T) {
	p := newPair(t)
	there := do[socket](p.server, "listen", listenArgs{Addr: loopback4, Backlog: 16})
	here := do[socket](p.client, "listen", listenArgs{Addr: loopback4, Backlog: 16, ReusePort: true})
	served, dialed := p.exchange(
		serveArgs{Listener: there, N: 1, Talk: talk{Read: 11, End: endKeep}},
		dialArgs{Addr: there.Local, From: here.Local, N: 1, Talk: talk{Write: 11, End: endKeep}})
	w := p.openWatch(t, live.Config{NetNS: p.ns.Path()})
	w.seededEnd(dialed[0], event.RoleClient, clientName())
	w.seededEnd(served[0], event.RoleServer, serverName())
	rows := map[string]model.Connection{}
	for _, c := range w.snapshot().Connections {
		rows[c.Local] = c
	}
	client, server := rows[here.Local.String()], rows[there.Local.String()]
	if client.Role != event.RoleClient || client.Listener.Known {
		t.Errorf("the client is %q, of a listener: %v", client.Role, client.Listener)
	}
	if server.Role != event.RoleServer || !server.Listener.Known {
		t.Errorf("the server is %q, of a listener: %v", server.Role, server.Listener)
	}
}

// TestOlderConnecting: clients that were in connect() before the watch, at queues that are full. When connect was called, and so
// how long it took, is not known; how it ends is.
func TestOlderConnecting(t *testing.T) {
	p := newPair(t)
	begun := func() (socket, pending[[]socket]) {
		l := do[socket](p.server, "listen", listenArgs{Addr: loopback4})
		do[[]socket](p.client, "dial", dialArgs{Addr: l.Local, N: 1, Talk: talk{End: endKeep}})
		return l, begin[[]socket](p.client, "dial", dialArgs{Addr: l.Local, N: 1})
	}
	drains, patient := begun()
	ends, refused := begun()
	if !testkit.Until(settleTime, func() bool { return connecting(t, p.client.PID) == 2 }) {
		t.Fatalf("%d clients are in SYN_SENT, want 2", connecting(t, p.client.PID))
	}
	w := p.openWatch(t, live.Config{})
	reasons := map[uint64]string{
		w.olderConnect(p.client.PID, drains.Local): event.ReasonFIN,
		w.olderConnect(p.client.PID, ends.Local):   event.ReasonRefused,
	}
	do[[]socket](p.server, "serve", serveArgs{Listener: drains, N: 2})
	do[[]socket](p.server, "finish", finishArgs{Sockets: []socket{ends}})
	success, failure := patient.result()[0], refused.result()[0]
	if success.Errno != 0 || failure.Errno != int32(unix.ECONNREFUSED) {
		t.Fatalf("connect said %d and %d", success.Errno, failure.Errno)
	}
	established := w.establishedOf(success)
	established.absent(event.FieldPreExisting)
	established.absent(event.FieldHandshakeNS)
	is(established, event.FieldRole, established.e.Role, event.RoleClient)
	w.report(established)
	for conn, reason := range reasons {
		e := w.until("the close of a client", func(e *event.Event) bool { return e.Kind == event.Close && e.Conn == conn })
		c := &checker{e: &e}
		is(c, event.FieldPID, e.PID, p.client.PID)
		is(c, event.FieldReason, e.Reason, reason)
		w.report(c)
	}
}

// olderConnect checks the event and the row of a client of a full queue, and returns its number.
func (w *watch) olderConnect(pid uint32, server netip.AddrPort) uint64 {
	w.t.Helper()
	e := w.until("a connect that was there", func(e *event.Event) bool { return e.Kind == event.Connect && e.Remote == server })
	c := &checker{e: &e}
	is(c, event.FieldPreExisting, e.PreExisting, true)
	is(c, event.FieldRole, e.Role, event.RoleClient)
	is(c, event.FieldPID, e.PID, pid)
	is(c, event.FieldComm, e.Comm, clientName())
	is(c, event.FieldNetNS, e.NetNS, w.ns)
	w.report(c)
	all := w.snapshot()
	i := slices.IndexFunc(all.Connections, func(c model.Connection) bool { return c.Conn == e.Conn })
	if i < 0 || !all.Connections[i].PreExisting || all.Connections[i].State != model.StateConnecting {
		w.wrong("no row, or a wrong one, of the client that connects to %v: %+v", server, all.Connections)
	}
	return e.Conn
}

// connecting counts the sockets in SYN_SENT in a process's network namespace.
func connecting(t *testing.T, pid uint32) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/tcp", pid))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(text), " 02 ")
}

// pairAtHome is a pair in the test's own network namespace.
func pairAtHome(t testing.TB) *pair {
	t.Helper()
	testkit.Root(t)
	var st unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/net", &st); err != nil {
		t.Fatal(err)
	}
	return &pair{
		crowded: true,
		ns:      &testkit.NetNS{ID: uint32(st.Ino)},
		server:  startAgent(t, testkit.ChildOptions{Comm: serverName()}),
		client:  startAgent(t, testkit.ChildOptions{Comm: clientName()}),
	}
}

// seeded checks what is told at the start.
func (w *watch) seeded(o older) {
	w.t.Helper()
	listen := w.until("the listener", func(e *event.Event) bool { return e.Kind == event.Listen && e.Local == o.listener.Local })
	c := &checker{e: &listen}
	is(c, event.FieldPreExisting, listen.PreExisting, true)
	is(c, event.FieldPID, listen.PID, o.listener.PID)
	is(c, event.FieldComm, listen.Comm, serverName())
	is(c, event.FieldNetNS, listen.NetNS, w.ns)
	is(c, event.FieldBacklog, listen.Backlog, 16)
	c.absent(event.FieldBacklogAsked)
	w.report(c)
	for _, s := range o.dialed {
		w.seededEnd(s, event.RoleClient, clientName())
	}
	for _, s := range o.served {
		w.seededEnd(s, event.RoleServer, serverName())
	}
	w.seededEnd(o.queued, event.RoleClient, clientName())
}

func (w *watch) seededEnd(s socket, role, comm string) {
	w.t.Helper()
	e := w.until("a connection that was there", func(e *event.Event) bool {
		return e.Kind == event.Established && e.Local == s.Local && e.Remote == s.Remote && e.NetNS == w.ns
	})
	c := &checker{e: &e}
	is(c, event.FieldPreExisting, e.PreExisting, true)
	is(c, event.FieldPID, e.PID, s.PID)
	is(c, event.FieldComm, e.Comm, comm)
	c.absent(event.FieldHandshakeNS)
	if e.Known(event.FieldRole) {
		is(c, event.FieldRole, e.Role, role)
	}
	if w.knows(knowsCookie) {
		is(c, event.FieldConn, e.Conn, s.Cookie)
	}
	w.report(c)
}

// report fails the test with a checker's problems.
func (w *watch) report(c *checker) {
	w.t.Helper()
	for _, problem := range c.problems {
		w.wrong("%s: %s", problem, c.e.AppendJSON(nil))
	}
}

// endOlder lets the programs go on and checks what is told about it: no start is invented for what was there.
func (w *watch) endOlder(p *pair, o older) {
	w.t.Helper()
	serving := begin[[]socket](p.server, "serve", serveArgs{Listener: o.listener, N: 1, Talk: talk{End: endKeep}})
	accepted := serving.result()[0]
	serve, dial := short(o.listener, 5)
	served, dialed := p.exchange(serve, dial)
	more := do[[]socket](p.client, "finish", finishArgs{Sockets: append(o.dialed, o.queued), Talk: talk{Write: 5}})
	rest := do[[]socket](p.server, "finish", finishArgs{Sockets: append(o.served, accepted), Talk: talk{Read: 5, End: endDrain}})
	w.settle(p.client)
	ends := wholes(w.t, served, dialed)
	for _, both := range matched(w.t, rest, more) {
		ends = append(ends, whole(both[0], both[1])...)
		for i := range ends[len(ends)-2:] {
			x := &ends[len(ends)-2+i]
			x.kinds, x.older = []event.Kind{event.Established, event.Close}, true
			if x.Cookie == accepted.Cookie {
				x.kinds = append(x.kinds, event.Accept)
			}
		}
	}
	w.verify(ends)
	w.olderRows(o)
}

// olderRows checks the model: what was there is marked as such.
func (w *watch) olderRows(o older) {
	w.t.Helper()
	rows := map[string]model.Connection{}
	all := w.snapshot().Connections
	if w.crowded && len(all) > 1000 {
		w.t.Logf("others made %d connections meanwhile: the rows may have been evicted", len(all))
		return
	}
	for _, c := range all {
		if c.NetNS == w.ns {
			rows[c.Local+" "+c.Remote] = c
		}
	}
	for _, s := range append(o.served, o.dialed...) {
		c, ok := rows[s.Local.String()+" "+s.Remote.String()]
		if !ok || !c.PreExisting || c.PID.V != s.PID || c.State != model.StateClosed {
			w.wrong("row of %v -> %v: found %v, %+v", s.Local, s.Remote, ok, c)
		}
	}
	if self := uint32(os.Getpid()); o.listener.PID == self {
		w.wrong("the listener belongs to the test itself (%d)", self)
	}
}
