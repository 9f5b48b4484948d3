// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

func TestSpanAndSize(t *testing.T) {
	spans := map[time.Duration]string{
		0: "0 ns", 999: "999 ns", 1000: "1.0 µs", 9949: "9.9 µs", 9951: "10 µs", 83_400: "83 µs", 999_499: "999 µs", 999_501: "1.0 ms",
		48 * time.Millisecond: "48 ms", 999_600 * time.Microsecond: "1.0 s", 1900 * time.Millisecond: "1.9 s",
		59_600 * time.Millisecond: "1m0s", 123 * time.Second: "2m3s", -1: "–",
	}
	for d, want := range spans {
		if got := span(int64(d)); got != want {
			t.Errorf("span(%d) = %q, want %q", d, got, want)
		}
	}
	sizes := map[uint64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 999_499: "999 kB", 999_500: "1.0 MB", 5_000_000: "5.0 MB", 1 << 40: "1100 GB"}
	for n, want := range sizes {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestDistribution(t *testing.T) {
	var d distribution
	if diff := cmp.Diff(model.Distribution{}, d.snapshot()); diff != "" {
		t.Errorf("nothing (-want +got):\n%s", diff)
	}
	for v := range int64(100) {
		d.add(99-v, 100)
	}
	d.add(-1, 100)
	want := model.Distribution{
		Count: 100, P50: model.Some[int64](49), P90: model.Some[int64](89), P99: model.Some[int64](98), Max: model.Some[int64](99),
		Buckets: []uint64{2, 2, 4, 8, 16, 32, 36},
	}
	if diff := cmp.Diff(want, d.snapshot()); diff != "" {
		t.Errorf("exact while all are kept (-want +got):\n%s", diff)
	}
}

// TestDistributionSamples feeds far more values than are kept, in rising order, which a sample of the first or last
// ones would get wrong.
func TestDistributionSamples(t *testing.T) {
	const kept, n = 1000, 200_000
	var a, b distribution
	for v := range int64(n) {
		a.add(v, kept)
		b.add(v, kept)
	}
	got := a.snapshot()
	if got.Count != n || got.Max.V != n-1 || len(a.values) != kept {
		t.Errorf("count %d, max %d, %d kept", got.Count, got.Max.V, len(a.values))
	}
	for want, p := range map[int64]model.Opt[int64]{n / 2: got.P50, n * 9 / 10: got.P90, n * 99 / 100: got.P99} {
		if off := p.V - want; off < -n/20 || off > n/20 {
			t.Errorf("got %d, want about %d", p.V, want)
		}
	}
	if diff := cmp.Diff(got, b.snapshot()); diff != "" {
		t.Errorf("the same values gave another sample:\n%s", diff)
	}
	sum := uint64(0)
	for _, k := range got.Buckets {
		sum += k
	}
	if sum != n {
		t.Errorf("buckets hold %d of %d values", sum, n)
	}
}

func TestQuantile(t *testing.T) {
	for range 100 {
		values := make([]int64, 1+rand.IntN(300))
		for i := range values {
			values[i] = rand.Int64N(50)
		}
		slices.Sort(values)
		for _, p := range []int{50, 90, 99} {
			v := quantile(values, p)
			below, _ := slices.BinarySearch(values, v)
			upTo, _ := slices.BinarySearch(values, v+1)
			if upTo*100 < len(values)*p || below*100 >= len(values)*p {
				t.Fatalf("p%d of %v is not %d", p, values, v)
			}
		}
	}
}

func TestRate(t *testing.T) {
	const s = int64(time.Second)
	r := rate{slot: rateSlot}
	check := func(now int64, want float64) {
		t.Helper()
		if got := r.perSecond(now); math.Abs(got-want) > 1e-6 {
			t.Errorf("at %d: %v a second, want %v", now, got, want)
		}
	}
	check(0, 0)
	for i := range int64(100) { // ten a second for ten seconds
		r.add(100*s+i*s/10, 1)
		if i == 3 {
			check(100*s+i*s/10, 4) // over a second at least
		}
	}
	check(110*s-1, 10)
	r.add(50*s, 1000) // far too late: its slot is gone
	check(110*s-1, 10)
	r.add(109*s, 10) // a little late
	check(110*s-1, 12)
	check(112*s, 35/4.5) // of the last four and a half seconds, two were silent
	r.add(1000*s, 1)
	check(1000*s, 1/4.5)
}

func TestStoryKeepsFirstAndLast(t *testing.T) {
	var s story
	for i := range int64(100) {
		s.add(note{ts: i}, 32)
	}
	var got []int64
	for i := range s.len {
		got = append(got, s.at(i).ts)
	}
	want := []int64{0, 1, 2, 3, 4, 5, 6, 7}
	for ts := int64(100 - 32 + 8); ts < 100; ts++ {
		want = append(want, ts)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestEventLogKeepsTheNewest takes snapshots at odd moments: lines made earlier and later must join without a gap.
func TestEventLogKeepsTheNewest(t *testing.T) {
	c := New(Options{Budget: Budget{Events: 10}})
	for i := range int64(100) {
		e := event.Event{TS: i, Kind: event.Mark, Name: fmt.Sprint(i)}
		c.Add(&e)
		if i%7 != 0 && i != 99 {
			continue
		}
		lines := c.Snapshot(0).Events
		if want := min(int(i)+1, 10); len(lines) != want {
			t.Fatalf("after %d: %d lines, want %d", i, len(lines), want)
		}
		for k, l := range lines {
			if l.TS != i-int64(len(lines)-1-k) {
				t.Fatalf("after %d: line %d is of %d", i, k, l.TS)
			}
		}
	}
}

// TestNameOwner: what /proc says goes into the events that begin an ownership, and from there into everything.
func TestNameOwner(t *testing.T) {
	asked := 0
	c := New(Options{Process: func(pid uint32) model.Process {
		asked++
		return model.Process{PID: model.Some(pid), Comm: "web", NSPID: model.Some[uint32](1), Container: "4f2a9c0d1e3b", Unit: "x.service"}
	}})
	e := ev(event.Connect, 1, 0, 5)
	e.PID = 7
	e.Set(event.FieldPID)
	c.Add(&e)
	const want = `{"ts":1,"event":"connect","pid":7,"comm":"web","ns_pid":1,"container":"4f2a9c0d1e3b","unit":"x.service","cpu":0,"conn":5,"role":"client"}`
	if got := string(e.AppendJSON(nil)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	done := ev(event.Close, 2, 0, 5)
	c.Add(&done)
	if !done.Known(event.FieldContainer) || done.Comm != "web" || asked != 1 {
		t.Errorf("%s, asked %d times", done.AppendJSON(nil), asked)
	}
	conn := c.Snapshot(0).Connections[0]
	if conn.Container != "4f2a9c0d1e3b" || conn.NSPID != model.Some[uint32](1) || conn.Unit != "x.service" {
		t.Errorf("connection of %+v", conn.Process)
	}
}

// TestReplayShowsWhatLiveShowed: the completed events, collected again without /proc, give the same snapshot.
func TestReplayShowsWhatLiveShowed(t *testing.T) {
	opt := Options{Facts: map[string]model.Fidelity{"wait_ns": model.Exact}}
	again := listening(opt)
	opt.Process = func(pid uint32) model.Process {
		return model.Process{PID: model.Some(pid), Unit: fmt.Sprintf("u%d.service", pid)}
	}
	first := listening(Options{Facts: opt.Facts}) // the listener's own event came before
	first.opt.Process = opt.Process
	s := &churn{}
	for i := range 6000 {
		var e event.Event
		s.next(&e)
		if i%11 == 0 {
			continue // some are lost
		}
		first.Add(&e)
		again.Add(&e)
	}
	a, b := first.Snapshot(0), again.Snapshot(0)
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("(-live +replay):\n%s", diff)
	}
}
