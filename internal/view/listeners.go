// SPDX-License-Identifier: Apache-2.0

package view

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"beltrace/collector/model"
)

var listenerSheet = sheet[*model.Listener]{
	tall:     true,
	prefer:   preferNetNS,
	key:      listenerKey,
	target:   listenerKey,
	subjects: func(_ Input, l *model.Listener) []Subject { return []Subject{listenerSubject(l)} },
	columns: []column[*model.Listener]{
		{Head: Head{Title: "LISTENER", Min: 18, Max: 44, Up: true, Cut: CutMiddle, Explain: explainListener}, cell: listenerName, sub: listenerWho, cmp: byListenerName},
		{Head: Head{Title: "SYN Q", Min: 11, Max: 16, Align: Right, Explain: explainSYNQueue + explainPast}, cell: listenerSYNQueue, sub: listenerSYNPast,
			cmp: bySize(func(l *model.Listener) float64 { return optFloat(l.SYNQueue) })},
		{Head: Head{Title: "ACCEPT Q", Min: 13, Max: 18, Align: Right, Explain: explainAcceptQueue + explainPast}, cell: listenerAcceptQueue, sub: listenerAcceptPast,
			cmp: bySize(func(l *model.Listener) float64 { return fullness(l) })},
		{Head: Head{Title: "IN/s", Min: 5, Max: 6, Align: Right, Explain: explainArrivals}, cell: func(_ Input, l *model.Listener) Cell { return rateCell(l.ArrivalsPerSec) },
			cmp: bySize(func(l *model.Listener) float64 { return l.ArrivalsPerSec })},
		{Head: Head{Title: "OUT/s", Min: 5, Max: 6, Align: Right, Explain: explainAccepts}, cell: func(_ Input, l *model.Listener) Cell { return rateCell(l.AcceptsPerSec) },
			cmp: bySize(func(l *model.Listener) float64 { return l.AcceptsPerSec })},
		{Head: Head{Title: "WAIT p50", Min: 8, Max: 8, Align: Right, Explain: explainWait}, cell: func(_ Input, l *model.Listener) Cell { return Plain(optDur(l.WaitNS.P50)) },
			sub: func(in Input, _ *model.Listener) Cell { return in.beside("REFUSED", Styled("refused", Dim)) },
			cmp: bySize(func(l *model.Listener) float64 { return optFloat(l.WaitNS.P50) })},
		{Head: Head{Title: "p99", Min: 7, Max: 7, Align: Right, Explain: explainWait}, cell: func(_ Input, l *model.Listener) Cell { return Styled(optDur(l.WaitNS.P99), Strong) },
			sub: func(in Input, l *model.Listener) Cell { return in.beside("REFUSED", listenerRefused(in, l)) },
			cmp: bySize(func(l *model.Listener) float64 { return optFloat(l.WaitNS.P99) })},
		{Head: Head{Title: "REFUSED", Min: 7, Max: 7, Align: Right, Priority: 4, Explain: explainRefused}, cell: listenerRefused,
			cmp: bySize(func(l *model.Listener) float64 { return float64(Refused(l)) })},
		{Head: Head{Title: "WHY", Min: 17, Max: 17, Priority: 8, Explain: explainRefused}, cell: func(_ Input, l *model.Listener) Cell {
			return Styled(mainReason(refusals(l.SYNDrops, l.DropReasons)), Dim)
		}},
		{Head: Head{Title: "ACCEPTORS", Min: 12, Max: 24, Priority: 6, Explain: explainAcceptors}, cell: listenerAcceptors,
			cmp: bySize(func(l *model.Listener) float64 { return float64(l.AcceptorCount()) })},
		{Head: Head{Title: "LAST MINUTE", Min: 16, Max: 60, Cut: CutStart, Priority: 7, Explain: explainMinute}, cell: func(_ Input, l *model.Listener) Cell { return Styled(minute(l, 60), Dim) }},
		{Head: Head{Title: "HANDSHAKE p50", Min: 13, Max: 13, Align: Right, Priority: 9, Explain: explainHandshake}, cell: func(_ Input, l *model.Listener) Cell { return Plain(optDur(l.HandshakeNS.P50)) },
			cmp: bySize(func(l *model.Listener) float64 { return optFloat(l.HandshakeNS.P50) })},
		{Head: Head{Title: "ACCEPTED", Min: 8, Max: 9, Align: Right, Priority: 5, Explain: explainAccepts}, cell: func(_ Input, l *model.Listener) Cell { return Plain(Count(l.Accepted)) },
			cmp: bySize(func(l *model.Listener) float64 { return float64(l.Accepted) })},
		{Head: Head{Title: "PID", Min: 7, Max: 7, Align: Right, Priority: 10, Explain: explainOwner}, cell: func(_ Input, l *model.Listener) Cell { return Plain(pid(l.Process)) },
			cmp: bySize(func(l *model.Listener) float64 { return optFloat(l.PID) })},
		{Head: Head{Title: "NETNS", Min: 10, Max: 10, Align: Right, Priority: 12, Explain: explainNetNS}, cell: func(_ Input, l *model.Listener) Cell { return Styled(netns(l.NetNS), Dim) },
			cmp: bySize(func(l *model.Listener) float64 { return float64(l.NetNS) })},
		{Head: Head{Title: "UNIT", Min: 12, Max: 28, Priority: 11, Explain: explainOwner}, cell: func(_ Input, l *model.Listener) Cell { return Styled(home(l.Process), Dim) }},
	},
}

