// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"testing"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

// accepting is a listener of that many threads, from tid 1 on, of which each accepts so often, in turn, one in a millisecond.
func accepting(c *Collector, ts *int64, threads, times int) {
	for range times {
		for tid := range threads {
			acceptBy(c, ts, uint32(tid+1))
		}
	}
}

func acceptBy(c *Collector, ts *int64, tid uint32) {
	*ts += 1e6
	e := event.Event{TS: *ts, Kind: event.Accept, ListenerConn: 5, PID: 7, TID: tid, Comm: "w"}
	c.Add(e.Set(event.FieldListenerConn, event.FieldPID, event.FieldTID, event.FieldComm))
}

// TestManyAcceptors: as many threads as a pre-fork server has are each counted by itself. Beyond the budget no count is wrong:
// those that are not listed are counted together.
func TestManyAcceptors(t *testing.T) {
	for _, o := range []struct {
		budget, threads, listed int
	}{{0, 400, 400}, {64, 100, 64}} {
		c, ts := New(Options{Budget: Budget{Acceptors: o.budget}}), int64(0)
		accepting(c, &ts, o.threads, 12)
		l := onlyListener(t, c, ts)
		if len(l.Acceptors) != o.listed || l.AcceptorCount() != o.threads {
			t.Errorf("%d of %d threads are listed, want %d of %d", len(l.Acceptors), l.AcceptorCount(), o.listed, o.threads)
		}
		sum := l.OtherAcceptors.Accepts
		for _, a := range l.Acceptors {
			if sum += a.Accepts; a.Accepts != 12 {
				t.Errorf("thread %d accepted %d times, want 12", a.TID, a.Accepts)
			}
		}
		if sum != uint64(12*o.threads) {
			t.Errorf("%d accepts in all, want %d", sum, 12*o.threads)
		}
	}
}

// TestAcceptorsComeAndGo: a thread that has not accepted for long makes room for a new one, and stays among the others.
func TestAcceptorsComeAndGo(t *testing.T) {
	c, ts := New(Options{Budget: Budget{Acceptors: 2}}), int64(0)
	accepting(c, &ts, 3, 5)
	ts += idleAfter
	acceptBy(c, &ts, 2)
	acceptBy(c, &ts, 4) // instead of 1
	acceptBy(c, &ts, 1)
	acceptBy(c, &ts, 3)
	l := onlyListener(t, c, ts)
	got := map[uint32]uint64{}
	for _, a := range l.Acceptors {
		got[a.TID] = a.Accepts
	}
	if len(got) != 2 || got[2] != 6 || got[4] != 1 || l.OtherAcceptors.Threads != 2 || l.OtherAcceptors.Accepts != 12 {
		t.Errorf("%v and %+v, want 6 by thread 2, 1 by 4, 12 by the 2 others", got, l.OtherAcceptors)
	}
}

func onlyListener(t *testing.T, c *Collector, ts int64) *model.Listener {
	t.Helper()
	s := c.Snapshot(ts)
	if len(s.Listeners) != 1 {
		t.Fatalf("%d listeners", len(s.Listeners))
	}
	return &s.Listeners[0]
}
