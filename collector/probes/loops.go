// SPDX-License-Identifier: Apache-2.0

package probes

import (
	"beltrace/collector/event"
	"beltrace/collector/model"
)

func epollProbe() Probe {
	const (
		first  = "of a loop that waits already when it begins, the first return is not seen"
		sleeps = "a wait begins when its thread goes to sleep: what its call does before that, or without that, counts as work; how long a loop waits that did so already is not known"
		calls  = "how long a loop waits that did so already is not known"
		old    = "; no helper for user registers (before 5.15): whose wait it is that has begun before is looked for at the top of the kernel stack"
	)
	return Probe{
		Name: Epoll, Set: Loops, Yields: []event.Kind{event.EpollWait, event.Loop, event.LoopBlocked}, Facts: []string{FactEpoll, FactSpurious},
		Why: "what event loops find: how many descriptors are ready at each return of epoll_wait, how long they wait and work, and how often they wake up within a wait and find nothing (while the scheduler is watched)",
		Hooks: []Hook{
			{
				How: Fentry, At: "do_epoll_wait", Serves: Full, Needs: Full, Fidelity: model.Exact, Note: first,
				Progs: []string{"epoll_fexit", "epoll_fentry", "seed_loops"},
			},
			{
				How: Fentry, At: "do_epoll_wait", Serves: Full, Needs: Full, Fidelity: model.Exact, Note: first + old,
				Progs: []string{"epoll_fexit", "epoll_fentry_old", "seed_loops_old"},
			},
			{
				How: KprobeMech, At: "do_epoll_wait", Serves: Kprobe, Needs: Kprobe, Fidelity: model.Exact, Note: first,
				Progs: []string{"epoll_kretprobe", "epoll_kprobe", "seed_loops"},
			},
			{
				How: KprobeMech, At: "do_epoll_wait", Serves: Kprobe, Needs: Kprobe, Fidelity: model.Exact, Note: first + old,
				Progs: []string{"epoll_kretprobe", "epoll_kprobe_old", "seed_loops_old"},
			},
			anyCall(sleeps, "loop_sleeps", "seed_loops"),
			anyCall(sleeps+old, "loop_sleeps_old", "seed_loops_old"),
			epollCalls(calls, "seed_loops", "epoll_wait", "epoll_pwait", "epoll_pwait2"),
			epollCalls(calls+old, "seed_loops_old", "epoll_wait", "epoll_pwait"),
			epollCalls(calls, "seed_loops", "epoll_pwait", "epoll_pwait2"), // arm64
			epollCalls(calls+old, "seed_loops_old", "epoll_pwait"),
		},
	}
}

// epollCalls is the hook at the system calls of epoll that an architecture and a kernel have.
func epollCalls(note, seed string, calls ...string) Hook {
	h := callsHook(calls...)
	h.Note = note
	h.Progs = append(h.Progs, seed)
	return h
}

// anyCall is the hook at the end of all system calls, and where threads go to sleep in one.
func anyCall(note string, sleep, seed string) Hook {
	return Hook{
		How: TPBTF, At: "sys_exit, sched_switch", Serves: Tracepoint, Needs: Tracepoint, Fidelity: model.Derived, Whole: true,
		Progs: []string{"loop_returns", sleep, seed}, Note: note, Facts: map[string]model.Fidelity{FactSpurious: model.Exact},
	}
}

// callsHook is a hook at the beginning and the end of system calls.
func callsHook(calls ...string) Hook {
	h := Hook{How: ClassicTP, Serves: Tracepoint, Needs: Tracepoint, Fidelity: model.Exact}
	for _, c := range calls {
		h.Progs = append(h.Progs, c+"_exit")
		if h.At != "" {
			h.At += ", "
		}
		h.At += "sys_enter_" + c
	}
	for _, c := range calls {
		h.Progs = append(h.Progs, c+"_enter")
	}
	h.At = "syscalls/" + h.At + " and their sys_exit"
	return h
}

func epollCtlProbe() Probe {
	const (
		at    = "do_epoll_ctl, ep_eventpoll_release"
		uring = "what io_uring adds and removes is not seen"
	)
	classic := func(calls ...string) Hook {
		h := Hook{How: ClassicTP, Serves: Tracepoint, Needs: Tracepoint, Fidelity: model.Derived, Note: uring}
		for i, c := range calls {
			h.Progs = append(h.Progs, c+"_exit")
			h.At += []string{"syscalls/", ", "}[min(i, 1)] + "sys_exit_" + c
		}
		return h
	}
	return Probe{
		Name: EpollCtl, Set: Loops, Yields: []event.Kind{event.Loop}, Facts: []string{FactEpollCtl},
		Why: "how many descriptors epoll_ctl adds to an epoll instance, changes and removes: one that is closed leaves without it",
		Hooks: []Hook{
			{
				How: Fentry, At: at, Serves: Full, Needs: Full, Fidelity: model.Exact,
				Progs: []string{"control_fexit", "instance_fentry", "control_fentry"},
			},
			{
				How: KprobeMech, At: at, Serves: Kprobe, Needs: Kprobe, Fidelity: model.Exact,
				Progs: []string{"control_kretprobe", "instance_kprobe", "control_kprobe"},
			},
			{How: TPBTF, At: "sys_exit", Serves: Tracepoint, Needs: Tracepoint, Fidelity: model.Derived, With: Epoll, Note: uring},
			classic("epoll_ctl", "epoll_create1", "epoll_create"),
			classic("epoll_ctl", "epoll_create1"), // arm64
		},
	}
}

func epollReadyProbe() Probe {
	const note = "each time that a file says so counts, whether the loop has taken what came before or not; not that one is ready already when it is added"
	return Probe{
		Name: EpollReady, Set: Readiness, Yields: []event.Kind{event.Loop}, Facts: []string{FactEpollReady},
		Why: "how often each descriptor of an epoll instance was ready, for something that it is watched for, and when last (no tracepoint tells)",
		Hooks: []Hook{
			{How: Fentry, At: "ep_poll_callback", Serves: Full, Needs: Full, Fidelity: model.Exact, Progs: []string{"ready_fentry"}, Note: note},
			{How: KprobeMech, At: "ep_poll_callback", Serves: Kprobe, Needs: Kprobe, Fidelity: model.Exact, Progs: []string{"ready_kprobe"}, Note: note},
		},
	}
}

func pollProbe() Probe {
	return Probe{
		Name: Poll, Set: Loops, Yields: []event.Kind{event.Loop}, Facts: []string{FactPoll},
		Why: "the same of loops that wait in poll or select",
		Hooks: []Hook{
			{
				How: Fentry, At: "do_sys_poll, core_sys_select", Serves: Full, Needs: Full, Fidelity: model.Exact,
				Progs: []string{"poll_fexit", "select_fexit", "poll_fentry", "select_fentry"},
			},
			{
				How: KprobeMech, At: "do_sys_poll, core_sys_select", Serves: Kprobe, Needs: Kprobe, Fidelity: model.Exact,
				Progs: []string{"poll_kretprobe", "select_kretprobe", "poll_kprobe", "select_kprobe"},
			},
			{
				How: TPBTF, At: "sys_exit, sched_switch", Serves: Tracepoint, Needs: Tracepoint, Fidelity: model.Derived, With: Epoll,
				Note: "as above; what a select waits for that never sleeps is not known",
			},
			callsHook("poll", "ppoll", "select", "pselect6"),
			callsHook("ppoll", "pselect6"), // arm64
		},
	}
}
