// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"beltrace/collector/event"
	"beltrace/collector/insight"
)

// TestFindingsOfOthers: what a network namespace counts is told of those that are watched only, as far as that is known.
func TestFindingsOfOthers(t *testing.T) {
	for _, c := range []struct {
		file   string
		drops  bool // the kernel tells of the listener that it refused nobody
		within []insight.Watch
	}{
		{"accept-queue-full-somewhere", false, []insight.Watch{insight.Whole, insight.Part}},
		{"accept-queue-full-somewhere", true, []insight.Watch{insight.Whole}},
		{"syn-queue-full-somewhere", true, []insight.Watch{insight.Whole}},
		{"retransmits-client", true, []insight.Watch{insight.Whole, insight.Part, insight.Alone}},
	} {
		a, err := txtar.ParseFile("testdata/findings/" + c.file + ".txtar")
		if err != nil {
			t.Fatal(err)
		}
		for _, watch := range []insight.Watch{insight.Whole, insight.Part, insight.Alone} {
			col := New(Options{Watch: watch})
			for line := range strings.Lines(get(a, "recording.ndjson")) {
				var e event.Event
				if err := e.UnmarshalJSON([]byte(line)); err != nil {
					t.Fatal(err)
				}
				if c.drops && e.Kind == event.Queue {
					e.Set(event.FieldDrops)
				}
				col.Add(&e)
			}
			if got := len(col.Findings()) > 0; got != slices.Contains(c.within, watch) {
				t.Errorf("%s, watch %q, drops known %v: %+v", c.file, watch, c.drops, col.Findings())
			}
		}
	}
}
