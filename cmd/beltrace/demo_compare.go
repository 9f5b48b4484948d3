// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"

	"beltrace/collector/model"
	"beltrace/demos"
	"beltrace/demos/demo"
	"beltrace/internal/view"
)

// comparison is what --compare prints: demos that did the same work.
type comparison struct {
	Group  string     `json:"group"`
	CPUs   int        `json:"cpus"` // that the servers and their clients may use
	Kernel string     `json:"kernel"`
	Arch   string     `json:"arch"`
	Tier   string     `json:"tier"`
	Demos  []compared `json:"demos"`
}

// compared is one demo's row.
type compared struct {
	Demo string `json:"demo"`
	demo.Measures
	Proven   int    `json:"claims_ok"`
	Failed   int    `json:"claims_failed"`
	Unproven int    `json:"claims_unproven"`
	Missing  string `json:"missing,omitempty"` // why it cannot run here
}

// compareDemos runs the demos of a group one after the other and prints one table.
func (a *app) compareDemos(ctx context.Context, f *demoFlags, group string) error {
	res := comparison{Group: group, CPUs: runtime.NumCPU(), Arch: runtime.GOARCH}
	failed := 0
	for _, d := range demos.All() {
		if d.Group != group || d.Measure == nil {
			continue
		}
		row := compared{Demo: d.Name}
		if err := runnable(&d); err != nil {
			row.Missing = err.Error()
			res.Demos = append(res.Demos, row)
			continue
		}
		r := &demoRunner{demo: &d, listen: "127.0.0.1:0", toEnd: true}
		r.log = func(role, line string) { a.say("demo %s: %s: %s", d.Name, role, line) }
		seen, claims, err := a.runDemo(ctx, f, r)
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		res.Kernel, res.Arch, res.Tier = seen.Kernel, seen.Arch, seen.Tier
		row.Measures = d.Measure(seen)
		row.Proven, row.Failed, row.Unproven = count(claims, demo.Proven), count(claims, demo.Refuted), count(claims, demo.Unproven)
		failed += row.Failed
		res.Demos = append(res.Demos, row)
	}
	if len(res.Demos) == 0 {
		return usagef("--compare takes the name of a group whose demos do the same work: execution")
	}
	var err error
	if f.json {
		err = json.NewEncoder(a.out).Encode(res)
	} else {
		err = writeComparison(a.out, &res)
	}
	if err == nil && failed > 0 {
		err = status(exitFailed)
	}
	return err
}

// writeComparison prints the table.
func writeComparison(to io.Writer, res *comparison) error {
	w := bufio.NewWriter(to)
	fmt.Fprintf(w, "%s: the same requests of the same clients, on %d CPUs (linux %s %s, tier %s)\n\n", res.Group, res.CPUs, res.Kernel, res.Arch, res.Tier)
	const row = "%-21s  %9s  %8s  %8s  %9s  %7s  %11s  %8s  %s\n"
	fmt.Fprintf(w, row, "DEMO", "REQUEST/S", "P50", "P99", "PROCESSES", "THREADS", "SWITCH/REQ", "CALL/REQ", "CLAIMS")
	for _, d := range res.Demos {
		if d.Missing != "" {
			fmt.Fprintf(w, "%-21s  %s\n", d.Demo, d.Missing)
			continue
		}
		m := d.Measures
		fmt.Fprintf(w, row, d.Demo, number(m.PerSecond), duration(m.P50NS), duration(m.P99NS), fmt.Sprint(m.Processes), fmt.Sprint(m.Threads),
			number(m.Switches), number(m.Calls), d.claims())
	}
	fmt.Fprintln(w, "\nPROCESSES and THREADS accepted or answered; SWITCH and CALL are the context switches and system calls of those threads.")
	return w.Flush()
}

// claims says how they came out.
func (c *compared) claims() string {
	s := fmt.Sprintf("%d of %d", c.Proven, c.Proven+c.Failed+c.Unproven)
	if c.Failed > 0 {
		s += fmt.Sprintf(", %d FAILED", c.Failed)
	}
	return s
}

// measureLine says what a demo is compared by.
func measureLine(m demo.Measures) string {
	parts := []string{
		number(m.PerSecond) + " requests/s", "p50 " + duration(m.P50NS), "p99 " + duration(m.P99NS),
		view.Plural(m.Threads, "thread", "threads") + " of " + view.Plural(m.Processes, "process", "processes"),
		number(m.Switches) + " context switches and " + number(m.Calls) + " system calls a request",
	}
	return strings.Join(parts, " · ")
}

func number(v model.Opt[float64]) string {
	switch {
	case !v.Known:
		return view.None
	case v.V < 9.95:
		return fmt.Sprintf("%.1f", v.V)
	}
	return fmt.Sprintf("%.0f", v.V)
}

func duration(ns model.Opt[int64]) string {
	if !ns.Known {
		return view.None
	}
	return view.Dur(ns.V)
}
