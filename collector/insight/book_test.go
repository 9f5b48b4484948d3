// SPDX-License-Identifier: Apache-2.0

package insight

import (
	"strings"
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

// TestFullUntilClosed: of a listener that has closed it is told that its queue was full, once it was seen or somebody was
// refused, and nothing of clients to come.
func TestFullUntilClosed(t *testing.T) {
	for _, c := range []struct {
		name              string
		opened            int // moments in which it was seen with a full queue
		depth             uint32
		unknown           uint64
		severity, refused string
	}{
		{"full", 2, 9, 0, model.Warning, ""},
		{"full and refused", 2, 9, 7, model.Critical, "7 refused"},
		{"never seen", 0, 9, 7, model.Critical, "7 refused"},
		{"never seen, nobody refused", 0, 9, 0, model.Warning, ""},
		{"refused for another reason", 0, 8, 7, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var g Engine
			ts := int64(0)
			tick := func(state string) {
				ts += int64(Period)
				s := withQueue(ts, 1, c.depth)
				s.Listeners[0].State = state
				if state == model.StateClosed && c.unknown > 0 {
					s.Listeners[0].SYNDrops = map[string]uint64{unknown: c.unknown}
				}
				g.Tick(s)
			}
			for range c.opened {
				tick(model.StateListening)
			}
			tick(model.StateClosed)
			for range 60 {
				f := find(g.Findings(), "accept-queue-full")
				if c.severity == "" {
					if f != nil {
						t.Fatalf("found %+v", f)
					}
					return
				}
				if f == nil || f.Severity != c.severity || !strings.Contains(f.Text, "was full, until the listener closed; the backlog was 8") ||
					!strings.Contains(f.Text, c.refused) || strings.Contains(f.Text, "will be") {
					t.Fatalf("found %+v", f)
				}
				tick(model.StateClosed)
			}
			if f := g.Findings()[0]; !f.Until.Known || len(g.Findings()) != 1 {
				t.Errorf("it holds for ever: %+v", g.Findings())
			}
		})
	}
}

// TestForecastCameTrue: the forecast that a queue will be full ends when it is.
func TestForecastCameTrue(t *testing.T) {
	var g Engine
	ts := int64(0)
	for depth := uint32(1); depth <= 9; depth++ {
		ts += int64(Period)
		g.Tick(withQueue(ts, 1, depth))
	}
	f, full := find(g.Findings(), "accept-queue-filling"), find(g.Findings(), "accept-queue-full")
	if full == nil || full.Until.Known || f == nil || f.Until != model.Some(ts-int64(Period)) {
		t.Errorf("the queue is full: %+v, and will be: %+v", full, f)
	}
}

// TestNothingIsForetoldOfThePast: what will come of something is told while it holds, not in the seconds after, nor when
// it has ended.
func TestNothingIsForetoldOfThePast(t *testing.T) {
	growing := []uint32{1, 2, 3, 4, 5, 6, 7}
	for _, c := range []struct {
		id, holds, after string
		depths           []uint32 // the queue's, until it holds; then it is empty
	}{
		{"accept-queue-filling", "is full in", "was to be full in", growing},
		{"accept-queue-filling", "settles at", "was to settle at", []uint32{1, 3, 5, 6, 6, 7, 7}},
		{"accept-queue-full", "accept queue full: 9 wait", "accept queue full: 9 wait", []uint32{9}},
	} {
		var g Engine
		ts := int64(0)
		tick := func(depth uint32) *model.Finding {
			ts += int64(Period)
			g.Tick(withQueue(ts, 1, depth))
			return find(g.Findings(), c.id)
		}
		var f *model.Finding
		for _, depth := range c.depths {
			f = tick(depth)
		}
		if f == nil || !strings.Contains(f.Text, c.holds) {
			t.Fatalf("%s: while it holds: %+v", c.id, f)
		}
		ended := false
		for range 12 {
			f = tick(0)
			if f == nil || !strings.Contains(f.Text, c.after) || strings.Contains(f.Text, "will be") || strings.Contains(f.Text, "present") {
				t.Fatalf("%s: when it is past: %+v", c.id, f)
			}
			ended = f.Until.Known
		}
		if !ended {
			t.Errorf("%s: it holds for ever: %+v", c.id, f)
		}
	}
}

// TestWhatStandsIsHeldByHalf: a finding is held by half of its limit, not begun by it; and what is below half ends it.
func TestWhatStandsIsHeldByHalf(t *testing.T) {
	for _, c := range []struct {
		v, limit                       float64
		begins, held, within, standing bool
	}{
		{10, 10, true, true, true, true},
		{9, 10, false, true, true, true},
		{5, 10, false, true, true, true},
		{4.9, 10, false, false, true, true},
		{20, 10, true, true, false, true},
		{20.1, 10, true, true, false, false},
	} {
		if begins, held := standing(false).reaches(c.v, c.limit), standing(true).reaches(c.v, c.limit); begins != c.begins || held != c.held {
			t.Errorf("%g reaches %g: begins %t, held %t", c.v, c.limit, begins, held)
		}
		if begins, held := standing(false).within(c.v, c.limit), standing(true).within(c.v, c.limit); begins != c.within || held != c.standing {
			t.Errorf("%g is within %g: begins %t, held %t", c.v, c.limit, begins, held)
		}
	}
}

// TestChanceIsNotTold: where a rule has evidence hold, what is gone before is not told, and no severity that is.
func TestChanceIsNotTold(t *testing.T) {
	rule := place(acceptQueueFilling.id)
	if hold := rules[rule].hold; hold != 2*Period {
		t.Fatalf("it holds for %s", hold)
	}
	var b book
	for i, c := range []struct{ is, told string }{
		{"note", ""}, {"note", ""}, {"", ""}, // gone too soon
		{"note", ""}, {"note", ""}, {"note", "note"},
		{"warning", "note"}, {"warning", "note"}, {"note", "note"}, // so is this
		{"warning", "note"}, {"warning", "note"}, {"warning", "warning"}, {"", "warning"},
	} {
		var all []found
		if c.is != "" {
			all = []found{{key: key{rule: rule, id: 1}, Finding: model.Finding{ID: acceptQueueFilling.id, Severity: c.is, Text: c.is}}}
		}
		b.update(int64(i+1)*int64(Period), all)
		told := ""
		for _, f := range b.list() {
			told += f.Severity
			if f.Text != f.Severity {
				t.Errorf("at %d: a %s says %q", i, f.Severity, f.Text)
			}
		}
		if told != c.told || bool(b.stands(key{rule: rule, id: 1})) != (told != "") {
			t.Errorf("at %d: told %q, not %q", i, told, c.told)
		}
	}
}
