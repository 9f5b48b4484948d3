// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"io"
	"testing"

	"beltrace/collector/event"
	"beltrace/collector/model"
	"beltrace/collector/probes"
	"beltrace/collector/record"
	"beltrace/demos"
	"beltrace/demos/demo"
	"beltrace/demos/recordings"
)

// maxRecording is how large the recording of a demo may be, in bytes: it is part of the program.
const maxRecording = 200_000

// TestRecordings tests that each demo has a recording, and that it proves every claim of the lesson once more.
func TestRecordings(t *testing.T) {
	for _, d := range demos.All() {
		t.Run(d.Name, func(t *testing.T) {
			data, err := recordings.Of(d.Name)
			if err != nil {
				t.Fatalf("%v: make recordings DEMO=%s", err, d.Name)
			}
			if len(data) > maxRecording {
				t.Errorf("%d bytes, at most %d", len(data), maxRecording)
			}
			h, _, claims := replayAll(t, data, nil)
			if h.Tier != string(probes.Full) || h.Demo.Name != d.Name {
				t.Errorf("it is of %s, recorded in the tier %s", h.Demo.Name, h.Tier)
			}
			want := 0
			for _, s := range d.Lesson.Steps {
				want += len(s.Claims)
			}
			if len(claims) != want {
				t.Errorf("%d claims, the lesson has %d", len(claims), want)
			}
			for _, c := range claims {
				if c.State != demo.Proven || len(c.Evidence) == 0 {
					t.Errorf("%q is %s: %s (%s): if the lesson has changed, make recordings DEMO=%s", c.text, c.State, c.Why, words(c.Evidence), d.Name)
				}
			}
		})
	}
}

// TestRecordingsConvinceSlowly tests that no claim is refuted while a recording is played, and that at its beginning
// none is proven.
func TestRecordingsConvinceSlowly(t *testing.T) {
	if testing.Short() {
		t.Skip("every event of every recording is judged")
	}
	for _, d := range demos.All() {
		t.Run(d.Name, func(t *testing.T) {
			data, err := recordings.Of(d.Name)
			if err != nil {
				t.Skip("has no recording, which is TestRecordings' business")
			}
			looks := 0
			replayAll(t, data, func(l *replayLesson, snap *model.Snapshot) {
				_, claims := l.Judge(snap)
				if n := count(claims, demo.Refuted); n > 0 {
					t.Errorf("%d claims are refuted at %d", n, snap.TS)
				}
				if n := count(claims, demo.Proven); looks == 0 && n > 0 {
					t.Errorf("%d claims are proven before anything has happened", n)
				}
				looks++
			})
			if looks < 5 {
				t.Errorf("looked %d times", looks)
			}
		})
	}
}

// TestRecordingsCanFail takes accepts, ends and refusals out of each recording: not all claims hold without them.
func TestRecordingsCanFail(t *testing.T) {
	for _, d := range demos.All() {
		data, err := recordings.Of(d.Name)
		if err != nil {
			continue
		}
		r, err := record.NewReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		var without bytes.Buffer
		w, err := record.NewWriter(&without, r.Header())
		if err != nil {
			t.Fatal(err)
		}
		var e event.Event
		for err = r.Next(&e); err == nil; err = r.Next(&e) {
			if e.Kind != event.Accept && e.Kind != event.Close && e.Kind != event.SYNDrop {
				w.Write(&e)
			}
		}
		if err != io.EOF {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if _, _, claims := replayAll(t, without.Bytes(), nil); count(claims, demo.Proven) == len(claims) {
			t.Errorf("%s: all claims are proven although nobody accepts, closes or refuses", d.Name)
		}
	}
}

// replayAll reads a demo's recording to its end and judges its claims. look, if any, sees snapshots on the way.
func replayAll(t *testing.T, data []byte, look func(*replayLesson, *model.Snapshot)) (record.Header, *model.Snapshot, []judged) {
	t.Helper()
	r, err := record.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	lesson := newReplayLesson(r.Header().Demo)
	if lesson == nil {
		t.Fatalf("the recording is of no demo that is known")
	}
	w, err := newReplay(r, 0, &watchFlags{})
	if err != nil {
		t.Fatal(err)
	}
	w.Sinks = append(w.Sinks, lesson)
	if look != nil {
		w.Sinks = append(w.Sinks, &looker{w: w, lesson: lesson, look: look})
	}
	if err := w.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r.Skipped().Events > 0 {
		t.Fatalf("unknown events: %q", r.Skipped().Names)
	}
	snap := w.Snapshot()
	_, claims := lesson.Judge(snap)
	return r.Header(), snap, claims
}

// looker takes a snapshot from time to time.
type looker struct {
	w      *watch
	lesson *replayLesson
	look   func(*replayLesson, *model.Snapshot)
	events int
}

func (l *looker) Add(e *event.Event) error {
	if l.events%7 == 0 {
		l.look(l.lesson, l.w.snapshot(e.TS))
	}
	l.events++
	return nil
}

func (l *looker) Tick(int64) error { return nil }
func (l *looker) End() error       { return nil }
