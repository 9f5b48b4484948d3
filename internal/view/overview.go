// SPDX-License-Identifier: Apache-2.0

package view

import (
	"fmt"

	"beltrace/collector/model"
)

// Below the belt stand so many problems at most, each in so many lines at most, a single one in one more.
const (
	footProblems = 3
	problemLines = 2
)

// overviewFoot is what stands below the belt: what goes wrong, as far as the page is high enough, then the totals.
func overviewFoot(in Input, width, height int) []Line {
	problems := Problems(in)
	shown := max(0, min(len(problems), footProblems, (height-8)/4))
	var out []Line
	for _, p := range problems[:shown] {
		most := problemLines
		if shown == 1 {
			most++
		}
		out = append(out, p.lines(width, most)...)
	}
	switch more := len(problems) - shown; {
	case more > 0 && shown > 0:
		out = append(out, Styled(fmt.Sprintf("  and %d more: 8 shows why, and what to change", more), Dim))
	case shown > 0:
		out = append(out, Styled("  8 shows why, and what to change", Dim))
	}
	if len(out) > 0 {
		out = append(out, nil)
	}
	if line := RequestsLine(in, width); line != nil {
		out = append(out, line)
	}
	return append(out, TotalsLine(in, width))
}

// RequestsLine sums up the requests of the host; nil while none was seen.
func RequestsLine(in Input, width int) Line {
	r := &in.Snap.Requests
	if r.Count == 0 {
		return nil
	}
	out := Line{{Rate(r.PerSec), Strong}, {"  p50 ", Dim}, {optDur(r.TotalNS.P50), Strong}, {"  p99 ", Dim}, {optDur(r.TotalNS.P99), Strong}}
	style := Dim
	if r.Errors > 0 {
		style = Warning
	}
	out = append(out, Span{"  errors ", Dim}, Span{Share(float64(r.Errors) / float64(r.Count)), style}, Span{"  of " + Count(r.Count), Dim})
	return withPast("requests/s ", in.Hist.ReqsPerSec(), out, width)
}

// withPast draws the last minute between a title and what is now, if there is room.
func withPast(title string, past []float64, now Line, width int) Line {
	out := Line{{title, Dim}}
	if room := min(width-out.Width()-now.Width()-1, historyLen); len(past) > 1 && room >= 5 {
		out = append(out, Span{Spark(past, 0, room) + " ", Accent})
	}
	return append(out, now...)
}

// TotalsLine sums up the host: connections per second with the last minute, open ones, waits, failures. Width 0 means
// that there is no limit, and no picture of the past.
func TotalsLine(in Input, width int) Line {
	s := in.Snap
	out := Line{{Rate(s.ConnsPerSec), Strong}, {"  open ", Dim}, {Count(uint64(s.OpenConns)), Strong}}
	if wait := longestWait(s); wait.Known {
		out = append(out, Span{"  wait p99 ", Dim}, Span{Dur(wait.V), Strong})
	}
	out = append(out, total("  failed ", s.Total.Failed, Warning)...)
	out = append(out, total("  resets ", s.Total.Resets, Normal)...)
	out = append(out, total("  retransmits ", s.Total.Retransmits, Warning)...)
	return withPast("conns/s ", in.Hist.ConnsPerSec(), out, width)
}

func total(name string, n uint64, style Style) Line {
	if n == 0 {
		style = Dim
	}
	return Line{{name, Dim}, {Count(n), style}}
}

// longestWait returns the longest p99 of the accept wait among the listeners.
func longestWait(s *model.Snapshot) (out model.Opt[int64]) {
	for _, l := range s.Listeners {
		if p := l.WaitNS.P99; p.Known && p.V >= out.V {
			out = p
		}
	}
	return out
}
