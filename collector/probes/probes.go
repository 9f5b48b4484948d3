// SPDX-License-Identifier: Apache-2.0

// Package probes holds the table of probes: each is one fact that we want from the kernel, with the hooks that can
// deliver it in order of preference. The table is the only place that knows which mechanisms exist for a fact;
// package live tries the hooks in turn, and the attach is the feature test.
package probes

import (
	"fmt"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

// Tier names how much a kernel lets us see.
type Tier string

// The tiers, best first.
const (
	Full       Tier = "full"       // fentry/fexit, typed tracepoints, iterators
	Kprobe     Tier = "kprobe"     // kprobes instead of fentry
	Tracepoint Tier = "tracepoint" // neither: typed and classic tracepoints, iterators, uprobes
	None       Tier = "none"       // replay only
)

// rank orders tiers, best first.
var rank = map[Tier]int{Full: 0, Kprobe: 1, Tracepoint: 2, None: 3}

// Worse returns the lower of two tiers.
func (t Tier) Worse(o Tier) Tier {
	if rank[o] > rank[t] {
		return o
	}
	return t
}

// ParseTier returns the tier of that name.
func ParseTier(s string) (Tier, error) {
	switch t := Tier(s); t {
	case Full, Kprobe, Tracepoint:
		return t, nil
	}
	return None, fmt.Errorf("unknown tier %q: full, kprobe or tracepoint", s)
}

// Mechanism is how a BPF program is attached.
type Mechanism string

// The mechanisms.
const (
	Fentry     Mechanism = "fentry"     // fentry and fexit: a BPF trampoline at a function
	KprobeMech Mechanism = "kprobe"     // kprobe and kretprobe
	TPBTF      Mechanism = "tp_btf"     // typed tracepoint
	RawTP      Mechanism = "raw_tp"     // raw tracepoint
	ClassicTP  Mechanism = "tracepoint" // perf tracepoint
	Iter       Mechanism = "iter"       // BPF iterator
	Uprobe     Mechanism = "uprobe"     // user-space function
	PerfEvent  Mechanism = "perf_event" // a timer of each CPU
	Regs       Mechanism = "regs"       // read from saved user registers inside another probe's program
	Proc       Mechanism = "proc"       // a file of /proc
)

// Set names a group of probes that is switched on together.
type Set string

// The sets.
const (
	Lifecycle Set = "lifecycle" // connections come and go: always on
	Marks     Set = "marks"     // notes of cooperating servers
	Sched     Set = "sched"     // what threads do: attached while somebody needs it, or with a filter
	Loops     Set = "loops"     // waits of event loops: attached as the one before
	Readiness Set = "ready"     // which descriptors of event loops become ready: attached while somebody looks, or if it is asked for by name
	Data      Set = "data"      // bytes read and written, turn by turn
	Rings     Set = "rings"     // operations of io_uring
	Samples   Set = "samples"   // where threads run that serve requests: attached while a request is open, or if it is asked for by name
	Calls     Set = "calls"     // how many system calls threads make: attached only if it is asked for by name
)

// OnDemand reports whether the set is attached only while somebody needs it, when the whole host is watched: its hooks
// run for everybody, whether watched or not.
func (s Set) OnDemand() bool {
	return s == Sched || s == Loops || s == Data || s == Calls || s == Rings || s == Samples || s == Readiness
}

// Hook is one way to serve a probe.
type Hook struct {
	How Mechanism
	At  string // kernel functions or tracepoints, for people
	// Progs are the BPF programs that must all attach. A program that another probe uses too is loaded once.
	Progs []string
	// Switch is a variable of the programs that this hook sets instead of, or beside, attaching some: the work is then
	// done by the state probe's program, in the form that has the helpers of 5.15.
	Switch string
	// Reason is the drop reason (enum skb_drop_reason, without its prefix) that the kernel must have for this hook.
	Reason string
	// Takes are the tracepoints whose arguments changed, with the number of them that this hook's programs know.
	Takes map[string]int
	// After is a probe whose programs must be attached for this hook: it completes what they see.
	After string
	// With is a probe whose programs do the work of this one too, if they are attached by the same mechanism.
	With string
	// Whole is for hooks that would count wrong on a kernel that leaves out runs of its programs (7.0 on).
	Whole bool
	// Serves is the tier that a session has when this hook is the one in use.
	Serves Tier
	// Needs is the lowest tier in which the hook may be tried: a forced tier leaves out hooks above it.
	Needs    Tier
	Fidelity model.Fidelity
	// Facts are the fidelities of single facts where they differ from Fidelity.
	Facts map[string]model.Fidelity
	Note  string // what this hook misses, in words
}

// Probe is one fact that we want from the kernel.
type Probe struct {
	Name     string
	Why      string
	Yields   []event.Kind
	Required bool
	Set      Set
	Facts    []string // names of the facts it delivers: the keys of a listener's fidelity among them
	Hooks    []Hook   // in order of preference
}

// Fact returns the fidelity of a fact under hook h, or Unknown if h is nil.
func Fact(h *Hook, fact string) model.Fidelity {
	if h == nil {
		return model.Unknown
	}
	if f, ok := h.Facts[fact]; ok {
		return f
	}
	return h.Fidelity
}
