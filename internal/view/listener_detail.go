// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"
	"strings"

	"beltrace/collector/model"
)

// waitingShown is how many waiting connections a listener's detail names.
const waitingShown = 12

func openListener(in Input, l *model.Listener, width int) *Detail {
	d := &Detail{Title: Line{{comm(l.Process) + " ", Strong}, {l.Local, Normal}, {"  " + l.State, Dim}}}
	listenerFacts(d, in, l, width)
	waitingSection(d, in, l)
	acceptorSection(d, l)
	distributionSection(d, "WAIT IN THE ACCEPT QUEUE", l.WaitNS, width)
	if len(l.History) > 0 {
		d.section("ACCEPT QUEUE, LAST MINUTE")
		d.add(Plain(minute(l, 60)))
	}
	return d
}

func listenerFacts(d *Detail, in Input, l *model.Listener, width int) {
	d.fact("process", owner(l.Process)...)
	backlog := Line{{optCount(l.Backlog), Strong}}
	if l.BacklogAsked.Known && l.Backlog.Known && l.BacklogAsked.V > l.Backlog.V {
		backlog = append(backlog, Span{fmt.Sprintf("  ! listen asked for %d, net.core.somaxconn allows %d", l.BacklogAsked.V, l.Backlog.V), Warning})
	} else if l.BacklogAsked.Known {
		backlog = append(backlog, Span{"  as listen asked", Dim})
	}
	d.fact("backlog", backlog...)
	queue := depth(l.AcceptQueue, l.Backlog, Normal)
	if Full(l) {
		queue = append(depth(l.AcceptQueue, l.Backlog, Bad), Span{"  ! full: the kernel refuses connections", Bad})
	}
	d.fact("accept queue", queue...)
	d.fact("SYN queue", depth(l.SYNQueue, l.Backlog, Normal)...)
	d.fact("rates", Span{Rate(l.ArrivalsPerSec), Strong}, Span{"/s arrive, ", Dim}, Span{Rate(l.AcceptsPerSec), Strong}, Span{"/s are accepted", Dim})
	d.fact("since start", Span{Count(l.Established), Normal}, Span{" established, ", Dim}, Span{Count(l.Accepted), Normal}, Span{" accepted", Dim})
	d.fact("refused", refusedLine(in, l)...)
	d.fact("handshake", Span{"p50 ", Dim}, Span{optDur(l.HandshakeNS.P50), Normal}, Span{"  p99 ", Dim}, Span{optDur(l.HandshakeNS.P99), Normal})
	d.fact("netns", Span{netns(l.NetNS), Normal}, Span{"   listener " + ConnID(l.Conn), Dim})
	if l.PreExisting {
		d.fact("listening", Span{"since before beltrace started", Dim})
	} else {
		d.fact("listening", Span{"since " + in.clock().Time(l.Opened), Dim})
	}
	name := "not exact"
	for _, text := range Wrap(unknownFacts(l.Fidelity), width-factName-1) {
		if text != "" {
			d.fact(name, Span{text, Dim})
			name = ""
		}
	}
}

func refusedLine(in Input, l *model.Listener) Line {
	var parts []string
	for _, reason := range sortedKeys(l.SYNDrops) {
		parts = append(parts, Count(l.SYNDrops[reason])+" "+strings.ReplaceAll(Clean(reason), "_", " "))
	}
	out := listenerRefused(in, l)
	if len(parts) > 0 {
		out = append(out, Span{"  " + strings.Join(parts, ", "), Normal})
	}
	return out
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
	d.section(fmt.Sprintf("WAITING NOW  %d, the oldest for %s", len(l.Waiting), Dur(in.Snap.TS-l.Waiting[0].Since)))
	for _, w := range l.Waiting[:min(len(l.Waiting), waitingShown)] {
		d.link(Line{{fmt.Sprintf("%7s", Dur(in.Snap.TS-w.Since)), Strong}, {"  " + w.Remote, Normal}}, Key{Kind: ConnectionRecord, ID: w.Conn})
	}
	if more := len(l.Waiting) - waitingShown; more > 0 {
		d.add(Styled(fmt.Sprintf("         and %d more: page 3, filter state:accept_queue", more), Dim))
	}
}

func acceptorSection(d *Detail, l *model.Listener) {
	d.section("ACCEPTORS")
	if len(l.Acceptors) == 0 {
		d.add(Styled("no thread was seen to call accept", Dim))
	}
	var all uint64
	for _, a := range l.Acceptors {
		all += a.Accepts
	}
	for _, a := range l.Acceptors {
		line := Line{{pad(Clean(a.Comm), factName+1), Strong}, {fmt.Sprintf("tid %-8d", a.TID), Normal}, {fmt.Sprintf("%8s", Count(a.Accepts)), Strong}, {" accepts", Dim}}
		if all > 0 && len(l.Acceptors) > 1 {
			share := float64(a.Accepts) / float64(all)
			line = append(line, Span{"  " + Bar(share, 10) + " " + Share(share), Normal})
		}
		for _, errno := range sortedKeys(a.Errors) {
			line = append(line, Span{"  " + Count(a.Errors[errno]) + " " + Clean(errno), Warning})
		}
		d.add(line)
	}
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
