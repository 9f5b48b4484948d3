// SPDX-License-Identifier: Apache-2.0

package main

import (
	"beltrace/collector/event"
	"beltrace/collector/model"
	"beltrace/collector/record"
	"beltrace/demos/demo"
)

// replayLesson judges the claims of a demo that was recorded, by the evidence that the replay has shown so far.
type replayLesson struct {
	demo  *demo.Demo
	state *demoState
}

var _ sink = (*replayLesson)(nil)

// newReplayLesson returns nil if the recording is of no demo, or of one that this program does not have.
func newReplayLesson(d *record.Demo) *replayLesson {
	if d == nil {
		return nil
	}
	known, err := findDemo(d.Name)
	if err != nil {
		return nil
	}
	return &replayLesson{known, recordedState(d)}
}

// Judge asks all claims. What is still to come counts no more than it did when it was recorded.
func (l *replayLesson) Judge(snap *model.Snapshot) (demo.Seen, []judged) {
	seen := l.state.Seen(snap)
	begun := 0
	for begun < len(seen.Steps) && seen.Steps[begun] <= snap.TS {
		begun++
	}
	seen.Steps = seen.Steps[:begun]
	claims := judge(&l.demo.Lesson, seen)
	l.state.Keep(claims)
	return seen, claims
}

// Add does nothing: the model has the event.
func (l *replayLesson) Add(*event.Event) error { return nil }

// Tick does nothing.
func (l *replayLesson) Tick(int64) error { return nil }

// End notes that nothing more will be seen.
func (l *replayLesson) End() error {
	l.state.Close()
	return nil
}
