// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"beltrace/collector/event"
	"beltrace/collector/insight"
	"beltrace/collector/model"
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
		for _, watch := range []insight.Watch{insight.Whole, insight.Part, insight.Alone} {
			found := findingsOf(t, c.file, watch, func(e *event.Event) {
				if c.drops && e.Kind == event.Queue {
					e.Set(event.FieldDrops)
				}
			})
			if got := len(found) > 0; got != slices.Contains(c.within, watch) {
				t.Errorf("%s, watch %q, drops known %v: %+v", c.file, watch, c.drops, found)
			}
		}
	}
}

// TestFindingsSayWhoseCount: with a filter, what is known only of the whole network namespace is said to be that.
func TestFindingsSayWhoseCount(t *testing.T) {
	for _, file := range []string{
		"accept-queue-full-somewhere", "accept-queue-full-unplaced", "syn-queue-full-somewhere", "syn-queue-full-unplaced", "syn-cookies-always",
	} {
		for watch, want := range map[insight.Watch]string{
			insight.Whole: "this kernel does not tell at which listener",
			insight.Part:  "this kernel does not tell at which listener, watched or not: the count is that of the whole network namespace",
		} {
			found := findingsOf(t, file, watch, func(*event.Event) {})
			i := slices.IndexFunc(found, func(f model.Finding) bool { return strings.Contains(f.Text, want) })
			if i < 0 || strings.Contains(found[i].Text, "watched or not") != (watch == insight.Part) {
				t.Errorf("%s, watch %q: %+v", file, watch, found)
			}
		}
	}
}

// findingsOf returns the findings at the end of a recording, each event of which may be changed before.
func findingsOf(t *testing.T, file string, watch insight.Watch, change func(*event.Event)) []model.Finding {
	t.Helper()
	a, err := txtar.ParseFile("testdata/findings/" + file + ".txtar")
	if err != nil {
		t.Fatal(err)
	}
	col := New(Options{Watch: watch})
	for line := range strings.Lines(get(a, "recording.ndjson")) {
		var e event.Event
		if err := e.UnmarshalJSON([]byte(line)); err != nil {
			t.Fatal(err)
		}
		change(&e)
		col.Add(&e)
	}
	return col.Findings()
}
