// SPDX-License-Identifier: Apache-2.0

package view

import (
	"cmp"
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
	Others               // on a CPU, with other work
	Queued               // on a run queue
	Either               // on a CPU or not: how long of it is known, but not when
	Blocked              // asleep
)

// LanePart is what a thread did for some time, CLOCK_MONOTONIC ns.
type LanePart struct {
	From, To int64
	Does     Doing
	On       string // what it was blocked in; "": not known

	ran  int64 // of Either: on a CPU
	told bool  // ran is known
}

// Lane is what a thread that took part in a request did meanwhile, from the request's start until its part was over.
type Lane struct {
	TID         uint32
	Read, Wrote bool
	Parts       []LanePart       // one after the other
	RunningNS   model.Opt[int64] // how long it was seen on a CPU

	sleeps []model.Sleep // those that Parts do not reach yet
	since  int64         // they are all there since then
	at     int64         // up to where Parts go
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
	reader.sleeps, reader.since = m.Sleeps, m.SleepsSince
	if m.Out.First == 0 {
		first.comes(&m.In, model.Some(m.In.Oncpu-m.In.Runnable))
		reader.goes(m.In.Last, awake(&m.In))
		return s.lanes()
	}
	writer, last := s.of(m.Out.TID), s.of(m.Out.LastTID)
	writer.Wrote, last.Wrote = true, true
	if writer != reader {
		writer.sleeps, writer.since = m.OutSleeps, m.OutSleepsSince
	}
	first.comes(&m.In, model.Some(m.In.Oncpu-m.In.Runnable)) // of that no sum is told
	reader.works(m)
	if writer != reader {
		writer.comes(&m.Out, m.Runqueue)
	}
	last.goes(m.Out.Last, Unseen)
	return s.lanes()
}

// lanes are those of a request.
type lanes struct {
	start int64
	all   []*Lane
}

// of returns a thread's lane.
func (s *lanes) of(tid uint32) *Lane {
	if i := slices.IndexFunc(s.all, func(l *Lane) bool { return l.TID == tid }); i >= 0 {
		return s.all[i]
	}
	l := &Lane{TID: tid, at: s.start}
	s.all = append(s.all, l)
	return l
}

// lanes returns those of known threads, with their sums.
func (s *lanes) lanes() []*Lane {
	s.all = slices.DeleteFunc(s.all, func(l *Lane) bool { return l.TID == 0 })
	for _, l := range s.all {
		l.sum()
	}
	return s.all
}

// until has the thread do something up to ts. Something that began before it is not told again.
func (l *Lane) until(ts int64, does Doing, on string) {
	if ts > l.at {
		l.Parts = append(l.Parts, LanePart{From: l.at, To: ts, Does: does, On: on})
		l.at = ts
	}
}

// either has it run for so long up to ts, if that is known, and nobody knows when.
func (l *Lane) either(ts, ran int64, known bool) {
	if ts > l.at {
		l.Parts = append(l.Parts, LanePart{From: l.at, To: ts, Does: Either, ran: ran, told: known})
		l.at = ts
	}
}

// goes has the thread do up to ts what was told of it; where nothing was, it does gap.
func (l *Lane) goes(ts int64, gap Doing) {
	for len(l.sleeps) > 0 && l.at < ts {
		s := &l.sleeps[0]
		came := cmp.Or(s.Came, s.From)
		l.until(min(l.since, came, ts), Unseen, "")
		l.until(min(came, ts), gap, "")
		if s.Mixed {
			l.mixed(s, ts)
		}
		l.until(min(s.From, ts), Running, "")
		l.until(min(s.Runnable, ts), Blocked, s.On)
		l.until(min(s.To, ts), Queued, "")
		if s.To > ts {
			return
		}
		l.sleeps = l.sleeps[1:]
	}
	l.until(min(l.since, ts), Unseen, "")
	l.until(ts, gap, "")
}

// mixed is a time in which it ran and lost its CPU by turns, as far as it lies before ts.
func (l *Lane) mixed(s *model.Sleep, ts int64) {
	from, to := max(l.at, s.Came), min(s.To, ts)
	share := float64(to-from) / float64(max(1, s.To-s.Came))
	l.either(to, int64(share*float64(s.From-s.Came)), true)
}

// slack is how far sums and moments may be apart: they are not taken at the same instant.
const slack = int64(20 * time.Microsecond)

