// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"beltrace/collector/event"
	"beltrace/collector/probes"
	"beltrace/internal/testkit"
)

// TestStoppedThread: a process that a signal stops, or a freezer, is blocked in nothing of its own.
func TestStoppedThread(t *testing.T) {
	signal := func(t *testing.T, pid uint32, s unix.Signal) {
		if err := unix.Kill(int(pid), s); err != nil {
			t.Fatal(err)
		}
	}
	frozen := func(version int) func(*testing.T, uint32) (stop, goOn func()) {
		return func(t *testing.T, pid uint32) (stop, goOn func()) {
			f := testkit.NewFreezer(t, version, pid)
			return f.Freeze, f.Thaw
		}
	}
	onceAKernel(t, probes.Sched)
	for by, with := range map[string]func(*testing.T, uint32) (stop, goOn func()){
		"signal": func(t *testing.T, pid uint32) (stop, goOn func()) {
			return func() { signal(t, pid, unix.SIGSTOP) }, func() { signal(t, pid, unix.SIGCONT) }
		},
		"freezer": frozen(1), "cgroup2": frozen(2),
	} {
		t.Run(by, func(t *testing.T) { stoppedThread(t, with) })
	}
}

func stoppedThread(t *testing.T, with func(*testing.T, uint32) (stop, goOn func())) {
	p, w, l := workers(t)
	const pause = 300 * time.Millisecond
	stop, goOn := with(t, p.server.PID)
	working := begin[worked](p.server, "work", workArgs{Listener: l, N: 1, How: worksBySleep, For: time.Millisecond})
	untilInAccept(t, p.server.PID, 1)
	tid := callers(t, p.server.PID, unix.SYS_ACCEPT4)[0]
	from := testkit.Mono()
	stop()
	time.Sleep(pause)
	goOn()
	to := testkit.Mono()
	do[[]socket](p.client, "dial", dialArgs{Addr: l.Local, N: 1})
	done := working.result()
	if done.TID != tid {
		t.Fatalf("thread %d is in accept, %d worked", tid, done.TID)
	}
	w.after(done)
	e := w.latest(tid)
	t.Logf("%s", e.AppendJSON(nil))
	times{{"stopped", time.Duration(e.Thread.BlockedNS["stopped"]), span{int64(pause) - int64(2*time.Millisecond), to - from}}}.judge(t)
	w.sums()
}

// latest returns the last event of a thread so far.
func (w *watch) latest(tid uint32) event.Event {
	w.t.Helper()
	all := w.seen()
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Kind == event.Thread && all[i].TID == tid {
			return all[i]
		}
	}
	w.t.Fatalf("no event of thread %d", tid)
	return event.Event{}
}

// quotaPeriod is the kernel's default for the period of a CPU quota.
const quotaPeriod = 100 * time.Millisecond

// TestThrottledThread: a thread whose cgroup has used up its quota would run: that is neither sleep nor a crowded CPU.
func TestThrottledThread(t *testing.T) {
	onceAKernel(t, probes.Sched)
	p, w := idlers(t)
	kernel := testkit.Quota(t, p.server.PID, 20*time.Millisecond)
	const need = 200 * time.Millisecond // ten periods, if nobody else wants the CPU
	done := do[worked](p.server, "work", workArgs{N: 1, How: worksBySpin, For: need})
	e := w.after(done)
	throttled, own := time.Duration(e.Thread.BlockedNS["throttled"]), kernel()
	if own < need/4 {
		t.Skipf("the group was held back for %v only: others had the CPU", own)
	}
	// The kernel counts for each CPU of the group, whatever would run there, and a pause when it is over.
	if throttled < own/4 || throttled > own+quotaPeriod {
		t.Errorf("%v of CPU took %v: throttled for %v, in the run queue for %v; the kernel says that the group was throttled for %v",
			need, time.Duration(done.Returned-done.Began), throttled, time.Duration(e.Thread.RunqueueNS), own)
	}
	t.Logf("throttled for %v, the group by the kernel's count for %v", throttled, own)
	w.sums()
}
