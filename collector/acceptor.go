// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"cmp"
	"slices"
	"time"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

// acceptor is a thread that took connections, or tried to.
type acceptor struct {
	pid, tid uint32
	comm     string
	accepts  uint64
	errors   counts // failed calls by errno
	empty    uint64 // calls that found nobody
	openFDs  latest[uint32]
	fdLimit  latest[uint64]
	last     int64
	pace     model.Pace // its map is never changed
}

// acceptors are the threads that take connections of a listener: each by itself as far as there is room, the rest together.
type acceptors struct {
	each   []acceptor
	at     map[thread]int // where each is
	rest   acceptor
	others uint64          // threads in rest
	left   map[thread]bool // them, or the last of them
}

// idleAfter is for how long a thread has not called accept before it makes room for another: it has probably ended.
const idleAfter = int64(time.Minute)

// of returns the record of the thread that the event names; above the budget that of the rest. A thread stays in the rest,
// lest it is listed with a part of its count.
func (s *acceptors) of(e *event.Event, budget int) *acceptor {
	id := thread{e.PID, e.TID}
	if i, ok := s.at[id]; ok {
		a := &s.each[i]
		a.comm, a.last = e.Comm, e.TS
		return a
	}
	if s.left[id] {
		return &s.rest
	}
	if s.at == nil {
		s.at = make(map[thread]int, 1)
	}
	i := len(s.each)
	if i < budget {
		s.each = append(s.each, acceptor{})
	} else if i = s.idlest(); e.TS-s.each[i].last < idleAfter {
		s.leave(id, budget)
		return &s.rest
	} else {
		old := &s.each[i]
		s.rest.add(old)
		delete(s.at, thread{old.pid, old.tid})
		s.leave(thread{old.pid, old.tid}, budget)
	}
	s.each[i] = acceptor{pid: e.PID, tid: e.TID, comm: e.Comm, last: e.TS}
	s.at[id] = i
	return &s.each[i]
}

// idlest finds the one that was idle for longest.
func (s *acceptors) idlest() (idle int) {
	for i := range s.each {
		if s.each[i].last < s.each[idle].last {
			idle = i
		}
	}
	return idle
}

// leave puts a thread into the rest.
func (s *acceptors) leave(id thread, budget int) {
	if s.left == nil || len(s.left) >= 8*budget {
		s.left = map[thread]bool{}
	}
	s.left[id] = true
	s.others++
}

// add takes in what another thread did.
func (a *acceptor) add(o *acceptor) {
	a.accepts += o.accepts
	a.empty += o.empty
	for errno, n := range o.errors {
		a.errors.add(errno, n)
	}
}

// find returns the record of a thread, or nil.
func (s *acceptors) find(pid, tid uint32) *acceptor {
	if i, ok := s.at[thread{pid, tid}]; ok {
		return &s.each[i]
	}
	return nil
}

// showRest returns what the threads did that are not listed.
func (s *acceptors) showRest(how detail) model.OtherAcceptors {
	if s.others == 0 {
		return model.OtherAcceptors{}
	}
	return model.OtherAcceptors{Threads: s.others, Accepts: s.rest.accepts, Errors: s.rest.errors.show(how), Empty: s.rest.empty}
}

// showAcceptors returns the threads that accept, the busiest first.
func (c *Collector) showAcceptors(l *listener, how detail) []model.Acceptor {
	out := make([]model.Acceptor, 0, len(l.acceptors.each))
	for _, a := range l.acceptors.each {
		out = append(out, model.Acceptor{
			PID: a.pid, TID: a.tid, Comm: a.comm, Accepts: a.accepts,
			Errors: a.errors.show(how), Empty: a.empty, OpenFDs: a.openFDs.opt(), FDLimit: a.fdLimit.opt(),
			Between: c.between(a.pid, a.tid), Pace: a.pace,
		})
	}
	slices.SortStableFunc(out, func(a, b model.Acceptor) int {
		return cmp.Or(cmp.Compare(b.Accepts, a.Accepts), cmp.Compare(a.TID, b.TID))
	})
	return out
}
