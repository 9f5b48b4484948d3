// SPDX-License-Identifier: Apache-2.0

package result

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// stream is a run with each way to end: passed, failed in a subtest, failed by itself, skipped, a package that died,
// a package that does not build.
const stream = `{"Action":"run","Package":"a","Test":"TestOK"}
{"Action":"output","Package":"a","Test":"TestOK","Output":"fine\n"}
{"Action":"pass","Package":"a","Test":"TestOK"}
{"Action":"run","Package":"a","Test":"TestTable"}
{"Action":"run","Package":"a","Test":"TestTable/one"}
{"Action":"run","Package":"a","Test":"TestTable/two"}
{"Action":"output","Package":"a","Test":"TestTable/two","Output":"    a_test.go:9: got 1, want 2\n"}
{"Action":"pass","Package":"a","Test":"TestTable/one"}
{"Action":"fail","Package":"a","Test":"TestTable/two"}
{"Action":"fail","Package":"a","Test":"TestTable"}
{"Action":"run","Package":"a","Test":"TestRoot"}
{"Action":"output","Package":"a","Test":"TestRoot","Output":"=== RUN   TestRoot\n"}
{"Action":"output","Package":"a","Test":"TestRoot","Output":"    root_test.go:7: needs root\n"}
{"Action":"output","Package":"a","Test":"TestRoot","Output":"--- SKIP: TestRoot (0.00s)\n"}
{"Action":"skip","Package":"a","Test":"TestRoot"}
{"Action":"fail","Package":"a"}
{"Action":"output","Package":"b","Output":"panic: boom\n"}
{"Action":"fail","Package":"b"}
{"ImportPath":"c","Action":"build-output","Output":"c.go:1: syntax error\n"}
{"ImportPath":"c","Action":"build-fail"}
{"Action":"fail","Package":"c"}
{"Action":"skip","Package":"without-tests"}
not an event
`

func TestCounts(t *testing.T) {
	var l Log
	var stray []string
	if err := l.Read(strings.NewReader(stream), func(s string) { stray = append(stray, s) }); err != nil {
		t.Fatal(err)
	}
	if got, want := l.Counts(), (Counts{Passed: 2, Failed: 3, Skipped: 1}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
	if diff := cmp.Diff(map[string]int{"needs root": 1}, l.Skips()); diff != "" {
		t.Errorf("skips (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"not an event\n"}, stray); diff != "" {
		t.Errorf("stray lines (-want +got):\n%s", diff)
	}
	all := strings.Join(l.Failures(), "")
	for _, want := range []string{"got 1, want 2", "panic: boom", "c.go:1: syntax error"} {
		if !strings.Contains(all, want) {
			t.Errorf("failures do not show %q:\n%s", want, all)
		}
	}
}

// TestParentFails tests that a test which fails after its subtests passed is counted.
func TestParentFails(t *testing.T) {
	var l Log
	for _, e := range []Event{
		{Action: "run", Package: "a", Test: "T"}, {Action: "run", Package: "a", Test: "T/x"},
		{Action: "pass", Package: "a", Test: "T/x"}, {Action: "fail", Package: "a", Test: "T"}, {Action: "fail", Package: "a"},
	} {
		l.Add(e)
	}
	if got, want := l.Counts(), (Counts{Passed: 1, Failed: 1}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
}
