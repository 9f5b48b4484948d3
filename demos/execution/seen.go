// SPDX-License-Identifier: Apache-2.0

package execution

import (
	"maps"
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

// serving returns the threads that accepted or answered anybody who came in those steps.
func serving(s demo.Seen, steps ...int) map[thread]int {
	out := map[thread]int{}
	for _, step := range steps {
		for _, r := range []role{acceptors, answers} {
			for t, n := range r(s, step) {
				out[t] += n
			}
		}
	}
	return out
}

// crew returns what those did who accepted or answered anything: the server's threads, without those of Go's runtime.
func crew(s demo.Seen) []model.Worker { return workers(s, serving(s, stepPair, stepCrowd)) }

// workers returns what threads did in this run.
func workers(s demo.Seen, who map[thread]int) []model.Worker {
	var out []model.Worker
	done := map[thread]model.Worker{}
	for _, w := range s.Was(stepPair).Workers {
		done[thread{w.PID, w.TID}] = w
	}
	for _, w := range s.Workers {
		if t := (thread{w.PID, w.TID}); who[t] > 0 {
			out = append(out, beyond(w, done[t]))
		}
	}
	return out
}

// beyond returns what claims ask of a thread, without what it had done before.
func beyond(w, before model.Worker) model.Worker {
	w.Switches -= min(w.Switches, before.Switches)
	w.Calls.V -= min(w.Calls.V, before.Calls.V)
	w.BlockedNS = maps.Clone(w.BlockedNS)
	for what, ns := range w.BlockedNS {
		w.BlockedNS[what] -= min(ns, before.BlockedNS[what])
	}
	return w
}

// isIdle reports whether a call is one in which a thread waits for clients to come, or in which Go's runtime keeps a thread
// that has nothing to do yet. How long is nobody's affair.
func isIdle(call string) bool { return call == "accept" || call == "accept4" || call == "futex" }

// blocked returns how long threads slept in all, but for those that were idle, and in those system calls. The threads are those who
// had the role in the crowd.
func blocked(s demo.Seen, who role, calls []string) (all, in int64, threads int) {
	crew := workers(s, who(s, stepCrowd))
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
