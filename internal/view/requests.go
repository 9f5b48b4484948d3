// SPDX-License-Identifier: Apache-2.0

package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"beltrace/collector/model"
)

var requestSheet = sheet[*model.Exchange]{
	key:      exchangeKey,
	target:   exchangeKey,
	subjects: func(_ Input, x *model.Exchange) []Subject { return []Subject{exchangeSubject(x)} },
	columns: []column[*model.Exchange]{
		{Head: Head{Title: "TIME", Min: 12, Max: 12, Explain: explainRequestTime}, cell: func(in Input, x *model.Exchange) Cell { return Styled(in.clock().Time(x.TS), Dim) },
			cmp: func(a, b *model.Exchange) int { return cmp.Compare(b.TS, a.TS) }},
		{Head: Head{Title: "REQUEST", Min: 12, Max: 60, Up: true, Explain: explainRequest}, cell: requestName,
			cmp: func(a, b *model.Exchange) int { return cmp.Compare(requestText(a), requestText(b)) }},
		{Head: Head{Title: "ST", Min: 3, Max: 3, Align: Right, Explain: explainStatus}, cell: requestStatus,
			cmp: bySize(func(x *model.Exchange) float64 { return float64(x.Status) })},
		{Head: Head{Title: "TOTAL", Min: 7, Max: 7, Align: Right, Explain: explainTotal}, cell: func(_ Input, x *model.Exchange) Cell { return Styled(optDur(x.TotalNS), Strong) },
			cmp: bySize(func(x *model.Exchange) float64 { return optFloat(x.TotalNS) })},
		{Head: Head{Title: "TTFB", Min: 7, Max: 7, Align: Right, Priority: 2, Explain: explainTTFB}, cell: func(_ Input, x *model.Exchange) Cell { return Plain(optDur(x.TTFBNS)) },
			cmp: bySize(func(x *model.Exchange) float64 { return optFloat(x.TTFBNS) })},
		{Head: Head{Title: "SLOWEST", Min: 20, Max: 28, Up: true, Explain: explainSlowest}, cell: requestSlowest,
			cmp: func(a, b *model.Exchange) int { return cmp.Compare(slowest(a).name, slowest(b).name) }},
		{Head: Head{Title: "BY", Min: 6, Max: 18, Up: true, Explain: explainOwner}, cell: func(_ Input, x *model.Exchange) Cell { return Plain(comm(x.Process)) },
			cmp: func(a, b *model.Exchange) int { return cmp.Compare(a.Comm, b.Comm) }},
		{Head: Head{Title: "TID", Min: 7, Max: 7, Align: Right, Priority: 3, Explain: explainOwner}, cell: func(_ Input, x *model.Exchange) Cell { return Plain(optExact(x.TID)) },
			cmp: bySize(func(x *model.Exchange) float64 { return optFloat(x.TID) })},
		{Head: Head{Title: "ACK", Min: 7, Max: 7, Align: Right, Priority: 4, Explain: explainAck}, cell: func(_ Input, x *model.Exchange) Cell { return Styled(ackText(x), Dim) },
			cmp: bySize(func(x *model.Exchange) float64 { return optFloat(x.AckNS) })},
		{Head: Head{Title: "CLIENT", Min: 15, Max: 30, Priority: 5, Up: true, Cut: CutMiddle, Explain: explainAddress}, cell: func(_ Input, x *model.Exchange) Cell { return Plain(address(x.Remote)) },
			cmp: func(a, b *model.Exchange) int { return byAddress(a.Remote, b.Remote) }},
	},
}

// ackText is how long after the last byte its acknowledgement came; over loopback that may be before the write returns.
func ackText(x *model.Exchange) string {
	if x.AckNS.Known && x.AckNS.V == 0 {
		return "at once"
	}
	return optDur(x.AckNS)
}

func ackLater(x *model.Exchange) string {
	if x.AckNS.Or(0) > 0 {
		return ackText(x) + " later"
	}
	return ackText(x)
}

func exchangeKey(x *model.Exchange) Key {
	return Key{Kind: ExchangeRecord, ID: x.Conn, Name: fmt.Sprint(x.Number)}
}

func exchangeSubject(x *model.Exchange) Subject {
	return Subject{Ports: ports(x.Local, x.Remote), PID: x.PID.Or(0), Comm: x.Comm, NetNS: x.NetNS, Container: x.Container, Unit: x.Unit,
		Text: strings.Join([]string{requestText(x), x.Protocol, fmt.Sprint(x.Status), slowest(x).name, ConnID(x.Conn)}, " ")}
}

// requestText is the request without its status.
func requestText(x *model.Exchange) string {
	if x.Method == "" && x.Path == "" {
		return x.Protocol
	}
	return strings.TrimSpace(x.Method + " " + x.Path)
}

func requestName(_ Input, x *model.Exchange) Cell {
	if x.Incomplete {
		return Cell{{Clean(requestText(x)), Normal}, {" cut off", Warning}}
	}
	return Plain(Clean(requestText(x)))
}

