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
	idle := p.idle + max(0, came-max(p.last, p.at))
	d := timesOf(t).Since(timesOf(p.times))
	p.begin(t, ts)
	waited := d.WatchedNS - idle
	if waited <= 0 {
		p.rest = longest(d.BlockedNS)
		return
	}
	for _, in := range slices.Sorted(maps.Keys(d.BlockedNS)) {
		if waitsForWork(in) || in == p.rest {
			cut := min(d.BlockedNS[in], idle)
			d.BlockedNS[in] -= cut
			d.WatchedNS -= cut
			idle -= cut
		}
	}
	p.sum.Times = p.sum.Plus(d, float64(waited)/float64(d.WatchedNS))
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

// waitsForWork reports whether threads wait for something to do in that call.
func waitsForWork(call string) bool {
	return call == "accept" || call == "accept4" || call == "io_uring_enter" || waitsForMany(call)
}
