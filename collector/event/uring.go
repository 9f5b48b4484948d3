// SPDX-License-Identifier: Apache-2.0

package event

// Ways in which an operation of a ring came to its completion. One that took another way, as a timer or a read by the
// disk, or that waited for the one before it (a link), has none.
const (
	HowInline = "inline" // within the call that submitted it
	HowPoll   = "poll"   // it would have blocked: the ring waited until the file was ready
	HowIOWQ   = "io-wq"  // a worker thread of the kernel did it
)

// OpUnknown stands for completions of which this kernel does not tell the operation: it was submitted before the ring was
// watched, was refused at once (before 5.17), or found
// the completion queue full.
const OpUnknown = "unknown"

// Uring is what an event of a ring (io_uring) says.
type Uring struct {
	Ring     uint32 // its number within the process, from 1, in the order of io_uring_setup
	Op       string // the operation: IORING_OP_* in lower case
	UserData uint64 // the application's own number of it
	Res      int32  // its result: what the system call would have returned, negative errno on an error
	How      string // see above

	Setup     string   // IORING_SETUP_* in lower case, separated by commas
	SQEntries uint32   // size of the submission queue
	CQEntries uint32   // of the completion queue
	InFlight  uint64   // submitted and not complete, of those that were submitted since the ring is watched
	Overflow  uint64   // completions that found the completion queue full
	Ops       []RingOp // since the ring is watched
	Submits   Batches  // submissions taken by each call
	Reaps     Batches  // completions taken between two calls, as far as the head of the queue was looked at
}

// RingOp is what one kind of operation came to.
type RingOp struct {
	Op        string            `json:"op"`
	Submitted uint64            `json:"submitted"`
	Count     uint64            `json:"count"`             // completions
	Errors    uint64            `json:"errors,omitempty"`  // of them, with a negative result
	How       map[string]uint64 `json:"how,omitempty"`     // of them, by way
	More      uint64            `json:"more,omitempty"`    // of them, after which a multishot operation went on
	Linked    uint64            `json:"linked,omitempty"`  // submissions that the next one waited for
	Fixed     uint64            `json:"fixed,omitempty"`   // submissions that named a registered file
	Direct    uint64            `json:"direct,omitempty"`  // accepts into a registered file
	Latency   [][2]uint64       `json:"latency,omitempty"` // from submission to completion: pairs of ns and count; each ns stands for those up to a quarter more
	MaxNS     uint64            `json:"max_ns,omitempty"`
	Sampled   bool              `json:"sampled,omitempty"` // latencies are of a random sample: of a fast ring not every operation is timed
}

// Batches says how much was taken at a time.
type Batches struct {
	Count   uint64   `json:"count"`             // times
	Sum     uint64   `json:"sum"`               // all together
	Buckets []uint64 `json:"buckets,omitempty"` // times by power of two: Buckets[i] of them had [2^i, 2^(i+1))
}

func (e *Event) uring() *Uring {
	if e.Uring == nil {
		e.Uring = &Uring{}
	}
	return e.Uring
}
