// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"fmt"
	"slices"
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
	counted := w.untilQuiet(p, l)
	f := w.finding("accept-queue-full", l)
	w.number(f, "accept_queue", 2, 2)
	w.number(f, "backlog", 1, 1)
	if f.Severity != model.Critical {
		t.Errorf("severity %s: %s", f.Severity, f.Text)
	}
	if w.knows(knowsReasons) {
		drops := float64(counted["ListenOverflows"])
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
	w.number(f, "between_ns", float64(each)*0.9, float64(each)*1.5) // it sleeps a little longer than it asked for, and accepts
	working.result()
}

// TestFindNoDescriptor: accept fails for want of a descriptor while a client waits.
func TestFindNoDescriptor(t *testing.T) {
	p, w := newWatched(t, live.Config{})
	l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 16})
	do[[]socket](p.client, "dial", dialArgs{Addr: l.Local, N: 1, Talk: talk{End: endKeep}})
	failed := do[starved](p.server, "starve", starveArgs{Listener: l, N: 100, Hold: 200 * time.Millisecond})
	w.untilSampled(l)
	if !w.knows(knowsAcceptError) {
		return
	}
	f := w.finding("fd-limit", l)
	w.number(f, "errors", float64(failed.Failed), float64(failed.Failed))
	w.number(f, "fd_limit", float64(failed.Limit), float64(failed.Limit))
}

// TestFindSYNQueueFull: forty SYNs of nobody at a SYN queue for 8. Where the kernel does not tell the listener, the finding
// is of the namespace.
func TestFindSYNQueueFull(t *testing.T) {
	for id, cookies := range map[string]string{"syn-queue-full": "0", "syn-cookies": "1"} {
		t.Run(id, func(t *testing.T) {
			s := newSpoofing(t, 8, live.Config{}, map[string]string{"tcp_syncookies": cookies})
			s.syn(0, 40)
			s.untilSampled(s.l)
			if s.knows(knowsReasons) {
				name := map[string]string{"0": "dropped", "1": "sent"}[cookies]
				s.number(s.finding(id, s.l), name, 31, 31)
				return
			}
			if !testkit.Until(settleTime, func() bool { return s.tells(id, s.l) }) {
				t.Errorf("no %s: %+v", id, s.snapshot().Findings)
			}
		})
	}
}

// tells reports whether a finding is there, of the listener or of the test's namespace.
func (w *watch) tells(id string, l socket) bool {
	of := func(f model.Finding) bool { return f.ID == id }
	return slices.ContainsFunc(w.findings(l), of) || slices.ContainsFunc(w.snapshot().Findings, func(f model.Finding) bool {
		return of(f) && f.Subject == fmt.Sprintf("network namespace %d", w.ns)
	})
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
