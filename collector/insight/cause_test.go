// SPDX-License-Identifier: Apache-2.0

package insight

import (
	"strings"
	"testing"

	"beltrace/collector/model"
)

const ms = 1_000_000

// TestCause gives a slow acceptor each reason that there is, and reads who is blamed.
func TestCause(t *testing.T) {
	for _, tt := range []struct {
		name    string
		spends  model.Times // per second
		text    string
		remedy  string
		between bool
	}{
		{"sleeps", model.Times{RunningNS: 40 * ms, RunqueueNS: 10 * ms, BlockedNS: map[string]int64{"clock_nanosleep": 950 * ms}},
			"tid 4711 accepts, then sleeps in clock_nanosleep: 48 ms between two accepts (95 % of its time)", "Take the clock_nanosleep out of the accept loop", true},
		{"blocked", model.Times{RunningNS: 100 * ms, BlockedNS: map[string]int64{"futex": 700 * ms, "accept4": 200 * ms}},
			"tid 4711 accepts, then is blocked in futex: 35 ms between two accepts (70 % of its time)", "hand connections to other threads", true},
		{"runs", model.Times{RunningNS: 980 * ms, RunqueueNS: 20 * ms},
			"tid 4711 accepts, then runs on a CPU: 49 ms between two accepts (98 % of its time)", "Move the work out of the accepting thread", true},
		{"waits for a CPU", model.Times{RunningNS: 300 * ms, RunqueueNS: 600 * ms, BlockedNS: map[string]int64{"futex": 100 * ms}},
			"tid 4711 is ready to run but waits for a CPU: 30 ms between two accepts (60 % of its time)", "more threads ready to run than CPUs", true},
		{"does not take all", model.Times{RunningNS: 100 * ms, BlockedNS: map[string]int64{"epoll_wait": 900 * ms}},
			"tid 4711 accepts, then is blocked in epoll_wait: 45 ms between two accepts (90 % of its time)", "Accept until EAGAIN", true},
		{"stopped", model.Times{RunningNS: 100 * ms, BlockedNS: map[string]int64{"stopped": 900 * ms}},
			"tid 4711 accepts, then is stopped (by a signal, or with its cgroup): 45 ms between two accepts (90 % of its time)", "Let it go on", true},
		{"throttled", model.Times{RunningNS: 100 * ms, BlockedNS: map[string]int64{"throttled": 900 * ms}},
			"tid 4711 accepts, then has used up its cgroup's CPU quota: 45 ms between two accepts (90 % of its time)", "Raise the cgroup's CPU quota", true},
		{"unknown", model.Times{}, "tid 4711 accepts; what it does between two accepts is not known (its scheduling is not watched)", "Accept faster", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var g Engine
			for half := range int64(13) {
				g.Tick(slow(half, tt.spends))
			}
			f := find(g.Findings(), "slow-acceptor")
			if f == nil {
				t.Fatalf("no slow acceptor in %v", g.Findings())
			}
			if !strings.Contains(f.Text, tt.text) || !strings.Contains(f.Remedy, tt.remedy) {
				t.Errorf("text %q\nremedy %q", f.Text, f.Remedy)
			}
			if _, ok := f.Numbers["between_ns"]; ok != tt.between {
				t.Errorf("numbers %v", f.Numbers)
			}
		})
	}
}

// TestBurstIsOver: refusals count for ten seconds. An acceptor that has taken all and waits for more is not to blame.
func TestBurstIsOver(t *testing.T) {
	for _, c := range []struct {
		waiting uint32
		want    string
		remedy  string
	}{
		{0, "tid 4711 has accepted all that waited, and waits for more in epoll_wait", "Accept faster: "},
		{9, "tid 4711, which used to accept, is blocked in epoll_wait", "Accept until EAGAIN"},
	} {
		var g Engine
		for half := range int64(18) {
			s := slow(min(half, 4), model.Times{})
			s.TS = half * int64(Period)
			l := &s.Listeners[0]
			l.AcceptQueue, l.SYNDrops, l.Overflows = model.Some(c.waiting), map[string]uint64{"accept_queue_full": uint64(min(half, 4))}, model.Some(uint64(min(half, 4)))
			l.Acceptors[0].Between = model.Some(model.Times{WatchedNS: s.TS, BlockedNS: map[string]int64{"epoll_wait": s.TS}})
			g.Tick(s)
		}
		if f := find(g.Findings(), "accept-queue-full"); f == nil || !strings.Contains(f.Text, c.want) || !strings.HasPrefix(f.Remedy, c.remedy) {
			t.Errorf("%d wait: %+v, want %q", c.waiting, f, c.want)
		}
	}
}

