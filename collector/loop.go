// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

// loopID names an event loop: a thread may wait on several epoll instances.
type loopID struct {
	thread
	kind string
	epfd int32 // -1: it has none
}

// loop is what is known of an event loop.
type loop struct {
	id     loopID
	comm   string
	last   int64            // when anything was told
	told   int64            // when its numbers were
	times  *event.LoopTimes // never changed; nil: only a sleep was told
	seen   event.Mask       // which of them are known
	since  int64            // ns that it is watched
	ended  bool
	stalls uint64
	worst  model.Stall
	newest model.Stall
	recent []model.Stall // the last ones; never changed
}

// loop takes what a loop found so far.
func (c *Collector) loop(e *event.Event) {
	l := c.loopOf(e)
	if l == nil || e.TS < l.told {
		return
	}
	l.told, l.times, l.seen = e.TS, e.Loop, e.Has
	l.ended = e.Known(event.FieldPhase) && e.Phase == event.PhaseEnd
	if e.Known(event.FieldWatchedNS) {
		l.since = e.Thread.WatchedNS
	}
}

// loopBlocked takes a sleep between two waits.
func (c *Collector) loopBlocked(e *event.Event) {
	l := c.loopOf(e)
	if l == nil || !e.Known(event.FieldOffNS) {
		return
	}
	l.stalls++
	l.newest = model.Stall{TS: e.TS, OffNS: e.Turn.OffNS, On: e.Turn.On, Ready: e.Loop.Ready, Times: max(e.Count, 1), Busy: e.Loop.BusyNS, Stack: e.Turn.Stack}
	l.recent = append(slices.Clone(l.recent[max(0, len(l.recent)+1-model.RecentStalls):]), l.newest)
	if l.newest.OffNS > l.worst.OffNS {
		l.worst = l.newest
	}
}

// loopOf returns the record of the loop that an event names, nil if it names none.
func (c *Collector) loopOf(e *event.Event) *loop {
	if e.Loop == nil || !e.Known(event.FieldTID) || !e.Known(event.FieldPID) || !e.Known(event.FieldLoopKind) {
		return nil
	}
	id := loopID{thread{e.PID, e.TID}, e.Loop.LoopKind, -1}
	if e.Known(event.FieldEpFD) {
		id.epfd = e.Loop.EpFD
	}
	l := c.loops[id]
	if l == nil {
		c.dismissLoops()
		l = &loop{id: id}
		c.loops[id] = l
	}
	l.last = max(l.last, e.TS)
	if e.Known(event.FieldComm) {
		l.comm = e.Comm
	}
	return l
}

// dismissLoops makes room: a quarter of the loops go, those that ended first, then those that nothing was heard of for longest.
func (c *Collector) dismissLoops() {
	if len(c.loops) < c.budget.Loops {
		return
	}
	all := slices.SortedFunc(maps.Values(c.loops), func(a, b *loop) int {
		return cmp.Or(compareBool(b.ended, a.ended), cmp.Compare(a.last, b.last), a.id.compare(b.id))
	})
	for _, l := range all[:c.budget.Loops/4+1] {
		delete(c.loops, l.id)
		if !l.ended {
			c.lose("evicted", 1)
		}
	}
}

func (i loopID) compare(o loopID) int {
	return cmp.Or(cmp.Compare(i.pid, o.pid), cmp.Compare(i.tid, o.tid), cmp.Compare(i.kind, o.kind), cmp.Compare(i.epfd, o.epfd))
}

// listLoops returns the loops by process, thread and descriptor.
func (c *Collector) listLoops(how detail) []model.Loop {
	out := []model.Loop{}
	for _, l := range slices.SortedFunc(maps.Values(c.loops), func(a, b *loop) int { return a.id.compare(b.id) }) {
		if l.times != nil {
			out = append(out, l.show(how))
		}
	}
	return out
}

