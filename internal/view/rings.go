// SPDX-License-Identifier: Apache-2.0

package view

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"beltrace/collector/model"
)

// ringRow is a ring with what it did lately.
type ringRow struct {
	*model.Ring
	did ringDid
}

var ringSheet = sheet[ringRow]{
	key:      ringKey,
	target:   ringKey,
	subjects: func(in Input, r ringRow) []Subject { return in.at(ringSubject(r)) },
	columns: []column[ringRow]{
		{Head: Head{Title: "RING", Min: 16, Max: 24, Up: true, Cut: CutMiddle, Explain: explainRing}, cell: ringName,
			cmp: func(a, b ringRow) int {
				return cmp.Or(cmp.Compare(a.Comm, b.Comm), cmp.Compare(a.PID, b.PID), cmp.Compare(a.Ring.Ring, b.Ring.Ring))
			}},
		{Head: Head{Title: "IN FLIGHT", Min: 9, Max: 11, Align: Right, Explain: explainInFlight}, cell: ringInFlight,
			cmp: bySize(func(r ringRow) float64 { return float64(r.InFlight.Or(0)) })},
		{Head: Head{Title: "OPS/s", Min: 6, Max: 7, Align: Right, Explain: explainRingOps}, cell: func(_ Input, r ringRow) Cell { return ringRate(r.did) },
			cmp: bySize(func(r ringRow) float64 { return r.did.perSecond() })},
		{Head: Head{Title: "PER CALL", Min: 8, Max: 8, Align: Right, Explain: explainPerCall}, cell: func(_ Input, r ringRow) Cell { return batchCell(r.Submits) },
			cmp: bySize(func(r ringRow) float64 { return r.Submits.Mean() })},
		{Head: Head{Title: "INLINE▇POLL▒IO-WQ!", Min: 18, Max: 18, Explain: explainHow}, cell: func(_ Input, r ringRow) Cell { return Plain(howBar(r.did, 18)) },
			cmp: bySize(func(r ringRow) float64 { return r.did.share("io-wq") })},
		{Head: Head{Title: "CQ", Min: 3, Max: 7, Explain: explainOverflow}, cell: ringOverflow,
			cmp: bySize(func(r ringRow) float64 { return float64(r.Overflow.Or(0)) })},
		{Head: Head{Title: "INLINE", Min: 6, Max: 6, Align: Right, Priority: 1, Explain: explainHow}, cell: howShare("inline")},
		{Head: Head{Title: "POLL", Min: 6, Max: 6, Align: Right, Priority: 1, Explain: explainHow}, cell: howShare("poll")},
		{Head: Head{Title: "IO-WQ", Min: 6, Max: 6, Align: Right, Priority: 1, Explain: explainHow}, cell: howShare("io-wq")},
		{Head: Head{Title: "OPERATIONS", Min: 12, Max: 40, Priority: 2, Explain: explainRingOps}, cell: ringOperations},
		{Head: Head{Title: "TAKEN", Min: 6, Max: 8, Align: Right, Priority: 3, Explain: explainTaken}, cell: func(_ Input, r ringRow) Cell { return batchCell(r.Reaps) }},
		{Head: Head{Title: "SETUP", Min: 6, Max: 26, Priority: 4, Explain: explainSetup}, cell: func(_ Input, r ringRow) Cell {
			return Styled(orNothing(strings.ReplaceAll(Clean(r.Setup), ",", " ")), Dim)
		}},
	},
}

// ringRows are the rings that the page shows: those that are open, then for a while those that have ended.
func ringRows(in Input) []ringRow {
	var out []ringRow
	for i := range in.Snap.Rings {
		r := &in.Snap.Rings[i]
		if r.State == model.StateClosed && in.Snap.TS-r.Changed > endedShown {
			continue
		}
		out = append(out, ringRow{r, in.Hist.ringDid(in.Snap.TS, r)})
	}
	return out
}

func ringKey(r ringRow) Key {
	return Key{Kind: RingRecord, ID: uint64(r.Ring.Ring), Name: fmt.Sprint(r.PID)}
}

func ringSubject(r ringRow) Subject {
	return Subject{PID: r.PID, Comm: r.Comm, State: cmp.Or(r.State, "open"), Text: strings.Join(sortedKeys(r.Ops), " ") + " " + r.Setup}
}

// ringDid is what a ring did in some time.
type ringDid struct {
	ns    int64
	count uint64
	how   map[string]uint64
	ops   map[string]uint64
}

// sumRing adds up what a ring did since it is watched.
func sumRing(r *model.Ring) ringDid {
	d := ringDid{how: map[string]uint64{}, ops: map[string]uint64{}}
	for name, o := range r.Ops {
		d.count += o.Count
		d.ops[name] = o.Count
		for how, n := range o.How {
			d.how[how] += n
		}
	}
	return d
}

