// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"net/netip"
	"testing"

	"beltrace/collector/event"
	"beltrace/collector/live"
	"beltrace/internal/testkit"
)

// TestClientTurns: a client's turns are not told when the server's end, which tells the same, is watched on this host;
// its bytes are known all the same. Who asks for turns gets those of both ends.
func TestClientTurns(t *testing.T) {
	p := newPair(t)
	l := listenArgs{Addr: netip.MustParseAddrPort("127.0.0.1:0"), Backlog: 8}
	const n, asked, answered = 4, 100, 1000
	converse := func(w *watch) (turns map[string]int) {
		l := do[socket](p.server, "listen", l)
		serving := begin[[]socket](p.server, "serve", serveArgs{Listener: l, N: n, Talk: talk{Read: asked, Write: answered, End: endKeep}})
		dialed := do[[]socket](p.client, "dial", dialArgs{Addr: l.Local, N: n, Talk: talk{Write: asked, Read: answered, End: endKeep}})
		serving.result()
		if !w.knowsTurns() {
			return nil
		}
		if !testkit.Until(settleTime, func() bool { return w.trafficOf(dialed, asked, answered) == n }) && !w.leavesOut() {
			t.Errorf("the bytes of %d clients are known, want %d: %+v", w.trafficOf(dialed, asked, answered), n, w.snapshot().Connections)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		turns = map[string]int{}
		for _, e := range w.events {
			if e.Kind == event.Turn && (e.Local == l.Local || e.Remote == l.Local) {
				turns[e.Role]++
			}
		}
		return turns
	}
	for _, tt := range []struct {
		name string
		w    func() *watch
		both bool
	}{
		{"requests", func() *watch { return p.watchPrograms(t) }, false},
		{"turns", func() *watch { return p.openWatch(t, live.Config{NetNS: p.ns.Path(), Moves: []event.Kind{event.Turn}}) }, true},
	} {
		turns := converse(tt.w())
		if turns == nil {
			continue
		}
		if c := turns[event.RoleClient]; (c > 0) != tt.both {
			t.Errorf("%s: %d turns of clients", tt.name, c)
		}
		if turns[event.RoleServer] < n {
			t.Errorf("%s: %d turns of servers", tt.name, turns[event.RoleServer])
		}
	}
}

// trafficOf counts the clients of which so many bytes are known.
func (w *watch) trafficOf(dialed []socket, out, in uint64) (n int) {
	for _, c := range w.snapshot().Connections {
		for _, s := range dialed {
			if isOf(&c, s) && c.BytesOut.Known && c.BytesOut.V == out && c.BytesIn.Known && c.BytesIn.V == in {
				n++
			}
		}
	}
	return n
}
