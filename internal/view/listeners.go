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
	key:      listenerKey,
	target:   listenerKey,
	subjects: func(_ Input, l *model.Listener) []Subject { return []Subject{listenerSubject(l)} },
	columns: []column[*model.Listener]{
		{Head: Head{Title: "LISTENER", Min: 20, Max: 44, Up: true, Cut: CutMiddle, Explain: explainListener}, cell: listenerName, cmp: byListenerName},
		{Head: Head{Title: "SYN Q", Min: 6, Max: 11, Align: Right, Explain: explainSYNQueue}, cell: listenerSYNQueue,
			cmp: bySize(func(l *model.Listener) float64 { return optFloat(l.SYNQueue) })},
		{Head: Head{Title: "ACCEPT Q", Min: 14, Max: 18, Align: Right, Explain: explainAcceptQueue}, cell: listenerAcceptQueue,
			cmp: bySize(func(l *model.Listener) float64 { return fullness(l) })},
		{Head: Head{Title: "IN/s", Min: 5, Max: 6, Align: Right, Explain: explainArrivals}, cell: func(_ Input, l *model.Listener) Cell { return rateCell(l.ArrivalsPerSec) },
			cmp: bySize(func(l *model.Listener) float64 { return l.ArrivalsPerSec })},
		{Head: Head{Title: "OUT/s", Min: 5, Max: 6, Align: Right, Explain: explainAccepts}, cell: func(_ Input, l *model.Listener) Cell { return rateCell(l.AcceptsPerSec) },
			cmp: bySize(func(l *model.Listener) float64 { return l.AcceptsPerSec })},
		{Head: Head{Title: "WAIT p50", Min: 8, Max: 8, Align: Right, Explain: explainWait}, cell: func(_ Input, l *model.Listener) Cell { return Plain(optDur(l.WaitNS.P50)) },
			cmp: bySize(func(l *model.Listener) float64 { return optFloat(l.WaitNS.P50) })},
		{Head: Head{Title: "p99", Min: 7, Max: 7, Align: Right, Explain: explainWait}, cell: func(_ Input, l *model.Listener) Cell { return Styled(optDur(l.WaitNS.P99), Strong) },
			cmp: bySize(func(l *model.Listener) float64 { return optFloat(l.WaitNS.P99) })},
		{Head: Head{Title: "REFUSED", Min: 7, Max: 7, Align: Right, Priority: 4, Explain: explainRefused}, cell: listenerRefused,
			cmp: bySize(func(l *model.Listener) float64 { return float64(Refused(l)) })},
		{Head: Head{Title: "ACCEPTORS", Min: 12, Max: 24, Priority: 6, Explain: explainAcceptors}, cell: listenerAcceptors,
			cmp: bySize(func(l *model.Listener) float64 { return float64(len(l.Acceptors)) })},
		{Head: Head{Title: "LAST MINUTE", Min: 16, Max: 60, Cut: CutStart, Priority: 7, Explain: explainMinute}, cell: func(_ Input, l *model.Listener) Cell { return Styled(minute(l, 60), Dim) }},
		{Head: Head{Title: "HANDSHAKE p50", Min: 13, Max: 13, Align: Right, Priority: 8, Explain: explainHandshake}, cell: func(_ Input, l *model.Listener) Cell { return Plain(optDur(l.HandshakeNS.P50)) },
			cmp: bySize(func(l *model.Listener) float64 { return optFloat(l.HandshakeNS.P50) })},
		{Head: Head{Title: "ACCEPTED", Min: 8, Max: 9, Align: Right, Priority: 5, Explain: explainAccepts}, cell: func(_ Input, l *model.Listener) Cell { return Plain(Count(l.Accepted)) },
			cmp: bySize(func(l *model.Listener) float64 { return float64(l.Accepted) })},
		{Head: Head{Title: "PID", Min: 7, Max: 7, Align: Right, Priority: 9, Explain: explainOwner}, cell: func(_ Input, l *model.Listener) Cell { return Plain(pid(l.Process)) },
			cmp: bySize(func(l *model.Listener) float64 { return optFloat(l.PID) })},
		{Head: Head{Title: "UNIT", Min: 12, Max: 28, Priority: 10, Explain: explainOwner}, cell: func(_ Input, l *model.Listener) Cell { return Styled(home(l.Process), Dim) }},
	},
}

func listenerKey(l *model.Listener) Key { return Key{Kind: ListenerRecord, ID: l.Conn, Name: l.Local} }

func listenerSubject(l *model.Listener) Subject {
	return Subject{Ports: ports(l.Local), PID: l.PID.Or(0), Comm: l.Comm, NetNS: l.NetNS, State: l.State, Text: strings.Join([]string{l.Local, l.Container, l.Unit, l.State}, " ")}
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

func listenerSYNQueue(_ Input, l *model.Listener) Cell {
	return depth(l.SYNQueue, l.Backlog, Normal)
}

// listenerAcceptQueue shows depth, limit and a bar; an exclamation mark says that it is full.
func listenerAcceptQueue(_ Input, l *model.Listener) Cell {
	style, mark := Normal, " "
	if Full(l) {
		style, mark = Bad, "!"
	}
	bar := ""
	if share := fullness(l); !math.IsNaN(share) {
		bar = " " + Bar(share, 5)
	}
	return append(depth(l.AcceptQueue, l.Backlog, style), Span{bar + mark, style})
}

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

func listenerRefused(in Input, l *model.Listener) Cell {
	n := Refused(l)
	switch {
	case n == 0 && !l.Overflows.Known: // nothing was seen, and not everything can be
		return Styled(None, Dim)
	case in.Hist.RefusedIn(l) > 0:
		return Styled(Count(n)+"!", Bad)
	case n > 0:
		return Styled(Count(n), Warning)
	}
	return Styled("0", Dim)
}

func listenerAcceptors(_ Input, l *model.Listener) Cell {
	switch len(l.Acceptors) {
	case 0:
		return Styled(None, Dim)
	case 1:
		a := l.Acceptors[0]
		return Plain(fmt.Sprintf("%s %d", Clean(a.Comm), a.TID))
	}
	return Plain(fmt.Sprintf("%d threads", len(l.Acceptors)))
}

// minute draws the accept queue of the last minute against its limit.
func minute(l *model.Listener, width int) string {
	values := make([]float64, len(l.History))
	for i, h := range l.History {
		values[i] = optFloat(h.AcceptQueue)
	}
	if len(values) == 0 {
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
