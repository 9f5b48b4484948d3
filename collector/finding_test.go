// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"beltrace/collector/event"
	"beltrace/collector/insight"
	"beltrace/collector/model"
	"beltrace/collector/record"
)

// TestFindings replays testdata/findings/*.txtar. The first line of each says which rule it is about: "rule ID: …"
// must trigger it, "near miss of ID: …" must not. Each rule has both.
func TestFindings(t *testing.T) {
	files, err := filepath.Glob("testdata/findings/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d recordings, %v", len(files), err)
	}
	triggers, misses := map[string]int{}, map[string]int{}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			history, s := watchFindings(t, a)
			if *update {
				put(a, "findings", history)
				if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(get(a, "findings"), history); diff != "" {
				t.Errorf("findings (-golden +got):\n%s", diff)
			}
			head, _, _ := strings.Cut(string(a.Comment), ":")
			if id, ok := strings.CutPrefix(head, "rule "); ok {
				triggers[id]++
				if !tells(s, id) {
					t.Errorf("it does not trigger %s", id)
				}
			} else if id, ok := strings.CutPrefix(head, "near miss of "); ok {
				misses[id]++
				if tells(s, id) {
					t.Errorf("it triggers %s", id)
				}
			} else {
				t.Errorf("it begins with %q", head)
			}
		})
	}
	rules := slices.Sorted(slices.Values(insight.IDs()))
	for what, counted := range map[string]map[string]int{"trigger": triggers, "nearly trigger": misses} {
		if diff := cmp.Diff(rules, slices.Sorted(maps.Keys(counted))); diff != "" {
			t.Errorf("rules that recordings %s (-all +recordings):\n%s", what, diff)
		}
	}
}

// tells reports whether the snapshot has a finding of that rule, present or past.
func tells(s *model.Snapshot, id string) bool {
	return slices.ContainsFunc(s.Findings, func(f model.Finding) bool { return f.ID == id })
}

// watchFindings replays a recording and returns when each finding began and ended, and what the last snapshot says.
func watchFindings(t *testing.T, a *txtar.Archive) (string, *model.Snapshot) {
	t.Helper()
	const head = `{"schema":1,"kernel":"6.12.0","arch":"amd64","tier":"full","probes":{},"boot_offset_ns":0}` + "\n"
	r, err := record.NewReader(strings.NewReader(head + get(a, "recording.ndjson")))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	c := New(Options{})
	src := Ordered(r)
	var was []model.Finding
	for {
		var e event.Event
		if err := src.Next(&e); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		c.Add(&e)
		if now := c.Findings(); changes(&b, e.TS, was, now) {
			was = now
		}
	}
	if r.Skipped().Events > 0 {
		t.Fatalf("unknown events: %q", r.Skipped().Names)
	}
	s := c.Snapshot(0)
	fmt.Fprintf(&b, "at %.1f s, the end:\n", float64(s.TS)/1e9)
	for _, f := range s.Findings {
		numbers, err := json.Marshal(f.Numbers)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %s %s since %.1f s%s\n  %s\n  numbers %s\n  mechanism %s\n  remedy %s\n", f.ID, f.Severity, f.Subject, float64(f.Since)/1e9, until(f), f.Text, numbers, f.Mechanism, f.Remedy)
	}
	return b.String(), s
}

func until(f model.Finding) string {
	if !f.Until.Known {
		return ""
	}
	return fmt.Sprintf(" until %.1f s", float64(f.Until.V)/1e9)
}

// changes writes which findings began, became worse or better, or ended, and reports whether any did.
func changes(b *strings.Builder, ts int64, was, now []model.Finding) bool {
	name := func(f model.Finding) string { return f.ID + " " + f.Severity + " " + f.Subject + until(f) }
	changed := false
	for _, f := range now {
		if !slices.ContainsFunc(was, func(g model.Finding) bool { return name(g) == name(f) && g.Since == f.Since }) {
			fmt.Fprintf(b, "by %.1f s: %s\n", float64(ts)/1e9, name(f))
			changed = true
		}
	}
	return changed || len(was) != len(now)
}

// TestFindingsAreTheSameHoweverOftenOneLooks: snapshots change nothing.
func TestFindingsAreTheSameHoweverOftenOneLooks(t *testing.T) {
	files, err := filepath.Glob("testdata/findings/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		a, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		seldom, often := New(Options{}), New(Options{})
		for line := range strings.Lines(get(a, "recording.ndjson")) {
			var e event.Event
			if err := e.UnmarshalJSON([]byte(line)); err != nil {
				t.Fatal(err)
			}
			other := e
			seldom.Add(&e)
			often.Add(&other)
			often.Snapshot(0)
		}
		if diff := cmp.Diff(seldom.Snapshot(0).Findings, often.Snapshot(0).Findings); diff != "" {
			t.Errorf("%s (-seldom +often):\n%s", path, diff)
		}
	}
}
