// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"strings"
)

// goal is something that is to hold, with the value that decides.
type goal struct {
	Text  string
	Value spread
	Limit float64 // the median is to be at most this
	Unit  string
}

// goals judges what was measured, as far as the tools that it needs are there.
func (r *report) goals(b *strings.Builder) {
	b.WriteString("\n## Goals\n\n| goal | measured | |\n|---|---|---|\n")
	for _, g := range r.allGoals() {
		if g.Value.N == 0 {
			continue
		}
		verdict := "met"
		if g.Value.Median > g.Limit {
			verdict = "**not met**"
		}
		fmt.Fprintf(b, "| %s | %s%s | %s |\n", g.Text, g.Value.text("%.2f"), g.Unit, verdict)
	}
	b.WriteString("\nRatios are between tools of the same repetition: of what they add to the load, or of load and tool together.\n")
}

func (r *report) allGoals() []goal {
	added, total := sample.added, func(s sample) float64 { return s.CPU / s.Off }
	mib := func(s sample) float64 { return s.RSS / (1 << 20) }
	gs := []goal{
		{"`top` adds at most 1.5 × what the minimal tracer adds", r.ratio(top, minimal, added), 1.5, ""},
		{"`top` with the load at most 1.5 × the minimal tracer with the load", r.ratio(top, minimal, total), 1.5, ""},
		{"`top` adds less than tcplife", r.ratio(top, tcplife, added), 1, ""},
		{"`trace --json` adds at most half of what bpftrace adds", r.ratio(trace, bpftrace, added), 0.5, ""},
	}
	for _, name := range []string{top, trace} {
		t := r.tool(name)
		if t.Sent > 0 {
			missing := 100 * float64(t.Sent-min(t.Seen, t.Sent)) / float64(t.Sent)
			gs = append(gs, goal{"`" + short(name) + "` shows everything at saturation", spread{1, missing, missing, missing}, 0, " % missing"})
		}
		gs = append(gs,
			goal{"`" + short(name) + "` resides in at most 60 MiB", t.of(mib), 60, " MiB"},
			goal{"`" + short(name) + "` begins within 1 s", spreadOf(t.First, same), 1, " s"},
			goal{"`" + short(name) + "` ends within 0.5 s", spreadOf(t.Exit, same), 0.5, " s"})
	}
	return gs
}

// short is a name without the program's.
func short(name string) string { return strings.TrimPrefix(name, "beltrace ") }

// tool returns what was measured of a tool; the zero result if it was left out.
func (r *report) tool(name string) result {
	if i := slices.IndexFunc(r.Tools, func(t result) bool { return t.Name == name }); i >= 0 {
		return r.Tools[i]
	}
	return result{}
}

// ratio compares two tools, repetition by repetition.
func (r *report) ratio(a, b string, number func(sample) float64) spread {
	x, y := r.tool(a).Samples, r.tool(b).Samples
	var ratios []float64
	for i := range min(len(x), len(y)) {
		ratios = append(ratios, number(x[i])/number(y[i]))
	}
	return spreadOf(ratios, same)
}
