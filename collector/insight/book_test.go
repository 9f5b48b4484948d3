// SPDX-License-Identifier: Apache-2.0

package insight

import (
	"testing"

	"beltrace/collector/model"
)

// withQueue is a listener of a backlog of 8 whose accept queue has that length.
func withQueue(ts int64, conn uint64, depth uint32) *model.Snapshot {
	return &model.Snapshot{TS: ts, Listeners: []model.Listener{{
		Conn: conn, Local: "[::]:80", Process: model.Process{Comm: "api"}, State: model.StateListening,
		Backlog: model.Some[uint32](8), AcceptQueue: model.Some(depth),
	}}}
}

// TestNothingFlaps: a queue that is full every other second is one finding, which ends when it has not been for five.
func TestNothingFlaps(t *testing.T) {
	var g Engine
	ts := int64(0)
	tick := func(depth uint32) *model.Finding {
		ts += int64(Period)
		g.Tick(withQueue(ts, 1, depth))
		return find(g.Findings(), "accept-queue-full")
	}
	if f := tick(8); f != nil {
		t.Fatalf("as many as the backlog: %+v", f)
	}
	since := ts + int64(Period)
	for i := range 40 {
		f := tick([]uint32{9, 9, 0, 0}[i%4])
		if f == nil || f.Until.Known || f.Since != since || len(g.Findings()) != 1 {
			t.Fatalf("after %d: %+v", i, g.Findings())
		}
	}
	last := ts - 2*int64(Period) // when it was full
	for f := tick(0); !f.Until.Known; f = tick(0) {
		if ts > last+int64(keep) {
			t.Fatalf("it holds %d ns after its evidence", ts-last)
		}
	}
	if f := g.Findings()[0]; f.Until.V != last || ts != last+int64(keep) {
		t.Errorf("full until %d, told at %d: %+v", last, ts, f)
	}
	if again := tick(9); again.Until.Known || again.Since != ts || len(g.Findings()) != 2 {
		t.Errorf("full again: %+v", g.Findings())
	}
}

// TestWhatHasEndedIsBounded: listeners that come and go leave a hundred findings at most, the last ones.
func TestWhatHasEndedIsBounded(t *testing.T) {
	var g Engine
	ts := int64(0)
	for conn := range uint64(300) {
		ts += int64(Period)
		g.Tick(withQueue(ts, conn, 9))
	}
	for range 20 {
		ts += int64(Period)
		g.Tick(&model.Snapshot{TS: ts})
	}
	all := g.Findings()
	if len(all) != maxEnded || all[0].Listener.V != 299 || all[maxEnded-1].Listener.V != 200 {
		t.Errorf("%d findings, of %d to %d", len(all), all[0].Listener.V, all[len(all)-1].Listener.V)
	}
	if n := len(g.past.listeners) + len(g.book.open); n != 0 {
		t.Errorf("%d things are remembered of listeners that are gone", n)
	}
}

// TestLookingRemembersNothing: At says what Tick would, and does not do it.
func TestLookingRemembersNothing(t *testing.T) {
	var g Engine
	for range 3 {
		if all := g.At(withQueue(int64(Period), 1, 9)); len(all) != 1 || all[0].Since != int64(Period) {
			t.Fatalf("%+v", all)
		}
	}
	if g.Findings() != nil || len(g.book.open) != 0 || len(g.past.listeners) != 0 {
		t.Errorf("%+v is remembered", g)
	}
}
