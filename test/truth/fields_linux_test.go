// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"beltrace/collector/event"
	"beltrace/internal/testkit"
)

// softirqDelay is how much later than the system call that causes it the kernel may do what it does in softirq.
func softirqDelay() time.Duration {
	if testkit.Guest() {
		return time.Second
	}
	return time.Millisecond
}

// checker collects what is wrong with one event.
type checker struct {
	e        *event.Event
	problems []string
}

func (c *checker) wrong(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

// is checks that a field is known and has the value that the program knows.
func is[T comparable](c *checker, f event.Field, got, want T) {
	switch {
	case !c.e.Known(f):
		c.wrong("%s is absent, want %v", f, want)
	case got != want:
		c.wrong("%s is %v, want %v", f, got, want)
	}
}

// within checks that a count is known and lies between two others.
func (c *checker) within(f event.Field, got, least, most uint64) {
	switch {
	case !c.e.Known(f):
		c.wrong("%s is absent", f)
	case got < least || got > most:
		c.wrong("%s is %d, want %d to %d", f, got, least, most)
	}
}

// absent checks that the event does not claim to know what this tier cannot.
func (c *checker) absent(f event.Field) {
	if c.e.Known(f) {
		c.wrong("%s is known, on a tier that cannot know it", f)
	}
}

// between checks that a number is known and lies in the program's own interval.
func (c *checker) between(f event.Field, got, low, high int64) {
	switch {
	case !c.e.Known(f):
		c.wrong("%s is absent", f)
	case got < 0 || got < low-int64(clockSlack) || got > high+int64(clockSlack):
		c.wrong("%s is %d, not in [%d, %d]", f, got, low, high)
	}
}

// stamped checks that the event is of the time when the program did it.
func (c *checker) stamped(low, high int64) {
	if c.e.TS < low-int64(clockSlack) || c.e.TS > high+int64(clockSlack) {
		c.wrong("ts is %d, which is %d before or %d after the program's call", c.e.TS, low-c.e.TS, c.e.TS-high)
	}
}

// problems says what is wrong with an event of a connection's end; all are the events of that end.
func (w *watch) problems(x *end, e *event.Event, all []*event.Event) []string {
	c := &checker{e: e}
	w.checkIdentity(c, x)
	switch e.Kind {
	case event.Connect:
		c.stamped(x.Called, x.Returned)
	case event.Established:
		w.checkEstablished(c, x)
	case event.Accept:
		w.checkAccept(c, x)
	case event.Close:
		c.checkClose(x, all)
	case event.Reset, event.Retransmit:
		c.stamped(x.began(), x.last()+lateness(all))
	}
	return c.problems
}

func (w *watch) checkIdentity(c *checker, x *end) {
	e := c.e
	is(c, event.FieldProto, e.Proto, "tcp")
	if !x.older || e.Known(event.FieldRole) {
		is(c, event.FieldRole, e.Role, x.role) // who connected to whom is not always known of old connections
	}
	is(c, event.FieldRemote, e.Remote, x.Remote)
	is(c, event.FieldNetNS, e.NetNS, w.ns)
	is(c, event.FieldPID, e.PID, x.owner(e.Kind))
	is(c, event.FieldComm, e.Comm, w.comms[x.owner(e.Kind)])
	if x.older && e.Kind != event.Accept {
		if x.TID != 0 && e.Known(event.FieldTID) {
			is(c, event.FieldTID, e.TID, x.TID) // which thread opened it cannot be known
		}
	} else if x.TID != 0 && (x.role == event.RoleClient || e.Kind == event.Accept) {
		is(c, event.FieldTID, e.TID, x.TID)
	}
	if w.knowsCookieOf(x) {
		is(c, event.FieldConn, e.Conn, x.Cookie)
	}
	switch {
	case x.errno != 0:
		// What is left of the local address of a failed connect is no program's truth.
	case e.Kind == event.Connect && !w.knows(knowsLocalPort):
		c.absent(event.FieldLocal)
	default:
		is(c, event.FieldLocal, e.Local, x.Local)
	}
}

// knowsCookieOf reports whether the end's number must be its cookie.
func (w *watch) knowsCookieOf(x *end) bool {
	switch {
	case x.Cookie == 0 || x.errno == int32(unix.ENETUNREACH):
		return false
	case x.role == event.RoleServer && x.peer.Fast:
		return w.knows(knowsEarlyCookie)
	}
	return w.knows(knowsCookie)
}

// owner is the process that an event must name: of a server's socket, its listener's until it is accepted.
func (x *end) owner(k event.Kind) uint32 {
	if x.role == event.RoleServer && k == event.Established && x.listening != 0 {
		return x.listening
	}
	return x.PID
}

// began is the earliest time at which anything can happen to the socket: a server's, long before accept.
func (x *end) began() int64 {
	if x.peer.PID == 0 {
		return x.Called
	}
	return min(x.Called, x.peer.Called)
}

// last is the latest time at which anything can happen to the socket because of its programs.
func (x *end) last() int64 { return max(x.CloseReturned, x.peer.CloseReturned, x.Returned) }

func (w *watch) checkEstablished(c *checker, x *end) {
	e := c.e
	if x.older {
		is(c, event.FieldPreExisting, e.PreExisting, true)
		return
	}
	if x.role == event.RoleClient {
		c.stamped(x.Called, x.established())
		c.between(event.FieldHandshakeNS, e.HandshakeNS, 1, x.established()-x.Called)
		return
	}
	w.checkListener(c, x)
	if x.peer.PID == 0 {
		return // the other end is not a program that we know
	}
	from, to := x.peer.Called, max(x.peer.established(), x.Returned)
	if x.peer.Deferred {
		from = x.peer.Wrote
	}
	c.stamped(from, to+int64(softirqDelay()))
	switch {
	case x.peer.Cookied && w.knows(knowsSYN):
		c.absent(event.FieldHandshakeNS) // the kernel forgets when the SYN came
	case x.peer.Cookied:
		// A derived time: the kernel measures the round trip of such a handshake in milliseconds.
	case x.peer.Fast && !e.Known(event.FieldHandshakeNS):
		// Its SYN makes no request: where that is what is stamped, the handshake has no beginning.
	case e.Known(event.FieldHandshakeNS) || w.knows(knowsSYN):
		c.between(event.FieldHandshakeNS, e.HandshakeNS, 0, to-x.peer.Called+int64(softirqDelay()))
	}
}

// established is the latest time at which a client's socket became established.
func (s *socket) established() int64 {
	if s.Fast {
		return s.CloseReturned // connect, or sendto, does not wait for the handshake
	}
	return s.Returned
}

func (w *watch) checkListener(c *checker, x *end) {
	l, ok := w.listeners[x.Listener]
	if !ok {
		return
	}
	if c.e.Kind == event.Established && !w.knows(knowsReusePort) && w.shared(l) {
		c.absent(event.FieldListenerConn)
		return
	}
	is(c, event.FieldListener, c.e.Listener, l.Local)
	if w.knows(knowsCookie) {
		is(c, event.FieldListenerConn, c.e.ListenerConn, l.Cookie)
	}
}

func (w *watch) checkAccept(c *checker, x *end) {
	e := c.e
	c.stamped(x.Called, x.Returned)
	w.checkListener(c, x)
	if !x.Ring {
		is(c, event.FieldFD, e.FD, int32(x.FD))
	}
	switch {
	case x.older:
		c.absent(event.FieldWaitNS) // nobody saw when it was queued
	case x.peer.PID != 0:
		c.between(event.FieldWaitNS, e.WaitNS, 0, x.Returned-x.peer.Called)
	}
	l, ok := w.listeners[x.Listener]
	if !ok || l.backlog == 0 {
		return
	}
	if !w.knows(knowsAcceptQueue) || x.first && !w.knows(knowsFirstQueue) {
		c.absent(event.FieldAcceptQueue)
		return
	}
	is(c, event.FieldBacklog, e.Backlog, uint32(l.backlog))
	c.between(event.FieldAcceptQueue, int64(e.AcceptQueue), 0, int64(l.backlog)+1)
}

func (c *checker) checkClose(x *end, all []*event.Event) {
	e := c.e
	is(c, event.FieldReason, e.Reason, x.reason)
	if x.errno != 0 {
		is(c, event.FieldErrno, e.Errno, x.errno)
		c.stamped(x.Called, x.CloseReturned)
		return
	}
	if x.errnoOfEnd != 0 {
		is(c, event.FieldErrno, e.Errno, x.errnoOfEnd)
	}
	if x.side != "" {
		is(c, event.FieldSide, e.Side, x.side)
	}
	c.stamped(min(x.CloseCalled, x.peer.earliestEnd(x)), x.last()+lateness(all))
	if x.bytes {
		is(c, event.FieldBytesIn, e.BytesIn, x.In)
		is(c, event.FieldBytesOut, e.BytesOut, x.Out)
		is(c, event.FieldRetransmits, e.Retransmits, uint32(count(all, event.Retransmit)))
	}
	established := find(all, event.Established)
	switch {
	case established == nil || x.older:
		c.absent(event.FieldDurationNS) // its beginning was not seen
	default:
		is(c, event.FieldDurationNS, e.DurationNS, e.TS-established.TS)
	}
}

// lateness is how long after the programs' last call the kernel may be busy with the socket.
func lateness(all []*event.Event) int64 {
	if count(all, event.Retransmit) > 0 {
		return int64(retransmitDelay)
	}
	return int64(softirqDelay())
}

// earliestEnd is when the peer can have begun to end the connection.
func (s *socket) earliestEnd(x *end) int64 {
	if s.PID == 0 {
		return x.CloseCalled
	}
	return s.CloseCalled
}

func find(events []*event.Event, k event.Kind) *event.Event {
	for _, e := range events {
		if e.Kind == k {
			return e
		}
	}
	return nil
}

func count(events []*event.Event, k event.Kind) int {
	n := 0
	for _, e := range events {
		if e.Kind == k {
			n++
		}
	}
	return n
}
