// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"beltrace/collector"
	"beltrace/collector/event"
	"beltrace/collector/model"
	"beltrace/collector/record"
)

const second = int64(time.Second)

// flightTest is a flight recorder over made-up seconds: a listener, a client that stays, and one that comes and goes
// each second. Findings are what the test says.
type flightTest struct {
	t        *testing.T
	rec      *flight
	model    *collector.Collector
	now      int64
	findings []model.Finding

	mu   sync.Mutex
	said []string
}

func newFlightTest(t *testing.T, p flightPlan) *flightTest {
	t.Helper()
	f := &flightTest{t: t, model: collector.New(collector.Options{})}
	var err error
	f.rec, err = newFlight(p, record.Header{Start: 1}, func(now int64) *model.Snapshot { return f.model.Snapshot(now) },
		func() []model.Finding { return f.findings }, f.say)
	if err != nil {
		t.Fatal(err)
	}
	f.add(socket(1, event.Listen, 10, "", "127.0.0.1:80", ""), socket(2, event.Established, 11, event.RoleServer, "127.0.0.1:80", "10.0.0.1:5000"),
		socket(3, event.Connect, 12, event.RoleClient, "10.0.0.9:4000", "10.9.9.9:80"))
	return f
}

func (f *flightTest) say(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.said = append(f.said, fmt.Sprintf(format, args...))
}

func (f *flightTest) add(events ...event.Event) {
	f.t.Helper()
	for i := range events {
		f.model.Add(&events[i])
		if err := f.rec.Add(&events[i]); err != nil {
			f.t.Fatal(err)
		}
	}
}

// fly lets seconds pass. A file that is being written is waited for, as if the disk were quick.
func (f *flightTest) fly(seconds int) {
	f.t.Helper()
	for range seconds {
		f.now += second
		id := uint64(1000 + f.now/second)
		remote := fmt.Sprintf("10.0.0.2:%d", 1000+f.now/second)
		f.add(socket(f.now, event.Established, id, event.RoleServer, "127.0.0.1:80", remote),
			socket(f.now+1, event.Close, id, event.RoleServer, "127.0.0.1:80", remote))
		if err := f.rec.Tick(f.now + 2); err != nil {
			f.t.Fatal(err)
		}
		if err := f.rec.written(true); err != nil {
			f.t.Fatal(err)
		}
	}
}

// tick lets seconds pass in which nothing comes, and its file may not be written.
func (f *flightTest) tick(seconds int) {
	f.t.Helper()
	for range seconds {
		f.now += second
		if err := f.rec.Tick(f.now); err != nil {
			f.t.Fatal(err)
		}
		for f.rec.writing != nil && len(f.rec.writing) == 0 {
			time.Sleep(time.Millisecond)
		}
	}
}

// fire adds a finding, as new as now.
func (f *flightTest) fire(id string) {
	f.findings = append(f.findings, model.Finding{ID: id, Subject: "nginx 127.0.0.1:80", Since: f.now})
}

func (f *flightTest) end() {
	f.t.Helper()
	if err := f.rec.End(); err != nil {
		f.t.Fatal(err)
	}
}

func socket(ts int64, kind event.Kind, id uint64, role, local, remote string) event.Event {
	e := event.Event{TS: ts, Kind: kind, Conn: id, Role: role, PID: 7, Comm: "nginx", NetNS: 3, Local: netip.MustParseAddrPort(local)}
	e.Set(event.FieldConn, event.FieldPID, event.FieldComm, event.FieldNetNS, event.FieldLocal)
	if remote != "" {
		e.Remote = netip.MustParseAddrPort(remote)
		e.Set(event.FieldRemote, event.FieldRole)
	}
	return e
}

func plan(t *testing.T) flightPlan {
	t.Helper()
	return flightPlan{path: filepath.Join(t.TempDir(), "slow.ndjson.zst"), keep: time.Minute, budget: flightBudget, on: []string{"accept-queue-full"}}
}

