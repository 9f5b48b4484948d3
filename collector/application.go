// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"time"

	"beltrace/collector/event"
)

const (
	maxSleeps   = 128  // sleeps of one thread that are kept
	maxSleepers = 2048 // threads of which some are
)

// sleep is a time in which a thread was not on a CPU: asleep from from, runnable from runnable, back at to. It lost its CPU if
// it was runnable at once.
type sleep struct {
	came               int64 // since when it had been on the CPU; from: not known
	from, runnable, to int64
	on                 string
	stack              []string
	conn               uint64 // the one whose request it had to answer, and read last; 0: it had several, or it is not known
	cut                bool   // of a partition: its time was cut by it
	mixed              bool   // it lost its CPU several times since came: how long it ran in all is known, but not when
}

// preempted reports whether the thread lost its CPU; else it slept.
func (s *sleep) preempted() bool { return s.runnable == s.from }

// sleeps are the last ones of each thread that has requests to answer. A turn is told after those that happened before it.
type sleeps struct{ young, old map[uint32]*threadSleeps }

type threadSleeps struct {
	all  []sleep // a ring once it is full
	next int
	ran  []sample // the last ones
}

// offcpu takes a sleep of a thread.
func (c *Collector) offcpu(e *event.Event) {
	if e.Turn == nil || !e.Known(event.FieldTID) {
		return
	}
	var wait int64
	if e.Thread != nil {
		wait = e.Thread.RunqueueNS
	}
	runnable := e.TS - wait
	s := sleep{from: runnable - e.Turn.OffNS, runnable: runnable, to: e.TS, on: e.Turn.On, stack: e.Turn.Stack}
	s.came = s.from - e.Turn.RanNS
	if e.Known(event.FieldConn) {
		s.conn = e.Conn
	}
	if e.Turn.Target != "" {
		s.on += " " + e.Turn.Target
	}
	c.sleeps.thread(e.TID).add(s)
}

// thread returns the sleeps of a thread. Of more threads than the bound those that slept longest ago are forgotten.
func (s *sleeps) thread(tid uint32) *threadSleeps {
	t := s.young[tid]
	if t != nil {
		return t
	}
	if s.young == nil || len(s.young) >= maxSleepers/2 {
		s.young, s.old = map[uint32]*threadSleeps{}, s.young
	}
	if t = s.old[tid]; t == nil {
		t = &threadSleeps{}
	}
	s.young[tid] = t
	return t
}

// flutter is how long a thread may lose its CPU over and over before that is told apart: it may do so each time that another one
// has something to do for some microseconds.
const flutter = int64(time.Millisecond)

func (t *threadSleeps) add(s sleep) {
	if n := len(t.all); n > 0 {
		last := &t.all[(t.next+n-1)%n]
		switch {
		case last.from == s.from && !last.mixed: // it was told before it ended
			*last = s
			return
		case last.preempted() && s.preempted() && s.came == last.to && s.to-last.came < flutter:
			last.from += s.from - s.came // as if it had run first
			last.runnable, last.to, last.mixed = last.from, s.to, true
			return
		}
	}
	if len(t.all) < maxSleeps {
		t.all = append(t.all, s)
		return
	}
	t.all[t.next] = s
	t.next = (t.next + 1) % maxSleeps
}

// in returns the sleeps that overlap a time, or that ended the thread's run then, the first one first, and since when they are
// all there; 0: always.
func (s *sleeps) in(tid uint32, from, to int64) (out []sleep, since int64) {
	t := s.young[tid]
	if t == nil {
		t = s.old[tid]
	}
	if t == nil {
		return nil, 0
	}
	for i := range t.all {
		x := t.all[(t.next+i)%len(t.all)]
		if x.to > from && x.came < to {
			out = append(out, x)
		}
	}
	if len(t.all) == maxSleeps && t.all[t.next].from > from {
		since = t.all[t.next].from
	}
	return out, since
}

// application shares the time between the last byte read and the first one written among what the threads did. It
// returns the confidence that this has, or nothing if the time stays unobserved.
func (c *Collector) application(p *partition, conn uint64, a *ask) string {
	until := a.out.first - a.out.latency
	c.slept(p, a)
	switch {
	case a.in.oncpu == 0: // threads are not watched
		p.until(until, phaseUnobserved)
		return ""
	case a.out.tid == 0 || a.out.tid == a.in.lastTID:
		return c.ownWork(p, a, until)
	}
	return c.handedOver(p, conn, a, until)
}

// slept finds the sleeps of the thread that read, if threads are watched.
func (c *Collector) slept(p *partition, a *ask) {
	if a.in.oncpu != 0 {
		p.sleeps, p.since = c.sleeps.in(a.in.lastTID, p.from, max(a.out.first, a.out.last))
	}
}

// ownWork is the application's time when the thread answers that has read: its sums say how much of what, its sleeps in
// what it slept.
func (c *Collector) ownWork(p *partition, a *ask, until int64) string {
	if p.since > p.at && !a.out.ran {
		p.until(until, phaseUnobserved)
		return ""
	}
	asleep := until - p.at - a.out.running - a.out.runqueue
	var parts []stretch
	for i := range p.sleeps {
		s := &p.sleeps[i]
		if s.to <= p.at || s.from >= until {
			continue
		}
		s.cut = true
		ns := within(s.from, s.runnable, p.at, until)
		asleep -= ns
		parts = append(parts, stretch{phaseAppBlocked + s.on, ns})
		p.sleptAt(phaseAppBlocked+s.on, ns, s.stack)
		if !a.out.ran {
			parts = append(parts, stretch{phaseAppRunqueue, within(s.runnable, s.to, p.at, until)})
		}
	}
	parts = append(parts, stretch{phaseAppRunqueue, a.out.runqueue})
	if a.out.ran {
		parts = append(parts, stretch{phaseAppBlocked + "unknown", asleep})
	}
	p.ranAt(c.sleeps.samples(a.in.lastTID, p.at, until))
	p.share(until, parts, phaseAppRunning)
	return byThread
}

// handedOver is the application's time when another thread answered than the one that read, as with goroutines: as long as
// the reader served nobody else and did not sleep it worked on the request, and so did the writer since it is awake and
// serves nobody else. In between nobody that is known did: then it is blocked in what the reader slept in, if that had nothing
// else to answer.
func (c *Collector) handedOver(p *partition, conn uint64, a *ask, until int64) string {
	if a.out.oncpu == 0 || a.out.runnable == 0 { // since when it is awake is not known
		p.until(until, phaseUnobserved)
		return byStream
	}
	begins := min(max(a.out.runnable, a.out.other), until)
	left, on := begins, phaseUnobserved
	if s := p.firstSleep(a.read, begins); s != nil && (a.out.ran || s.conn == conn) {
		left, s.cut = s.from, true
		if a.out.runnable >= a.out.other {
			on = phaseAppBlocked + s.on
			p.sleptAt(on, begins-s.from, s.stack)
		}
	}
	if a.out.ran {
		p.ranAt(c.sleeps.samples(a.in.lastTID, p.at, left))
		p.share(left, []stretch{{phaseAppRunning, a.out.running}}, phaseAppRunqueue)
	}
	p.until(left, phaseUnobserved) // it may have answered others before it slept
	p.until(begins, on)
	p.ranAt(c.sleeps.samples(a.out.tid, p.at, until))
	p.share(until, []stretch{{phaseAppRunqueue, a.out.runqueue}}, phaseAppRunning)
	return byGuess
}

// within returns how much of [from, to) lies in [lo, hi).
func within(from, to, lo, hi int64) int64 { return max(min(to, hi)-max(from, lo), 0) }
