// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"beltrace/collector/event"
	"beltrace/internal/testkit"
)

// clockSlack is what two readings of CLOCK_MONOTONIC on different CPUs, one of them by bpf_ktime_get_ns, may differ by.
const clockSlack = 50 * time.Microsecond

// end is one end of a connection: what its program did, and which events must be there for it, exactly once each.
type end struct {
	socket
	role   string
	kinds  []event.Kind
	peer   socket // the other end, where it is known
	side   string // of the close
	reason string // of the close
	errno  int32
	bytes  bool // the totals are exact: all that was written was acknowledged

	first      bool   // accepted by a thread that was inside accept before beltrace came
	older      bool   // than beltrace: its establishment was not seen
	again      bool   // segments were sent again, at least one, and the close says how many
	errnoOfEnd int32  // of the close of a connection that was established
	listening  uint32 // of a server's: the process that listens
}

// whole returns the two ends of a connection that the client closed first, or the server.
func whole(server, client socket) []end {
	first, second := event.SideLocal, event.SideRemote
	if server.CloseCalled < client.CloseCalled {
		first, second = second, first
	}
	return []end{
		{
			socket: client, role: event.RoleClient, peer: server, bytes: true, side: first, reason: event.ReasonFIN,
			kinds: []event.Kind{event.Connect, event.Established, event.Close},
		},
		{
			socket: server, role: event.RoleServer, peer: client, bytes: true, listening: server.PID, side: second, reason: event.ReasonFIN,
			kinds: []event.Kind{event.Established, event.Accept, event.Close},
		},
	}
}

// wholes returns both ends of every connection between served and dialed.
func wholes(t testing.TB, served, dialed []socket) []end {
	t.Helper()
	var ends []end
	for _, both := range matched(t, served, dialed) {
		ends = append(ends, whole(both[0], both[1])...)
	}
	return ends
}

// failed is the client's end of a connect that did not succeed.
func failed(s socket, reason string) end {
	return end{
		socket: s, role: event.RoleClient, reason: reason, errno: s.Errno,
		kinds: []event.Kind{event.Connect, event.Close},
	}
}

func (x *end) String() string {
	return fmt.Sprintf("%s %v -> %v (pid %d, cookie %d)", x.role, x.Local, x.Remote, x.PID, x.Cookie)
}

// fits reports whether an event of a socket without a cookie can be about this end.
func (x *end) fits(e *event.Event) bool {
	// A program's socket forgets its address, but not its port, when connect fails.
	sameLocal := !e.Known(event.FieldLocal) || e.Local.Port() == x.Local.Port()
	sameRole := !e.Known(event.FieldRole) || e.Role == x.role
	return sameRole && sameLocal && e.Remote == x.Remote && (!e.Known(event.FieldPID) || e.PID == x.owner(e.Kind))
}

// ownNumbers is where the numbers begin that beltrace gives to sockets without a cookie.
const ownNumbers = 1 << 52

// verify compares all that was seen in the namespace with what the programs say they did. Listen, unlisten and queue
// events are not its business, nor are syn events.
func (w *watch) verify(ends []end) {
	w.t.Helper()
	w.untilAll(ends)
	w.lossless()
	events := byConn(w.ofConnections())
	var found times
	for i := range ends {
		x := &ends[i]
		conn := x.find(events)
		w.verifyEnd(x, events[conn], &found)
		delete(events, conn)
	}
	for _, rest := range events {
		for _, e := range rest {
			w.wrong("nobody did this: %s", e.AppendJSON(nil))
		}
	}
	found.judge(w.t)
}

// untilAll gives the kernel time for what it does after the programs' last call: another CPU may be behind with its
// softirqs. What is still missing then is missing.
func (w *watch) untilAll(ends []end) {
	if w.session == nil {
		return
	}
	want := 0
	for i := range ends {
		want += len(ends[i].kinds)
	}
	testkit.Until(settleTime/2, func() bool {
		seen := slices.DeleteFunc(w.ofConnections(), func(e event.Event) bool { return e.Kind == event.Retransmit })
		return len(seen) >= want
	})
}

// byConn sorts events by the socket that they are about.
func byConn(events []event.Event) map[uint64][]*event.Event {
	sorted := map[uint64][]*event.Event{}
	for i := range events {
		e := &events[i]
		sorted[e.Conn] = append(sorted[e.Conn], e)
	}
	return sorted
}

// find returns the number under which the events of this end stand: its cookie, or one of beltrace's own.
func (x *end) find(events map[uint64][]*event.Event) uint64 {
	if _, ok := events[x.Cookie]; ok && x.Cookie != 0 {
		return x.Cookie
	}
	for conn, of := range events {
		// The last event knows most: the local port of a client is chosen inside connect.
		if (conn >= ownNumbers || x.Cookie == 0) && x.fits(of[len(of)-1]) {
			return conn
		}
	}
	return 0
}

// verifyEnd checks that the kinds are there exactly once, in their order, and each event's fields.
func (w *watch) verifyEnd(x *end, events []*event.Event, found *times) {
	w.t.Helper()
	var kinds []event.Kind
	for _, e := range events {
		kinds = append(kinds, e.Kind)
	}
	kinds = w.withoutRetransmits(x, kinds, events)
	want := slices.Clone(x.kinds)
	slices.Sort(want)
	if got := slices.Sorted(slices.Values(kinds)); !slices.Equal(got, want) {
		if w.excused(got, want) {
			w.t.Logf("%v: events %v, and beltrace says that runs were left out", x, kinds)
			return
		}
		w.wrong("%v: events %v, want %v", x, kinds, x.kinds)
		return
	}
	conn := events[0].Conn
	for _, e := range events {
		if !e.Known(event.FieldConn) || e.Conn != conn {
			w.wrong("%v: conn %d and %d", x, conn, e.Conn)
		}
		for _, problem := range w.problems(x, e, events) {
			w.wrong("%v: %s: %s", x, problem, e.AppendJSON(nil))
		}
		found.add(x, e)
	}
}

// withoutRetransmits checks that the close counts the retransmits, and takes them away. On a busy machine the timer of
// any segment may fire.
func (w *watch) withoutRetransmits(x *end, kinds []event.Kind, events []*event.Event) []event.Kind {
	w.t.Helper()
	rest := slices.DeleteFunc(slices.Clone(kinds), func(k event.Kind) bool { return k == event.Retransmit })
	n := len(kinds) - len(rest)
	if e := find(events, event.Close); e != nil && (x.again && n == 0 || !e.Known(event.FieldRetransmits) || int(e.Retransmits) != n) {
		w.wrong("%v: %d retransmits were seen, the close counts %d", x, n, e.Retransmits)
	}
	return rest
}

// ofConnections returns the events of connections in the test's namespace, but those that settle made.
func (w *watch) ofConnections() []event.Event {
	var own []event.Event
	for _, e := range w.seen() {
		switch e.Kind {
		case event.Connect, event.Established, event.Accept, event.Close, event.Retransmit, event.Reset:
			if e.Known(event.FieldListenerConn) && e.Conn == e.ListenerConn {
				continue // a RST that a listener sends to a segment of no connection
			}
			if _, ours := w.comms[e.PID]; w.crowded && !ours {
				continue
			}
			if (w.strict || e.NetNS == w.ns) && e.Remote.Port() != settlePort && e.Local.Port() != settlePort {
				own = append(own, e)
			}
		}
	}
	return own
}
