// SPDX-License-Identifier: Apache-2.0

package view

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

// interestListed is how many descriptors the detail of a loop lists.
const interestListed = 32

func findLoop(s *model.Snapshot, key Key) *model.Loop {
	for i := range s.Loops {
		if keyOfLoop(&s.Loops[i]) == key {
			return &s.Loops[i]
		}
	}
	return nil
}

// loopOf returns the loop that a finding is about, nil if it is about none.
func loopOf(s *model.Snapshot, f *model.Finding) *model.Loop {
	for i := range s.Loops {
		if l := &s.Loops[i]; f.PID == model.Some(l.PID) && f.Subject == fmt.Sprintf("%s %s %s", l.Comm, loopNumber(l), loopPlace(l)) {
			return l
		}
	}
	return nil
}

func openLoop(in Input, l *model.Loop, width int) *Detail {
	state := l.Kind + " loop"
	if l.Ended.Known {
		state += ", ended " + in.clock().Time(l.Ended.V)
	}
	did := loopRow{l, in.Hist.looped(l)}
	d := &Detail{Title: Line{{Clean(l.Comm) + " ", Strong}, {loopNumber(l) + " " + loopPlace(l), Normal}, {"  " + Clean(state), Dim}}}
	d.fact("waits", Span{Count(l.Waits), Strong}, Span{"  " + Rate(did.rate()) + "/s", Dim})
	d.fact("empty", Span{Count(l.Empty), Normal}, Span{", with a timeout of 0: ", Dim}, Span{Count(l.Polls), Normal}, Span{"; ended by a signal: ", Dim}, Span{Count(l.Failed), Normal})
	d.fact("in vain", Span{optCount(l.Spurious), Normal}, Span{" wake-ups inside waits: nothing was ready, it slept again", Dim})
	d.fact("time", Span{"busy " + Share(did.load()), Strong}, Span{"  " + Dur(l.Busy) + " between waits, " + Dur(l.Blocked) + " inside, of " + Dur(l.Watched), Dim})
	d.fact("waits for", Span{optional(l.FDs, func(n uint32) string { return Plural(int(n), "descriptor", "descriptors") }), Strong}, Span{", ", Dim}, Span{optCount(l.Sockets), Normal}, Span{" of them sockets", Dim}, Span{loopOwnText(l), Dim})
	if len(l.Modes) > 0 {
		d.fact("watched", Span{loopModes(l), Normal})
	}
	if l.Kind == event.LoopEpoll {
		d.fact("epoll_ctl", Span{optCount(l.Added) + " added", Normal}, Span{", " + optCount(l.Modified) + " changed, " + optCount(l.Removed) + " removed; closing one is not removing it", Dim})
	}
	d.fact("at once", Span{optCount(l.Max), Normal}, Span{" ready descriptors at most", Dim})
	stallSection(d, in, l)
	readySection(d, l, width)
	waitersSection(d, in, l)
	servedSection(d, in, func(x *model.Exchange) bool { return loopThatServed(in.Snap, x) == l })
	interestSection(d, in, l)
	return d
}

func loopOwnText(l *model.Loop) string {
	if ownLoop(l) {
		return ": a runtime's own loop"
	}
	return ""
}

func stallSection(d *Detail, in Input, l *model.Loop) {
	d.section("SLEEPS IN OTHER CALLS, of 5 ms or more: nothing is served meanwhile")
	if !l.Stall.Known {
		d.add(Styled("none seen", Dim))
		return
	}
	d.fact("so far", Span{Count(l.Stalls), Strong})
	for _, s := range []struct {
		name string
		of   model.Opt[model.Stall]
	}{{"longest", l.Stall}, {"last", l.LastStall}} {
		if v := s.of.V; s.of.Known {
			more := ""
			if v.Times > 1 {
				more = fmt.Sprintf(", one of %d within %s", v.Times, Dur(v.Busy))
			}
			d.fact(s.name, Span{Dur(v.OffNS), Strong}, Span{" in " + Clean(v.On), Normal}, Span{more, Normal}, Span{fmt.Sprintf(", %d ready behind it, %s", v.Ready, in.clock().Time(v.TS)), Dim})
			if site := v.Stack.Site(); site != "" {
				d.fact("", Span{"at " + shortName(Clean(site)), Strong})
			}
		}
	}
}