func requestStatus(_ Input, x *model.Exchange) Cell {
	switch {
	case x.Status == 0:
		return Styled(None, Dim)
	case x.Status >= 500:
		return Styled(fmt.Sprint(x.Status), Warning)
	}
	return Plain(fmt.Sprint(x.Status))
}

func requestSlowest(_ Input, x *model.Exchange) Cell {
	p := slowest(x)
	if p.ns == 0 {
		return Styled(None, Dim)
	}
	if !x.TotalNS.Known {
		return Plain(phaseText(p.name))
	}
	return Cell{{phaseText(p.name) + " ", Normal}, {Share(float64(p.ns) / float64(max(x.SeenNS(), 1))), Dim}}
}

// phase is a part of an exchange's time.
type phase struct {
	name string
	ns   int64
}

// phaseOrder is the order in which phases follow each other.
var phaseOrder = []string{"syn", "handshake", "accept_queue", "client_idle", "waiting", "wakeup", "runqueue", "read",
	"app.running", "app.runqueue", "app.blocked:", "write", "send", "unobserved"}

// phases returns the exchange's phases in their order.
func phases(x *model.Exchange) []phase {
	var out []phase
	for _, name := range phaseOrder {
		if ns := x.Phases[name]; ns > 0 {
			out = append(out, phase{name, ns})
		}
		if !strings.HasSuffix(name, ":") {
			continue
		}
		for _, what := range sortedKeys(x.Phases) {
			if strings.HasPrefix(what, name) && x.Phases[what] > 0 {
				out = append(out, phase{what, x.Phases[what]})
			}
		}
	}
	return out
}

func slowest(x *model.Exchange) phase {
	var top phase
	for _, p := range phases(x) {
		if p.ns > top.ns {
			top = p
		}
	}
	return top
}

// phaseText names a phase for people.
func phaseText(name string) string {
	if what, ok := strings.CutPrefix(name, "app.blocked:"); ok {
		return "blocked " + Clean(what)
	}
	if words, ok := phaseWords[name]; ok {
		return words[0]
	}
	return Clean(name)
}

// phaseWords names each phase and says what it is.
var phaseWords = map[string][2]string{
	"syn":          {"syn", "connect was called; the SYN is on its way, or was sent again"},
	"handshake":    {"handshake", "SYN to the final ACK: the kernel's work, no application code"},
	"accept_queue": {"accept queue", "connected; nobody called accept yet"},
	"client_idle":  {"client idle", "accepted; the client has sent nothing yet"},
	"waiting":      {"waiting", "bytes in the socket, the thread not told yet"},
	"wakeup":       {"wake-up", "the thread was told"},
	"runqueue":     {"run queue", "runnable, no CPU yet"},
	"read":         {"read", "on a CPU, until the request was read"},
	"app.running":  {"app running", "the application worked on it"},
	"app.runqueue": {"app run queue", "it could have worked, and had no CPU"},
	"write":        {"write", "from the first byte written to the last"},
	"send":         {"send", "written, but not sent yet: window, congestion, retransmission"},
	"unobserved":   {"unobserved", "not seen here"},
}

// routeName names a route, with the server's port where there are several servers.
func routeName(all []model.Route, r *model.Route) string {
	name := strings.TrimSpace(r.Method + " " + r.Route)
	if name == "" {
		name = r.Protocol
	}
	if slices.ContainsFunc(all, func(o model.Route) bool { return o.Listener != r.Listener }) {
		name += fmt.Sprintf(" :%d", portOf(r.Listener))
	}
	return name
}

// requestsFoot sums up by route: how many, and how long.
func requestsFoot(in Input, width, height int) []Line {
	routes := in.Snap.Routes
	if len(routes) == 0 {
		return nil
	}
	n := min(len(routes), max(2, height/4))
	name := max(12, min(40, width-51))
	out := []Line{{{pad("ROUTE", name), Accent}, {fmt.Sprintf("%7s %6s %8s %8s %8s %8s", "COUNT", "ERRORS", "p50", "p90", "p99", "max"), Accent}}}
	for i := range n {
		r := &routes[i]
		route := routeName(routes, r)
		style := Normal
		if r.Errors > 0 {
			style = Warning
		}
		out = append(out, Line{{pad(Plain(Clean(route)).cut(name-1, CutMiddle).String(), name), Strong}, {fmt.Sprintf("%7s ", Count(r.Count)), Normal}, {fmt.Sprintf("%6s ", Count(r.Errors)), style},
			{fmt.Sprintf("%8s %8s %8s %8s", optDur(r.TotalNS.P50), optDur(r.TotalNS.P90), optDur(r.TotalNS.P99), optDur(r.TotalNS.Max)), Normal}})
	}
	if more := len(routes) - n; more > 0 {
		out = append(out, Styled(fmt.Sprintf("and %s", Plural(more, "more route", "more routes")), Dim))
	}
	return out
}
