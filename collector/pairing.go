// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"cmp"
	"slices"

	"beltrace/collector/event"
	"beltrace/collector/lens"
)

// messages puts boundaries into an event's form.
func messages(to []event.Message, from []lens.Boundary) []event.Message {
	for _, b := range from {
		m := b.Msg
		to = append(to, event.Message{
			Pos: b.Pos, End: b.What == lens.End, Response: b.Dir == lens.Response, Protocol: m.Protocol,
			Method: m.Method, Path: m.Path, Status: m.Status, Interim: m.Interim, Sized: m.Sized && b.What == lens.Begin, Guess: m.Guess,
		})
	}
	return to
}

// meet passes boundaries, each at the moments of its direction's present turn.
func (f *flow) meet(all []event.Message) {
	for _, m := range all {
		f.doubt = f.doubt || m.Guess
		f.http = f.http || m.Protocol == "http1"
		switch {
		case !m.Response && !m.End:
			f.requestBegins(m)
		case !m.Response:
			f.requestEnds(m)
		case !m.End:
			f.responseBegins(m)
		default:
			f.responseEnds(m)
		}
	}
}

func (f *flow) requestBegins(m event.Message) {
	h := &f.dirs[lens.Request]
	a := &ask{msg: m, opening: f.begun == 0 && m.Pos == 0, start: h.turn.readable, in: h.turn}
	if a.start == 0 {
		a.start = h.turn.first
	}
	f.begun++
	h.open, h.ask = true, nil
	if f.resync = f.resync && (!f.afresh || f.lost && f.deep); f.resync {
		return
	}
	if len(f.asks) >= maxAsks {
		f.giveUp()
		h.open = true
		return
	}
	h.ask = a
	f.asks = append(f.asks, a)
}

func (f *flow) requestEnds(m event.Message) {
	h := &f.dirs[lens.Request]
	a := h.ask
	h.open, h.ask = false, nil
	if !m.Guess {
		f.whole = m.Pos
	}
	if a == nil {
		return
	}
	start := a.msg.Pos
	a.msg, a.guess = m, a.guess || m.Guess
	a.msg.Pos, a.size = start, a.msg.Pos-start
	a.read, a.in.lastTID = h.turn.last, h.turn.lastTID
	if f.early > 0 { // nothing of the stream is missing, so it is this one that was answered
		f.early--
		f.asks = slices.DeleteFunc(f.asks, func(b *ask) bool { return b == a })
	}
}

// responseBegins takes the response for the oldest request that has none (RFC 9112, 9.3).
func (f *flow) responseBegins(m event.Message) {
	h := &f.dirs[lens.Response]
	h.open, h.sized, h.ask = true, m.Sized, nil
	for _, a := range f.asks {
		if !a.done {
			h.ask = a
			break
		}
	}
	if a := h.ask; a == nil {
		f.doubt = true
	} else if !a.answered {
		a.answered, a.status = true, m.Status // a response that lasts until the connection ends has no end of its own
		a.out, a.from = h.turn, m.Pos
	}
}

func (f *flow) responseEnds(m event.Message) {
	h := &f.dirs[lens.Response]
	a := h.ask
	h.open, h.ask = false, nil
	if a == nil {
		if m.Protocol == "http1" && !m.Interim && !f.resync && f.whole == f.dirs[lens.Request].next {
			f.early++
		}
		return
	}
	if m.Interim { // the real one comes
		a.answered, a.status = false, 0
		return
	}
	a.status, a.guess, a.done = m.Status, a.guess || m.Guess, true
	a.out.last, a.out.sent, a.out.acked = h.turn.last, h.turn.sent, h.turn.acked
	a.to, a.awaits = m.Pos, h.calls
}

// miss forgets what has no answer yet: after a gap nobody knows which answer belongs to which request.
func (f *flow) miss() {
	f.asks, f.ended = nil, 0
	f.dirs[0].open, f.dirs[0].ask, f.dirs[1].open, f.dirs[1].ask = false, nil, false, nil
	if f.lens != nil && f.lens.Protocol() == "http1" { // it is still spoken
		f.lens = lens.NewHTTP1()
	} else {
		f.lens = nil
	}
	f.resync, f.doubt = true, false
}

// giveUp forgets requests that wait for their answers, since there are too many: no answer is paired any more, for nobody knows
// when all of these were answered.
func (f *flow) giveUp() {
	f.miss()
	f.lost, f.deep = true, true
}

// refresh gives the response under way what is newly known of its turn.
func (f *flow) refresh(dir lens.Dir) {
	h := &f.dirs[dir]
	for _, a := range f.asks { // what was not sent when it was written is now
		if dir == lens.Response && a.awaits {
			a.out.sent = cmp.Or(a.out.sent, h.turn.sent)
		}
	}
	if a := h.ask; dir == lens.Response && a != nil {
		a.out.last, a.out.sent, a.out.acked = h.turn.last, h.turn.sent, h.turn.acked
	}
}
