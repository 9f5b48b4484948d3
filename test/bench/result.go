// SPDX-License-Identifier: Apache-2.0

package main

// tool is one way of watching.
type tool struct {
	Name    string
	What    string // for the document
	Argv    []string
	Env     []string
	TraceFS bool   // it needs a mounted tracefs
	Ready   string // what it prints when it has begun; "": the load's port, with its first event
	// Count counts in the tool's output what it saw of the load. Nil: nothing to count.
	Count func(out []byte) (uint64, error)
	// Per is how much of that there is of one connection.
	Per uint64
	// Dashboard: it is shown on a terminal. Keys are what is typed there at the start.
	Dashboard bool
	Keys      string
	// Lost counts what it lost, and what it told, in its output. Nil: its programs count it, or it counts nothing.
	Lost func(out []byte) (lost, told uint64)
}

// sample is what one repetition measured of a tool, between two measurements without one.
type sample struct {
	CPU       float64 // ns a connection, load and tool
	Tool      float64 // of that the tool's
	Off       float64 // ns a connection of the neighbours
	Rate      float64 // connections a second
	OffRate   float64 // of the neighbours
	RSS, Peak float64 // bytes
	Others    float64 // share of the busy time that belonged to neither load nor tool

	P50, P99       float64 // ns from the scheduled time of a request to its answer; 0: not measured
	OffP50, OffP99 float64 // of the neighbours
	Lost, Told     float64 // records; lines, with those that were told
	LostKnown      bool
	Skipped        float64 // turns of each request that are left out of a sample
}

// added is what the tool costs, ns a connection: where it runs, and in its own process.
func (s sample) added() float64 { return s.CPU - s.Off }

// result is all that was measured of one tool.
type result struct {
	tool
	Samples    []sample
	First      []float64 // seconds from the start of the tool to its first event on a terminal
	Exit       []float64 // seconds from SIGTERM to its end
	Seen, Sent uint64    // of the load, in the runs whose output was kept
}
