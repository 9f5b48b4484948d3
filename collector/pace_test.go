// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"

	"beltrace/collector/event"
	"beltrace/collector/model"
)

const paceTID = 4711

// paceEvents play what is told of a thread that accepts.
type paceEvents struct {
	ts  int64
	all []event.Event
}

func (p *paceEvents) accept(listener uint64) {
	p.ts += ms
	e := event.Event{TS: p.ts, Kind: event.Accept, Conn: uint64(p.ts), ListenerConn: listener, PID: paceTID, TID: paceTID, Comm: "api"}
	p.all = append(p.all, *e.Set(event.FieldConn, event.FieldListenerConn, event.FieldPID, event.FieldTID, event.FieldComm))
}

// told is what the thread did in so many gaps; without, if an older version had told it.
func (p *paceEvents) told(gaps uint64, in map[string]int64) {
	p.ts += ms
	t := &event.ThreadTimes{WatchedNS: p.ts - 1, RunningNS: p.ts - 1, Gaps: gaps, InGapsNS: in, PartGapsNS: int64(gaps)}
	e := event.Event{TS: p.ts, Kind: event.Thread, PID: paceTID, TID: paceTID, Comm: "api", Thread: t}
	e.Set(event.FieldPID, event.FieldTID, event.FieldComm, event.FieldWatchedNS, event.FieldRunningNS)
	if in != nil {
		e.Set(event.FieldGaps, event.FieldInGapsNS, event.FieldPartGapsNS)
	}
	p.all = append(p.all, e)
}

// of returns what the collector says of the thread and each of two listeners.
func (p *paceEvents) of() (one, two model.Pace) {
	c := New(Options{})
	for i := range p.all {
		c.Add(&p.all[i])
	}
	all := map[uint64]model.Pace{}
	for _, l := range c.Snapshot(0).Listeners {
		all[l.Conn] = l.Acceptors[0].Pace
	}
	return all[1], all[2]
}

// TestPace: what a thread does between two accepts is the growth of what the kernel adds up of it, and belongs to the one
// listener that it accepted from meanwhile; to none if there were several.
func TestPace(t *testing.T) {
	did := func(n int64) map[string]int64 {
		return map[string]int64{"running": n, "runqueue": 2 * n, "nanosleep": 7 * n}
	}
	want := func(n int64) model.Pace {
		return model.Pace{Times: model.Times{WatchedNS: 10 * n, RunningNS: n, RunqueueNS: 2 * n, BlockedNS: map[string]int64{"nanosleep": 7 * n}}, Gaps: uint64(n), PartNS: n}
	}
	for name, c := range map[string]struct {
		play     func(p *paceEvents)
		one, two model.Pace
	}{
		"told once": {func(p *paceEvents) { p.accept(1); p.told(5, did(5)) }, model.Pace{}, model.Pace{}},
		"watched since we are here": {func(p *paceEvents) {
			p.accept(1)
			p.told(5, did(5))
			p.all[1].Thread.WatchedNS = ms
		}, want(5), model.Pace{}},
		"told twice": {func(p *paceEvents) { p.told(5, did(5)); p.accept(1); p.told(8, did(8)) }, want(3), model.Pace{}},
		"told again": {func(p *paceEvents) {
			for n := range int64(4) {
				p.told(uint64(n), did(n))
				p.accept(1)
			}
		}, want(3), model.Pace{}},
		"of two listeners at once": {func(p *paceEvents) { p.told(5, did(5)); p.accept(1); p.accept(2); p.accept(1); p.told(8, did(8)) }, model.Pace{}, model.Pace{}},
		"of one, then of another": {func(p *paceEvents) {
			p.told(5, did(5))
			p.accept(1)
			p.told(8, did(8))
			p.accept(2)
			p.told(12, did(12))
		}, want(3), want(4)},
		"watched anew": {func(p *paceEvents) {
			p.told(50, did(50))
			p.accept(1)
			p.told(8, did(8))
			p.all[2].Thread.WatchedNS = 1
			p.accept(1)
			p.told(9, did(9))
		}, want(9), model.Pace{}},
		"by an older version": {func(p *paceEvents) { p.told(0, nil); p.accept(1); p.told(0, nil) }, model.Pace{}, model.Pace{}},
		"since it accepts":    {func(p *paceEvents) { p.told(0, nil); p.accept(1); p.told(3, did(3)) }, want(3), model.Pace{}},
	} {
		var p paceEvents
		c.play(&p)
		one, two := p.of()
		if diff := cmp.Diff([]model.Pace{c.one, c.two}, []model.Pace{one, two}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestPaceKnown: what the thread does is known if it is known of most of the time in which connections waited.
func TestPaceKnown(t *testing.T) {
	for _, c := range []struct {
		p     model.Pace
		known bool
	}{
		{model.Pace{}, false},
		{model.Pace{PartNS: 10}, false},
		{model.Pace{Gaps: 9, PartNS: 1000, Times: model.Times{WatchedNS: 20, RunningNS: 20}}, false}, // it takes all that wait at once
		{model.Pace{Gaps: 9, PartNS: 10, Times: model.Times{WatchedNS: 180, RunningNS: 180}}, true},
	} {
		if got := c.p.Known(); got != c.known {
			t.Errorf("%+v: %v", c.p, got)
		}
	}
	p := model.Pace{Gaps: 9, Times: model.Times{WatchedNS: 180, BlockedNS: map[string]int64{"futex": 90}}}
	before := maps.Clone(p.BlockedNS)
	if each := p.Each(p.BlockedNS["futex"]); each != 10 {
		t.Errorf("each %d", each)
	}
	if p.Plus(p); !maps.Equal(before, p.BlockedNS) {
		t.Error("a sum changes its parts")
	}
}
