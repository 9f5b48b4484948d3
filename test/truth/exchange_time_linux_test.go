// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"beltrace/collector/model"
	"beltrace/internal/testkit"
)

// handler is a path and what its server does before it answers.
type handler struct {
	path  string
	n     int // requests
	phase string
	least time.Duration // of that phase
}

func repeated(all []handler) (paths []string) {
	for _, h := range all {
		for range h.n {
			paths = append(paths, h.path)
		}
	}
	return paths
}

// TestExchangeTimes: what the client's clock says, and where the time went, of a Go server. Its goroutines move between
// threads.
func TestExchangeTimes(t *testing.T) {
	p := newPair(t)
	w := p.watchPrograms(t)
	server := do[netip.AddrPort](p.server, "http", loopback4)
	w.judgeHandlers(p, server, []handler{
		{"/sleep/0", 10, "", 0}, {"/sleep/1", 10, "", 0}, {"/sleep/10", 10, "app.blocked:", 8 * time.Millisecond},
		{"/sleep/100", 3, "app.blocked:", 90 * time.Millisecond}, {"/spin/5", 10, "app.r", 4500 * time.Microsecond}, // by the clock: running, and waiting for a CPU
		{"/lock/10", 5, "app.blocked:", 8 * time.Millisecond},
	})
	for _, x := range w.snapshot().Exchanges { // the goroutine is parked: its thread does what Go's scheduler has it do
		on := longestBlocked(&x)
		if x.Path == "/lock/10" && on != "futex" && on != "epoll_pwait" && on != "nanosleep" && !w.leavesOut() {
			t.Errorf("for a sync.Mutex a thread was blocked in %q: %v", on, x.Phases)
		}
	}
}

// longestBlocked names what the exchange's thread was blocked in for longest.
func longestBlocked(x *model.Exchange) (on string) {
	var most int64
	for phase, ns := range x.Phases {
		if what, ok := strings.CutPrefix(phase, "app.blocked:"); ok && ns > most {
			on, most = what, ns
		}
	}
	return on
}

// TestBlockedHandlers: the same of a thread that does all by itself; what it waits for is named.
func TestBlockedHandlers(t *testing.T) {
	p := newPair(t)
	w := p.watchPrograms(t)
	down := do[netip.AddrPort](p.server, "http", loopback4)
	server := do[netip.AddrPort](p.server, "plain", plainServer{Addr: loopback4, Down: down})
	socket, disk := "app.blocked:recvfrom "+down.String(), time.Duration(1)
	if !w.seesHeads() {
		socket = "app.blocked:recvfrom" // the call, but not its descriptor
	}
	if testkit.Guest() {
		disk = 0 // all is in memory
	}
	w.judgeHandlers(p, server, []handler{
		{"/sleep/0", 10, "", 0}, {"/sleep/1", 10, "app.blocked:nanosleep", 900 * time.Microsecond}, {"/sleep/10", 10, "app.blocked:nanosleep", 9 * time.Millisecond},
		{"/sleep/100", 2, "app.blocked:nanosleep", 95 * time.Millisecond}, {"/spin/5", 10, "app.running", 4500 * time.Microsecond},
		{"/futex/5", 5, "app.blocked:futex", 4 * time.Millisecond}, {"/late/10", 5, "write", 9 * time.Millisecond},
		{"/down/5", 5, socket, 4 * time.Millisecond}, {"/disk/0", 3, "app.blocked:fsync", disk},
	})
}

// TestRequestsOfOneThread: what a thread does while it has several requests to answer is the time of each of them.
func TestRequestsOfOneThread(t *testing.T) {
	const n, d = 4, 10 * time.Millisecond
	p := newPair(t)
	w := p.watchPrograms(t)
	l := w.listen(p, listenArgs{Addr: loopback4, Backlog: n})
	answering := begin[bool](p.server, "together", togetherArgs{Listener: l, N: n, For: d})
	var asking []pending[[]fetched]
	for range n {
		asking = append(asking, begin[[]fetched](p.client, "ask", askArgs{Server: l.Local, Paths: []string{"/"}}))
	}
	answering.result()
	for _, a := range asking {
		a.result()
	}
	for _, x := range w.exchanges(n) {
		checkSum(t, &x)
		if inPhase(&x, "app.blocked:nanosleep") < d*9/10 && !w.leavesOut() {
			t.Errorf("an answer after %v: %v", d, x.Phases)
		}
	}
	answers := func() (most uint64) {
		for _, work := range w.snapshot().Workers {
			if work.PID == p.server.PID {
				most = max(most, work.Exchanges.Or(0))
			}
		}
		return most
	}
	if w.knowsTurns() && !w.leavesOut() && !testkit.Until(settleTime, func() bool { return answers() == n }) {
		t.Errorf("a thread answered %d requests, want %d", answers(), n)
	}
}

