// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"beltrace/collector/event"
	"beltrace/collector/live"
	"beltrace/collector/model"
	"beltrace/collector/probes"
	"beltrace/internal/testkit"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

var (
	onePort   = netip.MustParseAddrPort("127.0.0.1:4711")
	otherPort = netip.MustParseAddrPort("127.0.0.1:4712")
)

// sibling returns a pair in the same network namespace whose processes have other names.
func (p *pair) sibling(t testing.TB) *pair {
	return &pair{
		ns:     p.ns,
		server: startAgent(t, testkit.ChildOptions{Comm: "other-server", NetNS: p.ns}),
		client: startAgent(t, testkit.ChildOptions{Comm: "other-client", NetNS: p.ns}),
	}
}

// talkOn makes a listener and five short connections to it.
func (p *pair) talkOn(w *watch, addr netip.AddrPort) (served, dialed []socket) {
	l := do[socket](p.server, "listen", listenArgs{Addr: addr, Backlog: 16})
	if p.ns.ID == w.ns {
		w.knowListener(l, 16)
	}
	serve, dial := short(l, 5)
	return p.exchange(serve, dial)
}

// of keeps the ends of one role.
func of(ends []end, role string) []end {
	return slices.DeleteFunc(ends, func(x end) bool { return x.role != role })
}

func TestFilterPort(t *testing.T) {
	p := newPair(t)
	other := p.sibling(t)
	w := p.openWatch(t, live.Config{Ports: []uint16{onePort.Port(), settlePort}})
	served, dialed := p.talkOn(w, onePort)
	other.talkOn(w, otherPort)
	w.settle(p.client)
	w.verify(wholes(t, served, dialed))
	w.counts(onePort, event.Listen, 1)
	w.counts(otherPort, event.Listen, 0)
}

func TestFilterPIDWithChildren(t *testing.T) {
	p := newPair(t)
	other := p.sibling(t)
	w := p.openWatch(t, live.Config{PIDs: []uint32{p.server.PID}, Want: []probes.Set{probes.Sched}})
	w.strict = true
	served, dialed := p.talkOn(w, onePort)
	other.talkOn(w, otherPort)

	// A child that the watched process has from now on makes connections to a process that is not watched.
	l := do[socket](other.server, "listen", listenArgs{Addr: loopback4, Backlog: 16})
	serve, dial := short(l, 3)
	serving := begin[[]socket](other.server, "serve", serve)
	byChild := do[[]socket](p.server, "child", dial)
	toOther := serving.result()
	w.comms[byChild[0].PID] = "exe" // the name of /proc/self/exe
	w.settle(p.server)
	ends := of(wholes(t, served, dialed), event.RoleServer)
	w.verify(append(ends, of(wholes(t, toOther, byChild), event.RoleClient)...))
	w.counts(onePort, event.Listen, 1)
	w.counts(otherPort, event.Listen, 0)
	if w.session != nil { // it was born with its parent's name
		last := w.until("the end of the child", func(e *event.Event) bool {
			return e.Kind == event.Thread && e.TID == byChild[0].PID && e.Known(event.FieldPhase)
		})
		if last.Comm != "exe" {
			t.Errorf("the child's thread is called %s after it has become another program", last.Comm)
		}
	}
}

// opShare gives the agent another process's listener, as a pre-fork server's processes have it from their parent.
func opShare(l socket) (socket, error) {
	pid, err := unix.PidfdOpen(int(l.PID), 0)
	if err != nil {
		return l, fmt.Errorf("open process %d: %w", l.PID, err)
	}
	defer unix.Close(pid)
	if l.FD, err = unix.PidfdGetfd(pid, l.FD, 0); err != nil {
		return l, fmt.Errorf("get its socket: %w", err)
	}
	return l, nil
}

// TestLeftListener: a listener whose process has ended, or has closed its descriptor, belongs to the one that holds it now.
func TestLeftListener(t *testing.T) {
	t.Run("ended", func(t *testing.T) {
		testLeftListener(t, func(launcher *agent, _ socket) { launcher.End(t) })
	})
	t.Run("closed", func(t *testing.T) {
		testLeftListener(t, func(launcher *agent, l socket) {
			do[[]socket](launcher, "finish", finishArgs{Sockets: []socket{l}})
		})
	})
}

func testLeftListener(t *testing.T, leave func(launcher *agent, l socket)) {
	p, w := newWatched(t, live.Config{})
	launcher, heir := p.sibling(t), p.sibling(t)
	l := do[socket](launcher.server, "listen", listenArgs{Addr: loopback4, Backlog: 16})
	do[socket](heir.server, "share", l)
	belongs := func(a *agent) func(*event.Event) bool {
		return func(e *event.Event) bool {
			return e.Kind == event.Queue && e.NetNS == w.ns && e.Listener == l.Local && e.PID == a.PID
		}
	}
	w.until("its launcher", belongs(launcher.server))
	leave(launcher.server, l)
	first := w.until("its heir", belongs(heir.server))
	next := w.until("the next sample", func(e *event.Event) bool {
		return e.Kind == event.Queue && e.NetNS == w.ns && e.Listener == l.Local && e.TS > first.TS
	})
	if next.PID != heir.server.PID || next.Known(event.FieldTID) {
		t.Errorf("then it belongs to %d, thread %d", next.PID, next.TID)
	}
	if !slices.ContainsFunc(w.snapshot().Listeners, func(found model.Listener) bool {
		return found.NetNS == w.ns && found.Local == l.Local.String() && found.PID == model.Some(heir.server.PID)
	}) {
		t.Errorf("no listener at %s belongs to %d", l.Local, heir.server.PID)
	}
}

