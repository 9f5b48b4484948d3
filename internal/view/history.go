// SPDX-License-Identifier: Apache-2.0

package view

import "beltrace/collector/model"

// historyLen is how many seconds a History remembers.
const historyLen = 60

// History keeps what one snapshot cannot say: how things went in the last minute. Its owner adds each snapshot to it;
// it keeps at most one point a second. The zero value is empty and ready.
type History struct {
	points []point // oldest first
}

type point struct {
	ts          int64
	connsPerSec float64
	reqsPerSec  float64
	refused     map[uint64]uint64 // by listener: refusals so far
	threads     map[Key]model.Times
	loops       map[Key]loopTimes
	rings       map[Key]ringDid
}

// Add takes note of a snapshot. One that is less than a second newer than the last is skipped; one that is older (a
// replay that began again) empties the history.
func (h *History) Add(s *model.Snapshot) {
	if n := len(h.points); n > 0 {
		switch age := s.TS - h.points[n-1].ts; {
		case age < 0:
			h.points = nil
		case age < 1e9:
			return
		}
	}
	p := point{ts: s.TS, connsPerSec: s.ConnsPerSec, reqsPerSec: s.Requests.PerSec, refused: make(map[uint64]uint64)}
	for i := range s.Listeners {
		if n := Refused(&s.Listeners[i]); n > 0 {
			p.refused[s.Listeners[i].Conn] = n
		}
	}
	p.threads = make(map[Key]model.Times, len(s.Workers))
	for i := range s.Workers {
		if w := &s.Workers[i]; !w.Ended.Known {
			p.threads[workerKey(workRow{Worker: w})] = w.Times
		}
	}
	p.loops = make(map[Key]loopTimes, len(s.Loops))
	for i := range s.Loops {
		if l := &s.Loops[i]; !l.Ended.Known {
			p.loops[keyOfLoop(l)] = timesOfLoop(l)
		}
	}
	p.rings = make(map[Key]ringDid, len(s.Rings))
	for i := range s.Rings {
		p.rings[ringKey(ringRow{Ring: &s.Rings[i]})] = sumRing(&s.Rings[i])
	}
	h.points = append(h.points, p)
	if len(h.points) > historyLen {
		h.points = h.points[1:]
	}
}

// ConnsPerSec returns the connections per second of the last minute, oldest first.
func (h *History) ConnsPerSec() []float64 {
	return h.each(func(p *point) float64 { return p.connsPerSec })
}

// ReqsPerSec returns the requests per second of the last minute, oldest first.
func (h *History) ReqsPerSec() []float64 {
	return h.each(func(p *point) float64 { return p.reqsPerSec })
}

func (h *History) each(value func(*point) float64) []float64 {
	if h == nil {
		return nil
	}
	out := make([]float64, len(h.points))
	for i := range h.points {
		out[i] = value(&h.points[i])
	}
	return out
}

// lately is how many seconds what a thread did is added up over.
const lately = 10

// did returns what a thread did in the last seconds that are remembered; without any, since it is watched.
func (h *History) did(w *model.Worker) model.Times {
	if h == nil || len(h.points) == 0 {
		return w.Times
	}
	for _, p := range h.points[max(0, len(h.points)-1-lately):] {
		then, ok := p.threads[workerKey(workRow{Worker: w})]
		if ok && then.WatchedNS < w.WatchedNS { // else nothing was told since, or it is watched anew
			return lessTimes(w.Times, then)
		}
	}
	return w.Times
}

func timesOfLoop(l *model.Loop) loopTimes { return loopTimes{l.Waits, l.Empty, l.Blocked, l.Busy} }

// looped returns what a loop did in the last seconds that are remembered; without any, since it is watched.
func (h *History) looped(l *model.Loop) loopTimes {
	now := timesOfLoop(l)
	if h == nil || len(h.points) == 0 {
		return now
	}
	for _, p := range h.points[max(0, len(h.points)-1-lately):] {
		then, ok := p.loops[keyOfLoop(l)]
		less := loopTimes{now.waits - then.waits, now.empty - then.empty, now.blocked - then.blocked, now.busy - then.busy}
		if ok && then.waits <= now.waits && less.blocked >= 0 && less.busy >= 0 && less.blocked+less.busy > 0 { // else it is watched anew
			return less
		}
	}
	return now
}

func lessTimes(now, then model.Times) model.Times {
	out := model.Times{WatchedNS: now.WatchedNS - then.WatchedNS, RunningNS: now.RunningNS - then.RunningNS,
		RunqueueNS: now.RunqueueNS - then.RunqueueNS, BlockedNS: make(map[string]int64, len(now.BlockedNS))}
	for in, ns := range now.BlockedNS {
		if ns -= then.BlockedNS[in]; ns > 0 {
			out.BlockedNS[in] = ns
		}
	}
	return out
}

// RefusedIn returns how many connections the listener refused in the last ten seconds that are remembered.
func (h *History) RefusedIn(l *model.Listener) uint64 {
	if h == nil || len(h.points) == 0 {
		return 0
	}
	first := h.points[max(0, len(h.points)-10)]
	now := Refused(l)
	// A listener that was not there is one that had refused nothing.
	if before := first.refused[l.Conn]; now > before {
		return now - before
	}
	return 0
}

// Refused returns how many SYNs and ACKs the listener refused, as far as is known: by reason, or as
// one number.
func Refused(l *model.Listener) uint64 {
	var n uint64
	for _, c := range l.SYNDrops {
		n += c
	}
	return max(n, l.Overflows.Or(0), l.Drops.Or(0))
}
