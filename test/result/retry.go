// SPDX-License-Identifier: Apache-2.0

package result

import (
	"regexp"
	"slices"
	"strings"
)

// Run is the events of one run of tests, in their order.
type Run []Event

// secondTry is the key of the attribute that a test gets which failed at first; its value is what it said then.
const secondTry = "second try"

// Failed returns the top-level tests that failed, if a second try of them is all that it takes: nothing if a package
// failed in another way, for then tests may be missing that never began.
func (r Run) Failed() []string {
	var names []string
	for _, e := range r {
		if e.Action != "fail" {
			continue
		}
		if e.Test == "" && !r.ranToItsEnd(e.Package) {
			return nil
		}
		if name := topLevel(e.Test); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// ranToItsEnd reports whether a package failed by its tests: a binary that panics, or is out of time, does not say FAIL.
func (r Run) ranToItsEnd(pkg string) bool {
	return slices.ContainsFunc(r, func(e Event) bool {
		return e.Package == pkg && e.Test == "" && e.Action == "output" && strings.TrimSpace(e.Output) == "FAIL"
	})
}

// Pattern is the regular expression that selects those tests and no others.
func Pattern(names []string) string {
	var quoted []string
	for _, n := range names {
		quoted = append(quoted, regexp.QuoteMeta(n))
	}
	return "^(" + strings.Join(quoted, "|") + ")$"
}

// Mended returns r with what its failed tests said in a second run, as far as they passed there. Each of them is noted.
func (r Run) Mended(second Run) Run {
	passed := map[test]bool{}
	for _, e := range second {
		passed[test{e.Package, e.Test}] = e.Action == "pass"
	}
	mended, left := map[test]bool{}, map[string]bool{}
	for _, e := range r {
		if t := (test{e.Package, topLevel(e.Test)}); e.Action == "fail" && t.Name != "" {
			mended[t] = passed[t]
			left[e.Package] = left[e.Package] || !passed[t]
		}
	}
	var out Run
	for _, e := range r {
		if e.Test == "" && e.Action == "fail" && !left[e.Package] {
			e.Action = "pass" // only these tests kept it from passing
		}
		if !mended[test{e.Package, topLevel(e.Test)}] {
			out = append(out, e)
		}
	}
	for _, e := range second {
		t := test{e.Package, topLevel(e.Test)}
		if mended[t] {
			out = append(out, e)
		}
		if mended[t] && e.Test == t.Name && e.Action == "pass" {
			out = append(out, Event{Action: "attr", Package: t.Package, Test: t.Name, Key: secondTry, Value: r.said(t)})
		}
	}
	return out
}

// said returns the first words of a test that failed, and the two lines after them: they may be what a program said.
func (r Run) said(t test) string {
	var lines []string
	for _, e := range r {
		if e.Package == t.Package && topLevel(e.Test) == t.Name && e.Action == "output" {
			lines = append(lines, strings.TrimSpace(e.Output))
		}
	}
	for i, l := range lines {
		if strings.Contains(l, "_test.go:") {
			return strings.Join(lines[i:min(i+3, len(lines))], "; ")
		}
	}
	if len(lines) == 0 {
		return ""
	}
	return lines[len(lines)-1]
}

// FuzzDeadline reports whether all that went wrong is what Go itself does now and then at the end of -fuzztime: a fuzz
// test fails with "context deadline exceeded", and no input made it fail (https://go.dev/issue/75804).
func (r Run) FuzzDeadline() bool {
	names := r.Failed()
	if len(names) != 1 || !strings.HasPrefix(names[0], "Fuzz") {
		return false
	}
	deadline := false
	for _, e := range r {
		if e.Action != "output" || e.Test == "" {
			continue
		}
		switch line := strings.TrimSpace(e.Output); {
		case line == "", strings.HasPrefix(line, "=== "), strings.HasPrefix(line, "fuzz: elapsed: "), strings.HasPrefix(line, "--- FAIL: "+names[0]+" "):
		case line == "context deadline exceeded" && e.Test == names[0]:
			deadline = true
		default:
			return false
		}
	}
	return deadline
}

func topLevel(test string) string {
	name, _, _ := strings.Cut(test, "/")
	return name
}
