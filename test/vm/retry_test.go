// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"beltrace/test/result"
)

// TestMended: of two tests that failed in the first guest one passes in the second.
func TestMended(t *testing.T) {
	first := report{Events: result.Run{
		{Package: "p", Test: "TestA", Action: "run"}, {Package: "p", Test: "TestA", Action: "output", Output: "    a_test.go:1: late\n"}, {Package: "p", Test: "TestA", Action: "fail"},
		{Package: "p", Test: "TestB", Action: "run"}, {Package: "p", Test: "TestB", Action: "fail"},
		{Package: "p", Action: "output", Output: "FAIL\n"}, {Package: "p", Action: "fail"},
	}}
	second := report{Events: result.Run{
		{Package: "p", Test: "TestA", Action: "run"}, {Package: "p", Test: "TestA", Action: "pass"},
		{Package: "p", Test: "TestB", Action: "run"}, {Package: "p", Test: "TestB", Action: "fail"}, {Package: "p", Action: "fail"},
	}}
	got := first.mended(second)
	if want := (result.Counts{Passed: 1, Failed: 1}); got.Counts != want {
		t.Errorf("counts %+v, want %+v", got.Counts, want)
	}
	if !got.failed() || len(got.Failures) != 1 {
		t.Errorf("failed %v, failures %q", got.failed(), got.Failures)
	}
	if !strings.Contains(got.Note, "TestA, at first: a_test.go:1: late") || strings.Contains(got.Note, "TestB") {
		t.Errorf("the note is %q", got.Note)
	}
}
