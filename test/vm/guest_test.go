// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMatrixOfCI(t *testing.T) {
	var got []string
	for _, g := range matrix(false) {
		got = append(got, g.String())
	}
	want := []string{
		"5.10 amd64 full",
		"6.1 amd64 full", "6.1 amd64 kprobe", "6.1 amd64 tracepoint",
		"6.12 amd64 full", "6.12 amd64 kprobe", "6.12 amd64 tracepoint", "6.12 arm64 full",
		"7.x amd64 full",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("guests of CI (-want +got):\n%s", diff)
	}
}

func TestBest(t *testing.T) {
	for tier, best := range map[string]bool{"full": true, "kprobe": false, "tracepoint": false} {
		if got := (guest{kernels[1], "amd64", tier}).best(); got != best {
			t.Errorf("6.1 amd64 %s: %v", tier, got)
		}
	}
	if !(guest{kernels[1], "arm64", "kprobe"}).best() {
		t.Error("6.1 arm64 has no better tier than kprobe")
	}
}

func TestChoose(t *testing.T) {
	for _, tt := range []struct {
		name, arch, tier string
		guests           int
		ok               bool
	}{
		{"6.1", "", "", 5, true}, // arm64 has no full tier there
		{"6.1", "amd64", "kprobe", 1, true},
		{"6.1", "arm64", "full", 0, false},
		{"", "arm64", "", 5, true},
		{"6.2", "", "", 0, false},
		{"5.10", "riscv64", "", 0, false},
	} {
		gs, err := choose(matrix(true), tt.name, tt.arch, tt.tier)
		if len(gs) != tt.guests || (err == nil) != tt.ok {
			t.Errorf("choose %q %q %q: %d guests, error %v; want %d, ok %v", tt.name, tt.arch, tt.tier, len(gs), err, tt.guests, tt.ok)
		}
	}
}
