// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"beltrace/collector/event"
	"beltrace/collector/live"
	"beltrace/collector/model"
	"beltrace/collector/probes"
	"beltrace/internal/testkit"
)

// TestRings: two rings, of which one was there before with an operation in flight. Each operation is told, and the sums are
// exact.
func TestRings(t *testing.T) {
	const batches, size, async, reads = 20, 10, 3, 20
	testkit.NoLeaks(t)
	p := newPair(t)
	l := do[socket](p.server, "listen", listenArgs{Addr: loopback4, Backlog: 16})
	operating := begin[[]operated](p.server, "operate", operateArgs{Listener: l, Batches: batches, Size: size, Async: async, Reads: reads})
	if !testkit.Until(settleTime, func() bool { return len(callers(t, p.server.PID, unix.SYS_IO_URING_ENTER)) == 1 }) {
		if operating.result() == nil {
			t.Skip("this kernel has no io_uring for us")
		}
		t.Fatal("nobody waits for the accept")
	}
	w := p.openWatch(t, live.Config{PIDs: []uint32{p.server.PID}, Uring: true, Want: []probes.Set{probes.Rings}})
	do[[]socket](p.client, "dial", dialArgs{Addr: l.Local, N: 1, Talk: talk{End: endDrain}})
	ops := operating.result()
	ended := map[uint32]*event.Uring{}
	for n := range uint32(3) {
		e := w.until(fmt.Sprintf("the end of ring %d", n+1), func(e *event.Event) bool {
			return e.Kind == event.Ring && e.Known(event.FieldPhase) && e.PID == p.server.PID && e.Uring.Ring == n+1
		})
		ended[n+1] = e.Uring
	}
	third := ended[3]
	delete(ended, 3)
	w.operations(ops)
	w.sumsOf(ended, ops)
	if !oldKernel(t) && (third.Overflow != 16 || third.InFlight != 0) {
		t.Errorf("the ring whose queue has room for 8 of 24 completions is %+v", third)
	}
	w.lossless()
	second := ended[2]
	// Each batch is one call; of a read the submission and the wait are two, of which only the first takes anything.
	single := reads + 1
	if oldKernel(t) { // the one without a file is refused before it counts
		single = reads
	}
	if got, want, sum := second.Submits.Count, uint64(batches+single), uint64(batches*size+single); got != want || second.Submits.Sum != sum {
		t.Errorf("%d calls took %d submissions, want %d and %d", got, second.Submits.Sum, want, sum)
	}
	if second.Submits.Buckets[3] != batches || second.Submits.Buckets[0] != uint64(single) {
		t.Errorf("the calls' sizes are %v", second.Submits.Buckets)
	}
	if taken := second.Reaps.Sum; taken < uint64(len(ops))/2 || taken > uint64(len(ops)-1) {
		t.Errorf("%d completions were seen to be taken, of %d", taken, len(ops)-1)
	}
	if second.SQEntries != 16 || second.CQEntries != 32 || second.InFlight != 0 || ended[1].SQEntries != 4 {
		t.Errorf("the rings are %+v and %+v", ended[1], second)
	}
	w.tallies(t, p.server.PID, do[tallied](p.server, "tally", l))
	w.lossless()
}

// TestFastRing: all operations of a ring are counted, with more in flight than there are places for, however fast it is. Of
// a fast one a sample is timed, which is said.
func TestFastRing(t *testing.T) {
	p := newPair(t)
	w := p.openWatch(t, live.Config{PIDs: []uint32{p.server.PID}, Want: []probes.Set{probes.Rings}})
	did := do[*spun](p.server, "spin", spinArgs{For: 500 * time.Millisecond, Sizes: [2]int{8, 400}, Async: 1})
	if did == nil {
		t.Skip("this kernel has no io_uring for us")
	}
	e := w.until("the end of the ring", func(e *event.Event) bool {
		return e.Kind == event.Ring && e.Known(event.FieldPhase) && e.PID == p.server.PID
	})
	w.lossless()
	if len(e.Uring.Ops) != 1 {
		t.Fatalf("the ring's operations are %+v", e.Uring.Ops)
	}
	o := &e.Uring.Ops[0]
	if o.Op != "nop" || o.Submitted != did.Count || o.Count != did.Count || o.Errors != 0 || e.Uring.InFlight != 0 || e.Uring.Submits.Sum != did.Count {
		t.Errorf("%d nops are told as %+v, %d in flight, %d submitted", did.Count, o, e.Uring.InFlight, e.Uring.Submits.Sum)
	}
	if o.How[event.HowIOWQ] != did.IOWQ || o.How[event.HowInline] != did.Count-did.IOWQ {
		t.Errorf("of %d nops %d were done by a worker, but: %v", did.Count, did.IOWQ, o.How)
	}
	var timed uint64
	for _, pair := range o.Latency {
		timed += pair[1]
	}
	if o.Sampled != (timed < o.Count) || timed == 0 {
		t.Errorf("%d of %d were timed, said to be a sample: %v", timed, o.Count, o.Sampled)
	}
	// The first tenths of a second are timed whole.
	if rate := float64(did.Count) / did.Took.Seconds(); rate > 100_000 && timed > o.Count*3/4 || rate < 10_000 && o.Sampled {
		t.Errorf("of %.0f operations a second %d of %d were timed", rate, timed, o.Count)
	}
	w.ringsChurned(t, p)
}

