// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
)

const (
	floodRate    = 100_000 // SYNs a second
	floodBacklog = 128
)

// floodSample is one flood of SYNs with the tool, after one without.
type floodSample struct {
	Rate    float64 // SYNs a second
	CPU     float64 // ns a SYN of the flood's process
	Off     float64 // the same of the flood before, without the tool
	Tool    float64 // share of one CPU that the tool's process used meanwhile
	RSS     float64 // bytes of the tool
	Told    uint64  // refusals that it printed
	Refused uint64  // that there were
	Lines   int     // that it took
}

// missing is how many refusals are not told, or told twice, in percent.
func (f floodSample) missing() float64 {
	off := max(f.Told, f.Refused) - min(f.Told, f.Refused)
	return 100 * float64(off) / float64(max(f.Refused, 1))
}

const floodIntro = `
## A flood of SYNs

%s

SYNs of clients that do not exist, %d a second, to a listener with a backlog of %d, without SYN cookies, in a network
namespace of its own, while ` + "`trace syn_drop,queue --json`" + ` watches: all but the first are refused. Each between two without it.

| SYNs/s | CPU for one, µs | × off | refusals | not told | lines | the tool: of one CPU | RSS, MiB |
|---|---|---|---|---|---|---|---|
`

// floods is the section about them.
func (r *report) floods() string {
	var b strings.Builder
	fmt.Fprintf(&b, floodIntro, r.head(r.Pairs, r.Length), floodRate, floodBacklog)
	of := func(number func(floodSample) float64) spread { return spreadOf(r.Floods, number) }
	cells := []string{
		of(func(f floodSample) float64 { return f.Rate }).text("%.0f"),
		of(func(f floodSample) float64 { return f.CPU / 1e3 }).text("%.2f"),
		"× " + of(func(f floodSample) float64 { return f.CPU / f.Off }).text("%.2f"),
		of(func(f floodSample) float64 { return float64(f.Refused) }).text("%.0f"),
		of(floodSample.missing).text("%.3g") + " %",
		of(func(f floodSample) float64 { return float64(f.Lines) }).text("%.0f"),
		of(func(f floodSample) float64 { return 100 * f.Tool }).text("%.1f") + " %",
		of(func(f floodSample) float64 { return f.RSS / (1 << 20) }).text("%.0f"),
	}
	b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	judge(&b, r.floodGoals())
	return b.String()
}

// floodGoals are what a flood must not do.
func (r *report) floodGoals() []goal {
	of := func(number func(floodSample) float64) spread { return spreadOf(r.Floods, number) }
	return []goal{
		{"no refusal of a SYN flood is missing", of(floodSample.missing), 0, " % missing", true},
		{"a SYN flood takes at most 10 % of a CPU in the tool", of(func(f floodSample) float64 { return 100 * f.Tool }), 10, " %", true},
		{"a SYN costs at most 1.5 × what it costs unwatched", of(func(f floodSample) float64 { return f.CPU / f.Off }), 1.5, "", false},
		{"after a SYN flood the tool resides in at most 60 MB", of(func(f floodSample) float64 { return f.RSS / 1e6 }), 60, " MB", true},
	}
}
