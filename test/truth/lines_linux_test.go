// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"beltrace/collector/event"
	"beltrace/collector/model"
	"beltrace/internal/testkit"
)

// TestTraceCommand: the lines of the command are the same truth as the session's events.
func TestTraceCommand(t *testing.T) {
	p := newPair(t)
	tl := startTool(t, "trace", "--json", "--netns", p.ns.Path())
	w := tl.watch(p)
	l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 16})
	serve, dial := short(l, 10)
	served, dialed := p.exchange(serve, dial)
	tl.finish(w, p.client)
	w.verify(wholes(t, served, dialed))
	w.counts(l.Local, event.Listen, 1)
}

// TestContainerFilter: what the processes of a container do, and nobody else.
func TestContainerFilter(t *testing.T) {
	p := newPair(t)
	id := testkit.NewContainer(t, p.client.PID)
	p.onlyClient(t, id[:12], func(e *event.Event) bool { return e.Container == id || e.Container == id[:12] })
}

// TestUnitFilter: what the processes of a systemd unit do, and nobody else.
func TestUnitFilter(t *testing.T) {
	p := newPair(t)
	unit := testkit.NewUnit(t, p.client.PID)
	p.onlyClient(t, strings.TrimSuffix(unit, ".service"), func(e *event.Event) bool { return e.Unit == unit })
}

// onlyClient checks that --container NAME tells all that the client does, and only that, with where it is.
func (p *pair) onlyClient(t *testing.T, name string, home func(*event.Event) bool) {
	t.Helper()
	tl := startTool(t, "trace", "--json", "--container", name)
	w := tl.watch(p)
	l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 16})
	serve, dial := short(l, 10)
	served, dialed := p.exchange(serve, dial)
	tl.finish(w, p.client)
	w.verify(of(wholes(t, served, dialed), event.RoleClient))
	for _, e := range w.seen() {
		if e.Kind != event.Lost && !home(&e) {
			t.Errorf("not in %s: %s", name, e.AppendJSON(nil))
		}
	}
}

// watch returns a watch for what the tool prints.
func (tl *tool) watch(p *pair) *watch {
	w := p.newWatch(tl.t)
	w.strict = true
	w.hold(shared.tierHere(tl.t))
	return w
}

// finish waits until all that happened before it is printed, ends the tool and gives the watch its lines.
func (tl *tool) finish(w *watch, a *agent) {
	tl.t.Helper()
	last := do[[]socket](a, "dial", dialArgs{Addr: onePort, N: 1})[0]
	lines := tl.linesUntil(func(e *event.Event) bool { return e.Kind == event.Close && e.Remote == last.Remote })
	tl.end(unix.SIGINT)
	for _, e := range lines {
		if e.Remote != onePort {
			w.events = append(w.events, e)
		}
	}
	w.lossless()
}

// TestSnapshotCommand: top --once --json counts what the programs did.
func TestSnapshotCommand(t *testing.T) {
	p := newPair(t)
	tl := startTool(t, "top", "--once", "--json", "--for", "5s", "--netns", p.ns.Path())
	l := do[socket](p.server, "listen", listenArgs{Addr: loopback4, Backlog: 16})
	serve, dial := short(l, 10)
	p.exchange(serve, dial)
	if err := <-tl.ended; err != nil {
		t.Fatalf("%v\n%s", err, <-tl.stderr)
	}
	text, err := os.ReadFile(tl.stdout.Name())
	if err != nil {
		t.Fatal(err)
	}
	var s model.Snapshot
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	maps.DeleteFunc(s.Lost, func(where string, _ uint64) bool { return mayBeLost(where) })
	if len(s.Listeners) != 1 || len(s.Connections) != 20 || len(s.Lost) != 0 {
		t.Fatalf("%d listeners, %d connections, lost %v; want 1, 20 and nothing", len(s.Listeners), len(s.Connections), s.Lost)
	}
	row := s.Listeners[0]
	if row.Conn != l.Cookie && !oldKernel(t) || row.PID.V != l.PID || row.Established != 10 || row.Accepted != 10 || row.WaitNS.Count != 10 {
		t.Errorf("the listener is %+v", row)
	}
	for _, c := range s.Connections {
		if c.State != model.StateClosed || c.BytesIn.V+c.BytesOut.V != 2100 || c.PreExisting {
			t.Errorf("a connection is %+v", c)
		}
	}
}

// linesUntil reads event lines until one fits.
func (tl *tool) linesUntil(last func(*event.Event) bool) []event.Event {
	tl.t.Helper()
	var events []event.Event
	complete := testkit.Until(settleTime, func() bool {
		events = tl.events()
		return slices.ContainsFunc(events, func(e event.Event) bool { return last(&e) })
	})
	if !complete {
		tl.t.Fatalf("the last line did not come in %v; there are %d", settleTime, len(events))
	}
	return events
}

// events parses what was printed so far, but an unfinished line.
func (tl *tool) events() []event.Event {
	tl.t.Helper()
	text, err := os.ReadFile(tl.stdout.Name())
	if err != nil {
		tl.t.Fatal(err)
	}
	var events []event.Event
	for line := range bytes.Lines(text) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		var e event.Event
		if err := e.UnmarshalJSON(line); err != nil {
			tl.t.Fatalf("line %q: %v", line, err)
		}
		events = append(events, e)
	}
	return events
}
