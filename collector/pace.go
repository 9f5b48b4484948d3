// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"maps"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

// paced is the listener that a thread accepted from since its times were told last: what it did between two accepts belongs
// to that.
type paced struct {
	from    *listener // nil: from none
	several bool      // then it belongs to none of them
}

// acceptsFrom takes note of an accept from the listener l.
func (w *worker) acceptsFrom(l *listener) {
	w.paced.several = w.paced.several || w.paced.from != nil && w.paced.from != l
	w.paced.from = l
}

// tellPace takes new times of a thread, told at ts, and gives what it did between two accepts since the old ones to the listener.
// Those of a thread that was watched before start may be of accepts that are not known.
func (w *worker) tellPace(now *event.ThreadTimes, ts, start int64) {
	p, old := w.paced, w.times
	w.paced = paced{}
	anew := old == nil || now.WatchedNS < old.WatchedNS
	if p.from == nil || p.several || now.InGapsNS == nil || anew && ts-now.WatchedNS < start {
		return
	}
	if anew {
		old = &event.ThreadTimes{}
	}
	if a := p.from.acceptors.find(w.pid, w.tid); a != nil {
		a.pace = a.pace.Plus(paceOf(now).Since(paceOf(old)))
	}
}

// paceOf returns what a thread did between two accepts so far.
func paceOf(t *event.ThreadTimes) model.Pace {
	p := model.Pace{Gaps: t.Gaps, PartNS: t.PartGapsNS}
	p.RunningNS, p.RunqueueNS = t.InGapsNS[event.RunningPart], t.InGapsNS[event.RunqueuePart]
	p.BlockedNS = maps.Clone(t.InGapsNS)
	delete(p.BlockedNS, event.RunningPart)
	delete(p.BlockedNS, event.RunqueuePart)
	for _, ns := range t.InGapsNS {
		p.WatchedNS += ns
	}
	return p
}