// readySection draws how many descriptors were ready at a wake-up.
func readySection(d *Detail, l *model.Loop, width int) {
	d.section("READY AT A WAKE-UP")
	if l.Ready.Count == 0 {
		d.add(Styled("no wake-up with a ready descriptor yet", Dim))
		return
	}
	d.add(Line{{"p50 ", Dim}, {optNumber(l.Ready.P50), Strong}, {"  p90 ", Dim}, {optNumber(l.Ready.P90), Normal}, {"  p99 ", Dim}, {optNumber(l.Ready.P99), Strong},
		{"  max ", Dim}, {optNumber(l.Ready.Max), Normal}, {"  of " + Count(l.Ready.Count), Dim}})
	var most uint64
	for _, w := range l.Wakeups {
		most = max(most, w.Count)
	}
	for _, w := range l.Wakeups {
		name := fmt.Sprint(w.Ready)
		if w.Ready >= 32 {
			name = fmt.Sprintf("%d … %d", w.Ready, 2*w.Ready-1)
		}
		n := max(int(float64(w.Count)/float64(most)*float64(max(min(width-32, 50), 10))+0.5), 1)
		d.add(Line{{fmt.Sprintf("%15s", name), Dim}, {" " + strings.Repeat("▇", n), Accent}, {" " + Count(w.Count), Normal}})
	}
}

// waitersSection lists the other threads that wait on the same instance, and what the scheduler says of this one.
func waitersSection(d *Detail, in Input, l *model.Loop) {
	d.section("THREADS THAT WAIT ON IT")
	for i := range in.Snap.Loops {
		o := &in.Snap.Loops[i]
		same := o == l || l.EpFD.Known && o.PID == l.PID && o.EpFD == l.EpFD && !o.Ended.Known
		if !same {
			continue
		}
		line := Line{{pad(loopNumber(o), factName), Strong}, {Plural(int(o.Waits), "wait", "waits"), Normal}}
		if w := findWorker(in.Snap, Key{Kind: WorkerRecord, ID: uint64(o.TID), Name: fmt.Sprint(o.PID)}); w != nil {
			d.link(append(line, Span{"  " + w.Role, Dim}), workerKey(workRow{Worker: w}))
			continue
		}
		d.add(line)
	}
}

// loopThatServed returns the loop of the thread that read a request: of several the one that waits for its connection, as far as
// is known. nil: it waits for no sockets, or nobody watched.
func loopThatServed(s *model.Snapshot, x *model.Exchange) *model.Loop {
	var found *model.Loop
	for i := range s.Loops {
		l := &s.Loops[i]
		if !x.PID.Known || !x.TID.Known || l.PID != x.PID.V || l.TID != x.TID.V || ownLoop(l) {
			continue
		}
		if c := findConnection(s, x.Conn); c != nil && c.FD.Known {
			if _, waits := l.Interest[c.FD.V]; waits {
				return l
			}
		}
		if found == nil {
			found = l
		}
	}
	return found
}

// servedShown is how many requests the detail of a loop or ring lists.
const servedShown = 6

// servedSection lists the last requests that a loop or ring served.
func servedSection(d *Detail, in Input, served func(*model.Exchange) bool) {
	n := 0
	for i := range in.Snap.Exchanges {
		x := &in.Snap.Exchanges[i]
		if n == servedShown || !served(x) {
			continue
		}
		if n == 0 {
			d.section("THE LAST REQUESTS THAT IT SERVED")
		}
		n++
		d.link(Line{{pad(in.clock().Time(x.TS), factName), Dim}, {fmt.Sprintf("%8s  ", optDur(x.TotalNS)), Strong}, {Clean(requestText(x)), Normal}}, exchangeKey(x))
	}
}

// eventNames are the events of poll and epoll (include/uapi/linux/eventpoll.h).
var eventNames = []struct {
	bit  uint32
	name string
}{
	{0x1, "in"}, {0x2, "pri"}, {0x4, "out"}, {0x2000, "rdhup"}, {1 << 28, "exclusive"}, {1 << 29, "wakeup"}, {1 << 30, "oneshot"}, {1 << 31, "edge"},
}

