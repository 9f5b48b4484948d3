// SPDX-License-Identifier: Apache-2.0

package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

// loopTimes are what a loop did within some time.
type loopTimes struct {
	waits, empty  uint64
	blocked, busy int64
}

// loopRow is a loop with what it did lately.
type loopRow struct {
	*model.Loop
	did loopTimes // in the last seconds if they are remembered, else since it is watched
}

var loopSheet = sheet[loopRow]{
	key:      loopKey,
	target:   loopKey,
	subjects: func(in Input, r loopRow) []Subject { return in.at(loopSubject(r)) },
	columns: []column[loopRow]{
		{Head: Head{Title: "LOOP", Min: 20, Max: 30, Up: true, Cut: CutMiddle, Explain: explainLoop}, cell: loopName,
			cmp: func(a, b loopRow) int {
				return cmp.Or(cmp.Compare(a.Comm, b.Comm), cmp.Compare(a.PID, b.PID), cmp.Compare(a.TID, b.TID), cmp.Compare(a.EpFD.V, b.EpFD.V))
			}},
		{Head: Head{Title: "WAITS/s", Min: 8, Max: 8, Align: Right, Explain: explainLoopWaits}, cell: func(_ Input, r loopRow) Cell { return Plain(Rate(r.rate())) },
			cmp: bySize(loopRow.rate)},
		{Head: Head{Title: "READY/WAKE", Min: 14, Max: 17, Explain: explainLoopReady}, cell: loopReady,
			cmp: bySize(func(r loopRow) float64 { return float64(r.Ready.P99.V) })},
		{Head: Head{Title: "BUSY", Min: 13, Max: 13, Explain: explainLoopBusy}, cell: loopBusy, cmp: bySize(loopRow.load)},
		{Head: Head{Title: "LONGEST SLEEP", Min: 13, Max: 30, Explain: explainLoopSleep}, cell: loopSleep,
			cmp: bySize(func(r loopRow) float64 { return float64(r.Stall.V.OffNS) })},
		{Head: Head{Title: "SOCKETS", Min: 7, Max: 7, Align: Right, Priority: 1, Explain: explainLoopSockets}, cell: loopSockets,
			cmp: bySize(func(r loopRow) float64 { return float64(r.Sockets.V) })},
		{Head: Head{Title: "FDS", Min: 5, Max: 6, Align: Right, Priority: 2, Explain: explainLoopFDs}, cell: func(_ Input, r loopRow) Cell { return Plain(optCount(r.FDs)) },
			cmp: bySize(func(r loopRow) float64 { return float64(r.FDs.V) })},
		{Head: Head{Title: "EMPTY", Min: 6, Max: 6, Align: Right, Priority: 2, Explain: explainLoopEmpty}, cell: loopEmpty, cmp: bySize(loopRow.emptyShare)},
		{Head: Head{Title: "MODES", Min: 8, Max: 36, Priority: 3, Explain: explainLoopModes}, cell: func(_ Input, r loopRow) Cell { return Plain(loopModes(r.Loop)) }},
		{Head: Head{Title: "WAITS", Min: 7, Max: 8, Align: Right, Priority: 4, Explain: explainLoopWaits}, cell: func(_ Input, r loopRow) Cell { return Plain(Count(r.Waits)) },
			cmp: bySize(func(r loopRow) float64 { return float64(r.Waits) })},
		{Head: Head{Title: "WATCHED", Min: 7, Max: 7, Align: Right, Priority: 5, Explain: explainLoopWatched}, cell: func(_ Input, r loopRow) Cell { return Styled(Dur(r.Watched), Dim) },
			cmp: bySize(func(r loopRow) float64 { return float64(r.Watched) })},
	},
}

// loopRows are the loops that the page shows: those that watch sockets, then a runtime's own, then for a while those that have
// ended.
func loopRows(in Input) []loopRow {
	var out []loopRow
	for i := range in.Snap.Loops {
		l := &in.Snap.Loops[i]
		if l.Ended.Known && in.Snap.TS-l.Ended.V > endedShown {
			continue
		}
		out = append(out, loopRow{l, in.Hist.looped(l)})
	}
	slices.SortStableFunc(out, func(a, b loopRow) int { return cmp.Compare(a.rank(), b.rank()) })
	return out
}

func (r loopRow) rank() int {
	switch {
	case r.Ended.Known:
		return 2
	case ownLoop(r.Loop):
		return 1
	}
	return 0
}

// ownLoop reports whether a loop watches no socket: it is there for timers, signals or other threads.
func ownLoop(l *model.Loop) bool { return l.Sockets.Known && l.Sockets.V == 0 }

// rate is how many waits returned in a second; of less than a second it would say nothing.
func (r loopRow) rate() float64 {
	return float64(r.did.waits) * 1e9 / float64(max(r.did.blocked+r.did.busy, 1e9))
}

// load is the share of the time that the loop does not wait.
func (r loopRow) load() float64 {
	if ns := r.did.blocked + r.did.busy; ns > 0 {
		return float64(r.did.busy) / float64(ns)
	}
	return 0
}

func (r loopRow) emptyShare() float64 {
	if r.did.waits == 0 {
		return 0
	}
	return float64(r.did.empty) / float64(r.did.waits)
}

