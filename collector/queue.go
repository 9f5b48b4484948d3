// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"time"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

// settled is how old an entry into the accept queue must be before a sample can say that it has left: the event of an
// accept may come a little after the queue became shorter.
const settled = int64(5 * time.Millisecond)

// depth takes what the event says about the listener's queues.
func (l *listener) depth(e *event.Event) {
	if e.Known(event.FieldBacklog) {
		if l.backlog.known && l.backlog.v != e.Backlog && e.Kind != event.Listen && e.TS >= l.backlog.ts {
			l.asked = latest[int32]{} // listen was called again, and that was not seen
		}
		l.backlog.set(e.Backlog, e.TS)
	}
	var s model.QueueSample
	if e.Known(event.FieldSYNQueue) {
		l.synQueue.set(e.SYNQueue, e.TS)
		s.SYNQueue = model.Some(e.SYNQueue)
	}
	if e.Known(event.FieldAcceptQueue) {
		l.acceptQ.set(e.AcceptQueue, e.TS)
		s.AcceptQueue = model.Some(e.AcceptQueue)
	}
	if s.SYNQueue.Known || s.AcceptQueue.Known {
		s.TS = e.TS
		l.history.add(s)
	}
}

// step moves the accept queue's last stated depth by one connection that came or went without stating it. Beside a
// sample it may be off by one, until the next: the kernel shortens the queue a little before accept returns.
func (l *listener) step(by int, ts int64) {
	if l.acceptQ.known && ts >= l.acceptQ.ts && int(l.acceptQ.v)+by >= 0 {
		l.acceptQ.set(uint32(int(l.acceptQ.v)+by), ts)
	}
}

// listenerOf returns the listener that an event is about, by cookie or address; nil if it names none.
func (c *Collector) listenerOf(e *event.Event) *listener {
	if !e.Known(event.FieldListenerConn) && e.Known(event.FieldConn) && c.listeners[e.Conn] != nil {
		return c.listeners[e.Conn]
	}
	return c.listenerFor(nil, e)
}

func (c *Collector) syn(e *event.Event) {
	l := c.listenerOf(e)
	if l == nil {
		return
	}
	l.depth(e)
	fillListener(e, l)
	l.owner.giveTo(e)
}

func (c *Collector) queue(e *event.Event) {
	if c.listeners[e.ListenerConn] == nil && !c.roomFor(e) {
		return
	}
	l := c.listenerOf(e)
	if l == nil {
		return
	}
	l.depth(e)
	l.tallies(e)
	if e.Known(event.FieldAcceptQueue) {
		l.reconcile(e.AcceptQueue, e.TS)
	}
	fillListener(e, l)
	if e.Known(event.FieldPID) { // the process before has ended
		l.owner = ownerOf(e)
	}
	l.owner.giveTo(e)
}

// tallies takes a sample's counters.
func (l *listener) tallies(e *event.Event) {
	if e.Known(event.FieldSYNYoung) {
		l.young.set(e.SYNYoung, e.TS)
	}
	if e.Known(event.FieldOverflows) {
		l.overflows.take(e.Overflows, e)
	}
	if e.Known(event.FieldDrops) {
		l.drops.take(e.Drops, e)
	}
	if e.Known(event.FieldSkDrops) {
		l.skDrops.set(e.SkDrops, e.TS)
	}
	if e.Known(event.FieldCookiesSent) {
		l.cookies.take(e.CookiesSent, e)
	}
	if e.Known(event.FieldCookiesOK) {
		l.cookiesOK.take(e.CookiesOK, e)
	}
}

// tally is a counter since the watch began.
type tally struct {
	latest[uint64]
	base uint64
}

// take takes the counter as an event states it. A recording that begins in the middle of a watch first states what the
// watch had counted by then: that is not the recording's.
func (t *tally) take(v uint64, e *event.Event) {
	if before(e) {
		t.base = v
	}
	t.set(v-min(v, t.base), e.TS)
}

// before reports whether the event tells what was there before the collection began.
func before(e *event.Event) bool { return e.PreExisting && e.Known(event.FieldPreExisting) }

// reconcile compares those that seem to wait with the queue's true length: the queue is first in, first out, so the
// oldest of too many have been accepted, and the event that said so was lost.
func (l *listener) reconcile(depth uint32, ts int64) {
	n := 0
	for x := range l.waiting.all() {
		if x.complete > ts-settled {
			break
		}
		n++
	}
	for x := range l.waiting.all() {
		if n <= int(depth) {
			return
		}
		x.settle(model.StateEstablished)
		x.texts.done = false
		l.waiting.remove(x)
		n--
	}
}

// historySeconds is how far a listener's history goes back.
const historySeconds = 60

// history is the deepest sample of each of the last seconds.
type history struct {
	seconds []second // by second modulo historySeconds; made at the first sample
}

type second struct {
	at     int64
	filled bool
	sample model.QueueSample
}

func (h *history) add(s model.QueueSample) {
	if h.seconds == nil {
		h.seconds = make([]second, historySeconds)
	}
	at := s.TS / int64(time.Second)
	k := &h.seconds[(at%historySeconds+historySeconds)%historySeconds]
	switch {
	case !k.filled || k.at < at:
		*k = second{at, true, s}
	case k.at == at:
		if d := deeper(k.sample.AcceptQueue, s.AcceptQueue); d != k.sample.AcceptQueue {
			k.sample.TS, k.sample.AcceptQueue = s.TS, d
		}
		k.sample.SYNQueue = deeper(k.sample.SYNQueue, s.SYNQueue)
	}
}

func deeper(a, b model.Opt[uint32]) model.Opt[uint32] {
	if !a.Known || b.Known && b.V > a.V {
		return b
	}
	return a
}

// snapshot returns the seconds up to now, oldest first.
func (h *history) snapshot(now int64) []model.QueueSample {
	var out []model.QueueSample
	if h.seconds == nil {
		return out
	}
	last := now / int64(time.Second)
	for at := last - historySeconds + 1; at <= last; at++ {
		if k := &h.seconds[(at%historySeconds+historySeconds)%historySeconds]; k.filled && k.at == at {
			out = append(out, k.sample)
		}
	}
	return out
}
