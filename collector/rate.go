// SPDX-License-Identifier: Apache-2.0

package collector

import "time"

const (
	rateSlots = 10
	rateSlot  = int64(500 * time.Millisecond) // with it a rate looks back over 5 s
)

// rate counts what happened in the last rateSlots slots of event time.
type rate struct {
	slot   int64 // length of one, ns
	first  int64 // when the first event ever was
	last   int64 // slot number of the newest event
	counts [rateSlots]uint32
	begun  bool
}

func (r *rate) add(ts int64, n uint32) {
	at := ts / r.slot
	if !r.begun {
		r.begun, r.first, r.last = true, ts, at
	}
	for ; r.last < at; r.last++ {
		if at-r.last > rateSlots { // a long silence: all slots are old
			r.counts = [rateSlots]uint32{}
			r.last = at
			break
		}
		r.counts[slotOf(r.last+1)] = 0
	}
	if r.last-at < rateSlots {
		r.counts[slotOf(at)] += n
	}
}

// perSecond returns the rate at now, over nine slots and what has passed of the tenth. At the beginning it is taken over the
// time that there was, a second at least.
func (r *rate) perSecond(now int64) float64 {
	if !r.begun {
		return 0
	}
	at := max(now/r.slot, r.last)
	oldest := at - rateSlots + 1
	var sum uint64
	for i := oldest; i <= r.last; i++ {
		sum += uint64(r.counts[slotOf(i)])
	}
	from := max(oldest*r.slot, r.first)
	span := max(now-from, r.last*r.slot-from, int64(time.Second))
	return float64(sum) * float64(time.Second) / float64(span)
}

// slotOf returns the place of a slot number, which is negative when a recording's times are.
func slotOf(n int64) int64 { return (n%rateSlots + rateSlots) % rateSlots }
