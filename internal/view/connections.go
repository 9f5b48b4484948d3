// SPDX-License-Identifier: Apache-2.0

package view

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

var connectionSheet = sheet[*model.Connection]{
	key:      connectionKey,
	target:   connectionKey,
	subjects: func(_ Input, c *model.Connection) []Subject { return []Subject{connectionSubject(c)} },
	columns: []column[*model.Connection]{
		{Head: Head{Title: "PROCESS", Min: 11, Max: 18, Up: true, Explain: explainOwner}, cell: func(_ Input, c *model.Connection) Cell { return Styled(comm(c.Process), Strong) },
			cmp: func(a, b *model.Connection) int { return cmp.Compare(a.Comm, b.Comm) }},
		{Head: Head{Title: "PID", Min: 7, Max: 7, Align: Right, Priority: 5, Explain: explainOwner}, cell: func(_ Input, c *model.Connection) Cell { return Plain(pid(c.Process)) },
			cmp: bySize(func(c *model.Connection) float64 { return optFloat(c.PID) })},
		{Head: Head{Title: "LOCAL", Min: 15, Max: 44, Up: true, Cut: CutMiddle, Explain: explainAddress}, cell: func(_ Input, c *model.Connection) Cell { return Plain(address(c.Local)) },
			cmp: func(a, b *model.Connection) int { return byAddress(a.Local, b.Local) }},
		{Head: Head{Title: "", Min: 1, Max: 1, Explain: explainRole}, cell: connectionArrow},
		{Head: Head{Title: "REMOTE", Min: 15, Max: 44, Up: true, Cut: CutMiddle, Explain: explainAddress}, cell: func(_ Input, c *model.Connection) Cell { return Plain(address(c.Remote)) },
			cmp: func(a, b *model.Connection) int { return byAddress(a.Remote, b.Remote) }},
		{Head: Head{Title: "STATE", Min: 12, Max: 12, Up: true, Explain: explainState}, cell: connectionState,
			cmp: func(a, b *model.Connection) int { return cmp.Compare(stateRank(a), stateRank(b)) }},
		{Head: Head{Title: "WAIT", Min: 7, Max: 7, Align: Right, Explain: explainWait}, cell: connectionWait,
			cmp: bySize(func(c *model.Connection) float64 { return optFloat(c.WaitNS) })},
		{Head: Head{Title: "RTT", Min: 6, Max: 7, Align: Right, Priority: 6, Explain: explainRTT}, cell: func(_ Input, c *model.Connection) Cell { return Plain(optDur(c.RTTNS)) },
			cmp: bySize(func(c *model.Connection) float64 { return optFloat(c.RTTNS) })},
		{Head: Head{Title: "IN", Min: 6, Max: 7, Align: Right, Priority: 4, Explain: explainBytes}, cell: func(_ Input, c *model.Connection) Cell { return Plain(optBytes(c.BytesIn)) },
			cmp: bySize(func(c *model.Connection) float64 { return optFloat(c.BytesIn) })},
		{Head: Head{Title: "OUT", Min: 6, Max: 7, Align: Right, Priority: 4, Explain: explainBytes}, cell: func(_ Input, c *model.Connection) Cell { return Plain(optBytes(c.BytesOut)) },
			cmp: bySize(func(c *model.Connection) float64 { return optFloat(c.BytesOut) })},
		{Head: Head{Title: "AGE", Min: 6, Max: 7, Align: Right, Explain: explainAge}, cell: connectionAge,
			cmp: func(a, b *model.Connection) int { return cmp.Compare(b.Opened, a.Opened) }},
		{Head: Head{Title: "HANDSHAKE", Min: 9, Max: 9, Align: Right, Priority: 7, Explain: explainHandshake}, cell: func(_ Input, c *model.Connection) Cell { return Plain(optDur(c.HandshakeNS)) },
			cmp: bySize(func(c *model.Connection) float64 { return optFloat(c.HandshakeNS) })},
		{Head: Head{Title: "RETRANS", Min: 7, Max: 7, Align: Right, Priority: 8, Explain: explainRetransmits}, cell: connectionRetransmits,
			cmp: bySize(func(c *model.Connection) float64 { return optFloat(c.Retransmits) })},
		{Head: Head{Title: "FD", Min: 4, Max: 6, Align: Right, Priority: 9, Explain: explainFD}, cell: func(_ Input, c *model.Connection) Cell { return Plain(optExact(c.FD)) },
			cmp: bySize(func(c *model.Connection) float64 { return optFloat(c.FD) })},
		{Head: Head{Title: "OPENED", Min: 12, Max: 12, Align: Right, Priority: 10, Explain: explainAge}, cell: connectionOpened,
			cmp: func(a, b *model.Connection) int { return cmp.Compare(b.Opened, a.Opened) }},
		{Head: Head{Title: "UNIT", Min: 12, Max: 28, Priority: 11, Explain: explainOwner}, cell: func(_ Input, c *model.Connection) Cell { return Styled(home(c.Process), Dim) }},
	},
}

