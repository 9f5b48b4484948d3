// SPDX-License-Identifier: Apache-2.0

// Package result counts what tests said: it reads the events of `go test -json`, which guests send too.
package result

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Event is one line of `go test -json`; see `go doc test2json`.
type Event struct {
	Time       time.Time `json:",omitzero"`
	Action     string
	Package    string   `json:",omitempty"`
	ImportPath string   `json:",omitempty"` // set instead of Package while it is built
	Test       string   `json:",omitempty"`
	Elapsed    *float64 `json:",omitempty"` // seconds
	Output     string   `json:",omitempty"`
	Key, Value string   `json:",omitempty"` // of an attribute
}

// Counts are results of tests. A test that has subtests counts by them alone, unless it fails by itself.
type Counts struct{ Passed, Failed, Skipped int }

// String is the plain closing line.
func (c Counts) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", c.Passed, c.Failed, c.Skipped)
}

// Add adds the results of another run.
func (c *Counts) Add(o Counts) {
	c.Passed += o.Passed
	c.Failed += o.Failed
	c.Skipped += o.Skipped
}

// Log collects the events of one run. The zero Log is ready for use; it is not for concurrent use.
type Log struct {
	// Ended, if set, is called for each package that ended.
	Ended func(Event)
	// Each, if set, is called for each event that is read.
	Each func(Event)

	action map[test]string     // the last action of each test, or of a package where Name is ""
	output map[test][]string   // its output, kept until it passes
	build  map[string][]string // output of the compiler, by import path
	failed []test              // in the order of their end
	parent map[test]bool       // has subtests
	second []string            // what passed in a second try only
}

type test struct{ Package, Name string }

// Read adds the events of r until its end. A line that is no event is an error of the runner: it is given to stray.
func (l *Log) Read(r io.Reader, stray func(line string)) error {
	br := bufio.NewReader(r)
	for {
		line, err := br.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			var e Event
			if json.Unmarshal(line, &e) == nil && e.Action != "" {
				l.Add(e)
				l.each(e)
			} else {
				stray(string(line))
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read test events: %w", err)
		}
	}
}

func (l *Log) each(e Event) {
	if l.Each != nil {
		l.Each(e)
	}
}

// Add adds one event.
func (l *Log) Add(e Event) {
	if l.action == nil {
		l.action, l.output, l.parent = map[test]string{}, map[test][]string{}, map[test]bool{}
		l.build = map[string][]string{}
	}
	t := test{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		l.build[e.ImportPath] = append(l.build[e.ImportPath], e.Output)
	case "run":
		l.action[t] = "run"
		for i, r := range e.Test {
			if r == '/' {
				l.parent[test{e.Package, e.Test[:i]}] = true
			}
		}
	case "output":
		l.output[t] = append(l.output[t], e.Output)
	case "attr":
		if e.Key == secondTry {
			l.second = append(l.second, fmt.Sprintf("%s %s, at first: %s", e.Package, e.Test, e.Value))
		}
	case "pass", "fail", "skip":
		l.end(t, e.Action)
		if e.Test == "" && l.Ended != nil {
			l.Ended(e)
		}
	}
}

// end notes how a test ended. Output of one that passed is of no more use.
func (l *Log) end(t test, action string) {
	l.action[t] = action
	switch action {
	case "pass":
		delete(l.output, t)
	case "fail":
		l.failed = append(l.failed, t)
	}
}

// Counts returns the results so far.
func (l *Log) Counts() Counts {
	var c Counts
	for t, action := range l.action {
		switch {
		case action == "fail" && !l.blamed(t):
			c.Failed++
		case t.Name == "" || l.parent[t]:
		case action == "pass":
			c.Passed++
		case action == "skip":
			c.Skipped++
		}
	}
	return c
}

// Unfinished returns the events that are missing of tests that began and never ended, as when the machine under them
// died: each has failed.
func (l *Log) Unfinished() []Event {
	var missing []Event
	for t, action := range l.action {
		if action == "run" {
			missing = append(missing,
				Event{Action: "output", Package: t.Package, Test: t.Name, Output: "began and never ended\n"},
				Event{Action: "fail", Package: t.Package, Test: t.Name})
		}
	}
	return missing
}

// blamed reports whether t failed only because something inside it did, which counts already.
func (l *Log) blamed(t test) bool {
	return slices.ContainsFunc(l.failed, func(f test) bool {
		return f.Package == t.Package && f != t && (t.Name == "" || strings.HasPrefix(f.Name, t.Name+"/"))
	})
}

// Failures returns what failed, each with its output.
func (l *Log) Failures() []string {
	var out []string
	for path, lines := range l.build {
		out = append(out, fmt.Sprintf("--- %s does not build\n%s", path, strings.Join(lines, "")))
	}
	slices.Sort(out)
	for _, t := range l.failed {
		if text := shorten(l.output[t]); !l.blamed(t) || strings.Contains(text, "_test.go:") {
			out = append(out, fmt.Sprintf("--- %s %s\n%s", t.Package, t.Name, text))
		}
	}
	return out
}

// maxOutput is how many lines of a failed test are shown: one broken fact can fail for each of a thousand events.
const maxOutput = 20

// shorten returns the first lines and says how many more there are.
func shorten(lines []string) string {
	if len(lines) <= maxOutput {
		return strings.Join(lines, "")
	}
	return strings.Join(lines[:maxOutput], "") + fmt.Sprintf("    ... and %d more lines\n", len(lines)-maxOutput)
}

// SecondTries returns the tests that failed at first, each with what it said then.
func (l *Log) SecondTries() []string { return l.second }

// Skips returns the reasons why tests were skipped, with how many tests each kept from running.
func (l *Log) Skips() map[string]int {
	reasons := map[string]int{}
	for t, action := range l.action {
		if action == "skip" && t.Name != "" && !l.parent[t] {
			reasons[reason(l.output[t])]++
		}
	}
	return reasons
}

// reason finds the words given to t.Skip in a test's output: "    file_test.go:12: words".
func reason(lines []string) string {
	for _, line := range slices.Backward(lines) {
		if _, words, ok := strings.Cut(line, "_test.go:"); ok {
			_, words, _ = strings.Cut(words, ": ")
			return strings.TrimSpace(words)
		}
	}
	for _, line := range slices.Backward(lines) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "---") && !strings.HasPrefix(line, "===") {
			return line
		}
	}
	return "no reason given"
}
