// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"beltrace/collector/event"
	"beltrace/collector/live"
	"beltrace/collector/probes"
	"beltrace/internal/testkit"
)

// TestThreadsOfFilter: each filter watches the threads of the server that it selects, what they are blocked in already
// among it, and nobody else's.
func TestThreadsOfFilter(t *testing.T) {
	onceAKernel(t, probes.Sched)
	for name, filter := range map[string]func(*pair, socket) live.Config{
		"port":  func(_ *pair, l socket) live.Config { return live.Config{Ports: []uint16{l.Local.Port()}} },
		"comm":  func(*pair, socket) live.Config { return live.Config{Comm: serverName()} },
		"pid":   func(p *pair, _ socket) live.Config { return live.Config{PIDs: []uint32{p.server.PID}} },
		"netns": func(p *pair, _ socket) live.Config { return live.Config{NetNS: p.ns.Path()} },
	} {
		t.Run(name, func(t *testing.T) {
			if testkit.Guest() && (name == "pid" || name == "netns") {
				t.Skip("in guests one filter of sockets and one of processes stand for all: what the kernel does is the same")
			}
			noLeaks(t)
			p := newPair(t)
			l := do[socket](p.server, "listen", listenArgs{Addr: loopback4, Backlog: 64})
			working := begin[worked](p.server, "work", workArgs{Listener: l, N: 1, How: worksBySleep, For: time.Millisecond})
			untilInAccept(t, p.server.PID, 1)
			tid := callers(t, p.server.PID, unix.SYS_ACCEPT4)[0]
			w := p.openWatch(t, filter(p, l))
			w.until("the thread that is blocked in accept", func(e *event.Event) bool {
				return e.Kind == event.Thread && e.TID == tid && e.PID == p.server.PID && e.Thread.BlockedNS["accept4"] > 0 && len(e.Thread.BlockedNS) == 1
			})
			do[[]socket](p.client, "dial", dialArgs{Addr: l.Local, N: 1})
			w.after(working.result())
			for _, e := range w.seen() {
				if e.Kind == event.Thread && e.PID != p.server.PID {
					w.wrong("nobody asked for %s", e.AppendJSON(nil))
				}
			}
			w.sums()
		})
	}
}

// TestThreadsOfChildren: a child of a watched process is watched from its first moment to its end.
func TestThreadsOfChildren(t *testing.T) {
	onceAKernel(t, probes.Sched)
	noLeaks(t)
	p := newPair(t)
	w := p.openWatch(t, live.Config{PIDs: []uint32{p.server.PID}})
	l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 64})
	reading := begin[[]socket](p.client, "dial", dialArgs{Addr: l.Local, N: 1, Talk: talk{Read: 70, End: endDrain}})
	served := do[[]socket](p.server, "serve", serveArgs{Listener: l, N: 1, Talk: talk{End: endKeep}})
	do[socket](p.server, "bequest", bequestArgs{served[0], 70})
	reading.result()
	e := w.until("the end of the child", func(e *event.Event) bool {
		return e.Kind == event.Thread && e.PID != p.server.PID && e.TID == e.PID && e.Phase == event.PhaseEnd
	})
	if e.Thread.RunningNS == 0 {
		t.Errorf("it never ran: %s", e.AppendJSON(nil))
	}
	w.sums()
}
