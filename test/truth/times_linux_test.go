// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"fmt"
	"testing"
	"time"

	"beltrace/collector/event"
	"beltrace/internal/testkit"
)

// The bound of a time that beltrace reports against the program's own clock.
const (
	absoluteBound = time.Millisecond
	relativeBound = 0.05
)

// retransmitDelay is how long a segment that is sent again may wait for its timer.
const retransmitDelay = 5 * time.Second

// span is when something happened, as a program knows it: it read its clock before and after the call that did it.
type span struct{ from, to int64 }

// since returns how long after s a later moment was: at least, and at most.
func (later span) since(s span) span { return span{max(0, later.from-s.to), later.to - s.from} }

// sample is one reported time beside what the program measured.
type sample struct {
	what string
	got  time.Duration
	want span
}

// miss returns how far the time is out of what the program measured, beyond the bound; 0 if it is within.
func (s sample) miss() time.Duration {
	low, high := time.Duration(s.want.from), time.Duration(s.want.to)
	low -= testkit.Bound(low, absoluteBound, relativeBound)
	high += testkit.Bound(high, absoluteBound, relativeBound)
	return max(0, low-s.got, s.got-high)
}

// times are the samples of one test.
type times []sample

// add keeps the times of an event for which the program has a clock.
func (ts *times) add(x *end, e *event.Event) {
	if x.older || x.peer.PID == 0 || x.errno != 0 {
		return
	}
	name := " of " + x.String()
	switch {
	case e.Kind == event.Established && x.role == event.RoleClient && !x.Fast:
		*ts = append(*ts, sample{"handshake_ns" + name, time.Duration(e.HandshakeNS), span{0, x.Returned - x.Called}})
	case e.Kind == event.Accept:
		*ts = append(*ts, sample{"wait_ns" + name, time.Duration(e.WaitNS), x.accepted().since(x.peer.queued())})
	case e.Kind == event.Close:
		closed := x.closed()
		if e.Retransmits > 0 {
			closed.to += int64(retransmitDelay)
		}
		*ts = append(*ts, sample{"duration_ns" + name, time.Duration(e.DurationNS), closed.since(x.opened())})
	}
}

// queued is when a client's connection entered the server's accept queue.
func (s *socket) queued() span {
	if s.Fast || s.Deferred {
		return span{s.Wrote, s.Written} // with the first data
	}
	return span{s.Called, s.Returned}
}

// accepted is when accept took a connection that was there when it returned.
func (x *end) accepted() span { return span{max(x.Called, x.peer.queued().from), x.Returned} }

// opened is when the end was established.
func (x *end) opened() span {
	client := &x.socket
	if x.role == event.RoleServer {
		client = &x.peer
	}
	switch {
	case client.Fast:
		return span{client.Called, client.CloseReturned} // neither connect nor sendto waits for it
	case client.Deferred && x.role == event.RoleServer:
		return client.queued()
	}
	return span{client.Called, client.Returned}
}

// closed is when the end was closed: the kernel may wait for the other end.
func (x *end) closed() span {
	s := span{x.CloseCalled, x.CloseReturned}
	if x.peer.CloseCalled != 0 {
		s = span{min(s.from, x.peer.CloseCalled), max(s.to, x.peer.CloseReturned)}
	}
	return s
}

// judge fails the test when a time is out of its bound. Under emulation one in ten may be.
func (ts times) judge(t testing.TB) {
	t.Helper()
	var missed []string
	for _, s := range ts {
		if by := s.miss(); by > 0 {
			missed = append(missed, fmt.Sprintf("%s is %v, the program measured %v to %v: out of bound by %v",
				s.what, s.got, time.Duration(s.want.from), time.Duration(s.want.to), by))
		}
	}
	allowed := 0
	if testkit.Guest() {
		allowed = (len(ts) + 9) / 10
	}
	if len(missed) > allowed {
		t.Errorf("%d of %d times are out of bound (allowed: %d), first: %v", len(missed), len(ts), allowed, missed[0])
	}
}
