// SPDX-License-Identifier: Apache-2.0

package probes

import "beltrace/collector/model"

func childrenProbe() Probe {
	return Probe{
		Name: Children, Set: Lifecycle,
		Why: "children of the processes that --pid and run watch (attached only with such a filter)",
		Hooks: []Hook{{
			How: TPBTF, At: "sched_process_fork, sched_process_exit", Serves: Full, Needs: Tracepoint, Fidelity: model.Exact,
			Progs: []string{"process_fork", "process_exit"},
		}},
	}
}

func groupProbe() Probe {
	return Probe{
		Name: Group, Set: Lifecycle,
		Why: "processes that join the container that --container watches (attached only with that filter)",
		Hooks: []Hook{{
			How: TPBTF, At: "cgroup_attach_task, cgroup_mkdir, sched_process_fork", Serves: Full, Needs: Tracepoint, Fidelity: model.Exact,
			Progs: []string{"group_join", "group_made", "group_born"},
		}},
	}
}
