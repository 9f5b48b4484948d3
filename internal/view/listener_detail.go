// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"strings"

	"beltrace/collector/model"
)

// waitingShown is how many waiting connections a listener's detail names.
const waitingShown = 12

// listenerSince says since when it listens, or when it began to.
func listenerSince(in Input, l *model.Listener) string {
	opened, older := in.clock().Time(l.Opened), "before beltrace started"
	switch {
	case l.State == model.StateClosed && l.PreExisting:
		return ", opened " + older
	case l.State == model.StateClosed:
		return ", opened at " + opened
	case l.PreExisting:
		return " since " + older
	}
	return " since " + opened
}

func openListener(in Input, l *model.Listener, width int) *Detail {
	d := &Detail{Title: Line{{comm(l.Process) + " ", Strong}, {l.Local, Normal}, {"  " + l.State + listenerSince(in, l), Dim}}}
	now, ended := findingsOf(in.Snap, l)
	if findingLinks(d, now, width); len(now) > 0 {
		d.add(nil)
	}
	listenerFacts(d, in, l)
	waitingSection(d, in, l)
	acceptorSection(d, in, l, width)
	distributionSection(d, "WAIT IN THE ACCEPT QUEUE", l.WaitNS, width)
	minuteSection(d, l)
	socketSection(d, l, width)
	spaceSection(d, in, l)
	if len(ended) > 0 {
		d.section("WHAT WAS WRONG WITH IT")
		findingLinks(d, ended, width)
	}
	return d
}

// findingsOf returns what is wrong with the listener now, and what has ended.
func findingsOf(s *model.Snapshot, l *model.Listener) (now, ended []*model.Finding) {
	for i := range s.Findings {
		switch f := &s.Findings[i]; {
		case f.Listener != model.Some(l.Conn):
		case f.Until.Known:
			ended = append(ended, f)
		default:
			now = append(now, f)
		}
	}
	return now, ended
}

// findingLinks names findings; Enter shows why.
func findingLinks(d *Detail, all []*model.Finding, width int) {
	for _, f := range all {
		line := Line{{severityMark(f) + " ", findingStyle(f, Strong)}, {Clean(f.ID) + "  ", findingStyle(f, Strong)}, {Clean(f.Text), findingStyle(f, Normal)}}
		d.link(line.Fit(width-1), findingKey(f))
	}
}

func listenerFacts(d *Detail, in Input, l *model.Listener) {
	d.fact("process", owner(l.Process)...)
	d.fact("backlog", backlogLine(in.Snap, l)...)
	queue := depth(l.AcceptQueue, l.Backlog, Normal)
	if Full(l) {
		queue = append(depth(l.AcceptQueue, l.Backlog, Bad), Span{"  ! full: the kernel refuses connections", Bad})
	}
	d.fact("accept queue", queue...)
	d.fact("SYN queue", synQueueLine(l)...)
	d.fact("rates", Span{Rate(l.ArrivalsPerSec), Strong}, Span{"/s arrive, ", Dim}, Span{Rate(l.AcceptsPerSec), Strong}, Span{"/s are accepted; since start ", Dim},
		Span{Count(l.Established), Normal}, Span{" and ", Dim}, Span{Count(l.Accepted), Normal})
	d.fact("refused", refusedLine(in, l)...)
	if l.ResetWaiting > 0 {
		d.fact("reset", Span{Count(l.ResetWaiting), Warning}, Span{" that waited when it closed", Normal})
	}
}

// socketSection says the rest of what is known of the socket.
func socketSection(d *Detail, l *model.Listener, width int) {
	d.section("THE SOCKET")
	d.fact("handshake", Span{"p50 ", Dim}, Span{optDur(l.HandshakeNS.P50), Normal}, Span{"  p99 ", Dim}, Span{optDur(l.HandshakeNS.P99), Normal})
	d.fact("netns", Span{netns(l.NetNS), Normal}, Span{"   listener " + ConnID(l.Conn), Dim})
	if l.SkDrops.Known {
		d.fact("sk_drops", Span{Count(l.SkDrops.V), Normal}, Span{"  the socket's own counter since listen: most kernels count a final ACK twice", Dim})
	}
	name := "not exact"
	for _, text := range Wrap(unknownFacts(l.Fidelity), width-factName-1) {
		if text != "" {
			d.fact(name, Span{text, Dim})
			name = ""
		}
	}
}

// backlogLine says what limits the queues, and whether listen got what it asked for.
func backlogLine(s *model.Snapshot, l *model.Listener) Line {
	out := Line{{optExact(l.Backlog), Strong}}
	limit := "net.core.somaxconn"
	if n := findSpace(s, l.NetNS); n != nil && n.SomaxConn.Known {
		limit = fmt.Sprintf("somaxconn is %d", n.SomaxConn.V)
	}
	switch {
	case !l.BacklogAsked.Known:
		return out
	case l.Backlog.Known && uint32(l.BacklogAsked.V) > l.Backlog.V:
		return append(out, Span{fmt.Sprintf("  ! listen asked for %d, %s", l.BacklogAsked.V, limit), Warning})
	}
	return append(out, Span{"  as listen asked", Dim})
}

// synQueueLine says how many handshakes are not complete, and what became of those for which there was no room.
func synQueueLine(l *model.Listener) Line {
	out := depth(l.SYNQueue, l.Backlog, Normal)
	say := func(text string, style Style) { out = append(out, Span{"  " + text, style}) }
	if l.SYNYoung.Known && l.SYNYoung.V < l.SYNQueue.V {
		say(Count(uint64(l.SYNQueue.V-l.SYNYoung.V))+" not answered", Normal)
	}
	if l.SYNACKAgain > 0 {
		say("SYN-ACKs sent again "+Count(l.SYNACKAgain), Normal)
	}
	if l.CookiesSent.V > 0 {
		say("cookies sent "+Count(l.CookiesSent.V)+", came back "+optCount(l.CookiesOK), Warning)
	}
	return out
}

