// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSpread(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   spread
		text   string
	}{
		{nil, spread{}, "–"},
		{[]float64{-1, 1}, spread{2, 0, -1, 1}, "0.0 (−1.0 to 1.0)"},
		{[]float64{2}, spread{1, 2, 2, 2}, "2.0"},
		{[]float64{3, 1, 2}, spread{3, 2, 1, 3}, "2.0 (1.0 to 3.0)"},
		{[]float64{4, 1, 2, 9}, spread{4, 3, 1, 9}, "3.0 (1.0 to 9.0)"},
	} {
		got := spreadOf(tt.values, same)
		if got != tt.want {
			t.Errorf("spread of %v: %+v, want %+v", tt.values, got, tt.want)
		}
		if text := got.text("%.1f"); text != tt.text {
			t.Errorf("%v reads %q, want %q", tt.values, text, tt.text)
		}
	}
}

// Each round has every tool once, and over the rounds each tool is first and has different neighbours.
func TestRotated(t *testing.T) {
	got := map[string]bool{}
	for round := range 6 {
		got[strings.Join(rotated([]string{"a", "b", "c"}, round), "")] = true
	}
	want := map[string]bool{"abc": true, "acb": true, "cab": true, "cba": true, "bca": true, "bac": true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// repeated is a tool whose repetitions add these nanoseconds to a load of 100 µs.
func repeated(name string, added ...float64) result {
	r := result{tool: tool{Name: name, What: "what it is"}}
	for _, ns := range added {
		r.Samples = append(r.Samples, sample{CPU: 100_000 + ns, Off: 100_000, Tool: ns / 2, Rate: 9000, OffRate: 10000, RSS: 40 << 20, Peak: 50 << 20})
	}
	return r
}

// A goal is left out when one of its tools is missing. One value that is too large is enough to miss a limit of memory.
func TestGoals(t *testing.T) {
	ours := repeated(top, 30_000, 10_000, 20_000)
	ours.Samples[0].RSS, ours.Samples[1].RSS, ours.Samples[2].RSS = 70<<20, 40<<20, 49.94e6
	ours.Seen, ours.Sent, ours.First, ours.Exit = 99, 100, []float64{0.1}, []float64{0.6}
	r := report{Tools: []result{repeated(minimal, 10_000, 10_000, 10_000), ours}}
	got := map[string]string{}
	for line := range strings.Lines(r.goalsText()) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if len(cells) == 3 && cells[0] != "| goal" {
			got[strings.TrimPrefix(cells[0], "| ")] = cells[1] + " " + strings.TrimSuffix(cells[2], " |")
		}
	}
	want := map[string]string{
		"`top` adds at most 1.5 × what the minimal tracer adds":     "2.00 **not met**",
		"`top` and load: at most 1.5 × the minimal tracer and load": "1.09 (1.00 to 1.18) met",
		"`top` shows everything at saturation":                      "1.00 % missing **not met**",
		"`top` resides in at most 60 MB":                            "49.94 (41.94 to 73.40) MB **not met**",
		"`top` begins within 1 s":                                   "0.10 s met",
		"`top` ends within 0.5 s":                                   "0.60 s **not met**",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A reference that costs nothing measurable decides nothing.
func TestGoalsWithinNoise(t *testing.T) {
	r := report{Tools: []result{repeated(minimal, -100), repeated(top, 5000)}}
	if text := r.goalsText(); !strings.Contains(text, "| NaN | cannot be said") {
		t.Error(text)
	}
}

// One refusal that is told twice is as wrong as one that is missing.
func TestFloods(t *testing.T) {
	r := report{Floods: []floodSample{
		{Rate: 1e5, CPU: 3000, Off: 2000, Tool: 0.02, RSS: 50 << 20, Told: 999, Refused: 1000, Lines: 90},
		{Rate: 1e5, CPU: 2000, Off: 2000, Tool: 0.2, RSS: 50 << 20, Told: 1002, Refused: 1000, Lines: 90},
	}}
	text := r.floods()
	for _, want := range []string{
		"| 100000 (100000 to 100000) | 2.50 (2.00 to 3.00) | × 1.25 (1.00 to 1.50) | 1000 (1000 to 1000) | 0.15 (0.1 to 0.2) % | 90 (90 to 90) |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for _, want := range []string{"0.15 (0.10 to 0.20) % missing | **not met**", "11.00 (2.00 to 20.00) % | **not met**", "1.25 (1.00 to 1.50) | met", "52.43 (52.43 to 52.43) MB | met"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func (r *report) goalsText() string {
	var b strings.Builder
	r.goals(&b)
	return b.String()
}

func TestMarkdownNamesWhatWasMeasured(t *testing.T) {
	r := report{
		Machine: "2 cores of X, Linux 6.18, go1.26", Tier: "tracepoint", Pairs: 1, Length: time.Second,
		Off: []sample{{CPU: 100_000, Rate: 10_000}}, Tools: []result{repeated(minimal, 5000)},
		LeftOut: []string{"tcplife is not installed"}, Functions: []string{"BenchmarkAdd-2 1 2 ns/op"},
	}
	text := r.connections() + r.functions()
	for _, want := range []string{
		"2 cores of X, Linux 6.18, go1.26", "100.0 µs", "Left out: tcplife is not installed.", "BenchmarkAdd-2 1 2 ns/op",
		"| minimal tracer | × 1.05 | 5.0 | 2.5 | × 0.90 | – | 40 (50) | – | – |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// What the statistics themselves take is told, and taken off.
func TestReady(t *testing.T) {
	r := report{Ready: []readySample{{50, 120, 160, 250}, {60, 140, 180, 280}, {52, 130, 165, 262}}}
	for _, want := range []string{
		"| a program that does nothing | 52 (50 to 60) | 0 (0 to 0) |",
		"no watched loop waits | 130 (120 to 140) | 78 (70 to 80) |",
		"it is counted | 262 (250 to 280) | 210 (200 to 220) |",
	} {
		if got := r.ready(); !strings.Contains(got, want) {
			t.Errorf("%s\nhas no %s", got, want)
		}
	}
}