// interestSection lists the descriptors, and which connection or listener each is, where that is known.
func interestSection(d *Detail, in Input, l *model.Loop) {
	title := "DESCRIPTORS"
	if l.Readied.Known {
		title += ", and how often something came that each is watched for, the last how long ago"
	}
	d.section(title)
	if len(l.Interest) == 0 {
		d.add(Styled("not known", Dim))
		return
	}
	at := map[int32]*model.Connection{}
	for i := range in.Snap.Connections {
		if c := &in.Snap.Connections[i]; c.FD.Known && c.PID == model.Some(l.PID) && c.State != model.StateClosed {
			at[c.FD.V] = c
		}
	}
	ready := map[int32]model.ReadyFD{}
	for _, r := range l.Readied.V {
		ready[r.FD] = r
	}
	fds := listedFDs(l, ready)
	for _, fd := range fds {
		line := Line{{pad(fmt.Sprintf("fd %d", fd), factName), Strong}, {pad(eventWords(l.Interest[fd]), 24), Normal}}
		if l.Kind == event.LoopEpoll {
			r, was := ready[fd]
			line = append(line, readiedSpan(in, l, r, was))
		}
		if c := at[fd]; c != nil {
			line = append(line, Span{" " + address(c.Local) + " ← " + address(c.Remote), Dim})
			if c.Exchanges.Known { // it was ready at least as often
				line = append(line, Span{"  " + Plural(int(c.Exchanges.V), "request", "requests"), Normal})
			}
			d.link(line, Key{Kind: ConnectionRecord, ID: c.Conn})
			continue
		}
		d.add(line)
	}
	if more := int(l.FDs.V) - len(fds); l.FDs.Known && more > 0 {
		d.add(Styled(fmt.Sprintf("and %d more", more), Dim))
	}
}

// listedFDs are the descriptors that the detail of a loop lists: of many, those that were ready most often.
func listedFDs(l *model.Loop, ready map[int32]model.ReadyFD) []int32 {
	fds := slices.SortedFunc(maps.Keys(l.Interest), func(a, b int32) int {
		return cmp.Or(cmp.Compare(ready[b].Times, ready[a].Times), cmp.Compare(a, b))
	})
	fds = fds[:min(len(fds), interestListed)]
	slices.Sort(fds)
	return fds
}

// readiedWidth is the width of how often a descriptor was ready.
const readiedWidth = 20

// readiedSpan says how often a descriptor was ready, and how long ago; was: it is known to have been.
func readiedSpan(in Input, l *model.Loop, r model.ReadyFD, was bool) Span {
	switch {
	case was:
		return Span{" " + pad(Count(r.Times)+", "+Dur(max(in.Snap.TS-r.Last, 0))+" ago", readiedWidth), Normal}
	case l.Readied.Known && l.ReadiedAll:
		return Span{" " + pad("never", readiedWidth), Dim}
	}
	return Span{" " + pad(None, readiedWidth), Dim}
}

// eventWords names the events that a descriptor is watched for. EPOLLERR and EPOLLHUP are always told: they are left out.
func eventWords(events uint32) string {
	var out []string
	for _, e := range eventNames {
		if events&e.bit != 0 {
			out = append(out, e.name)
		}
	}
	return orDash(strings.Join(out, " "))
}

// explainLoopNow says what the loop does most.
func explainLoopNow(in Input, l *model.Loop) string {
	r := loopRow{l, in.Hist.looped(l)}
	switch {
	case l.Ended.Known:
		return "This loop has ended: its thread, or its epoll instance, is gone. " + explainLoop
	case ownLoop(l):
		return "It watches no socket: a runtime's own loop, for timers, signals, or to be woken by other threads (eventfd, pipes). " + explainLoop
	case l.Stall.Known && l.Stall.V.Ready > 0:
		return fmt.Sprintf("Its thread slept %s in %s, and %s ready when it came back: a call that blocks stops everything that this loop serves. ",
			Dur(l.Stall.V.OffNS), Clean(l.Stall.V.On), Plural(int(l.Stall.V.Ready), "descriptor was", "descriptors were")) + explainLoopSleep
	case r.load() >= 0.9:
		return "It hardly ever waits: what becomes ready waits for the work before it. One thread is one CPU at most; more loops, or less work in handlers, would help. " + explainLoopBusy
	}
	return explainLoop
}
