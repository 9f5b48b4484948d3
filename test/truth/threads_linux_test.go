// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"beltrace/collector/event"
	"beltrace/collector/model"
	"beltrace/collector/probes"
	"beltrace/internal/testkit"
)

// whatCall names the system call of each way to pass the time.
var whatCall = map[string]string{
	worksBySleep: "nanosleep", worksByFutex: "futex", worksByPipe: "read", worksBySocket: "recvfrom",
}

// TestAcceptorBlocks: what an acceptor did between two accepts, for each thing that it can block in.
func TestAcceptorBlocks(t *testing.T) {
	onceAKernel(t, probes.Sched)
	const n, each = 10, 48 * time.Millisecond
	var works []workArgs
	for how := range whatCall {
		works = append(works, workArgs{N: n, How: how, For: each})
	}
	var ts times
	for _, r := range acceptAndWork(t, works) {
		call := whatCall[r.how]
		if r.worked.Took < int64(n*each) {
			t.Errorf("the program was in %s for %v, want %v", call, time.Duration(r.worked.Took), n*each)
		}
		// While it has, or waits for, a CPU in the call, or between its clock and the call, it is not blocked.
		ts = append(ts, sample{"blocked in " + call, time.Duration(r.did.BlockedNS[call]), span{r.worked.Took - r.onCPU(), r.worked.Took}})
		ts = append(ts, r.compare()...)
	}
	ts.judge(t)
}

// TestAcceptorSpins: one that computes for 5 ms after each accept.
func TestAcceptorSpins(t *testing.T) {
	onceAKernel(t, probes.Sched)
	const n, each = 20, 5 * time.Millisecond
	r := acceptAndWork(t, []workArgs{{N: n, How: worksBySpin, For: each}})[0]
	if least := int64(n * each * 9 / 10); r.did.RunningNS < least {
		t.Errorf("running for %v, want %v at least", time.Duration(r.did.RunningNS), time.Duration(least))
	}
	r.compare().judge(t)
}

// TestThreadCalls: one that makes many system calls after each accept. Go's runtime and the test's own clocks make some more.
func TestThreadCalls(t *testing.T) {
	onceAKernel(t, probes.Sched, probes.Calls)
	const n = 3
	r := acceptAndWork(t, []workArgs{{N: n, How: worksByCalls}}, probes.Calls)[0]
	least, most := uint64(n*callsEach), uint64(n*callsEach+400)
	if leavesOut(t) {
		least = least * 9 / 10
	}
	if r.did.Syscalls < least || r.did.Syscalls > most {
		t.Errorf("%d system calls, want %d to %d", r.did.Syscalls, least, most)
	}
	if !r.worker.Calls.Known || r.worker.Calls.V < r.did.Syscalls {
		t.Errorf("the worker has %+v calls, %d were counted", r.worker.Calls, r.did.Syscalls)
	}
}

// report is what a thread knows and what beltrace says, about the same time.
type report struct {
	t      testing.TB
	how    string // it passed the time
	worked worked
	did    event.ThreadTimes // since the thread was in its first accept
	took   int64             // ns of it
	worker model.Worker
}

// acceptAndWork runs acceptors and clients, and returns what both say about each acceptor.
func acceptAndWork(t *testing.T, works []workArgs, want ...probes.Set) []report {
	p, w, _ := workers(t, want...)
	var working []pending[worked]
	for i := range works {
		works[i].Listener = w.listen(p, listenArgs{Addr: loopback4, Backlog: 64})
		working = append(working, begin[worked](p.server, "work", works[i]))
	}
	untilInAccept(t, p.server.PID, len(works))
	now, first := testkit.Mono(), map[uint32]event.Event{}
	for _, tid := range callers(t, p.server.PID, unix.SYS_ACCEPT4) {
		first[tid] = w.until("an event of the thread in accept", func(e *event.Event) bool { return e.Kind == event.Thread && e.TID == tid && e.TS >= now })
	}
	for _, a := range works {
		do[[]socket](p.client, "dial", dialArgs{Addr: a.Listener.Local, N: a.N})
	}
	var out []report
	for i, a := range works {
		out = append(out, w.acceptor(a, working[i].result(), first))
	}
	w.lossless()
	w.sums()
	return out
}