func listenerKey(l *model.Listener) Key { return Key{Kind: ListenerRecord, ID: l.Conn, Name: l.Local} }

// preferNetNS puts the network namespaces before all else that needs room where listeners of several have the same address.
func preferNetNS(heads []Head, rows []*model.Listener) {
	at := make(map[string]uint32, len(rows))
	for _, l := range rows {
		if other, ok := at[l.Local]; !ok || l.Local == "" {
			at[l.Local] = l.NetNS
		} else if other != l.NetNS {
			heads[slices.IndexFunc(heads, func(h Head) bool { return h.Title == "NETNS" })].Priority = 1
			return
		}
	}
}

// whichNetNS names the network namespace of a listener whose address another one has elsewhere, as far as there is no column
// for it: without it such a listener looks as if it were there twice.
func whichNetNS(in Input, l *model.Listener) Cell {
	for i := range in.Snap.Listeners {
		if other := &in.Snap.Listeners[i]; l.Local != "" && other.Local == l.Local && other.NetNS != l.NetNS {
			return in.beside("NETNS", Styled("  netns "+netns(l.NetNS), Dim))
		}
	}
	return nil
}

func listenerSubject(l *model.Listener) Subject {
	return Subject{Ports: ports(l.Local), PID: l.PID.Or(0), Comm: l.Comm, NetNS: l.NetNS, Container: l.Container, Unit: l.Unit, State: l.State, Text: strings.Join([]string{l.Local, l.Container, l.Unit, l.State}, " ")}
}

func byListenerName(a, b *model.Listener) int {
	return cmp.Or(cmp.Compare(a.Comm, b.Comm), cmp.Compare(portOf(a.Local), portOf(b.Local)), cmp.Compare(a.Local, b.Local), cmp.Compare(a.Conn, b.Conn))
}

// bySize orders records with the largest value first; what is not known (NaN) comes last.
func bySize[T any](size func(T) float64) func(a, b T) int {
	return func(a, b T) int { return cmp.Compare(size(b), size(a)) }
}

func optFloat[T ~int32 | ~int64 | ~uint32 | ~uint64](o model.Opt[T]) float64 {
	if !o.Known {
		return math.NaN()
	}
	return float64(o.V)
}

// fullness returns the share of the accept queue that is taken: above 1 it is full.
func fullness(l *model.Listener) float64 {
	if !l.AcceptQueue.Known || !l.Backlog.Known {
		return math.NaN()
	}
	return float64(l.AcceptQueue.V) / float64(max(l.Backlog.V, 1))
}

// Full reports whether the accept queue is full: with a backlog of N it holds N+1.
func Full(l *model.Listener) bool {
	return l.State != model.StateClosed && l.AcceptQueue.Known && l.Backlog.Known && l.AcceptQueue.V > l.Backlog.V
}

func listenerName(_ Input, l *model.Listener) Cell {
	if l.State == model.StateClosed {
		return Styled("closed "+comm(l.Process)+" "+l.Local, Dim)
	}
	return Line{{comm(l.Process), Strong}, {Text: " " + l.Local}}
}

// listenerWho says whose it is and who accepts, as far as there is no column for it.
func listenerWho(in Input, l *model.Listener) Cell {
	if which := whichNetNS(in, l); which != nil {
		return which
	}
	whose := in.beside("PID", Plain(pid(l.Process))).String()
	who := "no accept" // short, for 80 columns
	if n := l.AcceptorCount(); n > 0 {
		who = Plural(n, "accepts", "accept")
	}
	switch who = in.beside("ACCEPTORS", Plain(who)).String(); {
	case who == "" && whose != "":
		who = "pid " + whose
	case whose != "":
		who = whose + ", " + who
	}
	return Styled("  "+who, Dim)
}

