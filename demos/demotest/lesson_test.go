// SPDX-License-Identifier: Apache-2.0

package demotest

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"beltrace/collector/model"
	"beltrace/demos"
	"beltrace/demos/demo"
)

// pages are the dashboard's pages that a step may name.
var pages = []string{"overview", "listeners", "connections", "requests", "workers", "findings", "events"}

var demoName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

func TestNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range demos.All() {
		if seen[d.Name] {
			t.Errorf("two demos are called %s", d.Name)
		}
		seen[d.Name] = true
	}
}

func TestLessonIsComplete(t *testing.T) {
	for _, d := range demos.All() {
		t.Run(d.Name, func(t *testing.T) {
			if !demoName.MatchString(d.Name) {
				t.Errorf("name %q", d.Name)
			}
			if !slices.Contains(demo.Groups(), d.Group) {
				t.Errorf("group %q", d.Group)
			}
			oneLine(t, "summary", d.Summary, 70)
			oneLine(t, "title", d.Lesson.Title, 60)
			if d.Server == nil || d.Client == nil {
				t.Error("no server or no client")
			}
			if len(d.Lesson.Steps) < 2 {
				t.Errorf("%d steps", len(d.Lesson.Steps))
			}
			texts := map[string]bool{}
			for i, s := range d.Lesson.Steps {
				checkStep(t, i, s, texts)
			}
		})
	}
}

func checkStep(t *testing.T, i int, s demo.Step, texts map[string]bool) {
	t.Helper()
	oneLine(t, "title of a step", s.Title, 60)
	if words := len(strings.Fields(s.Text)); words < 20 || words > 120 {
		t.Errorf("step %d: text of %d words; 20 to 120 can be read beside a moving page", i+1, words)
	}
	if !slices.Contains(pages, s.Page) {
		t.Errorf("step %d: page %q", i+1, s.Page)
	}
	if len(s.Claims) == 0 {
		t.Errorf("step %d claims nothing", i+1)
	}
	for _, c := range s.Claims {
		oneLine(t, "claim", c.Text, 110)
		if texts[c.Text] {
			t.Errorf("two claims say %q", c.Text)
		}
		texts[c.Text] = true
	}
}

func oneLine(t *testing.T, what, s string, limit int) {
	t.Helper()
	if s == "" || len(s) > limit || strings.ContainsAny(s, "\n\t") || strings.TrimSpace(s) != s {
		t.Errorf("%s %q: one line of at most %d bytes", what, s, limit)
	}
}

// TestClaimsNeedEvidence asks every claim before anything was seen, and after a run of which nothing was seen.
func TestClaimsNeedEvidence(t *testing.T) {
	server := demo.Party{PID: 7, Addr: "127.0.0.1:80"}
	begun := []int64{1, 2, 3, 4, 5, 6, 7, 8}
	for _, d := range demos.All() {
		for _, s := range d.Lesson.Steps {
			for _, c := range s.Claims {
				if v := c.Check(demo.Seen{Snapshot: &model.Snapshot{}, Server: server}); v.State != demo.Waiting {
					t.Errorf("%s: %q is %s (%s) before the run", d.Name, c.Text, v.State, v.Why)
				}
				v := c.Check(demo.Seen{Snapshot: &model.Snapshot{TS: 100}, Server: server, Steps: begun[:len(d.Lesson.Steps)], Done: true})
				if v.State != demo.Refuted && v.State != demo.Unproven {
					t.Errorf("%s: %q is %s although nothing was seen", d.Name, c.Text, v.State)
				}
				if v.Why == "" {
					t.Errorf("%s: %q is %s without a reason", d.Name, c.Text, v.State)
				}
			}
		}
	}
}