// TestFilterPIDOfSiblings: of one listener a connection is whose process takes it. That another one took it is told, for
// the listener's numbers, and nothing more.
func TestFilterPIDOfSiblings(t *testing.T) {
	p := newPair(t)
	other := p.sibling(t)
	w := p.openWatch(t, live.Config{PIDs: []uint32{p.server.PID}})
	l := w.listen(p, listenArgs{Addr: onePort, Backlog: 16})
	shared := do[socket](other.server, "share", l)
	const each = 3
	for _, by := range []struct {
		agent *agent
		l     socket
	}{{p.server, l}, {other.server, shared}} {
		serving := begin[[]socket](by.agent, "serve", serveArgs{Listener: by.l, N: each, Talk: talk{Read: 100, Write: 10, End: endDrain}})
		do[[]socket](p.client, "dial", dialArgs{Addr: l.Local, N: each, Talk: talk{Write: 100, Read: 10}})
		serving.result()
	}
	w.settle(p.server)
	accepts, told := map[uint32]map[bool]int{p.server.PID: {}, other.server.PID: {}}, map[event.Kind]map[uint32]int{}
	for _, e := range w.seen() {
		if e.NetNS != w.ns || e.Listener != l.Local && e.Local != l.Local {
			continue
		}
		if e.Kind == event.Accept {
			accepts[e.PID][e.Known(event.FieldReason) && e.Reason == event.ReasonElsewhere]++
		}
		if told[e.Kind] == nil {
			told[e.Kind] = map[uint32]int{}
		}
		told[e.Kind][e.PID]++
	}
	want := map[uint32]map[bool]int{p.server.PID: {false: each}, other.server.PID: {true: each}}
	if diff := cmp.Diff(want, accepts); diff != "" {
		t.Errorf("accepts, elsewhere (-want +got):\n%s", diff)
	}
	for _, kind := range []event.Kind{event.Close, event.Turn} {
		if n := told[kind]; n[other.server.PID] != 0 || kind == event.Close && n[p.server.PID] != each {
			t.Errorf("%v: %v by process, want none of %d", kind, n, other.server.PID)
		}
	}
	w.lossless()
}

// TestFilterPIDOfOlder: what the watched process had before is its own, and nobody else's.
func TestFilterPIDOfOlder(t *testing.T) {
	p := newPair(t)
	o := p.age(t)
	w := p.openWatch(t, live.Config{PIDs: []uint32{p.server.PID}})
	w.strict = true
	w.knowListener(o.listener, 16)
	serve, dial := short(o.listener, 3)
	dialed := append([]socket{o.queued}, do[[]socket](p.client, "dial", dialArgs{Addr: dial.Addr, N: 3, Talk: talk{Write: 100, End: endKeep}})...)
	first := do[[]socket](p.server, "serve", serveArgs{Listener: o.listener, N: 1, Talk: talk{End: endKeep}})
	second := do[[]socket](p.server, "serve", serveArgs{Listener: o.listener, N: serve.N, Talk: talk{Read: 100, End: endKeep}})
	dialed = do[[]socket](p.client, "finish", finishArgs{Sockets: append(dialed, o.dialed...)})
	served := do[[]socket](p.server, "finish", finishArgs{Sockets: slices.Concat(first, second, o.served), Talk: talk{End: endDrain}})
	w.settle(p.server)
	ends := of(wholes(t, served, dialed), event.RoleServer)
	for i := range ends {
		x := &ends[i]
		mine := func(s socket) bool { return s.Cookie == x.Cookie }
		switch {
		case slices.ContainsFunc(o.served, mine):
			x.older, x.kinds = true, []event.Kind{event.Established, event.Close}
		case slices.ContainsFunc(first, mine):
			x.older = true
		}
	}
	w.verify(ends)
}

func TestFilterComm(t *testing.T) {
	p := newPair(t)
	other := p.sibling(t)
	w := p.openWatch(t, live.Config{Comm: clientName()})
	w.strict = true
	served, dialed := p.talkOn(w, onePort)
	other.talkOn(w, otherPort)
	w.settle(p.client)
	w.verify(of(wholes(t, served, dialed), event.RoleClient))
	w.counts(onePort, event.Listen, 0)
}

func TestFilterNetNS(t *testing.T) {
	p, other := newPair(t), newPair(t)
	w := p.openWatch(t, live.Config{NetNS: p.ns.Path()})
	w.strict = true
	served, dialed := p.talkOn(w, onePort)
	other.talkOn(w, onePort)
	w.settle(p.client)
	w.verify(wholes(t, served, dialed))
	for _, e := range w.seen() {
		if e.Known(event.FieldNetNS) && e.NetNS != p.ns.ID {
			t.Errorf("event of namespace %d: %s", e.NetNS, e.AppendJSON(nil))
		}
	}
}

// TestOwnProcessIsExcluded: connections of the process that runs the session are not told; their other ends are.
func TestOwnProcessIsExcluded(t *testing.T) {
	p, w := newWatched(t, live.Config{})
	l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 16})
	serving := begin[[]socket](p.server, "serve", serveArgs{Listener: l, N: 3, Talk: talk{Read: 4, End: endDrain}})
	err := p.ns.Do(func() error {
		for range 3 {
			c, err := net.DialTimeout("tcp", l.Local.String(), time.Second)
			if err != nil {
				return err
			}
			if _, err := c.Write([]byte("ping")); err != nil {
				return err
			}
			if err := c.Close(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	served := serving.result()
	w.settle(p.client)
	var ends []end
	for _, s := range served {
		x := whole(s, socket{CloseCalled: s.Called})[1]
		x.peer = socket{}
		ends = append(ends, x)
	}
	w.verify(ends)
}