func listenerSYNQueue(in Input, l *model.Listener) Cell {
	return queueCell(l, l.SYNQueue, trouble(in.Snap, l, atSYNQueue))
}

// listenerAcceptQueue shows depth, limit and a bar; an exclamation mark says that it is in trouble.
func listenerAcceptQueue(in Input, l *model.Listener) Cell {
	return queueCell(l, l.AcceptQueue, Full(l) || trouble(in.Snap, l, atAcceptQueue))
}

func queueCell(l *model.Listener, n model.Opt[uint32], bad bool) Cell {
	style, mark := Normal, " "
	if bad {
		style, mark = Bad, "! "
	}
	out := depth(n, l.Backlog, style)
	if !n.Known && l.Backlog.Known && !bad {
		return out
	}
	if n.Known && l.Backlog.Known {
		mark += Bar(float64(n.V)/float64(max(l.Backlog.V, 1)), barCells)
	}
	return append(out, Span{strings.TrimRight(mark, " "), style})
}

const (
	barCells  = 4  // of a bar beside a queue's depth
	pastCells = 10 // of the last minute below it: six seconds each
)

func listenerSYNPast(in Input, l *model.Listener) Cell {
	return Styled(past(in.Snap.TS, l, pastCells, func(q model.QueueSample) model.Opt[uint32] { return q.SYNQueue }), Dim)
}

func listenerAcceptPast(in Input, l *model.Listener) Cell {
	return Styled(past(in.Snap.TS, l, pastCells, func(q model.QueueSample) model.Opt[uint32] { return q.AcceptQueue }), Dim)
}

// past draws a queue of the last minute against its limit, in so many cells: each is the deepest value of its time.
func past(now int64, l *model.Listener, cells int, of func(model.QueueSample) model.Opt[uint32]) string {
	values := make([]float64, cells)
	for i := range values {
		values[i] = math.NaN()
	}
	for _, h := range l.History {
		at := cells - 1 - int((now-h.TS)*int64(cells)/minuteNS)
		if v := of(h); v.Known && at >= 0 && at < cells && !(values[at] > float64(v.V)) { // NaN is not larger
			values[at] = float64(v.V)
		}
	}
	return Spark(values, float64(l.Backlog.Or(0)), cells)
}

const minuteNS = 60_000_000_000

// depth writes a queue's depth against its limit, the way ss writes Recv-Q and Send-Q of a listener.
func depth(n, limit model.Opt[uint32], style Style) Line {
	if !n.Known && !limit.Known {
		return Styled(None, Dim)
	}
	if n.V > 0 && style == Normal {
		style = Strong
	}
	return Line{{optCount(n), style}, {"/" + optCount(limit), Dim}}
}

func listenerAcceptors(_ Input, l *model.Listener) Cell {
	switch len(l.Acceptors) {
	case 0:
		return Styled(None, Dim)
	case 1:
		a := l.Acceptors[0]
		return Plain(fmt.Sprintf("%s %d", Clean(a.Comm), a.TID))
	}
	return Plain(fmt.Sprintf("%d threads", l.AcceptorCount()))
}

// minute draws the accept queue of the last minute against its limit.
func minute(l *model.Listener, width int) string {
	return seconds60(l, width, func(q model.QueueSample) model.Opt[uint32] { return q.AcceptQueue })
}

// seconds60 draws a queue of the last minute, a block a second.
func seconds60(l *model.Listener, width int, of func(model.QueueSample) model.Opt[uint32]) string {
	values := make([]float64, len(l.History))
	known := false
	for i, h := range l.History {
		values[i] = optFloat(of(h))
		known = known || of(h).Known
	}
	if !known {
		return None
	}
	return Spark(values, float64(l.Backlog.Or(0)), width)
}

func rateCell(v float64) Cell {
	if v == 0 {
		return Styled("0", Dim)
	}
	return Plain(Rate(v))
}

// comm returns the name of a process, or a dash.
func comm(p model.Process) string {
	if p.Comm == "" {
		return None
	}
	return Clean(p.Comm)
}

// pid returns a process's number on the host; inside a container it has another, which the detail shows.
func pid(p model.Process) string {
	return optional(p.PID, func(v uint32) string { return fmt.Sprint(v) })
}

// home says where a process lives: its container or its systemd unit.
func home(p model.Process) string {
	switch {
	case p.Container != "":
		return Clean(head(p.Container, 12))
	case p.Unit != "":
		return Clean(p.Unit)
	}
	return None
}

// sortedKeys returns the keys of a map in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
