// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math"
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
		switch {
		case math.IsNaN(g.Value.Median):
			verdict = "cannot be said: the other costs less than the noise"
		case g.Value.Median > g.Limit:
			verdict = "**not met**"
		}
		fmt.Fprintf(b, "| %s | %s%s | %s |\n", g.Text, g.Value.text("%.2f"), g.Unit, verdict)
	}
	b.WriteString("\nWhat tools add is compared by its medians; with the load, repetition by repetition.\n")
}

func (r *report) allGoals() []goal {
	total := func(s sample) float64 { return s.CPU / s.Off }
	mib := func(s sample) float64 { return s.RSS / (1 << 20) }
	gs := []goal{
		{"`top` adds at most 1.5 × what the minimal tracer adds", r.addedRatio(top, minimal), 1.5, ""},
		{"`top` with the load at most 1.5 × the minimal tracer with the load", r.ratio(top, minimal, total), 1.5, ""},
		{"`top` adds less than tcplife", r.addedRatio(top, tcplife), 1, ""},
		{"`trace --json` adds at most half of what bpftrace adds", r.addedRatio(trace, bpftrace), 0.5, ""},
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

// addedRatio compares what two tools add. A ratio for each repetition would be one of small differences.
func (r *report) addedRatio(a, b string) spread {
	x, y := r.tool(a).of(sample.added), r.tool(b).of(sample.added)
	if x.N == 0 || y.N == 0 {
		return spread{}
	}
	ratio := x.Median / y.Median
	if y.Median <= 0 {
		ratio = math.NaN()
	}
	return spread{1, ratio, ratio, ratio}
}