// ringDid returns what a ring did in the last seconds that are remembered; without any, since it is watched.
func (h *History) ringDid(now int64, r *model.Ring) ringDid {
	d := sumRing(r)
	d.ns = now - r.Opened
	if h == nil || len(h.points) == 0 {
		return d
	}
	for _, p := range h.points[max(0, len(h.points)-1-lately):] {
		then, ok := p.rings[ringKey(ringRow{Ring: r})]
		if ok && p.ts < now && then.count <= d.count { // else it is watched anew
			return ringDid{ns: now - p.ts, count: d.count - then.count, how: lessCounts(d.how, then.how), ops: lessCounts(d.ops, then.ops)}
		}
	}
	return d
}

func lessCounts(now, then map[string]uint64) map[string]uint64 {
	out := maps.Clone(now)
	for k, n := range then {
		out[k] -= min(n, out[k])
	}
	return out
}

func (d ringDid) perSecond() float64 {
	if d.ns <= 0 {
		return 0
	}
	return float64(d.count) * 1e9 / float64(d.ns)
}

// share is the part of the completions that came that way.
func (d ringDid) share(how string) float64 {
	if d.count == 0 {
		return 0
	}
	return float64(d.how[how]) / float64(d.count)
}

func ringName(_ Input, r ringRow) Cell {
	style := Normal
	if r.State == model.StateClosed {
		style = Dim
	}
	return Cell{{Clean(r.Comm), style}, {fmt.Sprintf(" %d #%d", r.PID, r.Ring.Ring), Dim}}
}

// ringInFlight is against the size of the completion queue: more than that may not fit into it at once.
func ringInFlight(_ Input, r ringRow) Cell {
	if r.State == model.StateClosed {
		return Styled("closed", Dim)
	}
	style := Strong
	if r.InFlight.Or(0) == 0 {
		style = Dim
	}
	return Cell{{optCount(r.InFlight), style}, {"/" + optCount(r.CQEntries), Dim}}
}

func ringRate(d ringDid) Cell {
	if d.count == 0 {
		return Styled("0", Dim)
	}
	return Styled(Rate(d.perSecond()), Strong)
}

// batchCell is how much is taken at a time.
func batchCell(b model.Batches) Cell {
	if b.Count == 0 {
		return Styled(None, Dim)
	}
	return Plain(fmt.Sprintf("%.1f", b.Mean()))
}

func howShare(how string) func(Input, ringRow) Cell {
	return func(_ Input, r ringRow) Cell {
		s := r.did.share(how)
		switch {
		case r.did.count == 0:
			return Styled(None, Dim)
		case s == 0:
			return Styled("0 %", Dim)
		case how == "io-wq" && s >= 0.1:
			return Styled(Share(s), Warning)
		}
		return Plain(Share(s))
	}
}

// howBar draws in which ways operations were done; what went another way is a dot. What happened at all has a cell.
func howBar(d ringDid, width int) string {
	if d.count == 0 {
		return None
	}
	var b strings.Builder
	left := width
	for _, p := range []struct{ how, sign string }{{"inline", "▇"}, {"poll", "▒"}, {"io-wq", "!"}} {
		n := int(d.share(p.how)*float64(width) + 0.5)
		if n == 0 && d.how[p.how] > 0 {
			n = 1
		}
		n = min(n, left)
		left -= n
		b.WriteString(strings.Repeat(p.sign, n))
	}
	return b.String() + strings.Repeat("·", left)
}

func ringOverflow(_ Input, r ringRow) Cell {
	switch {
	case !r.Overflow.Known:
		return Styled(None, Dim)
	case r.Overflow.V == 0:
		return Styled("ok", Dim)
	}
	return Styled("! "+Count(r.Overflow.V), Warning)
}

// ringOperations names what it does, the most frequent first.
func ringOperations(_ Input, r ringRow) Cell {
	names := slices.SortedStableFunc(maps.Keys(r.did.ops), func(a, b string) int {
		return cmp.Or(cmp.Compare(r.did.ops[b], r.did.ops[a]), cmp.Compare(a, b))
	})
	var out Cell
	for i, name := range names {
		if i == 4 || r.did.ops[name] == 0 {
			break
		}
		if i > 0 {
			out = append(out, Span{", ", Dim})
		}
		out = append(out, Span{Clean(name) + " ", Normal}, Span{Share(float64(r.did.ops[name]) / float64(max(r.did.count, 1))), Dim})
	}
	if out == nil {
		return Styled(None, Dim)
	}
	return out
}

func orNothing(s string) string { return cmp.Or(s, None) }