// ringsChurned: rings whose memory is that of the one before them are told each with what it did.
func (w *watch) ringsChurned(t *testing.T, p *pair) {
	const rings = 12
	do[int](p.server, "churn", rings)
	for n := range uint32(rings) {
		e := w.until(fmt.Sprintf("the end of ring %d of them", n+1), func(e *event.Event) bool {
			return e.Kind == event.Ring && e.Known(event.FieldPhase) && e.PID == p.server.PID && e.Uring.Ring == n+2
		})
		if ops := e.Uring.Ops; len(ops) != 1 || ops[0].Count != uint64(n+1) || ops[0].How[event.HowInline] != uint64(n+1) {
			t.Errorf("ring %d of them did %+v", n+1, ops)
		}
	}
	w.lossless()
}

// operations compares each operation with its events.
func (w *watch) operations(ops []operated) {
	w.t.Helper()
	submitted, completed := map[uint64]event.Event{}, map[uint64]event.Event{}
	for _, e := range w.seen() {
		var seen map[uint64]event.Event
		switch e.Kind {
		case event.UringSubmit:
			seen = submitted
		case event.UringComplete:
			seen = completed
		default:
			continue
		}
		if e.Uring.Ring == 3 { // all of its operations have the same user_data
			continue
		}
		if _, twice := seen[e.Uring.UserData]; twice {
			w.wrong("twice: %s", e.AppendJSON(nil))
		}
		seen[e.Uring.UserData] = e
	}
	var ts times
	for _, op := range ops {
		from, told := submitted[op.UserData]
		to, ok := completed[op.UserData]
		if !ok {
			w.wrong("no completion of %+v", op)
			continue
		}
		known := op.Op != "accept" && (op.Res >= 0 || !oldKernel(w.t)) // the watch saw its submission
		if told != known || known && (from.Uring.Op != op.Op || from.Uring.Ring != op.Ring) {
			w.wrong("%+v was submitted as %s", op, from.AppendJSON(nil))
		}
		u := to.Uring
		if u.Ring != op.Ring || u.Res != op.Res || op.How != "" && u.How != op.How || to.Known(event.FieldOp) && u.Op != op.Op {
			w.wrong("%+v is complete as %s", op, to.AppendJSON(nil))
		}
		if to.Known(event.FieldLatencyNS) != known || !to.Known(event.FieldOp) && known {
			w.wrong("%+v was seen from its submission on: %v, but: %s", op, known, to.AppendJSON(nil))
		}
		if known {
			ts = append(ts, sample{"latency of " + op.Op, time.Duration(to.Turn.LatencyNS), span{op.Least, op.Returned - op.Called}})
		}
	}
	ts.judge(w.t)
	if len(completed) != len(ops) {
		w.wrong("%d completions, want %d", len(completed), len(ops))
	}
}

// sumsOf compares what was added up in the kernel with the operations.
func (w *watch) sumsOf(rings map[uint32]*event.Uring, ops []operated) {
	w.t.Helper()
	type sum struct{ count, errors, inline, poll, iowq uint64 }
	want, got := map[string]sum{}, map[string]sum{}
	add := func(m map[string]sum, op string, s sum) {
		o := m[op]
		m[op] = sum{o.count + s.count, o.errors + s.errors, o.inline + s.inline, o.poll + s.poll, o.iowq + s.iowq}
	}
	for _, op := range ops {
		s := sum{count: 1}
		if op.Res < 0 {
			s.errors = 1
		}
		switch op.How {
		case event.HowInline:
			s.inline = 1
		case event.HowPoll:
			s.poll = 1
		case event.HowIOWQ:
			s.iowq = 1
		}
		if op.Op == "accept" || op.Res < 0 { // whatever its name and way
			s, op.Op = sum{count: 1, errors: s.errors}, "other"
		}
		add(want, op.Op, s)
	}
	for n, u := range rings {
		for _, o := range u.Ops {
			var latencies uint64
			for _, pair := range o.Latency {
				latencies += pair[1]
			}
			s := sum{o.Count, o.Errors, o.How[event.HowInline], o.How[event.HowPoll], o.How[event.HowIOWQ]}
			switch {
			case n == 1 || o.Op == event.OpUnknown:
				add(got, "other", sum{count: s.count, errors: s.errors})
			case o.Op == "read" && o.Errors == 1: // the one that failed is among the others
				add(got, "other", sum{count: 1, errors: 1})
				add(got, o.Op, sum{count: s.count - 1, poll: s.poll})
			default:
				add(got, o.Op, s)
			}
			if n == 2 && o.Op != event.OpUnknown && (latencies != o.Count || o.Submitted != o.Count) {
				w.wrong("%d latencies of %d submitted and %d completed %ss", latencies, o.Submitted, o.Count, o.Op)
			}
		}
	}
	for op, s := range want {
		if got[op] != s {
			w.wrong("%s: added up to %+v, want %+v", op, got[op], s)
		}
	}
}

