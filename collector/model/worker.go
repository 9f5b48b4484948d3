// SPDX-License-Identifier: Apache-2.0

package model

import "maps"

// Times is how a thread spent its time. The parts add up to WatchedNS.
type Times struct {
	WatchedNS  int64            `json:"watched_ns"`
	RunningNS  int64            `json:"running_ns"`  // on a CPU
	RunqueueNS int64            `json:"runqueue_ns"` // runnable, waiting for a CPU
	BlockedNS  map[string]int64 `json:"blocked_ns"`  // asleep, by what it waits in
}

// WaitsForMany reports whether a system call, by its name, waits for whichever of several descriptors is ready first.
func WaitsForMany(call string) bool {
	switch call {
	case "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "select", "pselect6":
		return true
	}
	return false
}

// WaitsForWork reports whether a thread that has nothing to do waits in a system call, by its name.
func WaitsForWork(call string) bool {
	return call == "accept" || call == "accept4" || call == "io_uring_enter" || WaitsForMany(call)
}

// Since returns what a thread did since then: all of it, if it has been watched anew.
func (t Times) Since(then Times) Times {
	if t.WatchedNS < then.WatchedNS {
		then = Times{}
	}
	d := Times{
		WatchedNS: t.WatchedNS - then.WatchedNS, RunningNS: t.RunningNS - then.RunningNS,
		RunqueueNS: t.RunqueueNS - then.RunqueueNS, BlockedNS: make(map[string]int64, len(t.BlockedNS)),
	}
	for in, ns := range t.BlockedNS {
		d.BlockedNS[in] = ns - then.BlockedNS[in]
	}
	return d
}

// Plus returns the sum. It changes neither.
func (t Times) Plus(more Times) Times {
	sum := Times{
		WatchedNS: t.WatchedNS + more.WatchedNS, RunningNS: t.RunningNS + more.RunningNS,
		RunqueueNS: t.RunqueueNS + more.RunqueueNS, BlockedNS: make(map[string]int64, len(more.BlockedNS)),
	}
	maps.Copy(sum.BlockedNS, t.BlockedNS)
	for in, ns := range more.BlockedNS {
		sum.BlockedNS[in] += ns
	}
	return sum
}

// Pace is how a thread accepts while connections wait. Its Times are what it did in all gaps.
type Pace struct {
	Times
	// Gaps are the times from one accept to the next throughout which, but for a twentieth, the next connection waited.
	Gaps   uint64 `json:"gaps"`
	PartNS int64  `json:"part_ns"` // how long connections waited in others, in which one waited for a part only
}

// Known reports whether it is known what the thread does while connections wait: in most of that time.
func (p *Pace) Known() bool { return p.Gaps > 0 && p.WatchedNS >= p.PartNS }

// Each returns how much of that the thread does from one accept to the next, on average. It must be Known.
func (p *Pace) Each(ns int64) int64 { return ns / int64(p.Gaps) }

// Plus returns the sum. It changes neither.
func (p Pace) Plus(more Pace) Pace {
	return Pace{Times: p.Times.Plus(more.Times), Gaps: p.Gaps + more.Gaps, PartNS: p.PartNS + more.PartNS}
}

// Since returns the pace since then: all of it, if it has been begun anew.
func (p Pace) Since(then Pace) Pace {
	if p.Gaps < then.Gaps || p.WatchedNS < then.WatchedNS {
		return p
	}
	return Pace{Times: p.Times.Since(then.Times), Gaps: p.Gaps - then.Gaps, PartNS: p.PartNS - then.PartNS}
}

// Roles of a worker.
const (
	RoleAcceptor = "acceptor" // it accepts connections
	RoleLoop     = "loop"     // it waits in epoll, poll or select
	RoleWorker   = "worker"   // it serves connections that another thread accepted
)

// Worker is a thread of a server.
type Worker struct {
	PID       uint32      `json:"pid"`
	TID       uint32      `json:"tid"`
	Comm      string      `json:"comm,omitempty"`
	Role      string      `json:"role"`
	Accepts   uint64      `json:"accepts"`
	Exchanges Opt[uint64] `json:"exchanges,omitzero"`
	Times
	Switches   uint64      `json:"switches"`
	Migrations uint64      `json:"migrations"`
	Calls      Opt[uint64] `json:"syscalls,omitzero"` // system calls; known while somebody asks for them by name
	CPU        Opt[uint32] `json:"cpu,omitzero"`      // where it was last seen
	Ended      Opt[int64]  `json:"ended,omitzero"`    // when the thread ended, CLOCK_MONOTONIC
}
