// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"beltrace/collector/event"
	"beltrace/collector/model"
	"beltrace/collector/record"
)

// recorder writes a recording while it is switched on: what R does in the dashboard.
type recorder struct {
	header record.Header
	now    func(now int64) *model.Snapshot

	mu     sync.Mutex // a switch comes from the dashboard, events from the model's owner
	state  recorderState
	asked  chan error // answers a switch that waits for the next tick
	path   string
	writer *record.Writer
	failed error // why the last recording ended by itself
	ended  bool
}

// recorderState is what the recorder shall do at the next tick.
type recorderState int

const (
	recordIdle recorderState = iota
	recordStarting
	recordOn
)

var _ sink = (*recorder)(nil)

func newRecorder(h record.Header, snapshot func(now int64) *model.Snapshot) *recorder {
	return &recorder{header: h, now: snapshot}
}

// Switch starts or stops a recording and returns what to tell the user.
func (r *recorder) Switch(on bool) (string, error) {
	if !on {
		return r.stop()
	}
	r.mu.Lock()
	if r.ended || r.state != recordIdle {
		r.mu.Unlock()
		return "", errors.New("nothing is collected any more: there is nothing to record")
	}
	r.path = time.Now().Format("beltrace-20060102-150405.ndjson.zst")
	r.state, r.asked = recordStarting, make(chan error, 1)
	path, asked := r.path, r.asked
	r.mu.Unlock()
	// The file begins with what is there now, which only the owner of the model can tell, between two events.
	if err := <-asked; err != nil {
		return "", err
	}
	return "recording to " + path, nil
}

func (r *recorder) stop() (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state != recordOn {
		return "", errors.New("no recording is on")
	}
	r.state = recordIdle
	if err := r.writer.Close(); err != nil {
		return "", reason(err)
	}
	return "recorded to " + r.path, nil
}

// Add writes an event if a recording is on. An error ends the recording, not the run: Failed tells it.
func (r *recorder) Add(e *event.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state != recordOn {
		return nil
	}
	if err := r.writer.Write(e); err != nil {
		r.writer.Close() // returns the same
		r.state, r.failed = recordIdle, reason(err)
	}
	return nil
}

// Failed says why the recording that was switched on last has ended by itself; nil: it has not.
func (r *recorder) Failed() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// reason is an error without the name of the file, which has been told.
func reason(err error) error {
	var where *fs.PathError
	if errors.As(err, &where) {
		return where.Err
	}
	return err
}

// Tick begins a recording that was asked for.
func (r *recorder) Tick(now int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.state == recordStarting {
		r.asked <- r.begin(now)
	}
	return nil
}

func (r *recorder) begin(now int64) error {
	r.state = recordIdle
	h := r.header
	h.Start = now
	w, err := record.CreateNew(r.path, h) // a second ago, or by another beltrace, there may have been one
	if w, err = ownedByUser(r.path, w, err); err != nil {
		return err
	}
	for _, e := range existing(r.now(now)) {
		_ = w.Write(&e)
	}
	r.writer, r.state, r.failed = w, recordOn, nil
	return nil
}

// End ends the recording that is on.
func (r *recorder) End() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	switch r.state {
	case recordStarting:
		r.asked <- errors.New("the collection has ended")
	case recordOn:
		return r.writer.Close()
	}
	return nil
}

// createRecording creates a recording that belongs to the invoking user.
func createRecording(path string, h record.Header) (*record.Writer, error) {
	w, err := record.Create(path, h)
	return ownedByUser(path, w, err)
}

// ownedByUser gives a recording that was created to the invoking user.
func ownedByUser(path string, w *record.Writer, err error) (*record.Writer, error) {
	if err != nil {
		return nil, fmt.Errorf("create recording: %w", err)
	}
	if err := giveToUser(path); err != nil {
		w.Close()
		return nil, fmt.Errorf("give the recording to its user: %w", err)
	}
	return w, nil
}
