// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"beltrace/collector/model"
	"beltrace/demos/demo"
	"beltrace/internal/view"
)

// judged is one claim of a lesson with its verdict.
type judged struct {
	step int // from 0
	text string
	demo.Verdict
}

// judge asks every claim of the lesson. What a claim says counts only where the kernel lets us see what it needs, and
// a contradiction only at the end and when no event was lost.
func judge(l *demo.Lesson, seen demo.Seen) []judged {
	var out []judged
	for i, s := range l.Steps {
		for _, c := range s.Claims {
			out = append(out, judged{step: i, text: c.Text, Verdict: verdict(&c, seen)})
		}
	}
	return out
}

func verdict(c *demo.Claim, seen demo.Seen) demo.Verdict {
	if why := blind(c, seen); why != "" {
		return demo.Unable(why)
	}
	v := c.Check(seen)
	switch {
	case v.State == demo.Refuted && !seen.Done:
		return demo.Wait(v.Evidence)
	case v.State == demo.Refuted && view.Lost(seen.Snapshot) > 0:
		return demo.Unable("events were lost: " + view.LostText(seen.Snapshot))
	case v.State == demo.Waiting && seen.Done:
		return demo.Refute(v.Evidence, "the evidence did not become complete")
	}
	return v
}

// blind says which fact this kernel hides from a claim, "" if none.
func blind(c *demo.Claim, seen demo.Seen) string {
	facts, ok := serverFacts(seen)
	if !ok {
		return ""
	}
	for _, need := range c.Needs {
		switch facts[need] {
		case model.Exact, model.Derived:
		case model.Sampled:
			return fmt.Sprintf("%s is only sampled here (tier %s)", need, seen.Tier)
		default:
			return fmt.Sprintf("%s cannot be seen here (tier %s)", need, seen.Tier)
		}
	}
	return ""
}

// serverFacts returns the fidelities of the server's listener, and false before it was seen.
func serverFacts(seen demo.Seen) (map[string]model.Fidelity, bool) {
	for i := range seen.Listeners {
		if l := &seen.Listeners[i]; l.Local == seen.Server.Addr {
			return l.Fidelity, true
		}
	}
	return nil, false
}

// decided reports whether no claim waits any more.
func decided(claims []judged) bool { return count(claims, demo.Waiting) == 0 }

func count(claims []judged, s demo.State) int {
	n := 0
	for _, c := range claims {
		if c.State == s {
			n++
		}
	}
	return n
}

// Signs of the states, in the order in which a person meets them.
func sign(s demo.State) string {
	switch s {
	case demo.Proven:
		return "✓"
	case demo.Refuted:
		return "✗"
	case demo.Unproven:
		return "?"
	}
	return "…"
}

// words writes evidence as a person reads it: "established 50 · handshake p50 83 µs".
func words(e demo.Evidence) string {
	parts := make([]string, len(e))
	for i, n := range e {
		name, isTime := strings.CutSuffix(n.Name, "_ns")
		value := fmt.Sprint(n.Value)
		if isTime {
			value = view.Dur(n.Value)
		}
		parts[i] = strings.ReplaceAll(name, "_", " ") + " " + value
	}
	return strings.Join(parts, " · ")
}

// writeLesson prints the claims under their steps, with the numbers that decided.
func writeLesson(to io.Writer, l *demo.Lesson, claims []judged) error {
	w := bufio.NewWriter(to)
	fmt.Fprintf(w, "\n%s\n", strings.ToUpper(l.Title))
	step := -1
	for _, c := range claims {
		if c.step != step {
			step = c.step
			fmt.Fprintf(w, "\n%d of %d: %s\n", step+1, len(l.Steps), l.Steps[step].Title)
		}
		fmt.Fprintf(w, "  %s %s\n", sign(c.State), c.text)
		if numbers := words(c.Evidence); numbers != "" {
			fmt.Fprintf(w, "      %s\n", numbers)
		}
		if c.Why != "" {
			fmt.Fprintf(w, "      %s\n", c.Why)
		}
	}
	fmt.Fprintf(w, "\n%s\n", summary(claims))
	return w.Flush()
}

func summary(claims []judged) string {
	s := fmt.Sprintf("%d of %d claims proven", count(claims, demo.Proven), len(claims))
	if n := count(claims, demo.Unproven); n > 0 {
		s += fmt.Sprintf(", %d cannot be proven here", n)
	}
	if n := count(claims, demo.Refuted); n > 0 {
		s += fmt.Sprintf(", %d FAILED", n)
	}
	return s
}

// demoResult is what --json prints.
type demoResult struct {
	Demo     string            `json:"demo"`
	Title    string            `json:"title"`
	Kernel   string            `json:"kernel"`
	Arch     string            `json:"arch"`
	Tier     string            `json:"tier"`
	Server   string            `json:"server"` // where it listened
	Claims   []claimResult     `json:"claims"`
	Unproven []unprovenResult  `json:"unproven"`
	Measures *demo.Measures    `json:"measures,omitempty"` // of a demo that can be compared
	Lost     map[string]uint64 `json:"lost"`
}

type claimResult struct {
	Step     int           `json:"step"` // from 1
	Text     string        `json:"text"`
	OK       bool          `json:"ok"`
	Evidence demo.Evidence `json:"evidence"`
	Why      string        `json:"why,omitempty"` // of one that failed
}

type unprovenResult struct {
	Step   int    `json:"step"`
	Text   string `json:"text"`
	Reason string `json:"reason"`
}

func writeResult(w io.Writer, d *demo.Demo, seen demo.Seen, claims []judged) error {
	res := demoResult{
		Demo: d.Name, Title: d.Lesson.Title, Kernel: seen.Kernel, Arch: seen.Arch, Tier: seen.Tier, Server: seen.Server.Addr,
		Claims: []claimResult{}, Unproven: []unprovenResult{}, Lost: seen.Lost,
	}
	if d.Measure != nil {
		m := d.Measure(seen)
		res.Measures = &m
	}
	for _, c := range claims {
		switch c.State {
		case demo.Unproven:
			res.Unproven = append(res.Unproven, unprovenResult{c.step + 1, c.text, c.Why})
			continue
		case demo.Waiting:
			res.Unproven = append(res.Unproven, unprovenResult{c.step + 1, c.text, "the run ended before the evidence was complete"})
			continue
		}
		res.Claims = append(res.Claims, claimResult{c.step + 1, c.text, c.State == demo.Proven, c.Evidence, c.Why})
	}
	return json.NewEncoder(w).Encode(res)
}
