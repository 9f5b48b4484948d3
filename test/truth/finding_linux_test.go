// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"strings"
	"testing"
	"time"

	"beltrace/collector/live"
	"beltrace/collector/model"
	"beltrace/internal/testkit"
)

// finding returns what a rule says of a listener, as soon as it says so.
func (w *watch) finding(id string, l socket) model.Finding {
	w.t.Helper()
	var out model.Finding
	if !testkit.Until(settleTime, func() bool {
		for _, f := range w.findings(l) {
			if f.ID == id && !f.Until.Known {
				out = f
				return true
			}
		}
		return false
	}) {
		w.t.Fatalf("no %s in %v: %+v", id, settleTime, w.findings(l))
	}
	return out
}

// findings returns what the rules say of a listener now.
func (w *watch) findings(l socket) (out []model.Finding) {
	s := w.snapshot()
	for i := range s.Listeners {
		row := &s.Listeners[i]
		for _, f := range s.Findings {
			if row.Local == l.Local.String() && row.NetNS == w.ns && f.Listener == model.Some(row.Conn) {
				out = append(out, f)
			}
		}
	}
	return out
}

// number checks a number of a finding.
func (w *watch) number(f model.Finding, name string, least, most float64) {
	w.t.Helper()
	if v, ok := f.Numbers[name]; !ok || v < least || v > most {
		w.t.Errorf("%s: %s is %v, want %v to %v: %s", f.ID, name, v, least, most, f.Text)
	}
}

// TestFindNobodyAccepts: three clients wait for ever.
func TestFindNobodyAccepts(t *testing.T) {
	p, w := newWatched(t, live.Config{})
	l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 16})
	do[[]socket](p.client, "dial", dialArgs{Addr: l.Local, N: 3, Talk: talk{End: endKeep}})
	f := w.finding("nobody-accepts", l)
	w.number(f, "waiting", 3, 3)
	w.number(f, "oldest_ns", 2e9, float64(settleTime))
	if f.Severity != model.Critical {
		t.Errorf("severity %s", f.Severity)
	}
}

// TestFindAcceptQueueFull: a backlog of 1 holds two of ten clients, and all tiers know that the others were refused.
func TestFindAcceptQueueFull(t *testing.T) {
	p, w := newWatched(t, live.Config{})
	l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 1})
	do[crowdResult](p.client, "crowd", crowdArgs{Addr: l.Local, N: 10, Hold: 1500 * time.Millisecond})
	w.untilSampled(l)
	f := w.finding("accept-queue-full", l)
	w.number(f, "accept_queue", 2, 2)
	w.number(f, "backlog", 1, 1)
	if f.Severity != model.Critical {
		t.Errorf("severity %s: %s", f.Severity, f.Text)
	}
	if w.knows(knowsReasons) {
		drops := float64(netstat(t, p)["ListenOverflows"])
		w.number(f, "refused", drops, drops)
	}
}

// TestFindListenerClosed: a listener closes while three clients wait.
func TestFindListenerClosed(t *testing.T) {
	p, w := newWatched(t, live.Config{})
	l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 16})
	do[[]socket](p.client, "dial", dialArgs{Addr: l.Local, N: 3, Talk: talk{End: endKeep}})
	do[[]socket](p.server, "finish", finishArgs{Sockets: []socket{l}})
	w.settle(p.client)
	w.number(w.finding("listener-closed-waiting", l), "reset", 3, 3)
}

// TestFindSlowAcceptor: sixty clients, and a thread that sleeps 48 ms after each accept.
func TestFindSlowAcceptor(t *testing.T) {
	const each = 48 * time.Millisecond
	p, w, l := workers(t)
	working := begin[worked](p.server, "work", workArgs{Listener: l, N: 60, How: worksBySleep, For: each})
	untilInAccept(t, p.server.PID, 1)
	do[[]socket](p.client, "dial", dialArgs{Addr: l.Local, N: 60, Lanes: 60})
	time.Sleep(2 * time.Second) // some turns, and an event of the thread
	f := w.finding("slow-acceptor", l)
	for _, want := range []string{"sleeps in nanosleep", "of its time)"} {
		if !strings.Contains(f.Text, want) {
			t.Errorf("no %q in %q", want, f.Text)
		}
	}
	if !strings.Contains(f.Remedy, "nanosleep") {
		t.Errorf("remedy %q", f.Remedy)
	}
	w.number(f, "between_share", 0.5, 1)
	w.number(f, "between_ns", float64(each)*0.5, float64(each)*2) // accepts and times are not told at the same moment
	working.result()
}

// TestFindNothing: a server that accepts at once, as many servers do.
func TestFindNothing(t *testing.T) {
	p, w := newWatched(t, live.Config{})
	l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 16})
	serve, dial := short(l, 20)
	p.exchange(serve, dial)
	w.settle(p.client)
	if all := w.findings(l); len(all) > 0 {
		t.Errorf("%+v", all)
	}
}
