// SPDX-License-Identifier: Apache-2.0

package model

// Ring is an io_uring instance. Its numbers count since it is watched.
type Ring struct {
	PID uint32 `json:"pid"`
	// TID is the thread whose submission was last taken: with sqpoll one of the kernel's.
	TID   Opt[uint32] `json:"tid,omitzero"`
	Comm  string      `json:"comm"`
	Ring  uint32      `json:"ring"` // its number within the process, from 1
	State string      `json:"state,omitempty"`
	// Setup has the flags of io_uring_setup in lower case, separated by commas: sqpoll, single_issuer.
	Setup     string            `json:"setup,omitempty"`
	SQEntries Opt[uint32]       `json:"sq_entries,omitzero"`
	CQEntries Opt[uint32]       `json:"cq_entries,omitzero"`
	InFlight  Opt[uint64]       `json:"in_flight,omitzero"` // submitted and not complete
	Ops       map[string]RingOp `json:"ops"`                // by operation: nop, accept, recv
	Overflow  Opt[uint64]       `json:"overflow,omitzero"`  // completions that found the queue full
	Submits   Batches           `json:"submits"`            // submissions taken by each call
	Reaps     Batches           `json:"reaps"`              // completions taken between two calls, sampled at each
	Opened    int64             `json:"-"`                  // when it was first told of, CLOCK_MONOTONIC
	Changed   int64             `json:"-"`                  // when it last did something
}

// RingOp is what one kind of operation of a ring came to.
type RingOp struct {
	Count     uint64       `json:"count"`  // completions
	Errors    uint64       `json:"errors"` // of them, with a negative result
	LatencyNS Distribution `json:"latency_ns"`
	// Sampled says that the latencies are of a random sample, since the ring is fast; what is counted is exact.
	Sampled   bool              `json:"latency_sampled,omitempty"`
	How       map[string]uint64 `json:"how"` // completions by way: inline, poll, io-wq; one by another way is in none
	Submitted uint64            `json:"submitted"`
	More      uint64            `json:"more,omitempty"`   // completions after which a multishot operation went on
	Linked    uint64            `json:"linked,omitempty"` // submissions that the next one waited for
	Fixed     uint64            `json:"fixed,omitempty"`  // submissions that named a registered file
	Direct    uint64            `json:"direct,omitempty"` // accepts into a registered file
}

// Batches says how much was taken at a time.
type Batches struct {
	Count   uint64   `json:"count"`
	Sum     uint64   `json:"sum"`
	Buckets []uint64 `json:"-"` // times by power of two, from 1 on
}

// Mean is how much was taken at a time on average; 0 if nothing was.
func (b Batches) Mean() float64 {
	if b.Count == 0 {
		return 0
	}
	return float64(b.Sum) / float64(b.Count)
}
