// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"cmp"
	"maps"
	"math/bits"
	"slices"
	"strconv"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

// ringID names a ring. A process number, or the number of a ring in a process that execs, may come again: then the newer
// one takes its place.
type ringID struct{ pid, number uint32 }

// ring is what is known of an io_uring.
type ring struct {
	ringID
	comm   string
	opened int64
	told   int64
	ended  bool
	last   event.Event // never changed
}

// ring takes what a ring did so far.
func (c *Collector) ring(e *event.Event) {
	if !e.Known(event.FieldPID) || !e.Known(event.FieldRing) || e.Uring == nil {
		return
	}
	id := ringID{e.PID, e.Uring.Ring}
	r := c.rings[id]
	if r == nil {
		c.dropRings()
		r = &ring{ringID: id, opened: e.TS}
		c.rings[id] = r
	}
	if e.TS < r.told {
		return
	}
	if e.Known(event.FieldComm) {
		r.comm = e.Comm
	}
	r.told, r.last = e.TS, *e
	r.ended = e.Known(event.FieldPhase) && e.Phase == event.PhaseEnd
}

// dropRings makes room for one more: those that ended first go, then those that did nothing for longest.
func (c *Collector) dropRings() {
	if len(c.rings) < c.budget.Rings {
		return
	}
	oldest := slices.MinFunc(slices.Collect(maps.Values(c.rings)), func(a, b *ring) int {
		return cmp.Or(compareBool(b.ended, a.ended), cmp.Compare(a.told, b.told), cmp.Compare(a.pid, b.pid), cmp.Compare(a.number, b.number))
	})
	delete(c.rings, oldest.ringID)
	if oldest.ended {
		c.evicted.Rings++
	} else {
		c.lose("evicted", 1)
	}
}

// listRings returns the rings by process and number, those that have ended last.
func (c *Collector) listRings() []model.Ring {
	out := make([]model.Ring, 0, len(c.rings))
	for _, r := range c.rings {
		out = append(out, r.show())
	}
	slices.SortFunc(out, func(a, b model.Ring) int {
		return cmp.Or(cmp.Compare(a.State, b.State), cmp.Compare(a.PID, b.PID), cmp.Compare(a.Ring, b.Ring))
	})
	return out
}

func (r *ring) show() model.Ring {
	e, u := &r.last, r.last.Uring
	m := model.Ring{
		PID: r.pid, TID: opt(e.Known(event.FieldTID), e.TID), Comm: r.comm, Ring: r.number, Setup: u.Setup, Ops: map[string]model.RingOp{}, Opened: r.opened, Changed: r.told,
		SQEntries: opt(e.Known(event.FieldSQEntries), u.SQEntries), CQEntries: opt(e.Known(event.FieldCQEntries), u.CQEntries),
		InFlight: opt(e.Known(event.FieldInFlight) && !r.ended, u.InFlight), Overflow: opt(e.Known(event.FieldOverflow), u.Overflow),
		Submits: model.Batches(u.Submits), Reaps: model.Batches(u.Reaps),
	}
	if r.ended {
		m.State = model.StateClosed
	}
	for i := range u.Ops {
		o := &u.Ops[i]
		m.Ops[o.Op] = model.RingOp{
			Count: o.Count, Errors: o.Errors, LatencyNS: fromHistogram(o.Latency, o.MaxNS), Sampled: o.Sampled, How: o.How, Submitted: o.Submitted,
			More: o.More, Linked: o.Linked, Fixed: o.Fixed, Direct: o.Direct,
		}
	}
	return m
}

// fromHistogram makes a distribution of pairs of a latency and a count; each latency stands for those from it up to a
// quarter of its power of two more, of which the middle is shown.
func fromHistogram(pairs [][2]uint64, most uint64) model.Distribution {
	var d model.Distribution
	for _, p := range pairs {
		d.Count += p[1]
		at := bucket(int64(p[0]))
		for len(d.Buckets) <= at {
			d.Buckets = append(d.Buckets, 0)
		}
		d.Buckets[at] += p[1]
	}
	if d.Count == 0 {
		return d
	}
	d.P50, d.P90, d.P99 = quantileOf(pairs, d.Count, 50, most), quantileOf(pairs, d.Count, 90, most), quantileOf(pairs, d.Count, 99, most)
	d.Max = model.Some(int64(most))
	return d
}

func quantileOf(pairs [][2]uint64, count, percent, most uint64) model.Opt[int64] {
	need := count - count*(100-percent)/100
	for _, p := range pairs {
		if p[1] >= need {
			return model.Some(int64(min(p[0]+width(p[0])/2, most)))
		}
		need -= p[1]
	}
	return model.Opt[int64]{}
}

// width is how many latencies the one at the beginning of a bucket stands for.
func width(ns uint64) uint64 {
	if ns < 4 {
		return 1
	}
	return 1 << (bits.Len64(ns) - 3)
}

// operationText says which operation of which ring it is, and how it went.
func (b *words) operationText(e *event.Event) {
	u := e.Uring
	if u == nil {
		return
	}
	b.say("ring " + strconv.FormatUint(uint64(u.Ring), 10))
	if e.Known(event.FieldOp) {
		b.say(u.Op)
	}
	switch {
	case !e.Known(event.FieldRes):
	case u.Res < 0:
		b.say(event.ErrnoName(-u.Res))
	default:
		b.say("result " + strconv.Itoa(int(u.Res)))
	}
	if e.Known(event.FieldHow) {
		b.say(u.How)
	}
}
