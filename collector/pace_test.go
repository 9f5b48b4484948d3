// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"beltrace/collector/event"
)

// acceptLoop plays one thread that accepts, and what the kernel tells of it.
type acceptLoop struct {
	c       *Collector
	l       uint64
	now     int64
	pending []event.Event // accepts and times, in order
	times   map[string]int64
	tell    int64 // when its times are told next
	conn    uint64
}

const loopTID = 4711

func (a *acceptLoop) add(e event.Event) { a.pending = append(a.pending, e) }

// spend has the thread do something until then; what is a call that it is blocked in, or "".
func (a *acceptLoop) spend(what string, until int64) {
	for a.now < until {
		to := min(until, a.tell)
		a.times[what] += to - a.now
		if a.now = to; a.now == a.tell {
			a.add(a.told())
			a.tell += 1000 * ms
		}
	}
}

// told is an event with what it did so far.
func (a *acceptLoop) told() event.Event {
	t := &event.ThreadTimes{WatchedNS: a.now - 1, BlockedNS: map[string]int64{}}
	for what, ns := range a.times {
		if what == "" {
			t.RunningNS += ns
		} else {
			t.BlockedNS[what] += ns
		}
	}
	e := event.Event{TS: a.now, Kind: event.Thread, PID: loopTID, TID: loopTID, Comm: "api", Thread: t}
	return *e.Set(event.FieldPID, event.FieldTID, event.FieldComm, event.FieldWatchedNS, event.FieldRunningNS, event.FieldBlockedNS)
}

// arrive puts n connections into the queue.
func (a *acceptLoop) arrive(n uint64) {
	for i := range n {
		e := event.Event{TS: a.now, Kind: event.Established, Conn: a.conn + i, ListenerConn: a.l, Role: event.RoleServer}
		a.add(*e.Set(event.FieldConn, event.FieldListenerConn, event.FieldRole))
	}
}

// accept takes a connection.
func (a *acceptLoop) accept() {
	e := event.Event{TS: a.now, Kind: event.Accept, Conn: a.conn, ListenerConn: a.l, PID: loopTID, TID: loopTID, Comm: "api"}
	a.add(*e.Set(event.FieldConn, event.FieldListenerConn, event.FieldPID, event.FieldTID, event.FieldComm))
	a.conn++
}

// TestPace: how long it is from one accept to the next while connections wait, and in what the thread spends it, whenever
// its times are told: the thread's rests before, between and after bursts have no part in it.
func TestPace(t *testing.T) {
	const n, each = 50, 20 * ms
	for _, rest := range []string{"accept4", "poll", "futex", "futex after the first burst"} {
		for _, first := range []int64{3, 260, 510, 730, 999} {
			a := &acceptLoop{c: New(Options{}), l: 1, now: 1, conn: 100, times: map[string]int64{}, tell: first * ms}
			call, later, _ := strings.Cut(rest, " ")
			for i := range 2 {
				if a.spend("", a.now+1); i > 0 || later == "" {
					a.spend(call, a.now+4300*ms)
				}
				a.arrive(n)
				for range n {
					a.spend("", a.now+ms/10)
					a.accept()
					a.spend("clock_nanosleep", a.now+each)
				}
			}
			a.spend(call, a.now+7000*ms)
			a.check(t, fmt.Sprintf("rests in %s, told at %d ms", rest, first), each+ms/10)
		}
	}
}

// check hands all to the collector and compares what it says then with what the thread did.
func (a *acceptLoop) check(t *testing.T, name string, each int64) {
	t.Helper()
	listen := event.Event{TS: 1, Kind: event.Listen, Conn: a.l, Backlog: 128}
	a.c.Add(listen.Set(event.FieldConn, event.FieldBacklog))
	told := 0
	for i := range a.pending {
		a.c.Add(&a.pending[i])
		for _, f := range a.c.Findings() {
			ns, known := f.Numbers["between_ns"]
			if f.ID != "slow-acceptor" || f.Until.Known || !known {
				continue
			}
			told++
			if share := f.Numbers["between_share"]; math.Abs(ns-share*float64(each)) > 0.02*float64(each) || share < 0.97 || !strings.Contains(f.Text, "sleeps in clock_nanosleep") {
				t.Errorf("%s, at %d ms: %s", name, a.pending[i].TS/ms, f.Text)
				return
			}
		}
	}
	p := a.c.Snapshot(0).Listeners[0].Acceptors[0].Pace
	if sleeps := p.Each(p.BlockedNS["clock_nanosleep"]); told == 0 || math.Abs(float64(sleeps)-float64(20*ms)) > 0.02*float64(20*ms) {
		t.Errorf("%s: %d times told, in the end %d ns of %+v", name, told, sleeps, p)
	}
}

