// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"beltrace/collector/model"
	"beltrace/demos/demo"
)

const demoAddr = "127.0.0.1:8080"

// seenWith returns evidence with one listener, the demo's, whose facts are these.
func seenWith(facts map[string]model.Fidelity, done bool) demo.Seen {
	return demo.Seen{
		Snapshot: &model.Snapshot{Tier: "tracepoint", Lost: map[string]uint64{}, Listeners: []model.Listener{{Local: demoAddr, Fidelity: facts}}},
		Server:   demo.Party{Addr: demoAddr}, Done: done,
	}
}

// TestVerdict wants no claim to decide more than its evidence allows.
func TestVerdict(t *testing.T) {
	exact := map[string]model.Fidelity{"wait_ns": model.Exact, "syn": model.Unknown, "queue": model.Sampled, "rtt": model.Derived}
	proven := demo.Prove(demo.Evidence{}.With("n", 1))
	refuted := demo.Refute(nil, "no")
	tests := []struct {
		name  string
		needs string
		says  demo.Verdict
		done  bool
		lost  uint64
		want  demo.State
		why   string
	}{
		{name: "proven", says: proven, want: demo.Proven},
		{name: "exact", needs: "wait_ns", says: proven, want: demo.Proven},
		{name: "derived", needs: "rtt", says: proven, want: demo.Proven},
		{name: "unknown", needs: "syn", says: proven, want: demo.Unproven, why: "syn cannot be seen here (tier tracepoint)"},
		{name: "never heard of", needs: "colour", says: proven, want: demo.Unproven, why: "colour cannot be seen here (tier tracepoint)"},
		{name: "sampled", needs: "queue", says: proven, want: demo.Unproven, why: "queue is only sampled here (tier tracepoint)"},
		{name: "refuted too early", says: refuted, want: demo.Waiting},
		{name: "refuted at the end", says: refuted, done: true, want: demo.Refuted, why: "no"},
		{name: "refuted after a loss", says: refuted, done: true, lost: 3, want: demo.Unproven, why: "events were lost: 3 (ring)"},
		{name: "waiting", says: demo.Wait(nil), want: demo.Waiting},
		{name: "waiting at the end", says: demo.Wait(nil), done: true, want: demo.Refuted, why: "the evidence did not become complete"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			seen := seenWith(exact, tt.done)
			if tt.lost > 0 {
				seen.Snapshot.Lost = map[string]uint64{"ring": tt.lost}
			}
			c := demo.Claim{Check: func(demo.Seen) demo.Verdict { return tt.says }}
			if tt.needs != "" {
				c.Needs = []string{tt.needs}
			}
			v := verdict(&c, seen)
			if v.State != tt.want || tt.lost == 0 && v.Why != tt.why {
				t.Errorf("%s (%s), want %s (%s)", v.State, v.Why, tt.want, tt.why)
			}
			if tt.lost > 0 && !strings.HasPrefix(v.Why, "events were lost: ") {
				t.Errorf("reason %q does not tell of the loss", v.Why)
			}
		})
	}
}

// TestBlindBeforeTheListener waits for the listener before it says that a fact cannot be seen.
func TestBlindBeforeTheListener(t *testing.T) {
	c := demo.Claim{Needs: []string{"wait_ns"}, Check: func(demo.Seen) demo.Verdict { return demo.Wait(nil) }}
	if v := verdict(&c, demo.Seen{Snapshot: &model.Snapshot{}}); v.State != demo.Waiting {
		t.Errorf("%s before anything was seen", v.State)
	}
}

func fourClaims() []judged {
	return []judged{
		{0, "first", demo.Prove(demo.Evidence{}.With("connections", 50).With("wait_p50_ns", 83_000))},
		{0, "second", demo.Refute(demo.Evidence{}.With("accepted", 49), "accepted: 49, not 50")},
		{1, "third", demo.Unable("wait_ns cannot be seen here (tier none)")},
		{1, "fourth", demo.Wait(nil)},
	}
}

func TestWriteResult(t *testing.T) {
	var out bytes.Buffer
	d := &demo.Demo{Name: "a-demo", Lesson: demo.Lesson{Title: "A demo"}}
	if err := writeResult(&out, d, seenWith(nil, true), fourClaims()); err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(`{
		"demo": "a-demo", "title": "A demo", "kernel": "", "arch": "", "tier": "tracepoint", "server": "127.0.0.1:8080",
		"claims": [
			{"step": 1, "text": "first", "ok": true, "evidence": {"connections": 50, "wait_p50_ns": 83000}},
			{"step": 1, "text": "second", "ok": false, "evidence": {"accepted": 49}, "why": "accepted: 49, not 50"}],
		"unproven": [
			{"step": 2, "text": "third", "reason": "wait_ns cannot be seen here (tier none)"},
			{"step": 2, "text": "fourth", "reason": "the run ended before the evidence was complete"}],
		"lost": {}}`), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWriteLesson(t *testing.T) {
	l := &demo.Lesson{Title: "Who accepts?", Steps: []demo.Step{{Title: "one"}, {Title: "two"}}}
	var out strings.Builder
	if err := writeLesson(&out, l, fourClaims()); err != nil {
		t.Fatal(err)
	}
	want := `
WHO ACCEPTS?

1 of 2: one
  ✓ first
      connections 50 · wait p50 83 µs
  ✗ second
      accepted 49
      accepted: 49, not 50

2 of 2: two
  ? third
      wait_ns cannot be seen here (tier none)
  … fourth

1 of 4 claims proven, 1 cannot be proven here, 1 FAILED
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}
