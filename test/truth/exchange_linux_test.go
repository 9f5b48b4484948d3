// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"beltrace/collector/live"
	"beltrace/collector/model"
	"beltrace/collector/probes"
	"beltrace/internal/testkit"
)

// exchanges waits for n of them and returns them, the oldest first. Nil where this kernel and tier cannot know: that is
// asserted, too.
func (w *watch) exchanges(n int) []model.Exchange {
	w.t.Helper()
	if !w.knowsTurns() {
		if s := w.snapshot(); len(s.Exchanges) > 0 {
			w.t.Errorf("%d exchanges, although nothing tells of bytes", len(s.Exchanges))
		}
		return nil
	}
	testkit.Until(settleTime, func() bool { return len(w.snapshot().Exchanges) >= n })
	time.Sleep(50 * time.Millisecond) // one too many would come now
	w.lossless()
	out := w.snapshot().Exchanges
	slices.Reverse(out)
	if w.leavesOut() { // what is there must be right, but some are missing
		return out
	}
	if len(out) != n {
		w.t.Errorf("%d exchanges, want %d", len(out), n)
	}
	return out
}

// knowsTurns reports whether a hook tells of bytes here.
func (w *watch) knowsTurns() bool {
	for _, p := range w.session.Info().Probes {
		if p.Probe.Name == probes.Bytes {
			return p.Hook != nil
		}
	}
	return false
}

// leavesOut reports whether programs are often not run here.
func (w *watch) leavesOut() bool { return leavesOut(w.t) }

// leavesOut reports whether programs are often not run here: 7.x on an emulated CPU.
func leavesOut(t testing.TB) bool {
	return testkit.Guest() && strings.HasPrefix(kernelRelease(t), "7.")
}

// seesHeads reports whether first bytes can be read: not before 5.15.
func (w *watch) seesHeads() bool { return !oldKernel(w.t) }

func checkSum(t testing.TB, x *model.Exchange) {
	t.Helper()
	var sum int64
	for phase, ns := range x.Phases {
		if ns < 0 {
			t.Errorf("phase %s is %d", phase, ns)
		}
		sum += ns
	}
	if x.TotalNS.Known && sum != x.TotalNS.V {
		t.Errorf("phases add up to %d, the total is %d", sum, x.TotalNS.V)
	}
}

// TestKeepAliveExchanges: every request of a Go server is one exchange, with its method, path and status, and nothing
// of its query.
func TestKeepAliveExchanges(t *testing.T) {
	p := newPair(t)
	w := p.watchPrograms(t)
	server := do[netip.AddrPort](p.server, "http", netip.MustParseAddrPort("127.0.0.1:0"))
	const lanes, n = 8, 50
	got := do[[]fetched](p.client, "fetch", fetchArgs{Server: server, Paths: []string{"/a", "/missing", "/orders/7"}, N: n, Lanes: lanes})
	all := w.exchanges(lanes * n)
	if all == nil {
		return
	}
	want, have := map[string]int{}, map[string]int{}
	for _, f := range got {
		want[fmt.Sprintf("GET %s %d", f.Path, f.Status)]++
	}
	for i := range all {
		x := &all[i]
		checkSum(t, x)
		have[x.Summary]++
		if x.Incomplete && !w.leavesOut() || strings.Contains(x.Summary, "token") {
			t.Errorf("exchange %+v", x)
		}
	}
	if !w.seesHeads() {
		want = map[string]int{"tcp": lanes * n}
	}
	for s := range have {
		if want[s] == 0 && !w.leavesOut() {
			t.Errorf("exchange %q, which nobody made", s)
		}
	}
	for s, k := range want {
		if have[s] != k && !(w.leavesOut() && have[s] > k/2 && have[s] <= k) {
			t.Errorf("%d exchanges %q, want %d (%v)", have[s], s, k, have)
		}
	}
}

// TestShortExchanges: a connection for each request; its exchange begins with its SYN.
func TestShortExchanges(t *testing.T) {
	p := newPair(t)
	w := p.watchPrograms(t)
	server := do[netip.AddrPort](p.server, "http", netip.MustParseAddrPort("127.0.0.1:0"))
	do[[]fetched](p.client, "fetch", fetchArgs{Server: server, Paths: []string{"/a"}, N: 25, Lanes: 4, Close: true})
	for _, x := range w.exchanges(100) {
		checkSum(t, &x)
		if x.Phases["accept_queue"] == 0 && !(w.leavesOut() && (x.Phases["handshake"] == 0 || x.Phases["unobserved"] > 0)) {
			t.Errorf("no wait in the accept queue: %v", x.Phases)
		}
	}
}

// TestExchangesOnDemand: on the whole host bytes are watched while somebody looks, also those of connections that are
// there already.
func TestExchangesOnDemand(t *testing.T) {
	p := newPair(t)
	w := p.openWatch(t, live.Config{})
	server := do[netip.AddrPort](p.server, "http", loopback4)
	n := 4
	if testkit.Guest() { // attaching takes seconds there
		n = 30
	}
	asking := begin[[]fetched](p.client, "ask", askArgs{Server: server, Paths: slices.Repeat([]string{"/sleep/100"}, n)})
	time.Sleep(150 * time.Millisecond) // its connection is there
	for _, set := range []probes.Set{probes.Data, probes.Sched} {
		w.session.Need(set)
	}
	asking.result()
	do[[]fetched](p.client, "ask", askArgs{Server: server, Paths: slices.Repeat([]string{"/sleep/100"}, 4)})
	if !w.knowsTurns() {
		return
	}
	mine := func() (conns, n int) {
		seen := map[uint64]bool{}
		for _, x := range w.snapshot().Exchanges {
			if x.Local == server.String() {
				n++
				seen[x.Conn] = true
			}
		}
		return len(seen), n
	}
	if !testkit.Until(settleTime, func() bool { conns, n := mine(); return conns == 2 && n >= 5 }) && !w.leavesOut() {
		conns, n := mine()
		t.Errorf("%d exchanges of %d connections, want 5 or more of 2", n, conns)
	}
}
