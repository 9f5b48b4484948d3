// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
)

// What is not measured anew stays as it was, and parts keep their order whatever the old document had.
func TestDocument(t *testing.T) {
	old := document("", map[string]string{partNginx: "## nginx\n\nold\n", partConnections: "## Short connections\n\n<!-- a note -->\nold"})
	got := document(old, map[string]string{partNginx: "## nginx\n\nnew", partRedis: "## redis\n"})
	want := title + "\n<!-- connections -->\n## Short connections\n\n<!-- a note -->\nold\n\n<!-- nginx -->\n## nginx\n\nnew\n\n<!-- redis -->\n## redis\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if again := document(got, nil); again != got {
		t.Errorf("put together again it is\n%s", again)
	}
}

// under is a tool under a load, with one repetition: CPU and rate relative to those without it.
func under(name string, cpu, rate, p99, lost float64) result {
	return result{tool: tool{Name: name, What: "what it is"}, Samples: []sample{{
		CPU: 10_000 * cpu, Off: 10_000, Rate: 50_000 * rate, OffRate: 50_000, P50: 1000, OffP50: 1000, P99: 2000 * p99, OffP99: 2000,
		RSS: 70e6, Lost: lost, LostKnown: true,
	}}}
}

// The goals of a server at saturation are CPU and throughput, those at half load throughput and p99; a loss is never met.
func TestServiceGoals(t *testing.T) {
	v := describeService(partNginx)
	v.Loads[0].Results = []result{under(board, 1.05, 0.95, 9, 0), under(allSets, 1.3, 0.8, 9, 3)}
	v.Loads[0].Seen, v.Loads[0].Done = 99, 100
	v.Loads[1].Results = []result{under(board, 2, 0.99, 1.1, 0), under(allSets, 2, 0.96, 1.3, 0)}
	v.Loads[0].Off, v.Loads[1].Off = []sample{{CPU: 10_000, P50: 1}}, []sample{{CPU: 10_000, P50: 1}}
	text := v.markdown()
	for _, want := range []string{
		"saturated, beltrace (default sets): at most 1.06 × the CPU a request | 1.05 | met",
		"saturated, beltrace (all sets): at most 1.20 × the CPU a request | 1.30 | **not met**",
		"saturated, beltrace (default sets): at most 10 % less throughput | 5.00 % | met",
		"saturated, beltrace (all sets): at most 10 % less throughput | 20.00 % | **not met**",
		"saturated, beltrace (all sets): nothing lost | 3.00 records | **not met**",
		"saturated, beltrace (all sets): every request is counted, once | 1.00 of 100 wrong | **not met**",
		"half load, beltrace (default sets): at most 3 % less throughput | 1.00 % | met",
		"half load, beltrace (all sets): at most 3 % less throughput | 4.00 % | **not met**",
		"half load, beltrace (default sets): at most 1.2 × the p99 | 1.10 | met",
		"half load, beltrace (all sets): at most 1.2 × the p99 | 1.30 | **not met**",
		"| beltrace (all sets) | × 1.30 | 3000 | 0 | × 0.80 | × 1.00 | × 9.00 | 3 | – | 67 |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "half load, beltrace (default sets): at most 1.06") {
		t.Error("the CPU at half load has no goal")
	}
}

// A ring's cost is judged by what is added, not by the ratio: an operation that does nothing costs next to nothing.
func TestRingGoals(t *testing.T) {
	v := describeService(partRing)
	v.Loads[0].Results = []result{under(emptyRings, 2, 1, 0, 0), under(ringPage, 5, 1, 0, 0)}
	if text := v.markdown(); !strings.Contains(text, "adds at most 2 × what empty programs add | 4.00 | **not met**") {
		t.Error(text)
	}
}
