// SPDX-License-Identifier: Apache-2.0

package collector

import "beltrace/collector/event"

// counts are numbers by name: of a reason, an errno. A damaged recording may give any number of names.
type counts map[string]uint64

func (c *counts) add(name string, n uint64) {
	if *c == nil {
		*c = counts{}
	}
	if _, ok := (*c)[name]; !ok && len(*c) >= maxPlaces {
		name = "other"
	}
	(*c)[name] += n
}

func (c counts) sum() (n uint64) {
	for _, v := range c {
		n += v
	}
	return n
}

// show returns a copy that is never nil, or for a light snapshot, which nobody keeps, the counts themselves.
func (c counts) show(how detail) map[string]uint64 {
	if how == light {
		return c
	}
	return c.snapshot()
}

// snapshot returns a copy that is never nil.
func (c counts) snapshot() map[string]uint64 {
	out := make(map[string]uint64, len(c))
	for name, n := range c {
		out[name] = n
	}
	return out
}

// refusedCounts are SYNs and final ACKs that were refused, and of them those for which the kernel has a name, by it.
type refusedCounts struct{ reasons, names counts }

func (r *refusedCounts) add(e *event.Event, reason string) {
	r.reasons.add(reason, times(e))
	if e.Known(event.FieldDropReason) {
		r.names.add(e.DropReason, times(e))
	}
}

// times returns how many things an event stands for.
func times(e *event.Event) uint64 {
	if e.Known(event.FieldCount) {
		return e.Count
	}
	return 1
}

// synDrop counts refused SYNs and final ACKs: at their listener, or where the kernel names none at the namespace.
func (c *Collector) synDrop(e *event.Event) {
	reason := event.ReasonUnknown
	if e.Known(event.FieldReason) && e.Reason != "" {
		reason = e.Reason
	}
	l := c.listenerOf(e)
	if l == nil {
		c.spaceOf(e).unplaced.add(e, reason)
		return
	}
	l.synDrops.add(e, reason)
	if e.Known(event.FieldStage) && e.Stage == event.StageACK {
		l.ackDrops.add(reason, times(e))
	}
	l.depth(e)
	fillListener(e, l)
	l.owner.giveTo(e)
}

// acceptError counts failed calls of accept at the thread that made them. One that only fails is an acceptor too.
func (c *Collector) acceptError(e *event.Event) {
	l := c.listenerOf(e)
	if l == nil {
		return
	}
	fillListener(e, l)
	if !l.owner.known() {
		l.owner = ownerOf(e)
	}
	if !e.Known(event.FieldTID) {
		return
	}
	a := l.acceptors.of(e, c.budget.Acceptors)
	a.errors.add(errnoOf(e), times(e))
	if e.Known(event.FieldOpenFDs) {
		a.openFDs.set(e.OpenFDs, e.TS)
	}
	if e.Known(event.FieldFDLimit) {
		a.fdLimit.set(e.FDLimit, e.TS)
	}
}

// acceptEmpty counts calls of accept that found nobody at the thread that made them.
func (c *Collector) acceptEmpty(e *event.Event) {
	l := c.listenerOf(e)
	if l == nil {
		return
	}
	fillListener(e, l)
	if e.Known(event.FieldTID) {
		l.acceptors.of(e, c.budget.Acceptors).empty += times(e)
	}
}

// errnoOf names the error of an event.
func errnoOf(e *event.Event) string {
	if !e.Known(event.FieldErrno) {
		return event.ReasonUnknown
	}
	return event.ErrnoName(e.Errno)
}