func loopKey(r loopRow) Key { return keyOfLoop(r.Loop) }

func keyOfLoop(l *model.Loop) Key {
	return Key{Kind: LoopRecord, ID: uint64(l.TID), Name: fmt.Sprint(l.PID, " ", loopPlace(l))}
}

// loopSubject lets a filter find a loop by whose it is and what it waits in.
func loopSubject(r loopRow) Subject {
	return Subject{PID: r.PID, Comm: r.Comm, Role: model.RoleLoop, State: r.State, Text: fmt.Sprintf("%d %s %s", r.TID, r.Kind, loopPlace(r.Loop))}
}

// loopPlace says in what a loop waits: its epoll instance, or the call.
func loopPlace(l *model.Loop) string {
	if l.EpFD.Known {
		return fmt.Sprintf("epfd %d", l.EpFD.V)
	}
	return Clean(l.Kind)
}

func loopNumber(l *model.Loop) string {
	if l.TID == l.PID {
		return fmt.Sprint(l.PID)
	}
	return fmt.Sprintf("%d/%d", l.PID, l.TID)
}

func loopName(_ Input, r loopRow) Cell {
	style := Normal
	if r.rank() > 0 {
		style = Dim
	}
	return Cell{{Clean(r.Comm), style}, {" " + loopNumber(r.Loop), Dim}, {" " + loopPlace(r.Loop), style}}
}

// readySteps are the numbers of ready descriptors at which a block of the small picture ends.
var readySteps = [...]uint32{1, 2, 4, 16}

// loopReady is the middle and the end of what is ready at a wake-up, and the whole as a small picture: 1, 2, 3–4, 5–16, more.
func loopReady(_ Input, r loopRow) Cell {
	if r.Ready.Count == 0 {
		return Styled(None, Dim)
	}
	var blocks [len(readySteps) + 1]float64
	for _, w := range r.Wakeups {
		i := 0
		for i < len(readySteps) && w.Ready > readySteps[i] {
			i++
		}
		blocks[i] += float64(w.Count)
	}
	return Cell{{Spark(blocks[:], 0, len(blocks)), Accent}, {" " + optNumber(r.Ready.P50), Strong}, {" p99 ", Dim}, {optNumber(r.Ready.P99), Normal}}
}

func optNumber(o model.Opt[int64]) string {
	return optional(o, func(n int64) string { return Count(uint64(max(n, 0))) })
}

func loopBusy(_ Input, r loopRow) Cell {
	s, style := r.load(), Normal
	if r.did.busy+r.did.blocked == 0 || ownLoop(r.Loop) && r.Polls == r.Waits { // between two looks its thread does whatever it likes
		return Styled(None, Dim)
	}
	if s >= 0.9 {
		style = Warning
	}
	return Cell{{Bar(s, 6), Accent}, {fmt.Sprintf(" %6s", shareOrNone(s)), style}}
}

// shareOrNone is a share that may be nothing at all.
func shareOrNone(s float64) string {
	if s <= 0 {
		return "0 %"
	}
	return Share(s)
}

// loopSleep is the longest sleep in another call, with a mark when others waited for it.
func loopSleep(_ Input, r loopRow) Cell {
	if !r.Stall.Known {
		return Styled("none", Dim)
	}
	s := r.Stall.V
	out := Cell{{Dur(s.OffNS), Strong}, {" " + Clean(s.On), Normal}}
	if s.Ready > 0 {
		return append(Cell{{"! ", Warning}}, append(out, Span{fmt.Sprintf(", %d waited", s.Ready), Warning})...)
	}
	return out
}

func loopSockets(_ Input, r loopRow) Cell {
	if ownLoop(r.Loop) {
		return Styled("own", Dim)
	}
	return Plain(optCount(r.Sockets))
}

func loopEmpty(_ Input, r loopRow) Cell {
	s := r.emptyShare()
	if s == 0 {
		return Styled("0 %", Dim)
	}
	return Plain(Share(s))
}

// loopModes says how an epoll instance watches its descriptors, when that is not all in the usual way.
func loopModes(l *model.Loop) string {
	var out []string
	for _, m := range []string{event.ModeLevel, event.ModeEdge, event.ModeExclusive, event.ModeOneshot} {
		if n := l.Modes[m]; n > 0 {
			out = append(out, fmt.Sprintf("%s %d", m, n))
		}
	}
	return orDash(strings.Join(out, ", "))
}

// loopsFoot counts the loops of each process that has several: as many as there are CPUs is what servers aim at.
func loopsFoot(in Input, width, _ int) []Line {
	var sockets, own int
	for i := range in.Snap.Loops {
		switch l := &in.Snap.Loops[i]; {
		case l.Ended.Known:
		case ownLoop(l):
			own++
		default:
			sockets++
		}
	}
	if sockets+own == 0 {
		return nil
	}
	out := Line{{Plural(sockets, "loop watches", "loops watch") + " sockets", Strong}}
	if own > 0 {
		out = append(out, Span{fmt.Sprintf("; %s a runtime's own (timers, signals, wake-ups)", Plural(own, "is", "are")), Dim})
	}
	return []Line{out.Fit(width)}
}
