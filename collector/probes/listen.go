// SPDX-License-Identifier: Apache-2.0

package probes

import (
	"beltrace/collector/event"
	"beltrace/collector/model"
)

func listenProbe() Probe {
	return Probe{
		Name: "listen", Set: Lifecycle, Yields: []event.Kind{event.Listen},
		Why: "the end of listen: where a listener is that was not bound before, and calls that fail",
		Hooks: []Hook{
			{
				How: Fentry, At: "inet_csk_listen_start", Serves: Full, Needs: Full, Fidelity: model.Exact,
				Progs: []string{"listen_fexit", "listen_fentry"},
			},
			{
				How: KprobeMech, At: "inet_csk_listen_start", Serves: Kprobe, Needs: Kprobe, Fidelity: model.Exact,
				Progs: []string{"listen_kretprobe", "listen_kprobe"},
			},
			{
				How: ClassicTP, At: "syscalls/sys_enter_listen, sys_exit_listen", Serves: Tracepoint, Needs: Tracepoint, Fidelity: model.Exact,
				Progs: []string{"listen_sys_exit", "listen_sys_enter"},
			},
			{
				How: TPBTF, At: "inet_sock_set_state", Serves: Tracepoint, Needs: Tracepoint, Fidelity: model.Derived,
				Note: "a listener that was not bound before has no address until it is sampled; a listen that fails is told as one that begins and ends",
			},
		},
	}
}
