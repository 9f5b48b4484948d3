// SPDX-License-Identifier: Apache-2.0

package demo

import "beltrace/collector/model"

// Measures are what demos that do the same work are compared by. What was not seen is absent.
type Measures struct {
	Requests  uint64             `json:"requests"`                      // of the work that is compared
	PerSecond model.Opt[float64] `json:"requests_per_s,omitzero"`       // by the client's clock
	P50NS     model.Opt[int64]   `json:"p50_ns,omitzero"`               // of a request, by the client's clock
	P99NS     model.Opt[int64]   `json:"p99_ns,omitzero"`               //
	Processes int                `json:"processes"`                     // that accepted or answered, seen by the kernel
	Threads   int                `json:"threads"`                       // of them
	Switches  model.Opt[float64] `json:"switches_per_request,omitzero"` // of those threads, voluntary or not
	Calls     model.Opt[float64] `json:"syscalls_per_request,omitzero"` // of those threads
}