// TestThrottledRequest: what a cgroup's quota takes from a handler is told apart from sleep and from a crowded CPU.
func TestThrottledRequest(t *testing.T) {
	p := newPair(t)
	w := p.watchPrograms(t)
	testkit.Quota(t, p.server.PID, 20*time.Millisecond)
	server := do[netip.AddrPort](p.server, "plain", plainServer{Addr: loopback4})
	w.judgeHandlers(p, server, []handler{{"/spin/60", 2, "app.blocked:throttled", 20 * time.Millisecond}})
}

// judgeHandlers asks for all of them, one after the other, and compares the exchanges with the client's clock.
func (w *watch) judgeHandlers(p *pair, server netip.AddrPort, all []handler) {
	w.t.Helper()
	warm := handler{path: "/sleep/0", n: 1} // its exchange begins with the connection
	got := do[[]fetched](p.client, "ask", askArgs{Server: server, Paths: repeated(append([]handler{warm}, all...))})
	if !w.knowsTurns() {
		w.exchanges(0)
		return
	}
	byPath := func() []model.Exchange {
		var mine []model.Exchange
		for _, x := range w.snapshot().Exchanges {
			if x.Local == server.String() {
				mine = append([]model.Exchange{x}, mine...)
			}
		}
		return mine
	}
	testkit.Until(settleTime, func() bool { return len(byPath()) == len(got) })
	have := byPath()
	if len(have) != len(got) {
		if !w.leavesOut() {
			w.t.Errorf("%d exchanges, want %d", len(have), len(got))
		}
		return
	}
	w.lossless()
	for i, h := range append([]handler{warm}, all...) {
		if i > 0 {
			h.judge(w.t, got[:h.n], have[:h.n])
		}
		got, have = got[h.n:], have[h.n:]
	}
}

// judge compares the requests for one path. Most must be right: a thread of a busy machine waits for a CPU. In a guest a timer
// has run for up to half of its time when the thread that set it is asleep.
func (h *handler) judge(t testing.TB, got []fetched, have []model.Exchange) {
	t.Helper()
	var far, wrong []string
	least := h.least
	if testkit.Guest() {
		least /= 2
	}
	for i := range have {
		x := &have[i]
		checkSum(t, x)
		far = append(far, offBy("total", got[i].Ended-got[i].Begun, x.TotalNS.V)...)
		far = append(far, offBy("first byte", got[i].First-got[i].Begun, x.TTFBNS.V)...)
		if inPhase(x, h.phase) < least {
			wrong = append(wrong, fmt.Sprint(x.Phases))
		}
	}
	if allowed := len(have)*2 - 2; len(far) > allowed && !testkit.Guest() { // the client waits for a CPU, too; in guests always
		t.Errorf("%s: %d of %d times are off:\n%s", h.path, len(far), 2*len(have), strings.Join(far, "\n"))
	}
	if allowed := (len(have) + 9) / 10; len(wrong) > allowed {
		t.Errorf("%s: less than %v of %s in %d of %d, like %s", h.path, least, h.phase, len(wrong), len(have), wrong[0])
	}
}

// offBy says so if a time is further from the client's than what the client itself needs.
func offBy(what string, client, have int64) []string {
	if d := client - have; d < 0 || d > int64(200*time.Microsecond)+client/20 {
		return []string{fmt.Sprintf("%s: client %v, exchange %v", what, time.Duration(client), time.Duration(have))}
	}
	return nil
}

// inPhase is the time in phases whose names begin so.
func inPhase(x *model.Exchange, phase string) (sum time.Duration) {
	for name, ns := range x.Phases {
		if phase != "" && strings.HasPrefix(name, phase) {
			sum += time.Duration(ns)
		}
	}
	return sum
}
