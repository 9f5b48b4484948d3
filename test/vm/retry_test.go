// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"testing"

	"beltrace/test/result"
)

func events(list ...[2]string) []result.Event {
	var out []result.Event
	for _, e := range list {
		out = append(out, result.Event{Package: "p", Test: e[0], Action: e[1]})
	}
	return out
}

func TestMendedCountsTheSecondTry(t *testing.T) {
	first := report{Events: events(
		[2]string{"TestA", "run"}, [2]string{"TestA", "pass"},
		[2]string{"TestB", "run"}, [2]string{"TestB/one", "run"}, [2]string{"TestB/one", "fail"}, [2]string{"TestB", "fail"},
		[2]string{"", "fail"},
	)}
	names := first.failedTests()
	if !slices.Equal(names, []string{"TestB"}) {
		t.Fatalf("failed tests %v", names)
	}
	second := report{Events: events(
		[2]string{"TestB", "run"}, [2]string{"TestB/one", "run"}, [2]string{"TestB/one", "pass"}, [2]string{"TestB", "pass"}, [2]string{"", "pass"},
	)}
	got := first.mended(second, names)
	if want := (result.Counts{Passed: 2}); got.Counts != want {
		t.Errorf("counts %+v, want %+v", got.Counts, want)
	}
	if got.failed() || got.Note == "" {
		t.Errorf("failed %v, note %q", got.failed(), got.Note)
	}
}

// TestMendedKeepsWhatFailedTwice: of two that failed one passes the second time.
func TestMendedKeepsWhatFailedTwice(t *testing.T) {
	first := report{Events: events(
		[2]string{"TestA", "run"}, [2]string{"TestA", "fail"}, [2]string{"TestB", "run"}, [2]string{"TestB", "fail"}, [2]string{"", "fail"},
	)}
	second := report{Events: events(
		[2]string{"TestA", "run"}, [2]string{"TestA", "pass"}, [2]string{"TestB", "run"}, [2]string{"TestB", "fail"}, [2]string{"", "fail"},
	)}
	if !second.passed("TestA") || second.passed("TestB") || second.passed("TestC") {
		t.Errorf("TestA passed, TestB failed, TestC did not run")
	}
	got := first.mended(second, []string{"TestA"})
	if want := (result.Counts{Passed: 1, Failed: 1}); got.Counts != want {
		t.Errorf("counts %+v, want %+v", got.Counts, want)
	}
	if !got.failed() || len(got.Failures) != 1 {
		t.Errorf("failed %v, failures %q", got.failed(), got.Failures)
	}
}

func TestNothingToRetryAfterAnotherFailure(t *testing.T) {
	if names := (report{Events: events([2]string{"", "fail"})}).failedTests(); names != nil {
		t.Errorf("a package that failed by itself gives %v", names)
	}
}