func connectionKey(c *model.Connection) Key { return Key{Kind: ConnectionRecord, ID: c.Conn} }

func connectionSubject(c *model.Connection) Subject {
	return Subject{Ports: ports(c.Local, c.Remote), PID: c.PID.Or(0), Comm: c.Comm, NetNS: c.NetNS, Container: c.Container, Unit: c.Unit, State: c.State, Role: c.Role,
		Text: strings.Join([]string{c.Local, c.Remote, c.Reason, c.Container, c.Unit, stateText(c), ConnID(c.Conn), said(resyncing(c), "resyncing")}, " ")}
}

// byAddress orders by port, then by address.
func byAddress(a, b string) int {
	return cmp.Or(cmp.Compare(portOf(a), portOf(b)), cmp.Compare(a, b))
}

// ConnID writes a socket cookie the way all views name a connection.
func ConnID(cookie uint64) string { return strconv.FormatUint(cookie, 16) }

func address(a string) string {
	if a == "" {
		return None
	}
	return a
}

// connectionArrow points from the client to the server.
func connectionArrow(_ Input, c *model.Connection) Cell {
	switch c.Role {
	case event.RoleClient:
		return Styled("→", Accent)
	case event.RoleServer:
		return Styled("←", Accent)
	}
	return Styled(None, Dim)
}

// stateText names a state for people; a closed connection says why.
func stateText(c *model.Connection) string {
	switch {
	case c.State == model.StateAcceptQueue:
		return "accept queue"
	case c.State == model.StateClosed && c.Reason != "" && c.Reason != event.ReasonFIN:
		return "closed, " + strings.ReplaceAll(c.Reason, "_", " ")
	}
	return strings.ReplaceAll(c.State, "_", " ")
}

func stateStyle(c *model.Connection) Style {
	switch c.State {
	case model.StateAcceptQueue, model.StateConnecting:
		return Strong
	case model.StateClosed:
		if failed(c) {
			return Warning
		}
		return Dim
	}
	return Normal
}

// failed reports whether a connection ended otherwise than in good order.
func failed(c *model.Connection) bool {
	return c.State == model.StateClosed && c.Reason != "" && c.Reason != event.ReasonFIN
}

func connectionState(_ Input, c *model.Connection) Cell {
	text := stateText(c)
	if failed(c) {
		text = strings.TrimPrefix(text, "closed, ") // the reason says that it is over
	}
	if resyncing(c) {
		return Styled("resyncing", Warning)
	}
	return Styled(text, stateStyle(c))
}

// resyncing reports whether bytes of an open connection were missed, and its requests cannot be told from each other yet.
func resyncing(c *model.Connection) bool {
	return c.Resyncing && c.State == model.StateEstablished
}

// stateRank puts first what waits for somebody.
func stateRank(c *model.Connection) int {
	switch c.State {
	case model.StateAcceptQueue:
		return 0
	case model.StateConnecting:
		return 1
	case model.StateEstablished:
		return 2
	}
	if failed(c) {
		return 3
	}
	return 4
}

func connectionWait(in Input, c *model.Connection) Cell {
	if c.State != model.StateAcceptQueue || c.WaitNS.Known {
		return Plain(optDur(c.WaitNS))
	}
	for i := range in.Snap.Listeners {
		for _, w := range in.Snap.Listeners[i].Waiting {
			if w.Conn == c.Conn {
				return Styled(waitedFor(in, &w, ">")+"…", Strong) // still counting
			}
		}
	}
	return Styled("…", Dim)
}

func connectionAge(in Input, c *model.Connection) Cell {
	switch {
	case c.DurationNS.Known:
		return Styled(Dur(c.DurationNS.V), Dim)
	case c.Closed.Known:
		return Styled(Dur(c.Closed.V-c.Opened), Dim)
	case c.PreExisting:
		return Styled(">"+Dur(in.Snap.TS-c.Opened), Dim) // it was there before
	}
	return Plain(Dur(in.Snap.TS - c.Opened))
}

func connectionOpened(in Input, c *model.Connection) Cell {
	if c.PreExisting {
		return Styled("before start", Dim)
	}
	return Plain(in.clock().Time(c.Opened))
}

func connectionRetransmits(_ Input, c *model.Connection) Cell {
	if c.Retransmits.V > 0 {
		return Styled(fmt.Sprint(c.Retransmits.V), Warning)
	}
	return Styled(optCount(c.Retransmits), Dim)
}
