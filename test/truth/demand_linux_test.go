// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"slices"
	"testing"
	"time"

	"beltrace/collector/event"
	"beltrace/collector/live"
	"beltrace/collector/probes"
	"beltrace/internal/testkit"
)

// TestSchedOnDemand: on the whole host the scheduler is watched only when a queue fills; then the present block of the
// acceptor is told, though it began before.
func TestSchedOnDemand(t *testing.T) {
	p, w := newWatchedAlone(t, live.Config{})
	l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 4})
	if slices.Contains(w.session.Sets(), string(probes.Sched)) {
		t.Error("the scheduler is watched, and nobody has asked")
	}
	working := begin[worked](p.server, "work", workArgs{Listener: l, N: 1, How: worksBySleep, For: 4 * time.Second})
	dialing := begin[[]socket](p.client, "dial", dialArgs{Addr: l.Local, N: 4, Talk: talk{End: endKeep}})
	dialing.result()
	e := w.until("the blocked acceptor", func(e *event.Event) bool {
		return e.Kind == event.Thread && e.PID == p.server.PID && e.Thread.BlockedNS["nanosleep"] > int64(time.Second)
	})
	if !slices.Contains(w.session.Sets(), string(probes.Sched)) {
		t.Errorf("the sets are %v", w.session.Sets())
	}
	if done := working.result(); done.TID != e.TID {
		t.Errorf("thread %d sleeps, it is %d", e.TID, done.TID)
	}
	w.sums()
}

// TestNeedEnds: what nobody needs any more is detached.
func TestNeedEnds(t *testing.T) {
	onceAKernel(t, probes.Sched)
	_, w := newWatchedAlone(t, live.Config{})
	on := func() bool { return slices.Contains(w.session.Sets(), string(probes.Sched)) }
	w.session.Need(probes.Sched)
	if !testkit.Until(settleTime, on) {
		t.Fatal("the scheduler is not watched although it is needed")
	}
	if !testkit.Until(2*settleTime, func() bool { return !on() }) {
		t.Error("the scheduler is still watched")
	}
}
