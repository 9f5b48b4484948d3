// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"beltrace/collector/event"
	"beltrace/collector/record"
	"beltrace/internal/view"
)

// shortEvents reads the recording of the tests.
func shortEvents(t *testing.T) (record.Header, []event.Event) {
	t.Helper()
	return readRecording(t, "testdata/short.ndjson")
}

func readRecording(t *testing.T, path string) (record.Header, []event.Event) {
	t.Helper()
	r, err := record.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var all []event.Event
	for {
		var e event.Event
		err := r.Next(&e)
		if err == io.EOF {
			return r.Header(), all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
}

func lost() event.Event {
	e := event.Event{TS: 1, Kind: event.Lost, Where: "ring", Count: 7}
	return *e.Set(event.FieldWhere, event.FieldCount)
}

func before() event.Event {
	e := event.Event{TS: 1, Kind: event.Established, Conn: 1, PreExisting: true}
	return *e.Set(event.FieldConn, event.FieldPreExisting)
}

func TestTracer(t *testing.T) {
	h, all := shortEvents(t)
	all = append([]event.Event{lost(), before()}, all...)
	for _, c := range []struct {
		name  string
		args  []string
		json  bool
		count uint64
		kinds string // of the lines
		err   error
	}{
		{"lifecycle", nil, true, 0, "lost listen" + strings.Repeat(" connect established established accept close close", 3) + " unlisten", nil},
		{"named", []string{"accept,listen"}, true, 0, "lost listen accept accept accept", nil},
		{"separate words", []string{"accept", "listen"}, true, 0, "lost listen accept accept accept", nil},
		{"a comma and a space", []string{"accept,", "listen"}, true, 0, "lost listen accept accept accept", nil},
		{"one word", []string{"accept, listen"}, true, 0, "lost listen accept accept accept", nil},
		{"count", []string{"accept"}, true, 2, "lost accept accept", errEnough},
		{"text", []string{"accept"}, false, 2, "EVENT lost accept accept", errEnough},
	} {
		t.Run(c.name, func(t *testing.T) {
			kinds, err := parseKinds(c.args)
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			tr := newTracer(&out, kinds, c.json, view.Clock{Offset: h.BootOffset, Start: h.Start}, c.count)
			for i := range all {
				if err = tr.Add(&all[i]); err != nil {
					break
				}
			}
			if err != c.err {
				t.Errorf("error %v, want %v", err, c.err)
			}
			if err := tr.End(); err != nil {
				t.Fatal(err)
			}
			if got := lineKinds(t, out.String(), c.json); got != c.kinds {
				t.Errorf("printed %s\nwant    %s", got, c.kinds)
			}
		})
	}
}

// lineKinds returns the kinds of the events in trace lines.
func lineKinds(t *testing.T, text string, asJSON bool) string {
	t.Helper()
	var kinds []string
	for line := range strings.Lines(text) {
		if !asJSON {
			kinds = append(kinds, strings.Fields(line)[1])
			continue
		}
		var e event.Event
		if err := e.UnmarshalJSON([]byte(line)); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		kinds = append(kinds, e.Kind.String())
	}
	return strings.Join(kinds, " ")
}

// TestTracerWaitsForTheTick: an event costs no write of its own.
func TestTracerWaitsForTheTick(t *testing.T) {
	var out strings.Builder
	tr := newTracer(&out, ^kindSet(0), true, view.Clock{}, 0)
	e := connects(1)[0]
	if err := tr.Add(&e); err != nil || out.Len() != 0 {
		t.Fatalf("%v, written %q", err, out.String())
	}
	if err := tr.Tick(2); err != nil || out.Len() == 0 {
		t.Fatalf("%v, nothing written at the tick", err)
	}
}

func TestTracerAllocatesNothing(t *testing.T) {
	_, all := shortEvents(t)
	tr := newTracer(io.Discard, ^kindSet(0), true, view.Clock{}, 0)
	e := all[2]
	if n := testing.AllocsPerRun(1000, func() {
		if err := tr.Add(&e); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations an event", n)
	}
}

func TestRecordSink(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.ndjson")
	out, err := createRecording(path, record.Header{})
	if err != nil {
		t.Fatal(err)
	}
	r := &recordSink{out: out, left: 2}
	var ended error
	for _, e := range append([]event.Event{before(), lost()}, connects(5)...) {
		if ended = r.Add(&e); ended != nil {
			break
		}
	}
	if ended != errEnough {
		t.Errorf("error %v", ended)
	}
	if err := r.End(); err != nil {
		t.Fatal(err)
	}
	if _, events := readRecording(t, path); len(events) != 4 {
		t.Errorf("%d events, want what was there, the loss and 2", len(events))
	}
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	want := "recorded 4 events to " + path + " (" + view.Bytes(uint64(st.Size())) + "), lost 7"
	if got := r.summary(path); got != want {
		t.Errorf("summary %q, want %q", got, want)
	}
}

func TestCreateRecordingFails(t *testing.T) {
	_, err := createRecording(t.TempDir(), record.Header{})
	if err == nil || errors.Is(err, errUnread) {
		t.Errorf("a directory was overwritten: %v", err)
	}
}