// TestFlightBeforeAndAfter: the file has the last minute and the 5 s after, and begins with what there was.
func TestFlightBeforeAndAfter(t *testing.T) {
	p := plan(t)
	f := newFlightTest(t, p)
	f.fly(30)
	f.add(lost()) // too old to be in the file
	f.fly(70)
	f.fire("slow-acceptor") // nobody asked for it
	f.fly(1)
	f.fire("accept-queue-full")
	f.fly(2)
	e := lost()
	e.TS = f.now
	f.add(e)
	f.fly(28)
	f.end()
	h, events := readRecording(t, p.path)
	const fired = 102 // at the next tick
	from := fired*second + 2 - 60*second
	if h.Start != from {
		t.Errorf("it starts at %d, not %d", h.Start, from)
	}
	var kinds []string
	first, last := int64(0), int64(0)
	again := collector.New(collector.Options{})
	for i := range events {
		e := &events[i]
		if e.PreExisting {
			kinds = append(kinds, fmt.Sprint(e.Kind, " ", e.Conn))
		} else if first == 0 {
			first = e.TS
		}
		last = max(last, e.TS)
		again.Add(e)
	}
	if diff := cmp.Diff([]string{"listen 10", "established 11", "connect 12", "queue 10"}, kinds); diff != "" {
		t.Error(diff)
	}
	if first < from || first > from+second || last != (fired+5)*second+1 {
		t.Errorf("events from %d to %d, want %d to %d", first, last, from, (fired+5)*second+1)
	}
	want := []string{"server accept_queue 127.0.0.1:80 10.0.0.1:5000 nginx", "client connecting 10.0.0.9:4000 10.9.9.9:80 nginx"}
	if got := summaries(again.Snapshot(0))[:2]; !slices.Equal(got, want) {
		t.Errorf("a replay has %q open, want %q", got, want)
	}
	if len(f.said) != 1 || !strings.Contains(f.said[0], ", lost 7): 60 s before and 5.0 s after accept-queue-full (nginx 127.0.0.1:80)") {
		t.Errorf("said %q", f.said)
	}
}

