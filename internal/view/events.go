// SPDX-License-Identifier: Apache-2.0

package view

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"beltrace/collector/model"
)

var eventSheet = sheet[*model.EventLine]{
	key: func(e *model.EventLine) Key {
		return Key{Kind: EventRecord, ID: uint64(e.TS), Name: fmt.Sprint(e.Kind, " ", e.Conn, " ", e.PID)}
	},
	target: func(e *model.EventLine) Key { return Key{Kind: ConnectionRecord, ID: e.Conn} },
	subjects: func(_ Input, e *model.EventLine) []Subject {
		return []Subject{{PID: e.PID, Comm: e.Comm, NetNS: e.NetNS, Container: e.Container, Unit: e.Unit, Role: e.Role, Event: e.Kind, Ports: portsIn(e.Text), Text: e.Kind + " " + e.Text + " " + ConnID(e.Conn)}}
	},
	columns: []column[*model.EventLine]{
		{Head: Head{Title: "TIME", Min: 12, Max: 14, Explain: explainTime}, cell: func(in Input, e *model.EventLine) Cell { return Styled(in.clock().Time(e.TS), Dim) },
			cmp: func(a, b *model.EventLine) int { return cmp.Compare(b.TS, a.TS) }},
		{Head: Head{Title: "EVENT", Min: 11, Max: 12, Up: true, Explain: explainEvent}, cell: func(_ Input, e *model.EventLine) Cell { return Styled(e.Kind, eventStyle(e.Kind)) },
			cmp: func(a, b *model.EventLine) int { return cmp.Compare(a.Kind, b.Kind) }},
		{Head: Head{Title: "PID", Min: 7, Max: 7, Align: Right, Priority: 2, Explain: explainOwner}, cell: eventPID,
			cmp: func(a, b *model.EventLine) int { return cmp.Compare(a.PID, b.PID) }},
		{Head: Head{Title: "PROCESS", Min: 12, Max: 16, Up: true, Explain: explainOwner}, cell: eventComm,
			cmp: func(a, b *model.EventLine) int { return cmp.Compare(a.Comm, b.Comm) }},
		{Head: Head{Title: "CONN", Min: 6, Max: 16, Priority: 4, Explain: explainCookie}, cell: eventConn},
		{Head: Head{Title: "WHAT", Min: 20, Max: 120, Explain: explainEvent}, cell: func(_ Input, e *model.EventLine) Cell { return Plain(Clean(e.Text)) }},
	},
}

func eventPID(_ Input, e *model.EventLine) Cell {
	if e.PID == 0 {
		return Styled(None, Dim)
	}
	return Plain(fmt.Sprint(e.PID))
}

func eventComm(_ Input, e *model.EventLine) Cell {
	if e.Comm == "" {
		return Styled(None, Dim)
	}
	return Plain(Clean(e.Comm))
}

func eventConn(_ Input, e *model.EventLine) Cell {
	if e.Conn == 0 {
		return Styled(None, Dim)
	}
	return Styled(ConnID(e.Conn), Dim)
}

// eventStyle tells trouble from the usual.
func eventStyle(kind string) Style {
	switch kind {
	case "lost", "reset", "syn_drop":
		return Bad
	case "retransmit":
		return Warning
	case "accept", "established":
		return Strong
	}
	return Normal
}

// newestFirst returns the events as the page shows them.
func newestFirst(events []model.EventLine) []*model.EventLine {
	out := pointers(events)
	slices.Reverse(out)
	return out
}

func pointers[T any](list []T) []*T {
	out := make([]*T, len(list))
	for i := range list {
		out[i] = &list[i]
	}
	return out
}

// portsIn returns the ports of the addresses in a text.
func portsIn(text string) []uint16 {
	var out []uint16
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ' ' || r == ',' }) {
		if a, err := netip.ParseAddrPort(word); err == nil && a.Port() != 0 {
			out = append(out, a.Port())
		}
	}
	return out
}
