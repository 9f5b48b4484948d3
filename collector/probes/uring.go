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

// ringOpsProbe has a hook for each family of prototypes: stable series changed them too, so they are told by their number
// of arguments and not by a version.
func ringOpsProbe() Probe {
	hook := func(note string, takes map[string]int, progs ...string) Hook {
		at := "io_uring_submit_req"
		if takes[at] == 0 {
			at = "io_uring_submit_sqe"
		}
		return Hook{
			How: TPBTF, At: at + ", io_uring_complete, io_uring_queue_async_work, io_uring_poll_arm, io_uring_cqring_wait", Serves: Full, Needs: Tracepoint,
			Fidelity: model.Exact, Takes: takes, Progs: append(progs, "uring_wait"), Note: note,
		}
	}
	const taken = "completions that the application takes are counted at its next call"
	return Probe{
		Name: RingOps, Set: Rings, Yields: []event.Kind{event.UringSubmit, event.UringComplete, event.Ring},
		Why: "operations of io_uring, from the submission to the completion: how many, how long, and whether at once, by waiting, or by a worker",
		Hooks: []Hook{
			hook(taken, map[string]int{"io_uring_submit_req": 1, "io_uring_complete": 3, "io_uring_queue_async_work": 2, "io_uring_poll_arm": 3},
				"uring_complete3", "uring_async2", "uring_poll3", "uring_submit1", "uring_overflow"),
			hook(taken, map[string]int{"io_uring_submit_req": 1, "io_uring_complete": 7, "io_uring_queue_async_work": 2, "io_uring_poll_arm": 3},
				"uring_complete7", "uring_async2", "uring_poll3", "uring_submit1", "uring_overflow"),
			hook(taken, map[string]int{"io_uring_submit_sqe": 2, "io_uring_complete": 7, "io_uring_queue_async_work": 2, "io_uring_poll_arm": 3},
				"uring_complete7", "uring_async2", "uring_poll3", "uring_submit2", "uring_overflow"),
			hook(taken+"; a completion names its operation by user_data alone: of several with the same one the latency is unknown; nor is it seen that the completion queue is full",
				map[string]int{"io_uring_submit_sqe": 7, "io_uring_complete": 4, "io_uring_queue_async_work": 5, "io_uring_poll_arm": 6},
				"uring_complete4", "uring_async5", "uring_poll6", "uring_submit7"),
		},
	}
}
