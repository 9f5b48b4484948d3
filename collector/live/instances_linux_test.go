// SPDX-License-Identifier: Apache-2.0

package live

import (
	"testing"

	"beltrace/bpf"
	"beltrace/collector/event"
)

// TestReadiedBounded: of many descriptors those are told that were ready most often, and of how many; nothing of what is not known.
func TestReadiedBounded(t *testing.T) {
	const ep, partial, other = 1, 2, 3
	in := instances{
		known:   map[uint64]bpf.KernelInstance{ep: {Added: 80, Removed: 10}, partial: {Partial: 1}},
		readied: map[uint64][]readied{partial: {{7, 1, 5}}}, control: true, ready: true,
	}
	for fd := range int32(70) {
		in.readied[ep] = append(in.readied[ep], readied{fd, uint64(fd + 1), int64(100 + fd)})
	}
	told := func(ep uint64) event.Event {
		e := event.Event{Kind: event.Loop, Loop: &event.LoopTimes{}}
		in.put(ep, &e)
		return e
	}
	e := told(ep)
	if l := e.Loop; len(l.Readied) != readiedShown || l.Readied["69"] != 70 || l.Readied["6"] != 7 || l.Readied["5"] != 0 || l.ReadiedTS["69"] != 169 || l.ReadiedFDs != 70 || l.Added != 80 || l.Removed != 10 {
		t.Errorf("told is %s", e.AppendJSON(nil))
	}
	if e := told(partial); e.Loop.Readied["7"] != 1 || e.Known(event.FieldReadiedFDs) {
		t.Errorf("of some it is not known; told is %s", e.AppendJSON(nil))
	}
	if e := told(other); e.Known(event.FieldAdded) || e.Known(event.FieldReadied) {
		t.Errorf("nothing is known of it; told is %s", e.AppendJSON(nil))
	}
	in.control, in.ready = false, false
	if e := told(ep); e.Known(event.FieldAdded) || e.Known(event.FieldReadied) || e.Known(event.FieldReadiedFDs) {
		t.Errorf("nothing is watched; told is %s", e.AppendJSON(nil))
	}
}
