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

func TestNothingToRetryAfterAnotherFailure(t *testing.T) {
	if names := (report{Events: events([2]string{"", "fail"})}).failedTests(); names != nil {
		t.Errorf("a package that failed by itself gives %v", names)
	}
}
