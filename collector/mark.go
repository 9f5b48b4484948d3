// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"cmp"
	"slices"

	"beltrace/collector/event"
)

// maxNotes bounds the marks of one connection that are kept until its request is answered.
const maxNotes = 32

// noted is what a server says about its work on a connection: from a mark's begin to its end.
type noted struct {
	name     string
	from, to int64 // to 0: it goes on
}

// joinMark joins a mark with the connection that its id names. A goroutine changes threads, so that the thread says
// nothing; that the mark comes from the process that has the connection does.
func (c *Collector) joinMark(e *event.Event) {
	x := c.conns[e.ID]
	if x == nil || !x.owner.have.Has(event.FieldPID) || x.owner.pid != e.PID {
		return
	}
	if x.flow == nil { // its first request is told when it is answered
		x.flow = &flow{}
	}
	f := x.flow
	if e.Phase != event.PhaseEnd {
		if len(f.marks) >= maxNotes {
			f.marks = slices.Delete(f.marks, 0, 1)
		}
		f.marks = append(f.marks, noted{name: e.Name, from: e.TS})
		return
	}
	for i := len(f.marks) - 1; i >= 0; i-- {
		if n := &f.marks[i]; n.name == e.Name && n.to == 0 {
			n.to = e.TS
			return
		}
	}
}

// marked returns what the server noted on a request, by name all together and one by one, and forgets it: what began since
// the answer before it was written, up to the last byte of its own; a mark may go on after that. Nil: nothing.
func (f *flow) marked(a *ask, end int64) (sums map[string]int64, spans []event.Span) {
	f.marks = slices.DeleteFunc(f.marks, func(n noted) bool {
		if n.from > end {
			return false // of a later one
		}
		if n.to == 0 {
			n.to = end
		}
		if sums == nil {
			sums = map[string]int64{}
		}
		s := event.Span{Name: n.name, From: max(n.from, a.start), To: min(n.to, end)}
		sums[n.name] += max(s.To-s.From, 0)
		if s.To >= s.From {
			spans = append(spans, s)
		}
		return true
	})
	slices.SortStableFunc(spans, func(a, b event.Span) int { return cmp.Compare(a.From, b.From) })
	return sums, spans
}
