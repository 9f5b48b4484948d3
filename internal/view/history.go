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
	refused     map[uint64]uint64 // by listener: refusals so far
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
	p := point{ts: s.TS, connsPerSec: s.ConnsPerSec, refused: make(map[uint64]uint64)}
	for i := range s.Listeners {
		if n := Refused(&s.Listeners[i]); n > 0 {
			p.refused[s.Listeners[i].Conn] = n
		}
	}
	h.points = append(h.points, p)
	if len(h.points) > historyLen {
		h.points = h.points[1:]
	}
}

// ConnsPerSec returns the connections per second of the last minute, oldest first.
func (h *History) ConnsPerSec() []float64 {
	if h == nil {
		return nil
	}
	out := make([]float64, len(h.points))
	for i, p := range h.points {
		out[i] = p.connsPerSec
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
