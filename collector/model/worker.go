// SPDX-License-Identifier: Apache-2.0

package model

// Times is how a thread spent its time. The parts add up to WatchedNS.
type Times struct {
	WatchedNS  int64            `json:"watched_ns"`
	RunningNS  int64            `json:"running_ns"`  // on a CPU
	RunqueueNS int64            `json:"runqueue_ns"` // runnable, waiting for a CPU
	BlockedNS  map[string]int64 `json:"blocked_ns"`  // asleep, by what it waits in
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
