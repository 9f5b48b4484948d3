// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"

	"beltrace/collector/model"
	"beltrace/demos/demo"
	"beltrace/internal/view"
)

func TestWriteComparison(t *testing.T) {
	var out strings.Builder
	err := writeComparison(&out, &comparison{
		Group: "execution", CPUs: 4, Kernel: "6.12", Arch: "amd64", Tier: "full",
		Demos: []compared{
			{Demo: "thread-per-connection", Proven: 5, Failed: 1, Unproven: 1, Measures: demo.Measures{
				PerSecond: model.Some(1234.5), P50NS: model.Some(int64(2_100_000)), P99NS: model.Some(int64(42_000_000)), Processes: 1, Threads: 17,
				Switches: model.Some(2.04), Calls: model.Some(11.2),
			}},
			{Demo: "io-uring", Missing: "demo io-uring cannot run here"},
			{Demo: "epoll-loop", Proven: 2, Unproven: 3},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"on 4 CPUs (linux 6.12 amd64, tier full)",
		"DEMO REQUEST/S P50 P99 PROCESSES THREADS SWITCH/REQ CALL/REQ CLAIMS",
		"thread-per-connection 1234 2.1 ms 42 ms 1 17 2.0 11 5 of 7, 1 FAILED",
		"io-uring demo io-uring cannot run here",
		strings.ReplaceAll("epoll-loop - - - 0 0 - - 2 of 5", "-", view.None),
	} {
		found := false
		for line := range strings.Lines(out.String()) {
			line = strings.Join(strings.Fields(line), " ")
			if strings.HasPrefix(want, "epoll") {
				line = strings.Replace(line, "epoll-loop", "epoll"+view.None+"loop", 1)
			}
			found = found || strings.Contains(line, want)
		}
		if !found {
			t.Errorf("no line %q in\n%s", want, &out)
		}
	}
	for line := range strings.Lines(out.String()) {
		if n := len([]rune(strings.TrimSpace(line))); n > 120 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}
