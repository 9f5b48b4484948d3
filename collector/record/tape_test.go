// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bytes"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"beltrace/collector/event"
)

// tapeLines returns the lines of the reels: the first one's existing ones, then all events.
func tapeLines(t *testing.T, reels []Reel) (existing, events []string) {
	t.Helper()
	for i := range reels {
		if i == 0 {
			existing = blockLines(t, reels[i].Existing)
		}
		events = append(events, blockLines(t, reels[i].Blocks)...)
	}
	return existing, events
}

func blockLines(t *testing.T, blocks []Block) (lines []string) {
	t.Helper()
	for i := range blocks {
		if err := blocks[i].Lines(func(b []byte) error { lines = append(lines, string(b)); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	return lines
}

func asLine(e event.Event) string { return string(e.AppendJSON(nil)) }

func TestTapeKeepsTheLast(t *testing.T) {
	const keep = 8 * time.Second
	tape, err := NewTape(keep, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	tape.Begin(0, nil)
	var want []string
	for now := int64(1); now <= 20; now++ {
		e := sample(now)
		e.TS = now * int64(time.Second)
		if tape.Due(e.TS) {
			tape.Begin(e.TS, []event.Event{sample(100 + now)})
		}
		tape.Add(&e)
		tape.Add(&event.Event{Kind: event.Watermark})
		if now >= 12 {
			want = append(want, asLine(e))
		}
	}
	before := tape.Reels()
	existing, events := tapeLines(t, before)
	if before[0].Start != 12*int64(time.Second) || before[0].Short || len(existing) != 1 || existing[0] != asLine(sample(112)) {
		t.Errorf("it begins at %d with %q, short %v", before[0].Start, existing, before[0].Short)
	}
	if len(events) != len(want) || events[0] != want[0] || events[8] != want[8] {
		t.Errorf("events %q\nwant %q", events, want)
	}
	late := sample(1)
	tape.Add(&late)
	tape.Reels()
	if _, again := tapeLines(t, before); len(again) != len(events) {
		t.Error("what was returned has changed")
	}
}

func TestTapeBudget(t *testing.T) {
	const budget = 300 << 10
	tape, err := NewTape(time.Minute, budget)
	if err != nil {
		t.Fatal(err)
	}
	tape.Begin(0, nil)
	for i := range int64(50_000) {
		e := event.Event{TS: i * int64(time.Millisecond), Kind: event.Mark, ID: uint64(i) * 0x9e3779b97f4a7c15}
		e.Set(event.FieldID)
		if tape.Due(e.TS) {
			tape.Begin(e.TS, nil)
		}
		tape.Add(&e)
		if size := tape.Size(); size > budget+tapeBlock {
			t.Fatalf("after %d events it takes %d bytes", i, size)
		}
	}
	reels := tape.Reels()
	_, events := tapeLines(t, reels)
	if !reels[0].Short || len(events) < 1000 || len(events) > 49_000 {
		t.Errorf("%d events are kept, short %v", len(events), reels[0].Short)
	}
	if last := events[len(events)-1]; !strings.Contains(last, `"ts":49999000000`) {
		t.Errorf("the last one is %s", last)
	}
}

// TestTapeTakesWhatItSays: the size that is held against the budget is what the process has less of.
func TestTapeTakesWhatItSays(t *testing.T) {
	tape, err := NewTape(time.Minute, 4<<20)
	if err != nil {
		t.Fatal(err)
	}
	tape.Begin(0, nil)
	e := sample(1)
	add := func(n int) {
		for i := range n {
			e.Conn = uint64(i) // so alike that they are compressed well
			tape.Add(&e)
		}
	}
	add(1000) // the encoder has what it keeps for itself
	heap := func() int {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	before, size := heap(), tape.Size()
	add(100_000)
	took, said := heap()-before, tape.Size()-size
	if said < 100<<10 || took > said+said/4+64<<10 {
		t.Errorf("it says %d bytes and takes %d", said, took)
	}
	runtime.KeepAlive(tape)
}

// TestTapeOntoDisk: the blocks of a tape and single events make a recording, compressed or not, and say what is in them.
func TestTapeOntoDisk(t *testing.T) {
	tape, err := NewTape(time.Minute, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	tape.Begin(0, nil)
	const n = 2000 // several blocks
	for i := range int64(n) {
		e := sample(10 + i)
		if i%1000 == 999 {
			e = event.Event{TS: 10 + i, Kind: event.Lost, Count: 3}
			e.Set(event.FieldCount)
		}
		tape.Add(&e)
	}
	blocks := tape.Reels()[0].Blocks
	for name, create := range map[string]func(io.Writer, Header) (*Writer, error){"plain": NewWriter, "compressed": NewZstdWriter} {
		var out bytes.Buffer
		w, err := create(&out, Header{})
		if err != nil {
			t.Fatal(err)
		}
		first, last, events, lost := sample(1), sample(5000), 0, uint64(0)
		if err := w.Write(&first); err != nil {
			t.Fatal(err)
		}
		for i := range blocks {
			if err := w.WriteBlock(&blocks[i]); err != nil {
				t.Fatal(err)
			}
			events, lost = events+blocks[i].Events, lost+blocks[i].Lost
		}
		if len(blocks) < 3 || events != n || lost != 6 {
			t.Errorf("%s: %d blocks with %d events and %d lost", name, len(blocks), events, lost)
		}
		if err := w.Write(&last); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := w.WriteBlock(&blocks[0]); err == nil {
			t.Errorf("%s: it takes more after its end", name)
		}
		all, err := readAll(&out)
		if err != nil || len(all) != n+2 || all[0].TS != 1 || all[1].TS != 10 || all[n].TS != 9+n || all[n+1].TS != 5000 {
			t.Errorf("%s: %d events are read, %v", name, len(all), err)
		}
	}
}

// BenchmarkTape is the price of an event that is kept.
func BenchmarkTape(b *testing.B) {
	tape, err := NewTape(time.Minute, 32<<20)
	if err != nil {
		b.Fatal(err)
	}
	tape.Begin(0, nil)
	e := sample(1)
	for i := 0; b.Loop(); i++ {
		e.TS = int64(i) * 1000
		if i&1023 == 0 && tape.Due(e.TS) {
			tape.Begin(e.TS, nil)
		}
		tape.Add(&e)
	}
}
