// SPDX-License-Identifier: Apache-2.0

package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"beltrace/collector/model"
)

// endedShown is how long a thread that has ended stays on the page.
const endedShown = int64(10e9)

// workRow is a thread with what it did lately.
type workRow struct {
	*model.Worker
	did model.Times // in the last seconds if they are remembered, else since it is watched
}

var workerSheet = sheet[workRow]{
	key:      workerKey,
	target:   workerKey,
	subjects: func(in Input, r workRow) []Subject { return in.at(workerSubject(r)) },
	columns: []column[workRow]{
		{Head: Head{Title: "WORKER", Min: 16, Max: 21, Up: true, Cut: CutMiddle, Explain: explainWorker}, cell: workerName,
			cmp: func(a, b workRow) int {
				return cmp.Or(cmp.Compare(a.Comm, b.Comm), cmp.Compare(a.PID, b.PID), cmp.Compare(a.TID, b.TID))
			}},
		{Head: Head{Title: "ROLE", Min: 8, Max: 8, Up: true, Explain: explainWorkerRole}, cell: workerRole,
			cmp: func(a, b workRow) int { return cmp.Compare(a.Role, b.Role) }},
		{Head: Head{Title: "ACCEPTS", Min: 8, Max: 8, Align: Right, Explain: explainWorkerAccepts}, cell: workerAccepts,
			cmp: bySize(func(r workRow) float64 { return float64(r.Accepts) })},
		{Head: Head{Title: "REQS", Min: 6, Max: 8, Align: Right, Explain: explainWorkerReqs}, cell: func(_ Input, r workRow) Cell { return Plain(optional(r.Exchanges, Count)) },
			cmp: bySize(func(r workRow) float64 { return optFloat(r.Exchanges) })},
		{Head: Head{Title: "RUN▇QUEUE▒BLOCKED·", Min: 18, Max: 18, Explain: explainWorkerTime}, cell: func(_ Input, r workRow) Cell { return Plain(timeBar(r.did, 18)) },
			cmp: bySize(func(r workRow) float64 { return share(r.did.RunningNS+r.did.RunqueueNS, r.did) })},
		{Head: Head{Title: "BLOCKED IN", Min: 13, Max: 34, Explain: explainBlockedIn}, cell: workerBlocked},
		{Head: Head{Title: "RUN", Min: 6, Max: 6, Align: Right, Priority: 1, Explain: explainWorkerTime}, cell: func(_ Input, r workRow) Cell { return shareCell(r.did.RunningNS, r.did, 0.9) },
			cmp: bySize(func(r workRow) float64 { return share(r.did.RunningNS, r.did) })},
		{Head: Head{Title: "QUEUE", Min: 6, Max: 6, Align: Right, Priority: 1, Explain: explainRunQueue}, cell: func(_ Input, r workRow) Cell { return shareCell(r.did.RunqueueNS, r.did, 0.1) },
			cmp: bySize(func(r workRow) float64 { return share(r.did.RunqueueNS, r.did) })},
		{Head: Head{Title: "CPU", Min: 3, Max: 4, Align: Right, Priority: 2, Explain: explainWorkerCPU}, cell: func(_ Input, r workRow) Cell {
			return Plain(optional(r.CPU, func(n uint32) string { return fmt.Sprint(n) }))
		}},
		{Head: Head{Title: "SWITCHES", Min: 8, Max: 8, Align: Right, Priority: 3, Explain: explainSwitches}, cell: func(_ Input, r workRow) Cell { return Plain(Count(r.Switches)) },
			cmp: bySize(func(r workRow) float64 { return float64(r.Switches) })},
		{Head: Head{Title: "MOVES", Min: 5, Max: 6, Align: Right, Priority: 4, Explain: explainMoves}, cell: func(_ Input, r workRow) Cell { return Plain(Count(r.Migrations)) },
			cmp: bySize(func(r workRow) float64 { return float64(r.Migrations) })},
		{Head: Head{Title: "WATCHED", Min: 7, Max: 7, Align: Right, Priority: 5, Explain: explainWatched}, cell: func(_ Input, r workRow) Cell { return Styled(Dur(r.WatchedNS), Dim) },
			cmp: bySize(func(r workRow) float64 { return float64(r.WatchedNS) })},
	},
}

