// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestTogether(t *testing.T) {
	for _, tt := range []struct{ jobs, atOnce, seconds int }{{0, 1, 17}, {1, 1, 17}, {2, 2, 9}, {100, 17, 1}} {
		synctest.Test(t, func(t *testing.T) {
			var running, most atomic.Int32
			seen := map[string]int{}
			started := time.Now()
			together(tt.jobs, matrix(true), func(g guest) report {
				for n := running.Add(1); n > most.Load(); {
					most.Store(n)
				}
				time.Sleep(time.Second)
				running.Add(-1)
				return report{guest: g}
			}, func(rep report) { seen[rep.guest.String()]++ })
			if took := time.Since(started); took != time.Duration(tt.seconds)*time.Second || int(most.Load()) != tt.atOnce {
				t.Errorf("%d jobs: %d at once and %v, want %d and %d s", tt.jobs, most.Load(), took, tt.atOnce, tt.seconds)
			}
			for _, g := range matrix(true) {
				if seen[g.String()] != 1 {
					t.Errorf("%d jobs: guest %v reported %d times", tt.jobs, g, seen[g.String()])
				}
			}
		})
	}
}

func TestLongestFirst(t *testing.T) {
	gs := matrix(false)
	var got []string
	for _, g := range longestFirst(gs) {
		if k := g.Arch + " " + g.Tier; len(got) == 0 || got[len(got)-1] != k {
			got = append(got, k)
		}
	}
	want := []string{"arm64 full", "amd64 full", "amd64 kprobe", "amd64 tracepoint"}
	if !slices.Equal(got, want) || gs[0].Arch != "amd64" {
		t.Errorf("the order is %q, want %q", got, want)
	}
}
