// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"maps"
	"slices"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

// pace is how a thread takes connections from one listener, and what it does while they wait.
type pace struct {
	sum   model.Pace         // its map is never changed
	last  int64              // when it took one; 0: never
	times *event.ThreadTimes // as they were told last; nil: they were not
	at    int64              // when that was
	idle  int64              // since then nobody waited for it so long, until it took the last one
	rest  string             // what it was blocked in when nobody waited for it, the last time; "": not known
	held  *spell             // the first, until it is known where the thread rests; nil: none
}

// spell is what a thread did from one telling of its times to the next.
type spell struct {
	model.Times
	idle, waited int64 // ns in which nobody waited for it, and in which somebody did
}

// took takes note of an accept at ts of a connection that came into the queue at came. The time since the one before is
// the thread's pace if the connection waited for most of it: else the thread had nobody to accept.
func (p *pace) took(ts, came int64) {
	if gap := ts - p.last; p.times != nil && p.last != 0 && gap >= 0 && 2*(came-p.last) <= gap {
		p.sum.Gaps++
		p.sum.GapNS += gap
	}
	p.idle += max(0, came-max(p.last, p.at))
	p.last = ts
}

// show returns the pace; the whole of it only once what the thread does meanwhile has been told.
func (p *pace) show(how detail) model.Pace {
	if how == whole && !p.sum.Known() {
		return model.Pace{}
	}
	return p.sum
}

// begin takes times from which to count.
func (p *pace) begin(t *event.ThreadTimes, ts int64) { p.times, p.at, p.idle = t, ts, 0 }

// told takes the thread's times at ts. came is when the first of those came that wait now; ts if nobody does. What the
// thread did since the last ones counts for as long as somebody waited for it.
func (p *pace) told(t *event.ThreadTimes, ts, came int64) {
	if p.times == nil || ts-t.WatchedNS > p.at || ts <= p.at { // or it is watched anew
		p.begin(t, ts)
		return
	}
	s := spell{Times: timesOf(t).Since(timesOf(p.times)), idle: p.idle + max(0, came-max(p.last, p.at))}
	s.waited = s.WatchedNS - s.idle
	p.begin(t, ts)
	if s.waited*10 <= s.WatchedNS {
		p.rest = longest(s.BlockedNS)
	}
	if p.held != nil && p.rest != "" {
		p.add(p.held)
		p.held = nil
	}
	switch s.cutWaits(); {
	case s.waited <= 0:
	case p.rest == "" && p.sum.WatchedNS == 0 && s.idle*20 > s.waited:
		p.held = &s
	default:
		p.add(&s)
	}
}

// add counts what the thread did while somebody waited for it. If it did much else besides resting while nobody waited, as
// an event loop may, that cannot be told apart: then nothing counts.
func (p *pace) add(s *spell) {
	s.cut(p.rest, s.idle)
	if s.idle*4 > s.waited {
		return
	}
	if p.sum.WatchedNS > 0 { // a thread rests in what it does more than while somebody waited
		for _, in := range slices.Sorted(maps.Keys(s.BlockedNS)) {
			s.cut(in, s.BlockedNS[in]-int64(float64(p.sum.BlockedNS[in])/float64(p.sum.WatchedNS)*float64(s.waited)))
		}
	}
	p.sum.Times = p.sum.Plus(s.Times, float64(s.waited)/float64(s.WatchedNS))
}

// cutWaits takes out waits for work, as far as nobody waited.
func (s *spell) cutWaits() {
	for _, in := range slices.Sorted(maps.Keys(s.BlockedNS)) {
		if model.WaitsForWork(in) {
			s.cut(in, s.idle)
		}
	}
}

// cut takes out ns of a call, as far as nobody waited.
func (s *spell) cut(in string, ns int64) {
	ns = max(0, min(ns, s.idle, s.BlockedNS[in]))
	if ns > 0 {
		s.BlockedNS[in] -= ns
		s.WatchedNS -= ns
		s.idle -= ns
	}
}

// longest names what took the longest, "" if nothing did.
func longest(blocked map[string]int64) (most string) {
	for _, in := range slices.Sorted(maps.Keys(blocked)) {
		if blocked[in] > blocked[most] {
			most = in
		}
	}
	return most
}

// cameAt returns when an accepted connection came into the queue; when it was taken, where that is not known.
func cameAt(x *conn, e *event.Event) int64 {
	switch {
	case e.Known(event.FieldWaitNS):
		return e.TS - e.WaitNS
	case x != nil && x.saw.preExisting:
		return x.complete
	}
	return e.TS
}

// waitsSince returns since when somebody waits in the queue; now if nobody does.
func (l *listener) waitsSince(now int64) int64 {
	switch {
	case l.waiting.head != nil:
		return l.waiting.head.complete
	case l.acceptQ.known && l.acceptQ.v > 0:
		return 0
	}
	return now
}

// tellPace gives a thread's new times to the listeners that it accepts from.
func (w *worker) tellPace() {
	w.listeners = slices.DeleteFunc(w.listeners, func(l *listener) bool { return l.gone })
	for _, l := range w.listeners {
		for i := range l.acceptors {
			if a := &l.acceptors[i]; a.tid == w.tid && a.pid == w.pid {
				a.pace.told(w.times, w.told, l.waitsSince(w.told))
			}
		}
	}
}

// acceptsFrom takes note of an accept by the acceptor a of the listener l.
func (w *worker) acceptsFrom(l *listener, a *acceptor, ts, came int64) {
	if !slices.Contains(w.listeners, l) && len(w.listeners) < maxPaces {
		w.listeners = append(w.listeners, l)
	}
	if a.pace.times == nil && w.times != nil {
		a.pace.begin(w.times, w.told)
		a.pace.rest = longest(w.times.BlockedNS) // it has accepted nobody so far
	}
	a.pace.took(ts, came)
}

// maxPaces bounds the listeners of which a thread's pace is known.
const maxPaces = 64
