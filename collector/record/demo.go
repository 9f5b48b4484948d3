// SPDX-License-Identifier: Apache-2.0

package record

// Demo is what the programs of a demo said while it was recorded: with it the claims of its lesson can be judged again.
type Demo struct {
	Name   string `json:"name"`
	Server Party  `json:"server"`
	Client Party  `json:"client"`
	// Steps are when the client began each step of the lesson: ns, CLOCK_MONOTONIC.
	Steps []int64 `json:"steps"`
	// Notes are what the programs measured themselves; names end in the unit.
	Notes map[string]float64 `json:"notes"`
	Ended int64              `json:"ended"` // when the client ended: ns, CLOCK_MONOTONIC
}

// Party is one of a demo's processes.
type Party struct {
	PID  uint32 `json:"pid"`
	Addr string `json:"addr,omitempty"` // where the server listened, ip:port
}
