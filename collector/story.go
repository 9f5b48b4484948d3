// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"beltrace/collector/event"
	"beltrace/collector/model"
)

// note is one line of a connection's story, before it is put into words: what the connection itself does not hold.
type note struct {
	ts           int64
	n            [4]int64 // by kind, see noteOf
	comm         string
	side, reason string
	pid          uint32
	has          uint8 // which of n are known
	kind         event.Kind
}

const (
	inlineNotes = 4 // as many as a plain connection has: connect or established, accept, close
	birthNotes  = 8 // first lines that are kept when a story is too long
)

// story is what happened to one connection. It holds the first lines and the last ones.
type story struct {
	first [inlineNotes]note
	more  []note
	len   int
	// past is the story of the socket's earlier connections, in words, since their addresses are gone.
	past []model.EventLine
}

func (s *story) add(n note, budget int) {
	switch {
	case s.len < inlineNotes && s.len < budget:
		s.first[s.len] = n
		s.len++
	case s.len < budget:
		s.more = append(s.more, n)
		s.len++
	case len(s.more) > 0: // full: the oldest line after the first ones goes
		from := min(max(birthNotes-inlineNotes, 0), len(s.more)-1)
		copy(s.more[from:], s.more[from+1:])
		s.more[len(s.more)-1] = n
	}
}

func (s *story) at(i int) *note {
	if i < inlineNotes {
		return &s.first[i]
	}
	return &s.more[i-inlineNotes]
}

// tell adds the event to the connection's story. It costs no allocation for a plain connection.
func (x *conn) tell(e *event.Event, budget int) {
	x.story.add(noteOf(e), budget)
	x.texts.done = false
}

// numbers are the fields of a kind that a note keeps beside what the connection holds.
func numbers(k event.Kind) []event.Field {
	switch k {
	case event.Connect:
		return connectNumbers[:]
	case event.Established:
		return establishedNumbers[:]
	case event.Accept:
		return acceptNumbers[:]
	case event.Close:
		return closeNumbers[:]
	}
	return nil
}

var (
	connectNumbers     = [...]event.Field{event.FieldPreExisting}
	establishedNumbers = [...]event.Field{event.FieldHandshakeNS, event.FieldRTTNS, event.FieldPreExisting}
	acceptNumbers      = [...]event.Field{event.FieldWaitNS, event.FieldFD, event.FieldAcceptQueue, event.FieldBacklog}
	closeNumbers       = [...]event.Field{event.FieldDurationNS, event.FieldErrno, event.FieldBytesIn, event.FieldBytesOut}
)

func noteOf(e *event.Event) note {
	n := note{ts: e.TS, kind: e.Kind, pid: e.PID, comm: e.Comm, side: e.Side, reason: e.Reason}
	for i, f := range numbers(e.Kind) {
		if e.Known(f) {
			n.n[i] = number(e, f)
			n.has |= 1 << i
		}
	}
	return n
}

// number reads a field that a note keeps.
func number(e *event.Event, f event.Field) int64 {
	switch f {
	case event.FieldHandshakeNS:
		return e.HandshakeNS
	case event.FieldRTTNS:
		return e.RTTNS
	case event.FieldWaitNS:
		return e.WaitNS
	case event.FieldFD:
		return int64(e.FD)
	case event.FieldAcceptQueue:
		return int64(e.AcceptQueue)
	case event.FieldBacklog:
		return int64(e.Backlog)
	case event.FieldDurationNS:
		return e.DurationNS
	case event.FieldErrno:
		return int64(e.Errno)
	case event.FieldBytesIn:
		return int64(e.BytesIn)
	case event.FieldBytesOut:
		return int64(e.BytesOut)
	}
	return 1 // PreExisting
}

// putNumber is number's inverse.
func putNumber(e *event.Event, f event.Field, v int64) {
	e.Set(f)
	switch f {
	case event.FieldHandshakeNS:
		e.HandshakeNS = v
	case event.FieldRTTNS:
		e.RTTNS = v
	case event.FieldWaitNS:
		e.WaitNS = v
	case event.FieldFD:
		e.FD = int32(v)
	case event.FieldAcceptQueue:
		e.AcceptQueue = uint32(v)
	case event.FieldBacklog:
		e.Backlog = uint32(v)
	case event.FieldDurationNS:
		e.DurationNS = v
	case event.FieldErrno:
		e.Errno = int32(v)
	case event.FieldBytesIn:
		e.BytesIn = uint64(v)
	case event.FieldBytesOut:
		e.BytesOut = uint64(v)
	case event.FieldPreExisting:
		e.PreExisting = true
	}
}

// event gives the note back as an event, as far as its words need it.
func (n *note) event(x *conn) event.Event {
	e := event.Event{TS: n.ts, Kind: n.kind, Conn: x.id, Side: n.side, Reason: n.reason}
	e.Set(event.FieldConn)
	if n.side != "" {
		e.Set(event.FieldSide)
	}
	if n.reason != "" {
		e.Set(event.FieldReason)
	}
	for i, f := range numbers(n.kind) {
		if n.has&(1<<i) != 0 {
			putNumber(&e, f, n.n[i])
		}
	}
	fill(&e, x)
	e.PID, e.Comm = n.pid, n.comm
	return e
}

// tellAll returns the story in words.
func (x *conn) tellAll() []model.EventLine {
	lines := make([]model.EventLine, 0, len(x.story.past)+x.story.len)
	lines = append(lines, x.story.past...)
	for i := range x.story.len {
		e := x.story.at(i).event(x)
		lines = append(lines, lineOf(&e))
	}
	return lines
}

// eventLog keeps the newest events. They are put into words only when a snapshot is taken.
type eventLog struct {
	size   int
	events []event.Event // ring
	next   int           // where the next one goes once the ring is full
	fresh  int           // how many were added since lines was made
	lines  []model.EventLine
}

// add keeps the event if it is something that happens: not a sample, not what existed before.
func (l *eventLog) add(e *event.Event) {
	if isSample(e.Kind) || e.Known(event.FieldPreExisting) && e.PreExisting {
		return
	}
	l.fresh = min(l.fresh+1, l.size)
	if len(l.events) < l.size {
		l.events = append(l.events, *e)
		return
	}
	l.events[l.next] = *e
	l.next = (l.next + 1) % l.size
}

// isSample reports whether events of that kind state what is, and not what happens.
func isSample(k event.Kind) bool {
	return k == event.Queue || k == event.NetNS || k == event.Thread || k == event.Loop || k == event.Ring
}

// snapshot returns the newest events in words, the newest last. Lines once made are never changed.
func (l *eventLog) snapshot() []model.EventLine {
	if l.fresh == 0 {
		return l.lines
	}
	old := l.lines[max(0, len(l.lines)+l.fresh-l.size):]
	lines := make([]model.EventLine, 0, len(old)+l.fresh)
	lines = append(lines, old...)
	n := len(l.events)
	for i := n - l.fresh; i < n; i++ {
		lines = append(lines, lineOf(&l.events[(l.next+i)%n]))
	}
	l.lines, l.fresh = lines, 0
	return lines
}