// TestBusiestOf: where not all acceptors are listed, the busiest is that of those that are.
func TestBusiestOf(t *testing.T) {
	s := slow(20, model.Times{})
	l := &listener{Listener: &s.Listeners[0]}
	for _, c := range []struct {
		apart uint64
		want  string
	}{{0, "tid 4711"}, {88, "tid 4711 (the busiest of 1 of the 89 acceptors)"}} {
		l.OtherAcceptors.Threads = c.apart
		if got := l.cause(); got.name() != c.want {
			t.Errorf("%d others: %s, want %s", c.apart, got.name(), c.want)
		}
	}
}

// TestOldest: the queue was never empty, but whoever waits now has not waited since then, as others were accepted meanwhile.
func TestOldest(t *testing.T) {
	for _, known := range []bool{true, false} { // which ones wait
		var g Engine
		for half := range int64(40) {
			accepted := min(half, 20)
			s := slow(accepted, model.Times{})
			s.TS = half * int64(Period)
			l := &s.Listeners[0]
			l.AcceptQueue = model.Some[uint32](9)
			if known {
				l.Waiting = []model.Waiting{{Since: max(0, accepted-1) * int64(Period)}}
			}
			g.Tick(s)
		}
		f := find(g.Findings(), "nobody-accepts")
		if f == nil || strings.Contains(f.Text, "the oldest for 10 s, and nobody has accepted for 9.5 s") != known || strings.Contains(f.Text, "oldest") != known {
			t.Errorf("known %v: %+v", known, f)
		}
	}
}

// TestFullThenClosed: those that waited when a listener closed do not wait now.
func TestFullThenClosed(t *testing.T) {
	var g Engine
	for half := range int64(8) {
		s := slow(0, model.Times{})
		s.TS = half * int64(Period)
		l := &s.Listeners[0]
		l.AcceptQueue, l.Overflows, l.SYNDrops = model.Some[uint32](129), model.Some(uint64(7)), map[string]uint64{"accept_queue_full": 7}
		if half >= 5 {
			l.State = model.StateClosed
		}
		g.Tick(s)
	}
	const want = "accept queue was full, until the listener closed; the backlog was 128; 7 refused in the last 10 s"
	if f := find(g.Findings(), "accept-queue-full"); f == nil || !strings.HasPrefix(f.Text, want) {
		t.Errorf("%+v, want %q", f, want)
	}
}

// slow is a listener whose acceptor takes 20 connections a second while 30 wait, after so many half seconds.
func slow(half int64, perSecond model.Times) *model.Snapshot {
	ts := half * int64(Period)
	n := uint64(half * 10)
	buckets := make([]uint64, 32)
	buckets[30] = n // each waited for more than a second
	a := model.Acceptor{PID: 4711, TID: 4711, Comm: "api", Accepts: n}
	if perSecond.RunningNS > 0 {
		times := model.Times{WatchedNS: ts, RunningNS: perSecond.RunningNS * half / 2, RunqueueNS: perSecond.RunqueueNS * half / 2, BlockedNS: map[string]int64{}}
		for in, ns := range perSecond.BlockedNS {
			times.BlockedNS[in] = ns * half / 2
		}
		a.Between, a.Pace = model.Some(times), model.Pace{Times: times, Gaps: n}
	}
	return &model.Snapshot{TS: ts, Listeners: []model.Listener{{
		Conn: 1, Local: "0.0.0.0:9000", Process: model.Process{Comm: "api"}, State: model.StateListening, Backlog: model.Some[uint32](128),
		AcceptQueue: model.Some[uint32](30), Established: n + 30, Accepted: n,
		WaitNS: model.Distribution{Count: n, Max: model.Some[int64](1500 * ms), Buckets: buckets}, Acceptors: []model.Acceptor{a},
	}}}
}

func find(all []model.Finding, id string) *model.Finding {
	for i := range all {
		if all[i].ID == id {
			return &all[i]
		}
	}
	return nil
}
