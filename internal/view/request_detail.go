// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"slices"
	"strings"

	"beltrace/collector/model"
)

func findExchange(s *model.Snapshot, key Key) *model.Exchange {
	for i := range s.Exchanges {
		if exchangeKey(&s.Exchanges[i]) == key {
			return &s.Exchanges[i]
		}
	}
	return nil
}

// openExchange is the timeline of a request: each phase as a bar that is proportional to its time.
func openExchange(in Input, x *model.Exchange, width int) *Detail {
	title := Line{{Clean(requestText(x)) + "  ", Strong}}
	if x.Status != 0 {
		title = append(title, Span{fmt.Sprintf("%d  ", x.Status), Normal})
	}
	title = append(title, Span{optDur(x.TotalNS), Strong}, Span{"  " + address(x.Remote) + " → " + address(x.Local), Normal})
	d := &Detail{Title: title}
	timeline(d, x, width)
	laneSection(d, x, width)
	d.add(nil)
	d.fact("first byte", Span{optDur(x.TTFBNS), Strong}, Span{"   last byte ", Dim}, Span{optDur(x.TotalNS), Strong}, Span{"   acknowledged ", Dim}, Span{ackLater(x), Normal})
	served := owner(x.Process)
	if x.TID.Known {
		served = append(served, Span{fmt.Sprintf("  tid %d", x.TID.V), Normal})
	}
	d.fact("served by", served...)
	d.fact("ended", Span{in.clock().Time(x.TS), Normal})
	confidence(d, x, width)
	exchangeLinks(d, in, x)
	loopLink(d, in, x)
	ringLink(d, in, x)
	stackSection(d, in, x, width)
	routeSection(d, in, x)
	return d
}

// ruler is where the parts of a timeline stand.
type ruler struct {
	bars, words int
	scale       float64 // cells a nanosecond
}

// Columns of a timeline.
const (
	rulerName   = 24
	rulerNumber = 9
)

func rulerOf(x *model.Exchange, width int) ruler {
	r := ruler{bars: max(10, min(40, width-rulerName-rulerNumber-4))}
	r.words = width - rulerName - rulerNumber - r.bars - 4
	r.scale = float64(r.bars) / float64(max(x.SeenNS(), 1))
	return r
}

// add adds a part of a timeline: its name, its time, its bar, and in words what it is.
func (r ruler) add(d *Detail, name, number, bar string, style Style, words string, to Key) {
	line := Line{{pad(head(name, rulerName-1), rulerName), style}, {fmt.Sprintf("%*s  ", rulerNumber, number), style}, {pad(head(bar, r.bars), r.bars), style}}
	d.link(line, to)
	if r.words < 20 || words == "" {
		return
	}
	last := &d.Lines[len(d.Lines)-1]
	for i, text := range Wrap(words, r.words) {
		if i == 0 {
			last.Line = append(last.Line, Span{"  " + text, Dim})
		} else {
			d.link(Styled(strings.Repeat(" ", line.Width()+2)+text, Dim), to)
		}
	}
}

// timeline draws the phases, and below the application's what the server said about it. The bars start where the one before
// ends.
func timeline(d *Detail, x *model.Exchange, width int) {
	r := rulerOf(x, width)
	all := phases(x)
	longest := slowest(x)
	marks := false
	var before int64
	for _, p := range all {
		if !marks && before > 0 && afterApplication(p.name) {
			marks = true
			r.marks(d, x)
		}
		from, long := int(float64(before)*r.scale), int(float64(p.ns)*r.scale+0.5)
		before += p.ns
		style, char := Normal, "▇"
		if p == longest {
			style = Strong
		}
		if p.name == "unobserved" {
			style, char = Dim, "?"
		}
		bar := strings.Repeat(" ", min(from, r.bars-1)) + strings.Repeat(char, long)
		if long == 0 {
			bar = strings.Repeat(" ", min(from, r.bars-1)) + "▏"
		}
		r.add(d, phaseText(p.name), Dur(p.ns), bar, style, phaseWords[p.name][1], phaseKey(x, p.name))
	}
	if !marks {
		r.marks(d, x)
	}
	if len(all) == 0 {
		d.add(Styled("no time passed that could be measured", Dim))
	}
}

// afterApplication reports whether a phase comes after the application's.
func afterApplication(phase string) bool {
	return phase == "write" || phase == "send" || phase == "unobserved"
}

// marks draws what the server said it did, each name in a line, at its own moments.
func (r ruler) marks(d *Detail, x *model.Exchange) {
	var names []string
	for _, s := range x.MarkSpans {
		if !slices.Contains(names, s.Name) {
			names = append(names, s.Name)
		}
	}
	for _, name := range names {
		bar := []rune(strings.Repeat(" ", r.bars))
		for _, s := range x.MarkSpans {
			from := min(int(float64(s.FromNS)*r.scale), r.bars-1)
			to := min(int(float64(s.FromNS+s.NS)*r.scale+0.5), r.bars)
			if s.Name == name && to <= from && bar[from] == ' ' {
				bar[from] = '▏'
			}
			for i := from; s.Name == name && i < to; i++ {
				bar[i] = '─'
			}
		}
		r.add(d, "  mark "+Clean(name), Dur(x.Marks[name]), string(bar), Accent, "said by the server itself", Key{})
	}
}