func (l *loop) show(how detail) model.Loop {
	t := l.times
	m := model.Loop{
		PID: l.id.pid, TID: l.id.tid, Comm: l.comm, Kind: l.id.kind, State: model.StateLooping, EpFD: opt(l.id.epfd >= 0, l.id.epfd),
		Waits: t.Waits, Empty: t.Empty, Polls: t.Polls, Failed: t.Failed, Blocked: t.InsideNS, Busy: t.BusyNS, Watched: l.since,
		Spurious: opt(l.seen.Has(event.FieldSpurious), t.Spurious), Exclusive: t.Modes[event.ModeExclusive] > 0,
		Max: opt(l.seen.Has(event.FieldMax), t.Max), FDs: opt(l.seen.Has(event.FieldFDs), t.FDs), Sockets: opt(l.seen.Has(event.FieldSockets), t.Sockets),
		Stalls: l.stalls, Stall: opt(l.stalls > 0, l.worst), LastStall: opt(l.stalls > 0, l.newest), Ended: opt(l.ended, l.told),
		Recent: l.recent,
	}
	if l.ended {
		m.State = model.StateClosed
	}
	if how == light {
		return m
	}
	l.showInstance(&m)
	m.Wakeups = readyCounts(t.Wakeups)
	m.Ready = readyDistribution(m.Wakeups, t.Most)
	if len(t.Modes) > 0 {
		m.Modes = map[string]uint64{}
		for mode, n := range t.Modes {
			m.Modes[mode] = uint64(max(n, 0))
		}
	}
	if t.Interest != nil {
		m.Interest = map[int32]uint32{}
		for fd, events := range t.Interest {
			if n, err := strconv.ParseInt(fd, 10, 32); err == nil {
				m.Interest[int32(n)] = uint32(events)
			}
		}
	}
	return m
}

// showInstance fills in what is known of its epoll instance.
func (l *loop) showInstance(m *model.Loop) {
	t := l.times
	m.Added, m.Modified, m.Removed = opt(l.seen.Has(event.FieldAdded), t.Added), opt(l.seen.Has(event.FieldModified), t.Modified), opt(l.seen.Has(event.FieldRemoved), t.Removed)
	if !l.seen.Has(event.FieldReadied) {
		return
	}
	fds := []model.ReadyFD{}
	for name, times := range t.Readied {
		if fd, err := strconv.ParseInt(name, 10, 32); err == nil && times > 0 {
			fds = append(fds, model.ReadyFD{FD: int32(fd), Times: uint64(times), Last: t.ReadiedTS[name]})
		}
	}
	slices.SortFunc(fds, func(a, b model.ReadyFD) int { return cmp.Or(cmp.Compare(b.Times, a.Times), cmp.Compare(a.FD, b.FD)) })
	m.Readied = model.Some(fds)
	m.ReadiedAll = l.seen.Has(event.FieldReadiedFDs) && int(t.ReadiedFDs) == len(fds)
}

// readyCounts puts the wake-ups in the order of their numbers; a damaged recording may hold anything.
func readyCounts(wakeups map[string]int64) []model.ReadyCount {
	var out []model.ReadyCount
	for name, count := range wakeups {
		if n, err := strconv.ParseUint(name, 10, 32); err == nil && count > 0 {
			out = append(out, model.ReadyCount{Ready: uint32(n), Count: uint64(count)})
		}
	}
	slices.SortFunc(out, func(a, b model.ReadyCount) int { return cmp.Compare(a.Ready, b.Ready) })
	return out
}

// readyDistribution summarises them.
func readyDistribution(counts []model.ReadyCount, most uint32) model.Distribution {
	var d model.Distribution
	for _, c := range counts {
		d.Count += c.Count
	}
	if d.Count == 0 {
		return d
	}
	at := func(p uint64) model.Opt[int64] {
		rank := (d.Count*p + 99) / 100
		for _, c := range counts {
			if rank <= c.Count {
				return model.Some(int64(c.Ready))
			}
			rank -= c.Count
		}
		return model.Some(int64(most))
	}
	d.P50, d.P90, d.P99, d.Max = at(50), at(90), at(99), model.Some(int64(most))
	return d
}
