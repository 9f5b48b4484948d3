// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"beltrace/collector"
	"beltrace/collector/event"
	"beltrace/collector/model"
	"beltrace/collector/record"
)

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
		if !e.PreExisting {
			t.Errorf("%s is not marked as pre-existing", e.Kind)
		}
		again.Add(&e)
	}
	s := again.Snapshot(0)
	want := []string{"server accept_queue 127.0.0.1:80 10.0.0.1:5000 nginx", "client established 127.0.0.1:4000 127.0.0.1:80 curl"}
	if diff := cmp.Diff(want, summaries(s)); diff != "" {
		t.Error(diff)
	}
	if len(s.Listeners) != 1 || s.Listeners[0].Local != "127.0.0.1:80" || s.Listeners[0].Comm != "nginx" {
		t.Errorf("listeners %+v", s.Listeners)
	}
}

// switchOn switches a recorder on, whose next tick is the test's.
func switchOn(t *testing.T, r *recorder) (string, error) {
	t.Helper()
	type answer struct {
		text string
		err  error
	}
	said := make(chan answer, 1)
	go func() {
		text, err := r.Switch(true)
		said <- answer{text, err}
	}()
	for {
		if err := r.Tick(100); err != nil {
			t.Fatal(err)
		}
		select {
		case a := <-said:
			return a.text, a.err
		default:
		}
	}
}

// TestSwitchedRecordingOverwritesNothing: two within a second have the same name.
func TestSwitchedRecordingOverwritesNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	r := newRecorder(record.Header{}, collector.New(collector.Options{}).Snapshot)
	var paths []string
	for range 4 { // within two seconds, so that two have the same
		text, err := switchOn(t, r)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		path, ok := strings.CutPrefix(text, "recording to ")
		if err != nil || !ok || slices.Contains(paths, path) {
			t.Fatalf("%q, %v after %q", text, err, paths)
		}
		paths = append(paths, path)
		if _, err := r.Switch(false); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSwitchedRecordingFails: a disk that is full ends it, and the next one may be begun.
func TestSwitchedRecordingFails(t *testing.T) {
	t.Chdir(t.TempDir())
	r := newRecorder(record.Header{}, collector.New(collector.Options{}).Snapshot)
	if _, err := switchOn(t, r); err != nil {
		t.Fatal(err)
	}
	if err := r.Failed(); err != nil {
		t.Fatalf("failed at once: %v", err)
	}
	r.writer.Close() // it refuses from now on, as when the disk is full
	e := connects(1)[0]
	if err := r.Add(&e); err != nil {
		t.Fatalf("the run ends with %v", err)
	}
	if err := r.Failed(); err == nil {
		t.Error("nothing is said")
	}
	if text, err := r.Switch(false); err == nil {
		t.Errorf("it was still on: %q", text)
	}
}