// confidence says how the request was put together, in as many lines as that takes.
func confidence(d *Detail, x *model.Exchange, width int) {
	text := map[string]string{
		"stream position": "bytes joined by their position in the stream",
		"thread":          "the application's time is that of the thread that read and answered",
		"guess":           "an end or another thread was concluded, not seen",
	}[x.Confidence]
	if x.Incomplete {
		text += "; the connection ended first"
	}
	line := Line{{pad("confidence", factName), Dim}, {x.Confidence + "  ", Normal}}
	indent := Span{Text: strings.Repeat(" ", line.Width())}
	for _, words := range Wrap(text, width-1-line.Width()) {
		d.add(append(line, Span{words, Dim}))
		line = Line{indent}
	}
}

func exchangeLinks(d *Detail, in Input, x *model.Exchange) {
	to := Line{{pad("connection", factName), Dim}, {ConnID(x.Conn), Normal}}
	if findConnection(in.Snap, x.Conn) != nil {
		d.link(append(to, Span{"  Enter opens it", Dim}), Key{Kind: ConnectionRecord, ID: x.Conn})
	} else {
		d.add(to)
	}
	if !x.Listener.Known {
		return
	}
	if l := findListener(in.Snap, x.Listener.V); l != nil {
		d.link(Line{{pad("listener", factName), Dim}, {comm(l.Process) + " ", Strong}, {l.Local, Normal}, {"  Enter opens it", Dim}}, listenerKey(l))
	}
}

// loopLink leads to the event loop whose thread read the request.
func loopLink(d *Detail, in Input, x *model.Exchange) {
	if l := loopThatServed(in.Snap, x); l != nil {
		d.link(Line{{pad("event loop", factName), Dim}, {Clean(l.Comm) + " ", Strong}, {loopNumber(l) + " " + loopPlace(l), Normal}, {"  Enter opens it", Dim}}, keyOfLoop(l))
	}
}

// routeSection compares the request with the others of its route.
func routeSection(d *Detail, in Input, x *model.Exchange) {
	r := routeOf(in.Snap, x)
	if r == nil || r.Count < 2 {
		return
	}
	d.section(fmt.Sprintf("ROUTE  %s, %s", Clean(routeName(in.Snap.Routes, r)), Plural(int(r.Count), "request", "requests")))
	line := func(name string, t model.Distribution, style Style) {
		d.add(Line{{pad(head(name, 23), 24), style}, {fmt.Sprintf("%9s %9s %9s %9s", optDur(t.P50), optDur(t.P90), optDur(t.P99), optDur(t.Max)), style}})
	}
	d.add(Styled(pad("", 24)+fmt.Sprintf("%9s %9s %9s %9s", "p50", "p90", "p99", "max"), Dim))
	line("total", r.TotalNS, Strong)
	for _, p := range routePhases(r) {
		line(phaseText(p), r.Phases[p], Normal)
	}
	for _, name := range sortedKeys(r.Marks) {
		line("mark "+Clean(name), r.Marks[name], Accent)
	}
}

// routePhases are the route's phases in their order.
func routePhases(r *model.Route) []string {
	all := model.Exchange{Phases: map[string]int64{}}
	for p := range r.Phases {
		all.Phases[p] = 1
	}
	var out []string
	for _, p := range phases(&all) {
		out = append(out, p.name)
	}
	return out
}

func routeOf(s *model.Snapshot, x *model.Exchange) *model.Route {
	for i := range s.Routes {
		if r := &s.Routes[i]; r.Protocol == x.Protocol && r.Method == x.Method && r.Route == x.Route && r.Listener == x.Server {
			return r
		}
	}
	return nil
}

// explainExchange says where the time went, and what the kernel did meanwhile.
func explainExchange(x *model.Exchange) string {
	p := slowest(x)
	if p.ns == 0 {
		return ""
	}
	text := fmt.Sprintf("%s of %s went to %q", Dur(p.ns), optDur(x.TotalNS), phaseText(p.name))
	if !x.TotalNS.Known {
		text = fmt.Sprintf("It was never answered. %s went to %q", Dur(p.ns), phaseText(p.name))
	}
	if w := phaseWords[p.name]; w[1] != "" {
		text += ": " + w[1]
	}
	return text + ". " + phaseCause(p.name)
}

// phaseCause says what makes a phase long.
func phaseCause(name string) string {
	switch name {
	case "syn":
		return "A SYN that is not answered is sent again after about a second: the listener's queues were full, or the way is long."
	case "accept_queue":
		return "The kernel finished the handshake by itself (inet_csk_complete_hashdance); accept() was called too rarely. Page 2 shows who accepts and what it does in between."
	case "client_idle":
		return "The server could do nothing: the client had connected before it had something to say."
	case "waiting", "wakeup":
		return "The thread that reads was busy with something else, or another one had to hand the news on (an event loop's turn)."
	case "runqueue", "app.runqueue":
		return "More threads want to run than there are CPUs (sched_wakeup to sched_switch). Page 7 shows which."
	case "app.running":
		return "The application used the CPU. While a request is open, live, samples (perf_event) say in which code."
	case "send":
		return "The peer's window or the congestion window was full (tcp_write_xmit), or segments were lost."
	case "unobserved":
		return "The threads were not watched, or another one than the reader answered: nothing is claimed about it."
	}
	if strings.HasPrefix(name, "app.blocked:") {
		return "The thread slept in this system call (sched_switch) before it answered: on a lock, a timer, a disk, or another server."
	}
	return ""
}
