// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"
	"testing"

	"beltrace/collector/event"
	"beltrace/collector/live"
	"beltrace/collector/probes"
)

func TestUntoldNamesWhatNoHookYields(t *testing.T) {
	syn := probes.Probe{Name: "syn", Yields: []event.Kind{event.SYN}}
	first := probes.Probe{Name: "first", Yields: []event.Kind{event.Accept}}
	accept := probes.Probe{Name: "accept", Yields: []event.Kind{event.Accept}}
	mark := probes.Probe{Name: "mark", Yields: []event.Kind{event.Mark}}
	infos := []live.ProbeInfo{
		{Probe: &syn}, {Probe: &first, Idle: "not needed"}, {Probe: &accept, Hook: &probes.Hook{}},
		{Probe: &mark, Idle: "no cooperating server"},
	}
	const noSYN = "this kernel does not tell syn here: see 'beltrace doctor'"
	for _, c := range []struct {
		kinds kindSet
		want  []string
	}{
		{1 << event.SYN, []string{noSYN}},
		{1 << event.Accept, nil}, // another probe yields it
		{1<<event.SYN | 1<<event.Lost, []string{noSYN}},
		{1 << event.Mark, []string{"there is no mark to see: no cooperating server"}}, // that is not the kernel's fault
	} {
		if got := untold(infos, c.kinds); !slices.Equal(got, c.want) {
			t.Errorf("%b: %v, want %v", c.kinds, got, c.want)
		}
	}
}

// TestSetsFor: a kind has the sets without which it would never come.
func TestSetsFor(t *testing.T) {
	for k, want := range map[event.Kind][]probes.Set{
		event.Accept:   {probes.Lifecycle},
		event.Offcpu:   {probes.Data, probes.Sched},
		event.Oncpu:    {probes.Data, probes.Samples, probes.Sched},
		event.Exchange: {probes.Data, probes.Rings, probes.Sched},
	} {
		got := setsFor(1 << k)
		slices.Sort(got)
		if got = slices.Compact(got); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", k, got, want)
		}
	}
}

// TestForReplay: a recording of what a filter selects carries what becomes ready in event loops, one of the whole host does not: it
// would cost each packet.
func TestForReplay(t *testing.T) {
	for name, f := range map[string]struct {
		config live.Config
		ready  bool
	}{
		"whole host": {live.Config{}, false},
		"--port":     {live.Config{Ports: []uint16{80}}, true},
		"--pid":      {live.Config{PIDs: []uint32{1}}, true},
		"--comm":     {live.Config{Comm: "nginx"}, true},
	} {
		forReplay(&f.config)
		if got := slices.Contains(f.config.Want, probes.Readiness); got != f.ready || !f.config.SYN {
			t.Errorf("%s: %+v", name, f.config)
		}
	}
}
