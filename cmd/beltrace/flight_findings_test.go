// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"beltrace/collector"
	"beltrace/collector/event"
	"beltrace/collector/insight"
	"beltrace/collector/model"
	"beltrace/collector/record"
)

// TestFlightOfEachFinding lets each finding fire from the recordings of the engine's own tests: the file that is written
// shows the finding again. In a second round the listener has been there for long when it fires, and its listen is not kept.
func TestFlightOfEachFinding(t *testing.T) {
	files, err := filepath.Glob("../../collector/testdata/findings/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d recordings, %v", len(files), err)
	}
	fired := map[string]bool{}
	for _, path := range files {
		a, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		id, ok := strings.CutPrefix(strings.SplitN(string(a.Comment), ":", 2)[0], "rule ")
		if !ok {
			continue
		}
		fired[id] = true
		for _, early := range []time.Duration{0, time.Minute} {
			t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar")+" "+early.String(), func(t *testing.T) {
				events := goOn(listenEarlier(findingEvents(t, a), int64(early)))
				p := flightPlan{path: filepath.Join(t.TempDir(), "f.ndjson.zst"), keep: flightLeast, budget: flightBudget, on: []string{id}}
				said := flyOver(t, p, events)
				if len(said) == 0 || !strings.Contains(said[0], id) {
					t.Fatalf("said %q", said)
				}
				s := replayed(t, p.path)
				if !slices.ContainsFunc(s.Findings, func(f model.Finding) bool { return f.ID == id }) {
					t.Errorf("a replay of %s does not find it: %+v", said[0], s.Findings)
				}
			})
		}
	}
	for _, id := range insight.IDs() {
		if !fired[id] {
			t.Errorf("no recording of %s", id)
		}
	}
}

func findingEvents(t *testing.T, a *txtar.Archive) []event.Event {
	t.Helper()
	const head = `{"schema":1,"kernel":"6.12.0","arch":"amd64","tier":"full","probes":{},"boot_offset_ns":0}` + "\n"
	for _, f := range a.Files {
		if f.Name == "recording.ndjson" {
			r, err := record.NewReader(strings.NewReader(head + string(f.Data)))
			if err != nil {
				t.Fatal(err)
			}
			return readAll(t, collector.Ordered(r))
		}
	}
	t.Fatal("no recording")
	return nil
}

// listenEarlier moves everything but the listens to a later time, and lets the time go on between them.
func listenEarlier(events []event.Event, by int64) []event.Event {
	var first, rest []event.Event
	for _, e := range events {
		if e.Kind == event.Listen {
			first = append(first, e)
			continue
		}
		e.TS += by
		if e.Turn != nil {
			t := *e.Turn
			for _, ts := range []*int64{&t.ReadableTS, &t.WakingTS, &t.RunnableTS, &t.OncpuTS, &t.FirstTS, &t.LastTS, &t.SentTS, &t.AckedTS} {
				if *ts != 0 {
					*ts += by
				}
			}
			e.Turn = &t
		}
		rest = append(rest, e)
	}
	if by > 0 && len(first) > 0 { // there may be none: the finding is about an event loop
		first = goOn(first)
	}
	return append(first, rest...)
}

// goOn lets the time go on after the events, as the samples do that a live collection takes.
func goOn(events []event.Event) []event.Event {
	last := events[len(events)-1].TS
	for i := range int64(20) {
		events = append(events, event.Event{TS: last + (i+1)*second/2, Kind: event.Mark})
	}
	return events
}

func readAll(t *testing.T, src event.Source) []event.Event {
	t.Helper()
	var all []event.Event
	for {
		var e event.Event
		err := src.Next(&e)
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
}

// flyOver runs the flight recorder over the events as live collection would, and returns what it said.
func flyOver(t *testing.T, p flightPlan, events []event.Event) []string {
	t.Helper()
	f := &flightTest{t: t, model: collector.New(collector.Options{})}
	var err error
	f.rec, err = newFlight(p, record.Header{Start: 1}, func(now int64) *model.Snapshot { return f.model.Snapshot(now) }, f.model.Findings, f.say)
	if err != nil {
		t.Fatal(err)
	}
	const tick = int64(100 * time.Millisecond)
	now := events[0].TS
	for _, e := range events {
		for ; now < e.TS; now += tick {
			if err := f.rec.Tick(now); err != nil {
				t.Fatal(err)
			}
		}
		f.add(e)
	}
	f.end()
	return f.said
}

// replayed returns the last snapshot of a recording.
func replayed(t *testing.T, path string) *model.Snapshot {
	t.Helper()
	r, err := record.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c := collector.New(optionsOf(r.Header()))
	for _, e := range readAll(t, collector.Ordered(r)) {
		c.Add(&e)
	}
	return c.Snapshot(0)
}
