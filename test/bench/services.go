// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
)

// Servers, and what else is put under load.
const (
	nginx    = "nginx"
	goServer = "go"
	redis    = "redis"
	ringLoad = "ring"
)

// The tools by name, where they watch servers.
const (
	emptyDefault = "empty programs (default sets)"
	emptyAll     = "empty programs (all sets)"
	emptyRings   = "empty programs (rings)"
	board        = "beltrace (default sets)"
	allSets      = "beltrace (all sets)"
	ringPage     = "beltrace (rings)"
	callLines    = "bpftrace (a line a call)"
)

// service is a server under load, and what was measured of it.
type service struct {
	Part, Title, What string
	Needs             []string // programs that have to be installed
	Loads             []*load
	Tools             []tool
	LeftOut           []string
	Head              string // where and when, and how often
}

// load is one way to put it under load.
type load struct {
	Name, What string
	Unit       string  // what there is one of: request, operation
	Half       bool    // at half the rate that it reaches without a tool
	rate       float64 // a second; 0: as many as there can be
	Off        []sample
	Results    []result
	Seen, Done uint64 // operations that the tool with all sets told, and that there were
}

// markdown is the section about it.
func (s *service) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n%s\n\n%s\n", s.Title, s.Head, s.What)
	for _, l := range s.Loads {
		l.table(&b)
	}
	b.WriteString("\n")
	for _, t := range s.Tools {
		fmt.Fprintf(&b, "- **%s**: %s.\n", t.Name, t.What)
	}
	for _, reason := range s.LeftOut {
		fmt.Fprintf(&b, "- Left out: %s.\n", reason)
	}
	judge(&b, s.goals())
	return b.String()
}

// table is what was measured under one load.
func (l *load) table(b *strings.Builder) {
	off := func(number func(sample) float64) string { return spreadOf(l.Off, number).text("%.1f") }
	fmt.Fprintf(b, "\n### %s\n\n%s Without a tool: %s µs of CPU a %s, %s thousand a second", l.Name, l.What,
		off(func(s sample) float64 { return s.CPU / 1e3 }), l.Unit, off(func(s sample) float64 { return s.Rate / 1e3 }))
	timed := len(l.Off) > 0 && l.Off[0].P50 > 0
	if timed {
		fmt.Fprintf(b, ", p50 %s µs, p99 %s µs", off(func(s sample) float64 { return s.P50 / 1e3 }), off(func(s sample) float64 { return s.P99 / 1e3 }))
	}
	b.WriteString(".\n")
	b.WriteString(l.disturbed())
	head := []string{"", "CPU × off", "added, ns", "of that outside, ns", "throughput × off", "p50 × off", "p99 × off", "lost", "left out", "RSS, MiB"}
	if !timed {
		head = append(head[:5], head[7:]...)
	}
	fmt.Fprintf(b, "\n| %s |\n|%s\n", strings.Join(head, " | "), strings.Repeat("---|", len(head)))
	for _, r := range l.Results {
		cells := []string{
			r.Name,
			"× " + r.of(sample.costRatio).text("%.2f"),
			r.of(sample.added).text("%.0f"),
			r.of(func(s sample) float64 { return s.Tool }).text("%.0f"),
			"× " + r.of(sample.rateRatio).text("%.2f"),
			"× " + r.of(func(s sample) float64 { return s.P50 / s.OffP50 }).text("%.2f"),
			"× " + r.of(func(s sample) float64 { return s.P99 / s.OffP99 }).text("%.2f"),
			r.lostText(),
			r.skippedText(),
			fmt.Sprintf("%.0f", r.of(func(s sample) float64 { return s.RSS }).Max/(1<<20)),
		}
		if !timed {
			cells = append(cells[:5], cells[7:]...)
		}
		fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
	}
}

// disturbed says so if the machine was not quiet.
func (l *load) disturbed() string {
	var all []sample
	for _, r := range l.Results {
		all = append(all, r.Samples...)
	}
	others := spreadOf(all, func(s sample) float64 { return 100 * s.Others })
	if others.Median <= 100*quiet {
		return ""
	}
	return fmt.Sprintf("**The machine was not quiet: processes that are neither load nor tool used %s %% of the busy time.**\n", others.text("%.0f"))
}

func (s sample) costRatio() float64 { return s.CPU / s.Off }

func (s sample) rateRatio() float64 { return s.Rate / s.OffRate }

// skippedText is the share of turns that is left out of the sample. Two ends have two turns each for a request.
func (r result) skippedText() string {
	if r.of(func(s sample) float64 { return s.Skipped }).Max == 0 {
		return "–"
	}
	return r.of(func(s sample) float64 { return min(100, 25*s.Skipped) }).text("%.0f") + " %"
}

// lostText is how much the tool lost in all repetitions.
func (r result) lostText() string {
	known, sum, told := false, 0.0, 0.0
	for _, s := range r.Samples {
		known = known || s.LostKnown
		sum += s.Lost
		told += s.Told
	}
	switch {
	case !known:
		return "–"
	case told > 0:
		return fmt.Sprintf("%.2g %%", 100*sum/(sum+told))
	}
	return fmt.Sprintf("%.0f", sum)
}

// result returns what was measured of a tool under this load; the zero result if it was left out.
func (l *load) result(name string) result {
	for _, r := range l.Results {
		if r.Name == name {
			return r
		}
	}
	return result{}
}

const servedWhat = `%s, in a network namespace of its own, asked over loopback by %d kept connections with a thread for each core. *CPU* is that of
server, client and tool together for one request: both of its ends are watched. Latency counts from the *scheduled* time of a
request, also if it had to wait for a free connection; at saturation each connection asks again at once. *Left out*: the share of
the turns that beltrace leaves out of its sample, and counts only, since there are more than can be carried.`

// describeService says what a part measures.
func describeService(part string) *service {
	full := func(unit string) *load { return &load{Name: "saturated", What: "As many as there can be.", Unit: unit} }
	half := &load{Name: "half load", Unit: "request", Half: true}
	switch part {
	case partNginx:
		return &service{Part: part, Title: "nginx under load", Needs: []string{nginx}, Loads: []*load{full("request"), half},
			What: fmt.Sprintf(servedWhat, "nginx, a worker a core, with a file of 1 KiB", clientConns)}
	case partGo:
		return &service{Part: part, Title: "A Go server under load", Loads: []*load{full("request"), half},
			What: fmt.Sprintf(servedWhat, "Go's net/http with an answer of 1 KiB", clientConns)}
	case partRedis:
		return &service{Part: part, Title: "redis under load", Needs: []string{"redis-server", "redis-benchmark"}, Loads: []*load{full("request")},
			What: fmt.Sprintf("redis-server, without persistence, under `redis-benchmark -c %d -t set -d 100`, without pipelining. *CPU* is that of both and the tool; latencies are redis-benchmark's.", clientConns)}
	}
	return &service{Part: part, Title: "A ring at full speed", Loads: []*load{full("operation")},
		What: "A thread that gives an io_uring operations that do nothing (`IORING_OP_NOP`), 32 with each call, and takes their completions."}
}

// clientConns is how many connections ask a server.
const clientConns = 64
