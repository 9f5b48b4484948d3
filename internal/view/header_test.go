// SPDX-License-Identifier: Apache-2.0

package view_test

import (
	"strings"
	"testing"

	"beltrace/internal/view"
	"beltrace/internal/view/viewtest"
)

func TestHeaderKeepsTheTierInSight(t *testing.T) {
	s := viewtest.Empty()
	for _, c := range []struct {
		title string
		width int
		want  string
	}{
		{"", 0, "beltrace  web-1  linux 6.12  full"},
		{"replay a.ndjson", 60, "beltrace  replay a.ndjson  web-1  linux 6.12  full"},
		{"replay a.ndjson", 45, "beltrace  replay a.ndjson  linux 6.12  full"},
		{"replay a.ndjson", 35, "replay a.ndjson  linux 6.12  full"},
		{"run python3 -m http.server 18080", 40, "run python3 -m http.s…  linux 6.12  full"},
	} {
		if got := view.HeaderLeft(s, c.title, c.width).String(); got != c.want {
			t.Errorf("%q in %d: %q, want %q", c.title, c.width, got, c.want)
		}
	}
	for release, want := range map[string]string{"6.12.117-amd64": "6.12", "7.3-rc1": "7.3", "5": "5", "6.18\x1b[m": "6.18"} {
		s.Kernel = release
		if got := view.HeaderLeft(s, "", 0).String(); got != "beltrace  web-1  linux "+want+"  full" {
			t.Errorf("%q: %q", release, got)
		}
	}
}

func TestLostIsNamed(t *testing.T) {
	s := viewtest.Empty()
	s.Lost = map[string]uint64{"ring": 3, "evicted": 12_345, "order": 0, "x\x1b": 1}
	if got, want := view.LostText(s), "12.3k evicted from the memory budget, 3 because the ring buffer was full, 1 at x?"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := view.Lost(s); got != 12_349 {
		t.Errorf("lost %d in all", got)
	}
}

// What a sample leaves out is no loss; the header says that it is one.
func TestHeaderSaysThatItIsASample(t *testing.T) {
	s := viewtest.Empty()
	s.Lost, s.Sampling = map[string]uint64{"sample": 70_000}, 8
	if got := view.HeaderRight(s).String(); !strings.Contains(got, "sampling 1 in 8  lost 0 ") {
		t.Errorf("%q", got)
	}
	if got, want := view.LostText(s), "70.0k turns of connections that are not in the sample"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	s.Sampling = 1
	if got := view.HeaderRight(s).String(); strings.Contains(got, "sampling") {
		t.Errorf("%q", got)
	}
}

func TestHeaderNamesTheSets(t *testing.T) {
	s := viewtest.Empty()
	s.Sets = []string{"data", "lifecycle", "marks", "sched"}
	s.Filters = []string{"--port 80"}
	for width, want := range map[int]string{
		0:  "beltrace  web-1  linux 6.12  full  +data +sched  --port 80",
		57: "beltrace  web-1  linux 6.12  full  --port 80",
		43: "beltrace  linux 6.12  full  --port 80",
	} {
		if got := view.HeaderLeft(s, "", width).String(); got != want {
			t.Errorf("in %d: %q, want %q", width, got, want)
		}
	}
}
