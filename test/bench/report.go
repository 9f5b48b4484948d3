// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"runtime"
	"strings"
	"time"
)

// The tools by name: goals compare them.
const (
	top       = "beltrace top"
	topJSON   = "beltrace top --json"
	trace     = "beltrace trace --json"
	empty     = "empty programs"
	minimal   = "minimal tracer"
	bpftrace  = "bpftrace"
	tcplife   = "tcplife"
	tcpstates = "tcpstates"
)

// report is everything that the document says.
type report struct {
	Machine   string
	Tier      string
	Pairs     int
	Length    time.Duration // of one measurement
	Off       []sample      // without a tool
	Tools     []result
	Floods    []floodSample
	Ready     []readySample
	LeftOut   []string // tools that are missing, with the reason
	Functions []string // lines of go test -bench
}

// describe names a machine.
func describe(processor, kernel string) string {
	return fmt.Sprintf("%d cores of %s, Linux %s, %s", runtime.NumCPU(), processor, kernel, runtime.Version())
}

// head says where, when and how something was measured.
func (r *report) head(repetitions int, length time.Duration) string {
	return fmt.Sprintf("%s: %d repetitions of %v.", r.where(), repetitions, length)
}

// where says where and when it was.
func (r *report) where() string {
	return fmt.Sprintf("Measured on %s (beltrace's tier there: %s), on %s", r.Machine, r.Tier, time.Now().Format("2006-01-02"))
}

const intro = `## Short connections

%s

The load is short connections over loopback: connect, a request and an answer of 100 bytes, close, as many as all cores
can do, from 1000 addresses, in a network namespace that is new for each measurement.

- *CPU* is user and kernel time of load and tool together, for one connection with both of its ends. It includes what the
  tool's programs do in the kernel. Without a tool: %s µs, at %s connections/s.
- *Added* is what of it is the tool's doing; *of that outside* is the share that its own process uses.
- *Not seen*: how much of what happened is missing from the output, in runs of their own at the same load.
- *First event*: from the start of the tool to its first event on a terminal (` + "`top`" + `, empty programs: until all is attached).
  *Exit*: from SIGTERM to its end. Both while some hundred connections/s are made.
`

// connections is the section about short connections.
func (r *report) connections() string {
	var b strings.Builder
	off := spreadOf(r.Off, func(s sample) float64 { return s.CPU / 1e3 })
	rate := spreadOf(r.Off, func(s sample) float64 { return s.Rate })
	fmt.Fprintf(&b, intro, r.head(r.Pairs, r.Length), off.text("%.1f"), rate.text("%.0f"))
	r.disturbance(&b)
	r.table(&b)
	r.goals(&b)
	return b.String()
}

// functions is the section about Go functions.
func (r *report) functions() string {
	return "## Go functions\n\n" + r.head(1, 200*time.Millisecond) + "\n\n`go test -bench .`, once: for one event, one snapshot of 20,000 open connections, one mark that nobody watches.\n\n```\n" +
		strings.Join(r.Functions, "\n") + "\n```\n"
}

// quiet is the share of the busy time up to which others do not matter: the kernel's own threads are among them.
const quiet = 0.1

// disturbance says how far the numbers can be trusted.
func (r *report) disturbance(b *strings.Builder) {
	var all []sample
	for _, t := range r.Tools {
		all = append(all, t.Samples...)
	}
	others := spreadOf(all, func(s sample) float64 { return 100 * s.Others })
	fmt.Fprintf(b, "- Processes that are neither load nor tool used %s %% of the busy time meanwhile.\n", others.text("%.0f"))
	if others.Median > 100*quiet {
		b.WriteString("  **The machine was not quiet: differences that are smaller than their spread mean nothing.**\n")
	}
	b.WriteString("\n")
}

func (r *report) table(b *strings.Builder) {
	b.WriteString("| | CPU × off | added, µs | of that outside, µs | throughput × off | not seen | RSS, MiB (peak) | first event, s | exit, s |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|\n")
	for _, t := range r.Tools {
		cells := []string{
			t.Name,
			"× " + t.of(func(s sample) float64 { return s.CPU / s.Off }).text("%.2f"),
			t.of(func(s sample) float64 { return s.added() / 1e3 }).text("%.1f"),
			t.of(func(s sample) float64 { return s.Tool / 1e3 }).text("%.1f"),
			"× " + t.of(func(s sample) float64 { return s.Rate / s.OffRate }).text("%.2f"),
			t.missing(),
			fmt.Sprintf("%.0f (%.0f)", t.of(func(s sample) float64 { return s.RSS }).Median/(1<<20), t.of(func(s sample) float64 { return s.Peak }).Max/(1<<20)),
			spreadOf(t.First, same).text("%.2f"),
			spreadOf(t.Exit, same).text("%.2f"),
		}
		b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	}
	b.WriteString("\n")
	for _, t := range r.Tools {
		fmt.Fprintf(b, "- **%s**: %s.\n", t.Name, t.What)
	}
	for _, reason := range r.LeftOut {
		fmt.Fprintf(b, "- Left out: %s.\n", reason)
	}
}

// of is the spread of a number over the repetitions.
func (r result) of(number func(sample) float64) spread { return spreadOf(r.Samples, number) }

// missing is the share of the load that the tool's output does not show.
func (r result) missing() string {
	switch {
	case r.Sent == 0:
		return "–"
	case r.Seen == r.Sent:
		return "0"
	case r.Seen > r.Sent:
		return fmt.Sprintf("%d too many", r.Seen-r.Sent)
	}
	return fmt.Sprintf("%.2g %%", 100*float64(r.Sent-r.Seen)/float64(r.Sent))
}

func (s spread) text(format string) string {
	switch s.N {
	case 0:
		return "–"
	case 1:
		return fmt.Sprintf(format, s.Median)
	}
	return strings.ReplaceAll(fmt.Sprintf(format+" ("+format+" to "+format+")", s.Median, s.Min, s.Max), "-", "−")
}
