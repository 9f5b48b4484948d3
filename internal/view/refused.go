// SPDX-License-Identifier: Apache-2.0

package view

import (
	"maps"
	"strings"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

// refusals counts what was refused by reason, in words for people. What has no reason of its own goes by the kernel's name
// for it, where there is one: NETFILTER_DROP.
func refusals(reasons, names map[string]uint64) map[string]uint64 {
	out := map[string]uint64{}
	other := reasons[event.ReasonOther]
	for _, name := range sortedKeys(names) {
		n := min(names[name], other)
		out[Clean(name)] += n
		other -= n
	}
	for reason, n := range reasons {
		if reason == event.ReasonOther {
			n = other
		}
		out[strings.ReplaceAll(Clean(reason), "_", " ")] += n
	}
	maps.DeleteFunc(out, func(_ string, n uint64) bool { return n == 0 })
	return out
}

// reasonsText lists refusals: 212 accept queue full, 2 NETFILTER_DROP.
func reasonsText(refused map[string]uint64) string {
	var parts []string
	for _, reason := range sortedKeys(refused) {
		parts = append(parts, Count(refused[reason])+" "+reason)
	}
	return strings.Join(parts, ", ")
}

// mainReason names the most frequent reason of refusals, "" if there is none.
func mainReason(refused map[string]uint64) string {
	most := ""
	for _, reason := range sortedKeys(refused) {
		if most == "" || refused[reason] > refused[most] {
			most = reason
		}
	}
	return most
}

func listenerRefused(in Input, l *model.Listener) Cell {
	n := Refused(l)
	switch {
	case n == 0 && !l.Overflows.Known && !l.Drops.Known: // nothing was seen, and not everything can be
		return Styled(None, Dim)
	case in.Hist.RefusedIn(l) > 0:
		return Styled(Count(n)+"!", Bad)
	case n > 0:
		return Styled(Count(n), Warning)
	}
	return Styled("0", Dim)
}

func refusedLine(in Input, l *model.Listener) Line {
	out := listenerRefused(in, l)
	if reasons := reasonsText(refusals(l.SYNDrops, l.DropReasons)); reasons != "" {
		out = append(out, Span{"  " + reasons, Normal})
	}
	var acks uint64
	for _, n := range l.ACKDrops {
		acks += n
	}
	if acks > 0 {
		out = append(out, Span{"; " + Count(acks) + " at the final ACK", Normal})
	}
	return out
}

// refused is what was refused at a listener, or in a namespace at nobody knows which.
type refused struct {
	where Cell
	key   Key
	why   map[string]uint64
}

func allRefused(in Input) (out []refused) {
	add := func(where Cell, key Key, why map[string]uint64) {
		if len(why) > 0 {
			out = append(out, refused{where, key, why})
		}
	}
	for i := range in.Snap.Listeners {
		l := &in.Snap.Listeners[i]
		add(listenerName(in, l), listenerKey(l), refusals(l.SYNDrops, l.DropReasons))
	}
	for i := range in.Snap.Namespaces {
		n := &in.Snap.Namespaces[i]
		add(Plain("netns "+netns(n.NetNS)+", not known which"), Key{ID: uint64(n.NetNS)}, refusals(n.Unplaced, n.UnplacedReasons))
	}
	return out
}

// refusedSheet is a table of reports only.
var refusedSheet = sheet[refused]{
	key:    func(r refused) Key { return r.key },
	target: func(r refused) Key { return r.key },
	columns: []column[refused]{
		{Head: Head{Title: "LISTENER", Min: 10, Max: 40, Cut: CutMiddle}, cell: func(_ Input, r refused) Cell { return r.where }},
		{Head: Head{Title: "REFUSED, BY REASON", Min: 18, Max: 100}, cell: func(_ Input, r refused) Cell { return Plain(reasonsText(r.why)) }},
	},
}
