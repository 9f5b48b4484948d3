// SPDX-License-Identifier: Apache-2.0

package execution

import (
	"beltrace/collector/model"
	"beltrace/demos/demo"
)

// measure sums a run up: the crowd by the clients' clock, and what the kernel saw of the threads that served in the whole
// run, request by request.
func measure(s demo.Seen) demo.Measures {
	m := demo.Measures{Requests: requests}
	if total := s.Notes[noteTotal]; total > 0 {
		m.PerSecond = model.Some(requests / total * 1e9)
		m.P50NS, m.P99NS = model.Some(int64(s.Notes[noteP50])), model.Some(int64(s.Notes[noteP99]))
	}
	m.Threads, m.Processes = crews(serving(s, stepCrowd))
	crew, answered := crew(s), sum(answers(s, stepPair))+sum(answers(s, stepCrowd))
	if answered < requests || len(crew) < len(serving(s, stepPair, stepCrowd)) {
		return m // some were not seen
	}
	var switches, calls uint64
	counted := true
	for _, w := range crew {
		switches += w.Switches
		calls += w.Calls.V
		counted = counted && w.Calls.Known
	}
	m.Switches = model.Some(float64(switches) / float64(answered))
	if counted {
		m.Calls = model.Some(float64(calls) / float64(answered))
	}
	return m
}
