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
	Text   string
	Value  spread
	Limit  float64 // the value is to be at most this
	Unit   string
	Always bool // the largest value decides, else the median
}

// judge says which goals are met, as far as the tools that they need are there.
func judge(b *strings.Builder, goals []goal) {
	b.WriteString("\n### Goals\n\n| goal | measured | |\n|---|---|---|\n")
	for _, g := range goals {
		if g.Value.N == 0 {
			continue
		}
		verdict := "met"
		switch {
		case math.IsNaN(g.reached()):
			verdict = "cannot be said: the other costs less than the noise"
		case g.reached() > g.Limit:
			verdict = "**not met**"
		}
		fmt.Fprintf(b, "| %s | %s%s | %s |\n", g.Text, g.Value.text("%.2f"), g.Unit, verdict)
	}
}

// goals judges what was measured of short connections.
func (r *report) goals(b *strings.Builder) {
	judge(b, r.allGoals())
	b.WriteString(`
What tools add is compared by its medians; with the load, repetition by repetition, and the median decides. For memory,
times and what is missing the worst value decides. A tool that loses events saves the work for them.
`)
}

// allGoals has each comparison of costs both ways: of what the tools add, and of load and tool together.
func (r *report) allGoals() []goal {
	gs := []goal{
		{"`top` adds at most 1.5 × what the minimal tracer adds", r.addedRatio(top, minimal), 1.5, "", false},
		{"`top` and load: at most 1.5 × the minimal tracer and load", r.ratio(top, minimal), 1.5, "", false},
		{"`top` adds less than tcplife", r.addedRatio(top, tcplife), 1, "", false},
		{"`top` and load: less than tcplife and load", r.ratio(top, tcplife), 1, "", false},
		{"`trace --json` adds at most half of what bpftrace adds", r.addedRatio(trace, bpftrace), 0.5, "", false},
		{"`trace --json` and load: at most half of bpftrace and load", r.ratio(trace, bpftrace), 0.5, "", false},
	}
	for _, name := range []string{top, topJSON, trace} {
		t := r.tool(name)
		ends := goal{"`" + short(name) + "` ends within 0.5 s", spreadOf(t.Exit, same), 0.5, " s", true}
		if name == topJSON { // it watches far more than connections
			gs = append(gs, ends)
			continue
		}
		if t.Sent > 0 {
			missing := 100 * float64(t.Sent-min(t.Seen, t.Sent)) / float64(t.Sent)
			gs = append(gs, goal{"`" + short(name) + "` shows everything at saturation", spread{1, missing, missing, missing}, 0, " % missing", true})
		}
		gs = append(gs,
			goal{"`" + short(name) + "` resides in at most 60 MB", t.of(func(s sample) float64 { return s.RSS / 1e6 }), 60, " MB", true},
			goal{"`" + short(name) + "` begins within 1 s", spreadOf(t.First, same), 1, " s", true}, ends)
	}
	return gs
}

// reached is the value that decides.
func (g goal) reached() float64 {
	if g.Always {
		return g.Value.Max
	}
	return g.Value.Median
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

// ratio compares load and tool together, relative to the neighbours without a tool, repetition by repetition.
func (r *report) ratio(a, b string) spread {
	x, y := r.tool(a).Samples, r.tool(b).Samples
	var ratios []float64
	for i := range min(len(x), len(y)) {
		ratios = append(ratios, x[i].CPU/x[i].Off/(y[i].CPU/y[i].Off))
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
