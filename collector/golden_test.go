// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"beltrace/collector/event"
	"beltrace/collector/model"
	"beltrace/collector/record"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestSituations replays testdata/*.txtar: each is a recording of one situation, with the events as the collector
// completes them and the snapshot that must come out. After -update, read what changed.
func TestSituations(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d situations, %v", len(files), err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			events, snapshot := replay(t, a)
			if *update {
				put(a, "events.ndjson", events)
				put(a, "snapshot", snapshot)
				if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(get(a, "events.ndjson"), events); diff != "" {
				t.Errorf("events (-golden +got):\n%s", diff)
			}
			if diff := cmp.Diff(get(a, "snapshot"), snapshot); diff != "" {
				t.Errorf("snapshot (-golden +got):\n%s", diff)
			}
		})
	}
}

// replay runs the situation's recording through the whole path and returns the completed events and the snapshot.
func replay(t *testing.T, a *txtar.Archive) (events, snapshot string) {
	t.Helper()
	const head = `{"schema":1,"kernel":"6.12.0","arch":"amd64","tier":"full","probes":{},"boot_offset_ns":0}` + "\n"
	r, err := record.NewReader(strings.NewReader(head + get(a, "recording.ndjson")))
	if err != nil {
		t.Fatal(err)
	}
	var opt Options
	if b := get(a, "budget.json"); b != "" {
		if err := json.Unmarshal([]byte(b), &opt.Budget); err != nil {
			t.Fatal(err)
		}
	}
	c := New(opt)
	src := Ordered(r)
	var out []byte
	for {
		var e event.Event
		if err := src.Next(&e); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		c.Add(&e)
		out = append(e.AppendJSON(out), '\n')
	}
	if r.Skipped().Events > 0 {
		t.Fatalf("unknown events: %q", r.Skipped().Names)
	}
	checkInvariants(t, c)
	return string(out), show(t, c.Snapshot(0))
}

// show writes a snapshot so that a person can judge it: a line for each thing, what JSON leaves out below it.
func show(t *testing.T, s *model.Snapshot) string {
	t.Helper()
	var b strings.Builder
	line := func(what string, v any) {
		j, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %s\n", what, j)
	}
	line("total", s.Total)
	if s.Evicted != (model.Evicted{}) {
		line("evicted", s.Evicted)
	}
	line("lost", s.Lost)
	fmt.Fprintf(&b, "ts %d, %d events, %.4g/s, %.4g conns/s, %d open\n", s.TS, s.EventsTotal, s.EventsPerSec, s.ConnsPerSec, s.OpenConns)
	for _, l := range s.Listeners {
		line("listener", l)
		fmt.Fprintf(&b, "  arrivals %.4g/s accepts %.4g/s\n", l.ArrivalsPerSec, l.AcceptsPerSec)
		for _, w := range l.Waiting {
			fmt.Fprintf(&b, "  waits #%d %s since %d\n", w.Conn, w.Remote, w.Since)
		}
		for _, q := range l.History {
			fmt.Fprintf(&b, "  queue at %d: SYN %s accept %s\n", q.TS, num(q.SYNQueue), num(q.AcceptQueue))
		}
	}
	for _, w := range s.Workers {
		line("worker", w)
	}
	for _, l := range s.Loops {
		line("loop", l)
		fmt.Fprintf(&b, "  wakeups %v interest %v\n", l.Wakeups, l.Interest)
		if l.Readied.Known {
			fmt.Fprintf(&b, "  all that were ready: %v\n", l.ReadiedAll)
		}
	}
	for _, x := range s.Exchanges {
		line("exchange", x)
	}
	for _, r := range s.Routes {
		line("route", r)
	}
	for _, r := range s.Rings {
		line("ring", r)
	}
	for _, n := range s.Namespaces {
		line("namespace", n)
	}
	for _, c := range s.Connections {
		line("connection", c)
		for _, e := range c.Story {
			fmt.Fprintf(&b, "  %s\n", inWords(e))
		}
	}
	for _, e := range s.Events {
		fmt.Fprintf(&b, "event #%d %s\n", e.Conn, inWords(e))
	}
	for _, m := range s.Marks {
		line("mark", m)
	}
	return b.String()
}

func inWords(e model.EventLine) string {
	return fmt.Sprintf("%d %s [%d %s] %s", e.TS, e.Kind, e.PID, e.Comm, e.Text)
}

func num(v model.Opt[uint32]) string {
	if !v.Known {
		return "–"
	}
	return fmt.Sprint(v.V)
}

func get(a *txtar.Archive, name string) string {
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

func put(a *txtar.Archive, name, data string) {
	for i := range a.Files {
		if a.Files[i].Name == name {
			a.Files[i].Data = []byte(data)
			return
		}
	}
	a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(data)})
}

// checkInvariants checks what holds for every collector at any time.
func checkInvariants(t *testing.T, c *Collector) {
	t.Helper()
	if n := c.open.len + c.closed.len; n != len(c.conns) || n > c.budget.Connections || c.closed.len > c.budget.Closed {
		t.Errorf("%d open and %d closed of %d connections", c.open.len, c.closed.len, len(c.conns))
	}
	if len(c.pairs) > len(c.conns) || len(c.order) > c.budget.Listeners || len(c.log.events) > c.budget.Events {
		t.Errorf("%d pairs, %d listeners, %d events", len(c.pairs), len(c.order), len(c.log.events))
	}
	for _, f := range c.Snapshot(0).Findings {
		for name, v := range f.Numbers {
			if !(v >= 0 && v < 1e16) && !strings.HasSuffix(name, "_ns") {
				t.Errorf("%s %s: %v", f.ID, name, v)
			}
		}
		if f.Text == "" || f.Mechanism == "" || f.Remedy == "" || f.Subject == "" || f.Since > c.now {
			t.Errorf("%s of %q since %d: %q", f.ID, f.Subject, f.Since, f.Text)
		}
	}
	if len(c.spaces) > c.budget.Namespaces {
		t.Errorf("%d namespaces", len(c.spaces))
	}
	filed := 0
	for k, all := range c.byPort {
		filed += len(all)
		for _, l := range all {
			if l.local.Port() != k.port || l.netns != k.netns || l.gone || c.listeners[l.id] != l {
				t.Errorf("listener %d is filed under %v", l.id, k)
			}
		}
	}
	if filed > len(c.order) {
		t.Errorf("%d listeners filed, %d known", filed, len(c.order))
	}
	for id, x := range c.conns {
		if x.id != id || x.state == "" || (x.state == model.StateClosed) != (x.links[inState].in == &c.closed) {
			t.Errorf("connection %d: id %d, state %q", id, x.id, x.state)
		}
		for _, ns := range []int64{x.handshake, x.wait, x.rtt, x.duration} {
			if ns < 0 {
				t.Errorf("connection %d has a negative time: %+v", id, x)
			}
		}
		if q := x.links[inQueue].in; (x.state == model.StateAcceptQueue) && q == nil && x.listener != nil && !x.listener.gone && x.listener.state != model.StateClosed {
			t.Errorf("connection %d waits in no queue", id)
		}
	}
}
