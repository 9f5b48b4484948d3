// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"beltrace/collector/insight"
	"beltrace/collector/model"
)

// Options say where the events come from and how much may be kept. The zero value works: nothing is known about the
// kernel and the budgets are the defaults.
type Options struct {
	Host, Kernel, Arch string
	Tier               string
	Probes             map[string]model.ProbeStatus
	// Facts are the fidelities that every listener shows, by the names of package probes.
	Facts      map[string]model.Fidelity
	WallOffset int64 // add to an event's ts to get unix ns
	Start      int64 // when collection began, CLOCK_MONOTONIC; 0: at the first event
	Filters    []string
	Watch      insight.Watch // how much of a network namespace is watched
	Sets       []string
	// Process tells what is known about a process of this host (package procinfo). It is nil on a replay, where the
	// events carry what was known.
	Process func(pid uint32) model.Process
	// Detail asks for each call of a connection whose turns do not tell where its messages end. It is nil where nobody can
	// answer; then such exchanges stay guesses.
	Detail func(conn uint64)
	Budget Budget
}

// Budget bounds what the collector keeps; 0 means the default. What does not fit goes, closed things first and the
// oldest first.
type Budget struct {
	Connections int // open and closed together: 20,000
	Closed      int // closed connections: 5,000
	Listeners   int // 2,000
	Events      int // lines of the event page: 1,000
	Marks       int // 1,000
	Story       int // lines of one connection's story: 32
	Waiting     int // connections listed of one accept queue: 256
	Acceptors   int // threads listed of one listener, each by itself: 512
	Namespaces  int // network namespaces: 256
	Exchanges   int // 2,000
	Routes      int // of one server: 200
	Workers     int // threads that serve: 4,000
	Loops       int // event loops: 2,000
	Rings       int // 1,000
	Reservoir   int // values of one distribution that are kept for its percentiles: 4,096
}

// orDefault returns the budget with its zeros replaced.
func (b Budget) orDefault() Budget {
	for _, d := range []struct {
		n   *int
		def int
	}{
		{&b.Connections, 20_000}, {&b.Closed, 5_000}, {&b.Listeners, 2_000}, {&b.Events, 1_000}, {&b.Marks, 1_000},
		{&b.Story, 32}, {&b.Waiting, 256}, {&b.Acceptors, 512}, {&b.Workers, 4_000}, {&b.Loops, 2_000}, {&b.Exchanges, 2_000}, {&b.Routes, 200}, {&b.Namespaces, 256}, {&b.Rings, 1_000}, {&b.Reservoir, 4_096},
	} {
		if *d.n <= 0 {
			*d.n = d.def
		}
	}
	return b
}
