// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"beltrace/collector/event"
	"beltrace/internal/testkit"
)

// TestStoppedThread: a process that a signal stops is blocked in nothing of its own.
func TestStoppedThread(t *testing.T) {
	p, w, l := workers(t)
	const pause = 300 * time.Millisecond
	working := begin[worked](p.server, "work", workArgs{Listener: l, N: 1, How: worksBySleep, For: time.Millisecond})
	untilInAccept(t, p.server.PID, 1)
	tid := callers(t, p.server.PID, unix.SYS_ACCEPT4)[0]
	from := testkit.Mono()
	if err := unix.Kill(int(p.server.PID), unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	time.Sleep(pause)
	if err := unix.Kill(int(p.server.PID), unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	to := testkit.Mono()
	do[[]socket](p.client, "dial", dialArgs{Addr: l.Local, N: 1})
	if done := working.result(); done.TID != tid {
		t.Fatalf("thread %d is in accept, %d worked", tid, done.TID)
	}
	e := w.until("an event of the thread after it was stopped", func(e *event.Event) bool {
		return e.Kind == event.Thread && e.TID == tid && e.TS >= to && e.Thread.BlockedNS["nanosleep"] > 0
	})
	times{{"stopped", time.Duration(e.Thread.BlockedNS["stopped"]), span{int64(pause) - int64(2*time.Millisecond), to - from}}}.judge(t)
	w.sums()
}
