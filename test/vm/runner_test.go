// SPDX-License-Identifier: Apache-2.0

package main

import (
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
	got := longestFirst(gs)
	if len(got) != len(gs) || got[0].Arch != "arm64" || got[1].Arch != "amd64" || got[len(got)-1].String() != gs[len(gs)-1].String() {
		t.Errorf("the order is %v", got)
	}
}