// acceptor returns what an acceptor and beltrace say about its work.
func (w *watch) acceptor(a workArgs, did worked, first map[uint32]event.Event) report {
	w.t.Helper()
	from, ok := first[did.TID]
	if !ok {
		w.t.Fatalf("threads %v are in accept, %d worked", slices.Sorted(maps.Keys(first)), did.TID)
	}
	last := w.after(did)
	r := report{t: w.t, how: a.How, worked: did, took: last.TS - from.TS, did: since(last.Thread, from.Thread)}
	for _, row := range w.snapshot().Workers {
		if row.TID == did.TID {
			r.worker = row
		}
	}
	if r.worker.Role != model.RoleAcceptor || r.worker.Accepts != uint64(a.N) || r.worker.PID != did.PID || r.worker.Comm != serverName() {
		w.t.Errorf("the worker is %+v", r.worker)
	}
	return r
}

// after waits for what is told of a thread after its work: it rests then.
func (w *watch) after(done worked) event.Event {
	w.t.Helper()
	return w.until("an event of the thread after its work", func(e *event.Event) bool {
		return e.Kind == event.Thread && e.TID == done.TID && e.TS >= done.Returned
	})
}

// workers returns a listener of a watched server.
func workers(t *testing.T, want ...probes.Set) (*pair, *watch, socket) {
	p := newPair(t)
	w := p.watchPrograms(t, want...)
	return p, w, w.listen(p, listenArgs{Addr: loopback4, Backlog: 64})
}

// idlers returns a watched server that has told of its threads: those that were there before it listened are found a moment later.
func idlers(t *testing.T) (*pair, *watch) {
	p, w, _ := workers(t)
	w.until("an event of the server's first thread", func(e *event.Event) bool { return e.Kind == event.Thread && e.TID == p.server.PID })
	return p, w
}

// onCPU is how long the thread had a CPU or waited for one, at most: by its own clocks, as far as this kernel has them.
func (r *report) onCPU() int64 {
	if r.worked.Untold {
		return r.worked.CPU.Most + r.did.RunqueueNS
	}
	return r.worked.CPU.Most + r.worked.Queued.Most
}

// switchTime is how long the kernel may take to choose a thread. Guests are emulated: at about a tenth of the speed.
func switchTime() time.Duration {
	if testkit.Guest() {
		return 50 * time.Microsecond
	}
	return 5 * time.Microsecond
}

// compare returns the times for which the thread has clocks of its own.
func (r *report) compare() times {
	r.t.Helper()
	if r.did.WatchedNS != r.took {
		r.t.Errorf("watched for %d ns, the events are %d ns apart", r.did.WatchedNS, r.took)
	}
	// The kernel's own accounts read the clock when it begins to choose the next thread, the tracepoint comes when it has.
	drift := int64(r.did.Switches) * int64(switchTime())
	cpu, queued := r.worked.CPU.span(), r.worked.Queued.span()
	ts := times{{"running", time.Duration(r.did.RunningNS), span{cpu.from, cpu.to + drift}}}
	if !r.worked.Untold {
		ts = append(ts, sample{"in the run queue", time.Duration(r.did.RunqueueNS), span{queued.from - drift, queued.to}})
	}
	return ts
}

