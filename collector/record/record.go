// SPDX-License-Identifier: Apache-2.0

// Package record writes events to a recording and reads them back: NDJSON, one header line and then one event a line,
// compressed with zstd when the file's name ends in .zst.
//
// A recording stands in for a kernel: whatever reads events reads them from here just as well, on any system.
package record

import (
	"errors"
	"fmt"
)

// Schema is the number of the format. Within a number events and fields are added, never changed in meaning; a reader passes
// over those that it does not know.
const Schema = 1

// MaxLine is the length in bytes of the longest line that is read; no event comes near it.
const MaxLine = 256 << 10

// Header is the first line of a recording: where and how its events were seen.
type Header struct {
	Schema int              `json:"schema"`
	Kernel string           `json:"kernel"`
	Arch   string           `json:"arch"`
	Tier   string           `json:"tier"`
	Probes map[string]Probe `json:"probes"`
	// BootOffset is what to add to an event's ts to get unix time, in ns.
	BootOffset int64  `json:"boot_offset_ns"`
	Host       string `json:"host,omitempty"`
	// Start is when the collection began: ns, CLOCK_MONOTONIC, as the events' ts.
	Start int64 `json:"start,omitempty"`
	// Facts are the fidelities of single facts (see package probes): exact, derived, sampled, unknown.
	Facts map[string]string `json:"facts,omitempty"`
	// Watch is how much of a network namespace was watched: "part" of its sockets, or some processes "alone"; "": all of it.
	Watch string `json:"watch,omitempty"`
	// Demo is there when a demo was recorded.
	Demo *Demo `json:"demo,omitempty"`
}

// Probe is how one probe was served: the header's form of model.ProbeStatus.
type Probe struct {
	Hook     string `json:"hook"`
	Fidelity string `json:"fidelity"`
}

// What can be wrong with a recording; test for them with errors.Is.
var (
	ErrNotRecording = errors.New("not a recording")
	ErrSchema       = errors.New("recording of another schema")
	ErrTruncated    = errors.New("recording is cut off")
	ErrDamaged      = errors.New("recording is damaged")
	ErrLongLine     = fmt.Errorf("line is longer than %d KiB", MaxLine>>10)
	ErrBadLine      = errors.New("line is not an event")
)

// Error says where a recording is bad. Every event before that line has been delivered.
type Error struct {
	Path   string // "" when it was not read from a named file
	Line   int    // from 1, which is the header
	Err    error  // one of the errors above
	Detail string // what exactly, "" when Err says it all
}

// Error is one line for a person: file, line, what is wrong.
func (e *Error) Error() string {
	s := fmt.Sprintf("line %d: %s", e.Line, e.Err)
	if e.Path != "" {
		s = e.Path + ": " + s
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// Unwrap returns which of the package's errors it is.
func (e *Error) Unwrap() error { return e.Err }