// workRows are the threads that the page shows: those that live, then for a while those that have ended.
func workRows(in Input) []workRow {
	var out, ended []workRow
	for i := range in.Snap.Workers {
		w := &in.Snap.Workers[i]
		if w.Ended.Known && in.Snap.TS-w.Ended.V > endedShown {
			continue
		}
		if w.Ended.Known {
			ended = append(ended, workRow{w, in.Hist.did(w)})
			continue
		}
		out = append(out, workRow{w, in.Hist.did(w)})
	}
	return append(out, ended...)
}

func workerKey(r workRow) Key {
	return Key{Kind: WorkerRecord, ID: uint64(r.TID), Name: fmt.Sprint(r.PID)}
}

// workerSubject lets a filter find a thread by what it is, where it runs and what it waits in.
func workerSubject(r workRow) Subject {
	s := Subject{PID: r.PID, Comm: r.Comm, Role: r.Role, State: "alive"}
	if r.Ended.Known {
		s.State = "ended"
	}
	s.Text = fmt.Sprintf("%d %s %s", r.TID, r.Role, strings.Join(sortedKeys(r.BlockedNS), " "))
	return s
}

// workerName is the process's name and number; a further thread has its own number behind a slash.
func workerName(_ Input, r workRow) Cell {
	style := Normal
	if r.Ended.Known {
		style = Dim
	}
	return Cell{{Clean(r.Comm), style}, {" " + workerNumber(r.Worker), Dim}}
}

func workerNumber(w *model.Worker) string {
	if w.TID == w.PID {
		return fmt.Sprint(w.PID)
	}
	return fmt.Sprintf("%d/%d", w.PID, w.TID)
}

func workerRole(_ Input, r workRow) Cell {
	if r.Ended.Known {
		return Styled("ended", Dim)
	}
	return Plain(r.Role)
}

func workerAccepts(_ Input, r workRow) Cell {
	if r.Accepts == 0 {
		return Styled("0", Dim)
	}
	return Styled(Count(r.Accepts), Strong)
}

// workerBlocked names what the thread waits in, the longest first.
func workerBlocked(_ Input, r workRow) Cell {
	var out Cell
	for i, p := range blocks(r.did) {
		s := share(p.ns, r.did)
		if i == 3 || i > 0 && s < 0.005 {
			break
		}
		if i > 0 {
			out = append(out, Span{", ", Dim})
		}
		out = append(out, Span{Clean(p.what) + " ", Normal}, Span{Share(s), Dim})
	}
	return out
}

// part is one way in which a thread spends its time.
type part struct {
	what string
	ns   int64
}

// blocks returns what a thread waits in, the longest first.
func blocks(t model.Times) []part {
	var out []part
	for _, in := range sortedKeys(t.BlockedNS) {
		if t.BlockedNS[in] > 0 {
			out = append(out, part{in, t.BlockedNS[in]})
		}
	}
	slices.SortStableFunc(out, func(a, b part) int { return cmp.Compare(b.ns, a.ns) })
	return out
}

func share(ns int64, t model.Times) float64 {
	if t.WatchedNS <= 0 {
		return 0
	}
	return float64(ns) / float64(t.WatchedNS)
}

// shareCell is a share that deserves a look from some value on.
func shareCell(ns int64, t model.Times, look float64) Cell {
	s, style := share(ns, t), Normal
	if ns == 0 {
		return Styled("0 %", Dim)
	}
	switch {
	case s >= look:
		style = Warning
	case s < 0.005:
		style = Dim
	}
	return Styled(Share(s), style)
}

// timeBar draws what a thread did: running, waiting for a CPU, blocked. What happened at all has a cell.
func timeBar(t model.Times, width int) string {
	if t.WatchedNS <= 0 {
		return None
	}
	cells := func(ns int64) int {
		n := int(share(ns, t)*float64(width) + 0.5)
		if n == 0 && share(ns, t) >= 0.005 {
			n = 1
		}
		return n
	}
	run := min(cells(t.RunningNS), width)
	queue := min(cells(t.RunqueueNS), width-run)
	return strings.Repeat("▇", run) + strings.Repeat("▒", queue) + strings.Repeat("·", width-run-queue)
}