// since returns what a thread did between two events.
func since(last, first *event.ThreadTimes) event.ThreadTimes {
	d := event.ThreadTimes{
		WatchedNS: last.WatchedNS - first.WatchedNS, RunningNS: last.RunningNS - first.RunningNS,
		RunqueueNS: last.RunqueueNS - first.RunqueueNS, BlockedNS: map[string]int64{},
		Switches: last.Switches - first.Switches, Migrations: last.Migrations - first.Migrations,
		Syscalls: last.Syscalls - first.Syscalls,
	}
	for what, ns := range last.BlockedNS {
		d.BlockedNS[what] = ns - first.BlockedNS[what]
	}
	return d
}

// sums checks of every thread event that the parts add up, and that nothing runs backwards.
func (w *watch) sums() {
	w.t.Helper()
	before := map[uint32]event.Event{}
	n := 0
	for _, e := range w.seen() {
		if e.Kind != event.Thread {
			continue
		}
		n++
		sum := e.Thread.RunningNS + e.Thread.RunqueueNS
		for _, ns := range e.Thread.BlockedNS {
			sum += ns
		}
		if sum != e.Thread.WatchedNS {
			w.wrong("the parts make %d: %s", sum, e.AppendJSON(nil))
		}
		if old, ok := before[e.TID]; ok && old.Phase == "" {
			d := since(e.Thread, old.Thread)
			if d.WatchedNS != e.TS-old.TS || d.RunningNS < 0 || d.RunqueueNS < 0 || slices.ContainsFunc(values(d.BlockedNS), func(ns int64) bool { return ns < 0 }) {
				w.wrong("after %s comes %s", old.AppendJSON(nil), e.AppendJSON(nil))
			}
		}
		before[e.TID] = e
	}
	if n == 0 {
		w.wrong("there is no event of a thread")
	}
}

func values(m map[string]int64) []int64 {
	var out []int64
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

// callers lists the threads of a process that are blocked in a system call.
func callers(t testing.TB, pid uint32, call int) []uint32 {
	t.Helper()
	paths, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/[0-9]*/syscall", pid))
	if err != nil {
		t.Fatal(err)
	}
	var out []uint32
	for _, path := range paths {
		state, err := os.ReadFile(path)
		if nr, _, _ := strings.Cut(string(state), " "); err == nil && nr == strconv.Itoa(call) {
			tid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			out = append(out, uint32(tid))
		}
	}
	return out
}

// TestTwoOnOneCPU: of two threads that compute on the same CPU, one waits for it while the other has it.
func TestTwoOnOneCPU(t *testing.T) {
	onceAKernel(t, probes.Sched)
	p, w := idlers(t)
	spin := workArgs{N: 1, How: worksBySpin, For: 300 * time.Millisecond, CPU: 1}
	one, two := begin[worked](p.server, "work", spin), begin[worked](p.server, "work", spin)
	first, second := one.result(), two.result()
	queued := time.Duration(0)
	for _, done := range []worked{first, second} {
		last := w.after(done)
		if begun := last.TS - last.Thread.WatchedNS; begun > done.Began {
			t.Errorf("thread %d is watched since %v after it began", done.TID, time.Duration(begun-done.Began))
		}
		queued += time.Duration(last.Thread.RunqueueNS)
		if got := time.Duration(last.Thread.RunningNS); got < 285*time.Millisecond {
			t.Errorf("thread %d ran for %v, want 300 ms", done.TID, got)
		}
		if own := time.Duration(done.Queued.Least); !done.Untold && time.Duration(last.Thread.RunqueueNS) < own-testkit.Bound(own, absoluteBound, relativeBound) {
			t.Errorf("thread %d waited for a CPU for %v, by the kernel's own count %v", done.TID, time.Duration(last.Thread.RunqueueNS), own)
		}
	}
	both := time.Duration(min(first.Returned, second.Returned) - max(first.Began, second.Began))
	if both < 100*time.Millisecond {
		t.Fatalf("both computed for %v at the same time, which proves nothing", both)
	}
	if queued < both*3/4 { // Go's scheduler parks one of them now and then
		t.Errorf("together they waited for a CPU for %v, both wanted one for %v", queued, both)
	}
	w.sums()
}
