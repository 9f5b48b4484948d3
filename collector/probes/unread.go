// SPDX-License-Identifier: Apache-2.0

package probes

import (
	"beltrace/collector/event"
	"beltrace/collector/model"
)

func unreadProbe() Probe {
	return Probe{
		Name: Unread, Set: Data, Yields: []event.Kind{event.Readable}, Facts: []string{FactUnread},
		Why: "bytes that wait for applications to read them, once a second: a reader that is stuck gives no event",
		Hooks: []Hook{
			{How: Iter, At: "bpf_map_elem", Serves: Full, Needs: Tracepoint, Fidelity: model.Sampled, Progs: []string{"sample_unread"}},
			{How: Iter, At: "task_file", Serves: Full, Needs: Tracepoint, Fidelity: model.Sampled, Progs: []string{"sample_unread_files"},
				Note: "of connections that were accepted: the others have no descriptor"},
		},
	}
}