// TestFlightAgain: at most once a minute, under a new name each time.
func TestFlightAgain(t *testing.T) {
	p := plan(t)
	if err := os.WriteFile(numbered(p.path, 2), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := newFlightTest(t, p)
	f.fly(10)
	f.fire("accept-queue-full")
	f.fly(3)
	f.fire("accept-queue-full") // within the first one's 5 s: it is in that file
	f.fly(17)
	f.fire("accept-queue-full") // not recorded
	f.fly(10)
	f.fire("accept-queue-full") // nor this one, and that is not said again
	f.fly(35)
	f.fire("accept-queue-full")
	f.fly(10)
	f.end()
	var starts []int64
	for _, n := range []int{1, 3} {
		h, _ := readRecording(t, numbered(p.path, n))
		starts = append(starts, h.Start)
	}
	if want := []int64{1, 76*second + 2 - 60*second}; !slices.Equal(starts, want) {
		t.Errorf("recordings start at %d, want %d", starts, want)
	}
	if b, err := os.ReadFile(numbered(p.path, 2)); string(b) != "mine" {
		t.Errorf("a file that was there has %q, %v", b, err)
	}
	if _, err := os.Stat(numbered(p.path, 4)); err == nil {
		t.Error("there is a fourth")
	}
	if len(f.said) != 3 || !strings.Contains(f.said[1], "not recorded, it is less than 1m") {
		t.Errorf("said %q", f.said)
	}
}

// TestFlightEnds: what has fired is written when the run ends before its 5 s are over.
func TestFlightEnds(t *testing.T) {
	p := plan(t)
	p.on = nil
	f := newFlightTest(t, p)
	f.fly(3)
	f.fire("anything")
	f.fly(2)
	f.end()
	_, events := readRecording(t, p.path)
	if len(events) != 3+2*5 {
		t.Errorf("%d events", len(events))
	}
	if len(f.said) != 1 || !strings.Contains(f.said[0], "1.0 s after anything") {
		t.Errorf("said %q", f.said)
	}
}

func TestFlightOfNothing(t *testing.T) {
	p := plan(t)
	f := newFlightTest(t, p)
	f.fly(10)
	f.end()
	if _, err := os.Stat(p.path); err == nil {
		t.Error("there is a file")
	}
	if want := []string{"accept-queue-full did not fire: nothing is written"}; !slices.Equal(f.said, want) {
		t.Errorf("said %q", f.said)
	}
	p.on = nil
	f = newFlightTest(t, p)
	f.end()
	if want := []string{"no finding fired: nothing is written"}; !slices.Equal(f.said, want) {
		t.Errorf("said %q", f.said)
	}
}

// TestFlightBudget: memory is bounded, and that it shortens the minute is said.
func TestFlightBudget(t *testing.T) {
	p := plan(t)
	p.budget = 200 << 10
	f := newFlightTest(t, p)
	for range 100 {
		f.fly(1)
		for i := range 1000 {
			e := event.Event{TS: f.now + int64(i), Kind: event.Mark, ID: uint64(i) * 0x9e3779b97f4a7c15, Name: "handle"}
			f.add(*e.Set(event.FieldID, event.FieldName))
		}
		if size := f.rec.tape.Size(); size > p.budget+64<<10 {
			t.Fatalf("%d bytes are kept", size)
		}
	}
	f.fire("accept-queue-full")
	f.fly(6)
	f.end()
	h, events := readRecording(t, p.path)
	if before := 101*second - h.Start; before < second || before > 50*second {
		t.Errorf("%d ns before", before)
	}
	if !events[0].PreExisting {
		t.Errorf("it begins with %v", events[0].Kind)
	}
	if len(f.said) != 1 || !strings.Contains(f.said[0], "(not 1m: 205 kB hold no more)") {
		t.Errorf("said %q", f.said)
	}
}

// TestFlightFails: a file that cannot be written is told.
func TestFlightFails(t *testing.T) {
	p := plan(t)
	f := newFlightTest(t, p)
	f.fly(3)
	f.fire("accept-queue-full")
	f.fly(1)
	f.rec.path = filepath.Join(filepath.Dir(p.path), "gone", "slow.ndjson")
	if err := f.rec.End(); err == nil || !strings.Contains(err.Error(), "create recording") {
		t.Errorf("error %v", err)
	}
}

// TestFlightGoesOn: a file that cannot be created does not end the watch: the next one may be, even within the minute.
func TestFlightGoesOn(t *testing.T) {
	p := plan(t)
	f := newFlightTest(t, p)
	f.rec.path = "/dev/full/slow.ndjson"
	f.fly(3)
	f.fire("accept-queue-full")
	f.tick(8)
	if len(f.said) != 1 || !strings.Contains(f.said[0], "not recorded") {
		t.Errorf("said %q", f.said)
	}
	f.rec.path = p.path
	f.fly(6)
	f.fire("accept-queue-full")
	f.fly(6)
	if err := f.rec.End(); err == nil || !strings.Contains(err.Error(), "1 recording could not be written") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(p.path); err != nil {
		t.Error(err)
	}
}

// TestFlightOfRenamed: a finding whose subject gets a longer name, since another one of that name has come, is no new one.
func TestFlightOfRenamed(t *testing.T) {
	f := newFlightTest(t, plan(t))
	f.fly(3)
	f.fire("accept-queue-full")
	f.findings[0].Listener = model.Some[uint64](1)
	f.fly(70)
	f.findings[0].Subject += " pid 7"
	f.fly(10)
	f.end()
	if len(f.said) != 1 {
		t.Errorf("said %q", f.said)
	}
}

func TestNumbered(t *testing.T) {
	for _, tt := range [][2]string{
		{"slow.ndjson.zst", "slow-2.ndjson.zst"}, {"slow.ndjson", "slow-2.ndjson"}, {"slow", "slow-2"},
		{"/a.b/slow", "/a.b/slow-2"}, {"/a.b/slow.zst", "/a.b/slow-2.zst"}, {".ndjson", ".ndjson-2"}, {"a.b.ndjson.zst", "a.b-2.ndjson.zst"},
	} {
		if got := numbered(tt[0], 2); got != tt[1] {
			t.Errorf("second name of %s: %s, want %s", tt[0], got, tt[1])
		}
	}
}
