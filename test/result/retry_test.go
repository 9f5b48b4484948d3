// SPDX-License-Identifier: Apache-2.0

package result

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// run returns the events of one line each: action, test, output.
func run(lines ...string) Run {
	var r Run
	for _, l := range lines {
		f := append(strings.SplitN(l, " ", 3), "", "")
		e := Event{Package: "p", Action: f[0], Test: strings.TrimPrefix(f[1], "-")}
		if f[2] != "" {
			e.Output = f[2] + "\n"
		}
		r = append(r, e)
	}
	return r
}

const saysFAIL = "output - FAIL"

func TestFailed(t *testing.T) {
	for name, tt := range map[string]struct {
		run  Run
		want []string
	}{
		"tests":        {run("fail TestA/one", "fail TestA", "fail TestB", saysFAIL, "fail -"), []string{"TestA", "TestB"}},
		"none":         {run("pass TestA", "pass -"), nil},
		"a build":      {run("fail -"), nil},
		"a dead guest": {run("fail TestA", saysFAIL, "fail -", "fail -other").in("q", 3), nil},
		"a panic":      {run("output TestA panic: boo", "fail TestA", "fail -"), nil}, // the tests after it never ran
	} {
		if got := tt.run.Failed(); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// in moves one event to another package.
func (r Run) in(pkg string, i int) Run {
	r[i] = Event{Package: pkg, Action: r[i].Action}
	return r
}

func TestMended(t *testing.T) {
	first := run("run TestOK", "pass TestOK", "run TestA", "run TestA/one", "output TestA/one     a_test.go:7: too late", "output TestA/one         it said this", "fail TestA/one", "fail TestA", "run TestB", "fail TestB", saysFAIL, "fail -")
	again := run("run TestA", "run TestA/one", "pass TestA/one", "pass TestA", "run TestB", "fail TestB", saysFAIL, "fail -")
	both := run("run TestA", "run TestA/one", "pass TestA/one", "pass TestA", "run TestB", "pass TestB", "pass -")
	for name, tt := range map[string]struct {
		second Run
		counts Counts
		tries  []string
		end    string
	}{
		"one of two": {again, Counts{Passed: 2, Failed: 1}, []string{"p TestA, at first: a_test.go:7: too late; it said this"}, "fail"},
		"both":       {both, Counts{Passed: 3}, []string{"p TestA, at first: a_test.go:7: too late; it said this", "p TestB, at first: "}, "pass"},
		"none ran":   {nil, Counts{Passed: 1, Failed: 2}, nil, "fail"},
	} {
		var l Log
		end := ""
		for _, e := range first.Mended(tt.second) {
			l.Add(e)
			if e.Test == "" {
				end = e.Action
			}
		}
		if l.Counts() != tt.counts || end != tt.end {
			t.Errorf("%s: %v, the package ends with %s; want %v, %s", name, l.Counts(), end, tt.counts, tt.end)
		}
		if diff := cmp.Diff(tt.tries, l.SecondTries()); diff != "" {
			t.Errorf("%s: second tries (-want +got):\n%s", name, diff)
		}
	}
}

func TestFuzzDeadline(t *testing.T) {
	head := []string{"run FuzzA", "output FuzzA === RUN   FuzzA", "output FuzzA fuzz: elapsed: 3s, execs: 63798 (21264/sec)"}
	tail := []string{saysFAIL, "fail -"}
	for name, tt := range map[string]struct {
		said []string
		want bool
	}{
		"the deadline":        {[]string{"output FuzzA --- FAIL: FuzzA (21.02s)", "output FuzzA     context deadline exceeded", "fail FuzzA"}, true},
		"a failing input":     {[]string{"output FuzzA fuzz: minimizing 6998-byte failing input file", "output FuzzA --- FAIL: FuzzA (9.0s)", "output FuzzA     context deadline exceeded", "output FuzzA     Failing input written to testdata/fuzz/FuzzA/1", "fail FuzzA"}, false},
		"a seed that fails":   {[]string{"output FuzzA/seed#0     a_test.go:1: bad", "fail FuzzA/seed#0", "fail FuzzA"}, false},
		"a test that says it": {[]string{"output FuzzA     a_test.go:1: context deadline exceeded", "fail FuzzA"}, false},
		"nothing said":        {[]string{"fail FuzzA"}, false},
		"another test":        {[]string{"output TestA context deadline exceeded", "fail TestA", "pass FuzzA"}, false},
	} {
		if got := run(slices.Concat(head, tt.said, tail)...).FuzzDeadline(); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
