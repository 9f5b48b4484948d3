// SPDX-License-Identifier: Apache-2.0

package probes

import (
	"beltrace/collector/event"
	"beltrace/collector/model"
)

func ringSetupProbe() Probe {
	return Probe{
		Name: RingSetup, Set: Lifecycle,
		Why: "which processes have rings (io_uring), and how large they are; those that were there before as well",
		Hooks: []Hook{{
			How: TPBTF, At: "io_uring_create; iter task_file", Serves: Full, Needs: Tracepoint, Fidelity: model.Exact,
			Progs: []string{"uring_create", "seed_rings"},
		}},
	}
}

// Names of io_uring's tracepoints.
const (
	submitReq = "io_uring_submit_req"
	submitSQE = "io_uring_submit_sqe"
	complete  = "io_uring_complete"
	async     = "io_uring_queue_async_work"
	pollArm   = "io_uring_poll_arm"
)

// ringOpsProbe has a hook for each family of prototypes: stable series changed them too, so they are told by their number
// of arguments and not by a version.
func ringOpsProbe() Probe {
	hook := func(submit, note string, takes map[string]int, progs ...string) Hook {
		return Hook{
			How: TPBTF, At: submit + ", " + complete + ", " + async + ", " + pollArm + ", io_uring_cqring_wait", Serves: Full, Needs: Tracepoint,
			Fidelity: model.Exact, Takes: takes, Progs: append(progs, "uring_wait"), Note: note,
		}
	}
	const taken = "completions that the application takes are counted at its next call; of a ring with more than 10,000 operations a second a random sample is timed"
	return Probe{
		Name: RingOps, Set: Rings, Yields: []event.Kind{event.UringSubmit, event.UringComplete, event.Ring}, Facts: []string{FactRings},
		Why: "operations of io_uring, from the submission to the completion: how many, how long, and whether at once, by waiting, or by a worker",
		Hooks: []Hook{
			hook(submitReq, taken, map[string]int{submitReq: 1, complete: 3, async: 2, pollArm: 3},
				"uring_complete3", "uring_async2", "uring_poll3", "uring_submit1", "uring_overflow"),
			hook(submitReq, taken, map[string]int{submitReq: 1, complete: 7, async: 2, pollArm: 3},
				"uring_complete7", "uring_async2", "uring_poll3", "uring_submit1", "uring_overflow"),
			hook(submitSQE, taken, map[string]int{submitSQE: 2, complete: 7, async: 2, pollArm: 3},
				"uring_complete7", "uring_async2", "uring_poll3", "uring_submit2", "uring_overflow"),
			hook(submitSQE, taken+"; a completion names its operation by user_data alone: of several with the same one the latency is unknown; nor is it seen that the completion queue is full",
				map[string]int{submitSQE: 7, complete: 4, async: 5, pollArm: 6}, "uring_complete4", "uring_async5", "uring_poll6", "uring_submit7"),
		},
	}
}

// ringAcceptProbe has functions first: they see the errors alone, since the accept probe's functions see the rest.
func ringAcceptProbe() Probe {
	note := "other errors than those for want of a descriptor"
	const read = "the queue's length is read at the completion"
	hook := func(at, note string, takes map[string]int, progs ...string) Hook {
		return Hook{How: TPBTF, At: at, Serves: Tracepoint, Needs: Tracepoint, Fidelity: model.Exact, Takes: takes, Progs: progs, Note: note}
	}
	return Probe{
		Name: "ring_accept", Set: Lifecycle, Yields: []event.Kind{event.Accept, event.AcceptError},
		Why: "accepts by io_uring that fail; where the accept probe sees only system calls, also those that succeed",
		Hooks: []Hook{
			{How: Fentry, At: "io_accept", Serves: Full, Needs: Full, Fidelity: model.Exact, Progs: []string{"ring_accept_fexit"}, Note: note},
			{
				How: KprobeMech, At: "io_accept", Serves: Kprobe, Needs: Kprobe, Fidelity: model.Exact,
				Progs: []string{"ring_accept_kretprobe", "ring_accept_kprobe"}, Note: note,
			},
			hook(complete, read, map[string]int{complete: 3}, "accept_complete3"),
			hook(complete, read, map[string]int{complete: 7}, "accept_complete7"),
			hook(submitSQE+", "+complete, "one that was submitted before; "+read, map[string]int{submitSQE: 7, complete: 4}, "accept_complete4", "accept_submit7"),
		},
	}
}
