// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"
	"testing"

	"beltrace/test/result"
)

// What a test binary prints under -test.v=test2json, and what /init prints around it.
const (
	begin    = "guest: kernel 6.1 x86_64\nguest: begin 00-truth\n\x16=== RUN   TestA\n"
	passed   = begin + "\x16--- PASS: TestA (0.00s)\n\x16=== NAME  \n\x16PASS\n\n"
	failed   = begin + "    a_test.go:3: no\n\x16--- FAIL: TestA (0.00s)\n\x16=== NAME  \n\x16FAIL\n\n"
	skipped  = begin + "    a_test.go:3: no\n\x16--- SKIP: TestA (0.00s)\n\x16=== NAME  \n\x16PASS\n\n"
	panicked = begin + "\x16--- FAIL: TestA (0.00s)\npanic: boom\n\ngoroutine 22 [running]:\n\n"
)

// consoles are the ends that a guest can come to.
var consoles = map[string]struct {
	text   string
	counts result.Counts
	fails  bool // apart from its tests
}{
	"passed":            {passed + "guest: end 00-truth 0\nguest: exit 0\n", result.Counts{Passed: 1}, false},
	"failed":            {failed + "guest: end 00-truth 1\nguest: exit 1\n", result.Counts{Failed: 1}, false},
	"all skipped":       {skipped + "guest: end 00-truth 0\nguest: exit 0\n", result.Counts{Skipped: 1}, true},
	"test panicked":     {panicked + "guest: end 00-truth 2\nguest: exit 1\n", result.Counts{Failed: 1}, false},
	"kernel panic":      {begin + "[    1.0] Kernel panic - not syncing\n", result.Counts{Failed: 1}, true},
	"passed, then dead": {passed + "[    1.0] Kernel panic - not syncing\n", result.Counts{Passed: 1}, true},
	"passed, exit code": {passed + "leak\nguest: end 00-truth 1\nguest: exit 1\n", result.Counts{Passed: 1}, true},
	"no init":           {"Kernel panic - not syncing: No working init found\n", result.Counts{}, true},
	"nothing":           {"", result.Counts{}, true},
}

func TestVerdict(t *testing.T) {
	for name, tt := range consoles {
		t.Run(name, func(t *testing.T) {
			con := readConsole(strings.NewReader(strings.ReplaceAll(tt.text, "\n", "\r\n")), func(string) {})
			r := report{guest: guest{kernels[0], "amd64", "full"}}
			r.collect(context.Background(), con)
			if r.Counts != tt.counts {
				t.Errorf("counts %+v, want %+v", r.Counts, tt.counts)
			}
			if err := r.verdict(con); (err != nil) != tt.fails {
				t.Errorf("verdict %v, want an error: %v", err, tt.fails)
			}
		})
	}
}

// TestEnvScript tests that values survive the guest's shell.
func TestEnvScript(t *testing.T) {
	got := envScript([]string{"A=b=c d"}, []string{"-test.run=^Test(A|B)'s$"})
	want := "export A='b=c d'\nset -- '-test.run=^Test(A|B)'\\''s$'\n"
	if got != want {
		t.Errorf("script %q, want %q", got, want)
	}
}
