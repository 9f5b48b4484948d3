// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"net/netip"
	"testing"
	"time"

	"beltrace/collector/event"
	"beltrace/collector/live"
	"beltrace/internal/testkit"
)

// TestSampledConnections: when the turns of one connection in four are told, those have all of their requests and the others
// none; what kind of requests a connection makes is nothing to the choice; what is left out is counted, and all connections
// and their bytes are.
func TestSampledConnections(t *testing.T) {
	onceAKernel(t)
	p := newPair(t)
	w := p.openWatch(t, live.Config{NetNS: p.ns.Path(), Share: 2})
	server := do[netip.AddrPort](p.server, "http", netip.MustParseAddrPort("127.0.0.1:0"))
	const lanes, each = 128, 5
	do[[]fetched](p.client, "fetch", fetchArgs{Server: server, Paths: []string{"/a"}, N: each, Lanes: lanes})
	fast := w.sampledOf(lanes, each)
	do[[]fetched](p.client, "fetch", fetchArgs{Server: server, Paths: []string{"/sleep/5"}, N: each, Lanes: lanes})
	all := w.sampledOf(2*lanes, each)
	if got := w.session.Sampling(); got != 4 {
		t.Errorf("one connection in %d is told of, want 4", got)
	}
	if !w.knowsTurns() {
		return
	}
	for kind, n := range map[string]int{"fast": fast, "slow": all - fast} { // 32, by a binomial's deviation of 4.9
		if n < 12 || n > 56 {
			t.Errorf("%d of %d %s connections, want about a quarter", n, lanes, kind)
		}
	}
	want := uint64(2 * each * (2*lanes - all)) // a request and its answer
	left := func() uint64 { return w.snapshot().Lost["sample"] }
	if !testkit.Until(settleTime, func() bool { return left() >= want }) && !w.leavesOut() || left() > want {
		t.Errorf("%d turns are left out, want %d", left(), want)
	}
}

// sampledOf waits until so many servers' connections have ended, and returns how many of them have requests: all or none.
func (w *watch) sampledOf(n, each int) (sampled int) {
	w.t.Helper()
	ended := func() (n int) {
		for _, c := range w.snapshot().Connections {
			if c.Role == event.RoleServer && c.Closed.Known && c.BytesIn.Known && c.BytesIn.V > 0 && c.BytesOut.Known && c.BytesOut.V > 0 {
				n++
			}
		}
		return n
	}
	if !testkit.Until(settleTime, func() bool { return ended() >= n }) && !w.leavesOut() || ended() > n {
		w.t.Errorf("%d connections of servers have ended, want %d", ended(), n)
	}
	time.Sleep(50 * time.Millisecond) // one request too many would come now
	requests := map[uint64]int{}
	for _, x := range w.snapshot().Exchanges {
		requests[x.Conn]++
	}
	for conn, k := range requests {
		if k != each && !w.leavesOut() {
			w.t.Errorf("connection %d has %d requests, want %d or none", conn, k, each)
		}
	}
	return len(requests)
}