// TestGaps: a gap is told of where the next connection waited for most of it.
func TestGaps(t *testing.T) {
	type taken struct{ came, at int64 }
	for name, c := range map[string]struct {
		all  []taken
		gaps uint64
		ns   int64
	}{
		"the first":                       {[]taken{{10, 50}}, 0, 0},
		"each finds the thread at rest":   {[]taken{{10, 11}, {50, 51}, {90, 91}}, 0, 0},
		"two at a time":                   {[]taken{{10, 11}, {10, 31}, {90, 91}, {90, 111}}, 2, 40},
		"all of a queue, then long work":  {[]taken{{10, 11}, {10, 12}, {10, 13}, {30, 113}, {40, 114}}, 4, 103},
		"in the midst of its work":        {[]taken{{10, 11}, {20, 31}, {40, 51}}, 2, 40},
		"shortly before its work is done": {[]taken{{10, 11}, {30, 31}, {49, 51}}, 0, 0},
		"a clock that runs backwards":     {[]taken{{10, 50}, {10, 40}}, 0, 0},
	} {
		p := pace{times: &event.ThreadTimes{}}
		for _, x := range c.all {
			p.took(x.at, x.came)
		}
		if p.sum.Gaps != c.gaps || p.sum.GapNS != c.ns {
			t.Errorf("%s: %d gaps, %d ns, want %d and %d", name, p.sum.Gaps, p.sum.GapNS, c.gaps, c.ns)
		}
	}
}

// TestUnevenPace: what the thread does while connections wait is told where it is known, and how long each time only where it
// takes one after the other.
func TestUnevenPace(t *testing.T) {
	for name, c := range map[string]struct {
		accepts       [][2]int64 // when, and when the connection came; ms of the second
		blocked       map[string]int64
		known, steady bool
	}{
		"one after the other":         {[][2]int64{{1000, 1000}, {1200, 1000}, {1400, 1000}, {1600, 1000}, {1800, 1000}}, map[string]int64{"epoll_wait": 200, "recvfrom": 800}, true, true},
		"one at a time, half-way":     {[][2]int64{{1300, 1240}, {1600, 1540}, {1900, 1840}}, map[string]int64{"epoll_wait": 820, "clock_nanosleep": 180}, true, false},
		"all that wait at once":       {[][2]int64{{1300, 1150}, {1300, 1150}, {1300, 1150}, {1800, 1650}, {1800, 1650}}, map[string]int64{"epoll_wait": 700, "recvfrom": 300}, true, false},
		"something else between them": {[][2]int64{{1300, 1280}, {1320, 1280}, {1340, 1280}}, map[string]int64{"epoll_wait": 500, "clock_nanosleep": 440, "recvfrom": 60}, false, false},
	} {
		p := pace{rest: "epoll_wait"}
		p.begin(&event.ThreadTimes{WatchedNS: 1000 * ms}, 1000*ms)
		p.last = 900 * ms
		for _, a := range c.accepts {
			p.took(a[0]*ms, a[1]*ms)
		}
		now := &event.ThreadTimes{WatchedNS: 2000 * ms, BlockedNS: map[string]int64{}}
		for in, n := range c.blocked {
			now.BlockedNS[in] = n * ms
		}
		p.told(now, 2000*ms, 2000*ms)
		if got := p.show(whole); got.Known() != c.known || got.Steady() != c.steady {
			t.Errorf("%s: %+v, known %v, steady %v", name, got, got.Known(), got.Steady())
		}
	}
}
