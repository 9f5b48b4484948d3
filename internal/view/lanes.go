// SPDX-License-Identifier: Apache-2.0

package view

import (
	"slices"
	"time"

	"beltrace/collector/model"
)

// Doing is what a thread does.
type Doing uint8

// What threads do.
const (
	Unseen  Doing = iota // not known
	Running              // on a CPU
	Others               // on a CPU, for another connection
	Queued               // on a run queue
	Either               // on a CPU or not: how long of it is known, but not when
	Blocked              // asleep
)

// LanePart is what a thread did for some time, CLOCK_MONOTONIC ns.
type LanePart struct {
	From, To int64
	Does     Doing
	On       string // what it was blocked in; "": not known
}

// Lane is what a thread that took part in a request did meanwhile, from the request's start until its part was over.
type Lane struct {
	TID         uint32
	Read, Wrote bool
	Parts       []LanePart       // one after the other
	RunningNS   model.Opt[int64] // how long it was seen on a CPU for the request

	at     int64 // up to where Parts go
	hidden int64 // on a CPU in those that are Either
	unsure bool  // hidden is not known
}

// until has the thread do something up to ts. Something that began before it is not told again.
func (l *Lane) until(ts int64, does Doing, on string) {
	if ts <= l.at {
		return
	}
	if n := len(l.Parts); n > 0 && l.Parts[n-1].Does == does && l.Parts[n-1].On == on {
		l.Parts[n-1].To = ts
	} else {
		l.Parts = append(l.Parts, LanePart{l.at, ts, does, on})
	}
	l.at = ts
}

// lanes are those of a request, by the threads' parts in it.
type lanes struct {
	start int64
	all   []*Lane
}

func (s *lanes) of(tid uint32) *Lane {
	if i := slices.IndexFunc(s.all, func(l *Lane) bool { return l.TID == tid }); i >= 0 {
		return s.all[i]
	}
	l := &Lane{TID: tid, at: s.start}
	s.all = append(s.all, l)
	return l
}

// Lanes are the threads that took part in a request, in the order in which they did, as far as its moments tell; nil: what
// threads did was not watched.
func Lanes(x *model.Exchange) []*Lane {
	m := &x.Moments
	if m.In.Oncpu == 0 && m.Out.Oncpu == 0 {
		return nil
	}
	s := lanes{start: x.Start}
	first, reader := s.of(m.In.TID), s.of(m.In.LastTID)
	first.Read, reader.Read = true, true
	first.comes(&m.In, model.Some(m.In.Oncpu-m.In.Runnable)) // a sum is not told
	if m.Out.First == 0 {
		reader.until(m.In.Last, unlessUnwatched(&m.In), "")
	} else {
		reader.works(m)
		writer, last := s.of(m.Out.TID), s.of(m.Out.LastTID)
		writer.Wrote, last.Wrote = true, true
		if writer != reader {
			writer.comes(&m.Out, m.Runqueue)
		}
		last.until(m.Out.Last, Unseen, "")
	}
	s.all = slices.DeleteFunc(s.all, func(l *Lane) bool { return l.TID == 0 })
	for _, l := range s.all {
		l.sum()
	}
	return s.all
}

// unlessUnwatched is what a thread does between two calls that read bytes of a request.
func unlessUnwatched(in *model.Moves) Doing {
	if in.Oncpu == 0 {
		return Unseen
	}
	return Running
}

// slack is how far sums and moments may be apart: they are not taken at the same instant.
const slack = int64(20 * time.Microsecond)

// comes is what the thread that moves the first of some bytes did until then: since it got its CPU it has kept it. waited is
// how long it waited for a CPU since it was woken.
func (l *Lane) comes(in *model.Moves, waited model.Opt[int64]) {
	if in.Oncpu == 0 {
		l.until(in.First, Unseen, "")
		return
	}
	if in.Waking != 0 && in.Waking <= in.Runnable {
		l.until(in.Waking, Unseen, "")
		l.until(in.Runnable, Blocked, "")
	}
	l.until(in.Runnable, Unseen, "")
	queued, ran := Queued, in.Oncpu-in.Runnable-waited.V
	if ran > slack {
		queued, l.hidden = Either, ran
		l.unsure = !waited.Known || in.Runnable < l.at
	}
	if in.Other > in.Runnable && in.Other < in.Oncpu { // it has lost its CPU since
		l.until(in.Other, Others, "")
		if in.Oncpu-l.at > slack {
			queued, l.unsure = Either, true
		}
	}
	if in.Runnable != 0 {
		l.until(in.Oncpu, queued, "")
	}
	l.until(in.Oncpu, Unseen, "")
	l.until(min(in.Other, in.First), Others, "")
	l.until(in.First, Running, "")
}

// works is what the thread that read did from its first read until an answer began.
func (l *Lane) works(m *model.Moments) {
	end := m.Out.First
	if m.In.Oncpu == 0 {
		l.until(end, Unseen, "")
		return
	}
	l.until(min(m.SleepsSince, end), Unseen, "")
	awake := l.awake(m)
	gap := func(to int64) {
		l.until(min(to, m.In.Last), Running, "")
		l.until(to, awake, "")
	}
	for _, s := range m.Sleeps {
		gap(min(s.From, end))
		l.until(min(s.Runnable, end), Blocked, s.On)
		l.until(min(s.To, end), Queued, "")
	}
	if m.Out.TID == l.TID && m.Out.Oncpu != 0 { // it has kept that CPU
		gap(min(m.Out.Oncpu, end))
		l.until(end, Running, "")
	}
	gap(end)
}

// awake is what the thread that read did between its sleeps: it ran, if the kernel's sum agrees. Else it may have lost its CPU,
// or slept, at moments that nobody told.
func (l *Lane) awake(m *model.Moments) Doing {
	from, end, ran := max(m.In.Last, l.at), m.Out.First, m.Running.V
	if m.Out.TID == l.TID && m.Out.Oncpu != 0 { // it ran since then
		ran -= max(0, end-max(m.Out.Oncpu, from))
		end = min(m.Out.Oncpu, end)
	}
	left := end - from
	for _, s := range m.Sleeps {
		left -= max(0, min(s.To, end)-max(s.From, from))
	}
	if left <= slack || m.Running.Known && left-ran <= slack+left/100 {
		return Running
	}
	l.unsure = l.unsure || !m.Running.Known
	l.hidden += ran
	return Either
}

// sum adds up how long it ran.
func (l *Lane) sum() {
	ns, seen := max(0, l.hidden), false
	for _, p := range l.Parts {
		seen = seen || p.Does != Unseen
		if p.Does == Running {
			ns += p.To - p.From
		}
	}
	l.RunningNS = model.Opt[int64]{V: ns, Known: seen && !l.unsure}
}
