// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"fmt"
	"net/netip"

	"beltrace/collector/model"
)

// Claim is a sentence of a lesson, proven live by kernel evidence.
type Claim struct {
	Text string
	// Needs are the facts (keys of a listener's fidelity, or names of probes) without which a kernel cannot prove it.
	Needs []string
	// Check looks at what was seen so far. It must not return Proven or Refuted before the evidence is complete.
	Check func(Seen) Verdict
}

// Seen is the evidence that a claim may use.
type Seen struct {
	*model.Snapshot
	Server Party              // the demo's server
	Client Party              // the demo's client
	Steps  []int64            // CLOCK_MONOTONIC ns at which the client began each step
	Before []*model.Snapshot  // what was seen when each step began; nil, or absent: nothing of an earlier run
	Notes  map[string]float64 // what the programs measured themselves
	Done   bool               // the client has ended and its last events have been read
}

// Party is one of a demo's processes.
type Party struct {
	PID  uint32
	Addr string // where the server listens, "ip:port"
}

// Serves reports whether a connection to addr ("ip:port") comes to this server. One that listens on all addresses has
// connections on each.
func (p Party) Serves(addr string) bool {
	if addr == p.Addr {
		return true
	}
	at, err := netip.ParseAddrPort(p.Addr)
	to, err2 := netip.ParseAddrPort(addr)
	return err == nil && err2 == nil && at.Addr().IsUnspecified() && at.Port() == to.Port()
}

// State is how far a claim is.
type State string

// The states of a claim.
const (
	Waiting  State = "waiting"  // evidence is not complete yet
	Proven   State = "ok"       // the kernel was seen to do it
	Refuted  State = "failed"   // the kernel was seen not to do it
	Unproven State = "unproven" // this kernel does not let us see it
)

// Verdict is the answer of a claim's check.
type Verdict struct {
	State    State
	Evidence Evidence // the numbers that decide it, also while they are incomplete
	Why      string   // for Refuted and Unproven
}

// Wait is the verdict while evidence is incomplete.
func Wait(e Evidence) Verdict { return Verdict{State: Waiting, Evidence: e} }

// Prove is the verdict when the kernel was seen to do it.
func Prove(e Evidence) Verdict { return Verdict{State: Proven, Evidence: e} }

// Refute is the verdict when the kernel was seen not to do it.
func Refute(e Evidence, why string) Verdict { return Verdict{State: Refuted, Evidence: e, Why: why} }

// Unable is the verdict when what was needed cannot be seen here.
func Unable(why string) Verdict { return Verdict{State: Unproven, Why: why} }

// Equal proves that got, which is complete, is want; else it refutes.
func Equal(e Evidence, what string, got, want int) Verdict {
	if got == want {
		return Prove(e)
	}
	return Refute(e, fmt.Sprintf("%s: %d, not %d", what, got, want))
}