// minuteSection draws both queues of the last minute.
func minuteSection(d *Detail, l *model.Listener) {
	if len(l.History) == 0 {
		return
	}
	d.section("LAST MINUTE, against the backlog")
	d.fact("accept queue", Span{minute(l, 60), Normal})
	d.fact("SYN queue", Span{seconds60(l, 60, func(q model.QueueSample) model.Opt[uint32] { return q.SYNQueue }), Normal})
}

func waitingSection(d *Detail, in Input, l *model.Listener) {
	if len(l.Waiting) == 0 {
		d.section("WAITING NOW")
		if l.AcceptQueue.V > 0 {
			d.add(Styled(Count(uint64(l.AcceptQueue.V))+" connections, older than beltrace or not seen one by one", Dim))
		} else {
			d.add(Styled("nobody", Dim))
		}
		return
	}
	all := max(len(l.Waiting), int(l.AcceptQueue.V)) // the list is bounded
	d.section(fmt.Sprintf("WAITING NOW  %d, the oldest for %s", all, waitedFor(in, &l.Waiting[0], "more than ")))
	shown := l.Waiting[:min(len(l.Waiting), waitingShown)]
	for i := range shown {
		d.link(Line{{fmt.Sprintf("%7s", waitedFor(in, &shown[i], ">")), Strong}, {"  " + shown[i].Remote, Normal}}, Key{Kind: ConnectionRecord, ID: shown[i].Conn})
	}
	if more := all - len(shown); more > 0 {
		d.add(Styled(fmt.Sprintf("         and %d more: page 3, filter state:accept_queue", more), Dim))
	}
}

// waitedFor is how long a connection has waited, after a word for more where only that is known.
func waitedFor(in Input, w *model.Waiting, more string) string {
	if !w.PreExisting {
		more = ""
	}
	return more + Dur(in.Snap.TS-w.Since)
}

// spaceSection shows the counters of the listener's network namespace, which count for all listeners in it.
func spaceSection(d *Detail, in Input, l *model.Listener) {
	n := findSpace(in.Snap, l.NetNS)
	if n == nil {
		return
	}
	d.section("NETWORK NAMESPACE " + netns(n.NetNS) + ", all its listeners together")
	d.fact("refused", Span{optCount(n.ListenDrops), Normal}, Span{"  of them accept queue full ", Dim}, Span{optCount(n.ListenOverflows), Normal},
		Span{"  SYN queue full ", Dim}, Span{optCount(n.ReqQFullDrop), Normal})
	if reasons := reasonsText(refusals(n.Unplaced, n.UnplacedReasons)); reasons != "" {
		d.fact("not placed", Span{reasons, Warning}, Span{"  refused, it is not known at which listener", Dim})
	}
	d.fact("SYN cookies", Span{optCount(n.SyncookiesSent), Normal}, Span{" sent, ", Dim}, Span{optCount(n.SyncookiesRecv), Normal}, Span{" came back, ", Dim},
		Span{optCount(n.SyncookiesFailed), Normal}, Span{" were wrong", Dim})
	d.fact("settings", Span{"somaxconn ", Dim}, Span{optExact(n.SomaxConn), Normal}, Span{"  tcp_max_syn_backlog ", Dim}, Span{optExact(n.MaxSYNBacklog), Normal},
		Span{"  tcp_syncookies ", Dim}, Span{optExact(n.SYNCookies), Normal}, Span{"  abort_on_overflow ", Dim}, Span{optExact(n.AbortOnOverflow), Normal})
}

func findSpace(s *model.Snapshot, number uint32) *model.Namespace {
	for i := range s.Namespaces {
		if s.Namespaces[i].NetNS == number {
			return &s.Namespaces[i]
		}
	}
	return nil
}

// distributionSection draws a distribution: its quantiles, and how many values fell into each power of two.
func distributionSection(d *Detail, title string, v model.Distribution, width int) {
	d.section(title)
	if v.Count == 0 {
		d.add(Styled("no value yet", Dim))
		return
	}
	d.add(Line{{"p50 ", Dim}, {optDur(v.P50), Strong}, {"  p90 ", Dim}, {optDur(v.P90), Normal}, {"  p99 ", Dim}, {optDur(v.P99), Strong}, {"  max ", Dim}, {optDur(v.Max), Normal},
		{"  of " + Count(v.Count), Dim}})
	for _, l := range histogram(v.Buckets, min(width-32, 50)) {
		d.add(l)
	}
}

// histogram draws a line for each power of two between the first and the last that has values.
func histogram(buckets []uint64, width int) []Line {
	first, last, most := -1, -1, uint64(0)
	for i, n := range buckets {
		if n == 0 {
			continue
		}
		if first < 0 {
			first = i
		}
		last, most = i, max(most, n)
	}
	if first < 0 {
		return nil
	}
	var out []Line
	for i := first; i <= last; i++ {
		n := int(float64(buckets[i])/float64(most)*float64(max(width, 10)) + 0.5)
		if n == 0 && buckets[i] > 0 {
			n = 1
		}
		out = append(out, Line{{fmt.Sprintf("%7s … %-7s", Dur(1<<i), Dur(1<<(i+1))), Dim}, {" " + strings.Repeat("▇", n), Accent}, {" " + Count(buckets[i]), Normal}})
	}
	return out
}