// threadName is a thread's name for the kernel.
func threadName(t *testing.T, pid, tid uint32) string {
	t.Helper()
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/comm", pid, tid))
	if err != nil {
		t.Error(err)
	}
	return string(name)
}

// TestRingExchanges: requests that are served by io_uring alone are told like others: each is an exchange with its first
// line, of the connection that was accepted, whether that has a descriptor or is a registered file; and of the thread that
// served it.
func TestRingExchanges(t *testing.T) {
	p := newPair(t)
	w := p.openWatch(t, live.Config{NetNS: p.ns.Path()})
	const lanes, n = 4, 10
	servers := 0
	for _, ring := range []ringServer{{}, {Multishot: true}, {Direct: true}, {SQPoll: true}, {Multishot: true, Direct: true, SQPoll: true}} {
		ring.Addr = loopback4
		server := do[netip.AddrPort](p.server, "ringserve", ring)
		if !server.IsValid() {
			t.Logf("this kernel has no io_uring for us (%+v)", ring)
			continue
		}
		i := servers
		servers++
		do[[]fetched](p.client, "fetch", fetchArgs{Server: server, Paths: []string{"/ring/" + strconv.Itoa(i)}, N: n, Lanes: lanes})
		all := w.exchanges((i + 1) * lanes * n)
		for _, x := range all[min(len(all), i*lanes*n):] {
			if want := fmt.Sprintf("GET /ring/%d 200", i); x.Summary != want && w.seesHeads() && !w.leavesOut() || x.PID != model.Some(p.server.PID) {
				t.Errorf("an exchange is %+v, want %s", x, want)
			}
			if ring.SQPoll && !strings.HasPrefix(threadName(t, p.server.PID, x.TID.Or(0)), "iou-sqp-") {
				t.Errorf("thread %v served an exchange of a ring that a thread of the kernel polls", x.TID)
			}
			checkSum(t, &x)
		}
	}
	if w.leavesOut() { // a read whose run was left out has no first bytes
		return
	}
	w.ringsServed(t, servers)
	calls, accepted := map[string]int{}, map[uint64]bool{}
	for _, e := range w.seen() {
		switch {
		case e.Kind == event.Accept && e.PID == p.server.PID:
			calls["accept"]++
			if accepted[e.Conn] {
				t.Errorf("accepted twice: %s", e.AppendJSON(nil))
			}
			accepted[e.Conn] = true
		case e.Kind == event.Turn && e.Known(event.FieldCall) && e.Role == event.RoleServer:
			calls[e.Turn.Call+" "+e.Turn.Direction]++
		}
	}
	if calls["accept"] != servers*lanes {
		t.Errorf("%d accepts, want %d", calls["accept"], servers*lanes)
	}
	if w.seesHeads() && w.knowsTurns() && (calls["io_uring:recv in"] == 0 || calls["io_uring:send out"] == 0 || calls["io_uring_enter in"]+calls["io_uring_enter out"] > 0) {
		t.Errorf("bytes were moved by %v", calls)
	}
}

// ringsServed tests that each exchange leads to one ring: that of its thread, which receives and sends.
func (w *watch) ringsServed(t *testing.T, servers int) {
	t.Helper()
	moves := func(r *model.Ring) bool { return r.Ops["recv"].Count > 0 && r.Ops["send"].Count > 0 }
	var s *model.Snapshot
	testkit.Until(settleTime, func() bool { // a ring is told of once a second
		s = w.snapshot()
		return len(s.Rings) == servers && !slices.ContainsFunc(s.Rings, func(r model.Ring) bool { return !moves(&r) })
	})
	for i := range s.Exchanges {
		n := 0
		for j := range s.Rings {
			if r := &s.Rings[j]; r.TID.Known && r.TID == s.Exchanges[i].TID && moves(r) {
				n++
			}
		}
		if n != 1 {
			w.wrong("an exchange of thread %v leads to %d of the rings %+v", s.Exchanges[i].TID, n, s.Rings)
		}
	}
}
