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

// leavesOut reports whether programs are often not run here: 7.x on an emulated CPU.
func (w *watch) leavesOut() bool {
	return testkit.Guest() && strings.HasPrefix(kernelRelease(w.t), "7.")
}

// seesHeads reports whether first bytes can be read: not before 5.15.
func (w *watch) seesHeads() bool { return !oldKernel(w.t) }

func checkSum(t *testing.T, x *model.Exchange) {
	t.Helper()
	var sum int64
	for phase, ns := range x.Phases {
		if ns < 0 {
			t.Errorf("phase %s is %d", phase, ns)
		}
		sum += ns
	}
	if sum != x.TotalNS {
		t.Errorf("phases add up to %d, the total is %d", sum, x.TotalNS)
	}
}

// TestKeepAliveExchanges: every request of a Go server is one exchange, with its method, path and status, and nothing
// of its query.
func TestKeepAliveExchanges(t *testing.T) {
	p := newPair(t)
	w := p.openWatch(t, live.Config{NetNS: p.ns.Path()})
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
	w := p.openWatch(t, live.Config{NetNS: p.ns.Path()})
	server := do[netip.AddrPort](p.server, "http", netip.MustParseAddrPort("127.0.0.1:0"))
	do[[]fetched](p.client, "fetch", fetchArgs{Server: server, Paths: []string{"/a"}, N: 25, Lanes: 4, Close: true})
	for _, x := range w.exchanges(100) {
		checkSum(t, &x)
		if x.Phases["accept_queue"] == 0 {
			t.Errorf("no wait in the accept queue: %v", x.Phases)
		}
	}
}

// TestExchangeTimes: what the client's clock says, and where the time went.
func TestExchangeTimes(t *testing.T) {
	p := newPair(t)
	w := p.openWatch(t, live.Config{NetNS: p.ns.Path()})
	server := do[netip.AddrPort](p.server, "http", netip.MustParseAddrPort("127.0.0.1:0"))
	const n = 10
	for i, path := range []string{"/sleep/0", "/sleep/10", "/sleep/100", "/spin/5"} {
		got := do[[]fetched](p.client, "fetch", fetchArgs{Server: server, Paths: []string{path}, N: n, Lanes: 1})
		all := w.exchanges(n * (i + 1))
		if len(all) != n*(i+1) {
			return // there are none here, it is told, or some are left out
		}
		compareTimes(t, path, got, all[len(all)-n:])
	}
}

// compareTimes compares the requests of one client, one after the other, with their exchanges: later ones of a
// connection, since the first includes the handshake.
func compareTimes(t *testing.T, path string, got []fetched, all []model.Exchange) {
	t.Helper()
	var far []string
	running, blocked := 0, 0
	for i := 1; i < len(all); i++ {
		x, total := &all[i], got[i].Ended-got[i].Begun
		checkSum(t, x)
		if d := total - x.TotalNS; d < 0 || d > int64(200*time.Microsecond)+total/20 {
			far = append(far, fmt.Sprintf("%s: client %v, exchange %v", path, time.Duration(total), time.Duration(x.TotalNS)))
		}
		if x.Phases["app.running"]+x.Phases["app.runqueue"] >= int64(4500*time.Microsecond) { // it spins by the clock
			running++
		}
		for phase, ns := range x.Phases {
			if strings.HasPrefix(phase, "app.blocked:") && ns >= int64(8*time.Millisecond) {
				blocked++
			}
		}
	}
	// A busy machine may delay the client's own clock; in guests emulation does.
	allowed := 3
	if testkit.Guest() {
		allowed = len(all)
	}
	if len(far) > allowed {
		t.Errorf("%d of %d times are off:\n%s", len(far), len(all)-1, strings.Join(far, "\n"))
	}
	switch {
	case path == "/spin/5" && running < len(all)-3:
		t.Errorf("%s: %d of %d ran for 4.5 ms or more: %v", path, running, len(all)-1, all[len(all)-1].Phases)
	case (path == "/sleep/10" || path == "/sleep/100") && blocked < len(all)-3:
		t.Errorf("%s: %d of %d were blocked: %v", path, blocked, len(all)-1, all[len(all)-1].Phases)
	}
}
