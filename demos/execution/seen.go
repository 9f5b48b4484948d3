// SPDX-License-Identifier: Apache-2.0

package execution

import (
	"slices"

	"beltrace/collector/event"
	"beltrace/collector/model"
	"beltrace/demos/demo"
)

// Facts that claims stand on, as a listener's fidelity names them.
const (
	factAccept  = "accept"
	factWait    = "wait_ns"
	factTurn    = "turn"
	factBlocked = "blocked_on"
)

// slack is how much later than the program the kernel may end a connection: the last ACK comes when it comes.
const slack = int64(Work)

// thread is one of the server's.
type thread struct{ pid, tid uint32 }

// stay is a client's way through the server, in ns of CLOCK_MONOTONIC.
type stay struct {
	thread         // that accepted it
	accepted, left int64
	wait           model.Opt[int64] // in the accept queue
}

// stays returns the clients that came in a step and were accepted and are gone, in the order in which they came.
func stays(s demo.Seen, step int) []stay {
	var out []stay
	for _, c := range s.Served(step) {
		at := demo.Moment(&c, event.Accept)
		if at != 0 && c.Closed.Known && c.PID.Known && c.TID.Known {
			out = append(out, stay{thread{c.PID.V, c.TID.V}, at, c.Closed.V, c.WaitNS})
		}
	}
	return out
}

// atOnce returns how many clients the server had accepted at the same time at most.
func atOnce(all []stay) int {
	most := 0
	for _, a := range all {
		n := 0
		for _, b := range all {
			if b.accepted <= a.accepted && a.accepted < b.left-slack {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// crews counts threads, and the processes that they are of.
func crews(all map[thread]int) (threads, processes int) {
	pids := map[uint32]bool{}
	for t := range all {
		pids[t.pid] = true
	}
	return len(all), len(pids)
}

// acceptors returns who accepted how many clients in a step.
func acceptors(s demo.Seen, step int) map[thread]int {
	out := map[thread]int{}
	for _, v := range stays(s, step) {
		out[v.thread]++
	}
	return out
}

// answers returns which thread answered how many requests that came in a step.
func answers(s demo.Seen, step int) map[thread]int {
	from, to, _ := s.Step(step)
	out := map[thread]int{}
	for i := range s.Exchanges {
		x := &s.Exchanges[i]
		if x.Start >= from && x.Start < to && s.Server.Serves(x.Local) && !x.Incomplete && x.PID.Known && x.TID.Known {
			out[thread{x.PID.V, x.TID.V}]++
		}
	}
	return out
}

// role is a function that says which of the server's threads are meant: those that accepted clients of a step, or those that
// answered them, and how often.
type role func(s demo.Seen, step int) map[thread]int

// crew returns the threads that have accepted or answered anything: the server's, without those of Go's runtime.
func crew(s demo.Seen) []model.Worker { return crewOf(s, acceptors, answers) }

// crewOf returns the threads that had one of these roles.
func crewOf(s demo.Seen, roles ...role) []model.Worker {
	serves := map[thread]bool{}
	for _, r := range roles {
		for step := range stepCrowd + 1 {
			for t := range r(s, step) {
				serves[t] = true
			}
		}
	}
	var out []model.Worker
	for _, w := range s.Workers {
		if serves[thread{w.PID, w.TID}] {
			out = append(out, w)
		}
	}
	return out
}

// isIdle reports whether a call is one in which a thread waits for clients to come, or in which Go's runtime keeps a thread
// that has nothing to do yet. How long is nobody's affair.
func isIdle(call string) bool { return call == "accept" || call == "accept4" || call == "futex" }

// blocked returns how long threads slept in all, but for those that were idle, and in those system calls.
func blocked(s demo.Seen, who role, calls []string) (all, in int64, threads int) {
	crew := crewOf(s, who)
	for _, w := range crew {
		for what, ns := range w.BlockedNS {
			if slices.Contains(calls, what) {
				in += ns
			}
			if slices.Contains(calls, what) || !isIdle(what) {
				all += ns
			}
		}
	}
	return all, in, len(crew)
}

func sum(counts map[thread]int) int {
	n := 0
	for _, c := range counts {
		n += c
	}
	return n
}