// comes is what the thread that moves the first of some bytes did until then: since it got its CPU it has kept it. waited is
// how long it waited for a CPU since it was woken.
func (l *Lane) comes(in *model.Moves, waited model.Opt[int64]) {
	from := l.at
	if in.Oncpu != 0 && !slices.ContainsFunc(l.sleeps, func(s model.Sleep) bool { return s.To == in.Oncpu }) {
		l.wakes(in, waited)
	}
	l.goes(min(in.Oncpu, in.First), Unseen)
	l.until(in.First, awake(in), "")
	l.others(from, min(in.Other, in.First))
}

// wakes is what is known of a thread's last wake-up, when its sleep was not told.
func (l *Lane) wakes(in *model.Moves, waited model.Opt[int64]) {
	if in.Waking != 0 && in.Waking <= in.Runnable {
		l.goes(in.Waking, Unseen)
		l.until(in.Runnable, Blocked, "")
	}
	l.goes(in.Runnable, Unseen)
	ran := in.Oncpu - in.Runnable - waited.V
	if in.Other > in.Runnable && in.Other < in.Oncpu { // it has lost its CPU since
		l.until(in.Other, Running, "")
		waited.Known, ran = false, in.Oncpu-l.at
	}
	switch {
	case in.Runnable == 0:
	case ran > slack:
		l.either(in.Oncpu, ran, waited.Known && in.Runnable >= l.at)
	default:
		l.until(in.Oncpu, Queued, "")
	}
}

// awake is what a thread does while nothing is told of it that would be if it slept.
func awake(in *model.Moves) Doing {
	if in.Oncpu == 0 {
		return Unseen
	}
	return Running
}

// others takes what it did on a CPU within a time for other work.
func (l *Lane) others(from, to int64) {
	for i := 0; i < len(l.Parts); i++ {
		p := &l.Parts[i]
		if p.Does != Running || p.From < from || p.From >= to {
			continue
		}
		if p.To > to {
			rest := LanePart{From: to, To: p.To, Does: Running}
			p.To = to
			l.Parts = slices.Insert(l.Parts, i+1, rest)
		}
		l.Parts[i].Does = Others
	}
}

// works is what the thread that read did from its first read until an answer began.
func (l *Lane) works(m *model.Moments) {
	if m.In.Oncpu == 0 {
		l.goes(m.Out.First, Unseen)
		return
	}
	l.goes(m.In.Last, Running)
	from := len(l.Parts)
	if m.Out.TID == l.TID && m.Out.Oncpu != 0 { // it has kept that CPU
		l.goes(min(m.Out.Oncpu, m.Out.First), Either)
		l.until(m.Out.First, Running, "")
	}
	l.goes(m.Out.First, Either)
	l.settle(l.Parts[from:], m.Running)
}

// settle decides of what was told by its sleeps alone: between them it ran, if the kernel's sum agrees. Else it may have lost
// its CPU, or slept, at moments that nobody told.
func (l *Lane) settle(parts []LanePart, ran model.Opt[int64]) {
	var open int64
	left := ran.V
	for _, p := range parts {
		switch {
		case p.Does == Either && !p.told:
			open += p.To - p.From
		case p.Does == Running:
			left -= p.To - p.From
		}
		left -= p.ran
	}
	left = min(max(0, left), open)
	agrees := open <= slack || ran.Known && open-left <= slack+open/100
	for i := range parts {
		switch p := &parts[i]; {
		case p.Does != Either || p.told:
		case agrees:
			p.Does = Running
		case ran.Known: // of each its share
			p.ran, p.told = int64(float64(left)*float64(p.To-p.From)/float64(open)), true
		}
	}
}

// sum joins parts that are the same, and adds up how long it ran.
func (l *Lane) sum() {
	var all []LanePart
	var ns int64
	seen, sure := false, true
	for _, p := range l.Parts {
		seen, sure = seen || p.Does != Unseen, sure && (p.Does != Either || p.told)
		if ns += p.ran; p.Does == Running {
			ns += p.To - p.From
		}
		if n := len(all); n > 0 && all[n-1].Does == p.Does && all[n-1].On == p.On && p.Does != Blocked {
			all[n-1].To = p.To
		} else {
			all = append(all, p)
		}
	}
	l.Parts = all
	l.RunningNS = model.Opt[int64]{V: ns, Known: seen && sure}
}
