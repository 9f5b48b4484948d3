// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"time"

	"beltrace/collector/event"
)

const (
	// horizon is how much event time is held back where the source gives no watermarks.
	horizon = int64(time.Second)
	// maxHeld bounds how many events are held back.
	maxHeld = 1 << 14
)

// Ordered returns a source that yields the events of src in the order of their times; equal times keep src's order.
//
// A watermark of src releases every earlier event, and is itself passed over. A source without watermarks (a
// recording, written in order or put together by hand) is held back by one second of its own event time. When too many
// events are held, those go that every CPU has passed, since the events of one CPU come in order; if that is not
// enough, the oldest.
//
// What existed before the start is yielded at once, whatever is held: it was found a little after the first live events,
// and those are joined to it.
//
// An event that comes when a later one was already yielded is yielded at once: nothing is dropped. It is counted, and
// told by an event Lost with Where "order" before the next one in order. Lost events and samples are excepted: no
// join depends on their place.
//
// Nothing sleeps and no goroutine is started. After Close, Next yields what is held and then io.EOF.
func Ordered(src event.Source) event.Source { return newOrdered(src) }

func newOrdered(src event.Source) *ordered {
	return &ordered{src: src, existed: -1}
}

// maxCPUs bounds the CPUs that are told apart: a damaged recording may name any number.
const maxCPUs = 4096

type ordered struct {
	src      event.Source
	held     waiting
	slots    []event.Event // where the held events are: only their numbers are moved
	free     []int
	cpus     []int64 // newest time of each CPU; 0: none
	newest   int64
	some     bool  // newest is one
	mark     int64 // the last watermark
	marked   bool
	yielded  int64 // time of the last event in order
	begun    bool
	disorder uint64
	existed  int   // slot of one that existed before, to be yielded next; -1: none
	err      error // how src ended
}

func (o *ordered) Close() error { return o.src.Close() }

// Next yields the next event.
func (o *ordered) Next(e *event.Event) error {
	for {
		switch {
		case o.existed >= 0:
			o.yieldSlot(o.existed, e)
			o.existed = -1
			return nil
		case o.late():
			o.take(e)
			o.countLate(e)
			return nil
		case o.ready():
			if o.disorder > 0 {
				o.tellDisorder(e)
				return nil
			}
			o.take(e)
			o.yielded, o.begun = e.TS, true
			return nil
		case o.err != nil && o.disorder > 0:
			o.tellDisorder(e)
			return nil
		case o.err != nil:
			return o.err
		}
		o.read()
	}
}

// read takes one event from the source.
func (o *ordered) read() {
	i := o.slot()
	e := &o.slots[i]
	if err := o.src.Next(e); err != nil {
		o.err = err
		o.free = append(o.free, i)
		return
	}
	if e.Kind == event.Watermark {
		o.mark, o.marked = max(o.mark, e.TS), true
		o.free = append(o.free, i)
		return
	}
	if e.PreExisting {
		o.existed = i
		return
	}
	if !o.some || e.TS > o.newest {
		o.newest, o.some = e.TS, true
	}
	if e.Known(event.FieldCPU) && e.CPU < maxCPUs {
		for int(e.CPU) >= len(o.cpus) {
			o.cpus = append(o.cpus, 0)
		}
		o.cpus[e.CPU] = max(o.cpus[e.CPU], e.TS)
	}
	o.held.push(held{e.TS, i})
}

func (o *ordered) slot() int {
	if n := len(o.free); n > 0 {
		i := o.free[n-1]
		o.free = o.free[:n-1]
		return i
	}
	o.slots = append(o.slots, event.Event{})
	return len(o.slots) - 1
}

// late reports whether the oldest held event is older than what was yielded.
func (o *ordered) late() bool { return o.held.len() > 0 && o.begun && o.held.first().ts < o.yielded }

// ready reports whether the oldest held event may go.
func (o *ordered) ready() bool {
	n := o.held.len()
	if n == 0 {
		return false
	}
	first := o.held.first().ts
	switch {
	case o.err != nil:
		return true
	case o.marked && first < o.mark:
		return true
	case !o.marked && o.newest-first > horizon:
		return true
	}
	return n > maxHeld/2 && first <= o.passed() || n > maxHeld
}

// passed returns the time that every CPU seen so far has reached.
func (o *ordered) passed() int64 {
	least := o.newest
	for _, ts := range o.cpus {
		if ts != 0 {
			least = min(least, ts)
		}
	}
	return least
}

// take moves the oldest held event to e.
func (o *ordered) take(e *event.Event) {
	o.yieldSlot(o.held.pop().slot, e)
}

// yieldSlot moves the event in a slot to e.
func (o *ordered) yieldSlot(i int, e *event.Event) {
	*e = o.slots[i]
	o.free = append(o.free, i)
}

// countLate counts an event that came too late, if that can matter.
func (o *ordered) countLate(e *event.Event) {
	if e.Kind != event.Lost && !isSample(e.Kind) {
		o.disorder++
	}
}

func (o *ordered) tellDisorder(e *event.Event) {
	*e = event.Event{TS: o.yielded, Kind: event.Lost, Where: "order", Count: o.disorder}
	e.Set(event.FieldWhere, event.FieldCount)
	o.disorder = 0
}

// held is a held event: its time, its slot.
type held struct {
	ts   int64
	slot int
}

// waiting are the held events in the order of their times, those of one time in the order in which they came. A source is
// nearly in order, so that a new one belongs near the end: cheaper than a heap, whose every removal moves a dozen.
type waiting struct {
	all  []held // the first ones, up to next, are gone
	next int
}

func (w *waiting) len() int { return len(w.all) - w.next }

func (w *waiting) first() held { return w.all[w.next] }

func (w *waiting) push(x held) {
	if w.next == len(w.all) || w.next > maxHeld {
		w.all = append(w.all[:0], w.all[w.next:]...)
		w.next = 0
	}
	w.all = append(w.all, x)
	for i := len(w.all) - 1; i > w.next && x.ts < w.all[i-1].ts; i-- {
		w.all[i], w.all[i-1] = w.all[i-1], x
	}
}

func (w *waiting) pop() held {
	w.next++
	return w.all[w.next-1]
}
