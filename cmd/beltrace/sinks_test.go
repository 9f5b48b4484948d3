// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"beltrace/collector"
	"beltrace/collector/event"
	"beltrace/collector/model"
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

// TestSwitchedRecording: a recording that is switched on in the middle begins with what there is, so that a replay of it
// shows the same connections.
func TestSwitchedRecording(t *testing.T) {
	t.Chdir(t.TempDir())
	h := record.Header{Kernel: "6.12.9", Host: "web-1"}
	model1 := collector.New(collector.Options{})
	r := newRecorder(h, model1.Snapshot)
	add := func(events ...event.Event) {
		for i := range events {
			model1.Add(&events[i])
			if err := r.Add(&events[i]); err != nil {
				t.Fatal(err)
			}
		}
	}
	add(openEvents()...)
	said := make(chan string)
	go func() {
		text, err := r.Switch(true)
		if err != nil {
			text = err.Error()
		}
		said <- text
	}()
	var text string
	for text == "" {
		if err := r.Tick(100); err != nil {
			t.Fatal(err)
		}
		select {
		case text = <-said:
		default:
		}
	}
	path := strings.TrimPrefix(text, "recording to ")
	add(ending())
	if text, err := r.Switch(false); err != nil || text != "recorded to "+path {
		t.Fatalf("%q, %v", text, err)
	}
	add(connects(1)...) // after the end
	_, events := readRecording(t, path)
	replayed := collector.New(collector.Options{})
	for i := range events {
		replayed.Add(&events[i])
	}
	want := []string{"server closed 127.0.0.1:80 10.0.0.1:5000 nginx", "client established 127.0.0.1:4000 127.0.0.1:80 curl"}
	if diff := cmp.Diff(want, summaries(replayed.Snapshot(0)), cmp.Transformer("sort", sorted)); diff != "" {
		t.Error(diff)
	}
	if err := r.End(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Switch(true); err == nil {
		t.Error("a recording began after the end")
	}
}

func sorted(in []string) map[string]bool {
	out := map[string]bool{}
	for _, s := range in {
		out[s] = true
	}
	return out
}

func summaries(s *model.Snapshot) []string {
	var out []string
	for _, c := range s.Connections {
		out = append(out, strings.Join([]string{c.Role, c.State, c.Local, c.Remote, c.Comm}, " "))
	}
	return out
}

// openEvents make a listener and two open connections, and one that is closed.
func openEvents() []event.Event {
	conn := func(id uint64, kind event.Kind, role, comm, local, remote string) event.Event {
		e := event.Event{TS: int64(id), Kind: kind, Conn: id, Role: role, PID: uint32(id), Comm: comm,
			Local: netip.MustParseAddrPort(local)}
		e.Set(event.FieldConn, event.FieldPID, event.FieldComm, event.FieldLocal)
		if remote != "" {
			e.Remote = netip.MustParseAddrPort(remote)
			e.Set(event.FieldRemote, event.FieldRole)
		}
		return e
	}
	return []event.Event{
		conn(10, event.Listen, "", "nginx", "127.0.0.1:80", ""),
		conn(11, event.Established, event.RoleServer, "nginx", "127.0.0.1:80", "10.0.0.1:5000"),
		conn(12, event.Established, event.RoleClient, "curl", "127.0.0.1:4000", "127.0.0.1:80"),
		conn(13, event.Established, event.RoleClient, "curl", "127.0.0.1:4001", "127.0.0.1:80"),
		conn(13, event.Close, event.RoleClient, "curl", "127.0.0.1:4001", "127.0.0.1:80"),
	}
}

func ending() event.Event {
	e := event.Event{TS: 200, Kind: event.Close, Conn: 11}
	return *e.Set(event.FieldConn)
}

// TestExisting: a snapshot's open sockets, made into events, give the same open sockets.
func TestExisting(t *testing.T) {
	c := collector.New(collector.Options{})
	for _, e := range openEvents() {
		c.Add(&e)
	}
	again := collector.New(collector.Options{})
	for _, e := range existing(c.Snapshot(0)) {
		if e.Kind != event.Connect && !e.PreExisting {
			t.Errorf("%s is not marked as pre-existing", e.Kind)
		}
		again.Add(&e)
	}
	s := again.Snapshot(0)
	want := []string{"server established 127.0.0.1:80 10.0.0.1:5000 nginx", "client established 127.0.0.1:4000 127.0.0.1:80 curl"}
	if diff := cmp.Diff(want, summaries(s)); diff != "" {
		t.Error(diff)
	}
	if len(s.Listeners) != 1 || s.Listeners[0].Local != "127.0.0.1:80" || s.Listeners[0].Comm != "nginx" {
		t.Errorf("listeners %+v", s.Listeners)
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
