// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"testing"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

func threadEvent(ts int64, pid, tid uint32, blocked map[string]int64) *event.Event {
	e := &event.Event{TS: ts, Kind: event.Thread, PID: pid, TID: tid, Comm: "api", Thread: &event.ThreadTimes{BlockedNS: blocked}}
	for _, ns := range blocked {
		e.Thread.WatchedNS += ns
	}
	return e.Set(event.FieldPID, event.FieldTID, event.FieldComm, event.FieldWatchedNS, event.FieldBlockedNS)
}

func TestRoles(t *testing.T) {
	for name, c := range map[string]struct {
		accepts int
		blocked map[string]int64
		want    string
	}{
		"took a connection":          {1, map[string]int64{"epoll_wait": 9}, model.RoleAcceptor},
		"waits in accept":            {0, map[string]int64{"accept4": 9, "futex": 1}, model.RoleAcceptor},
		"waits in epoll":             {0, map[string]int64{"epoll_pwait": 9, "futex": 1}, model.RoleLoop},
		"waits in poll":              {0, map[string]int64{"poll": 3, "ppoll": 3, "read": 5}, model.RoleLoop},
		"waits for one descriptor":   {0, map[string]int64{"read": 9, "epoll_wait": 1}, model.RoleWorker},
		"never blocked":              {0, nil, model.RoleWorker},
		"is watched while it starts": {0, map[string]int64{"page_fault": 9}, model.RoleWorker},
	} {
		col := New(Options{})
		for i := range c.accepts {
			e := &event.Event{TS: 1, Kind: event.Accept, Conn: uint64(i + 1), PID: 1, TID: 2}
			col.Add(e.Set(event.FieldConn, event.FieldPID, event.FieldTID))
		}
		col.Add(threadEvent(2, 1, 2, c.blocked))
		rows := col.Snapshot(0).Workers
		if len(rows) != 1 || rows[0].Role != c.want || rows[0].Accepts != uint64(c.accepts) {
			t.Errorf("%s: %+v, want one %s", name, rows, c.want)
		}
	}
}

// TestUnwatchedThread: a thread that accepts, and whose scheduling is not watched, has no times, and so no row.
func TestUnwatchedThread(t *testing.T) {
	c := New(Options{})
	e := &event.Event{TS: 1, Kind: event.Accept, Conn: 1, PID: 1, TID: 2}
	c.Add(e.Set(event.FieldConn, event.FieldPID, event.FieldTID))
	if rows := c.Snapshot(0).Workers; len(rows) != 0 {
		t.Errorf("%+v", rows)
	}
	c.Add(&event.Event{TS: 2, Kind: event.Thread}) // a damaged recording: nobody's, and without numbers
	c.Add((&event.Event{TS: 2, Kind: event.Thread, PID: 1, TID: 2}).Set(event.FieldPID, event.FieldTID))
	if rows := c.Snapshot(0).Workers; len(rows) != 0 {
		t.Errorf("%+v", rows)
	}
}

// TestManyThreads: the budget holds, threads that have ended go first, and only a live one that goes is a loss.
func TestManyThreads(t *testing.T) {
	c := New(Options{Budget: Budget{Workers: 100}})
	for tid := uint32(1); tid <= 1000; tid++ {
		e := threadEvent(int64(tid), 1, tid, nil)
		if tid > 10 {
			e.Phase = event.PhaseEnd
			e.Set(event.FieldPhase)
		}
		c.Add(e)
		if len(c.workers) > 100 {
			t.Fatalf("%d threads are kept", len(c.workers))
		}
	}
	alive := 0
	for _, w := range c.Snapshot(0).Workers {
		if !w.Ended.Known {
			alive++
		}
	}
	if alive != 10 || c.lost["evicted"] != 0 {
		t.Errorf("%d of 10 live threads are left, lost %v", alive, c.lost)
	}
	for tid := uint32(2001); tid <= 2200; tid++ {
		c.Add(threadEvent(int64(tid), 1, tid, nil))
	}
	if c.lost["evicted"] == 0 || len(c.workers) > 100 {
		t.Errorf("%d threads are kept, lost %v", len(c.workers), c.lost)
	}
}

// TestRequestsBeforeTheThread: a thread is told of once a second; the requests that it answered before count, too.
func TestRequestsBeforeTheThread(t *testing.T) {
	nq, nr := uint64(len(request)), uint64(len(response))
	all := serverBefore(1)
	for i := range uint64(3) {
		at := int64(100+10*i) * ms
		in := turnEvent(1, "in", i*nq, request, nq, event.Moves{ReadableTS: at, FirstTS: at + ms, LastTS: at + ms})
		out := turnEvent(1, "out", i*nr, response, nr, event.Moves{FirstTS: at + 2*ms, LastTS: at + 2*ms, SentTS: at + 2*ms})
		for _, e := range []*event.Event{&in, &out} {
			e.PID, e.TID = 7, 9
			e.Set(event.FieldPID, event.FieldTID)
		}
		all = append(all, in, out)
	}
	told := event.Event{Kind: event.Thread, TS: 1000 * ms, PID: 7, TID: 9, Thread: &event.ThreadTimes{WatchedNS: ms}}
	told.Set(event.FieldPID, event.FieldTID)
	c := New(Options{})
	for _, e := range append(all, told) {
		c.Add(&e)
	}
	if w := c.Snapshot(0).Workers; len(w) != 1 || w[0].Exchanges != model.Some[uint64](3) {
		t.Errorf("the workers are %+v, want one with 3 requests", w)
	}
}
