// SPDX-License-Identifier: Apache-2.0

package view_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"beltrace/collector/model"
	"beltrace/internal/view"
	"beltrace/internal/view/viewtest"
)

// did writes lanes in a line: the thread, and since when it did what.
func did(all []*view.Lane) string {
	names := map[view.Doing]string{view.Unseen: "?", view.Running: "run", view.Others: "others", view.Queued: "queue", view.Either: "either", view.Blocked: "blocked"}
	var out []string
	for _, l := range all {
		running := "-"
		if l.RunningNS.Known {
			running = fmt.Sprint(l.RunningNS.V)
		}
		text := fmt.Sprintf("%d/%s:", l.TID, running)
		for _, p := range l.Parts {
			text += fmt.Sprintf(" %d %s", p.From, strings.TrimSpace(names[p.Does]+" "+p.On))
		}
		if n := len(l.Parts); n > 0 {
			text += fmt.Sprintf(" %d", l.Parts[n-1].To)
		}
		out = append(out, text)
	}
	return strings.Join(out, "; ")
}

// TestLanes: what threads did, from the moments of a request that began at 1000000 and was answered at 2000000.
func TestLanes(t *testing.T) {
	const ms = int64(1e6)
	in := model.Moves{Waking: ms + 10, Runnable: ms + 20, Oncpu: ms + 100, First: ms + 200, Last: ms + 200, TID: 1, LastTID: 1}
	sleeps := []model.Sleep{{Came: ms + 200_000, From: ms + 200_000, Runnable: ms + 300_000, To: ms + 350_000, On: "futex"}}
	ran := func(ns int64) model.Opt[int64] { return model.Some(ns) }
	for _, tt := range []struct {
		name string
		m    model.Moments
		want string
	}{
		{"nobody watched", model.Moments{In: model.Moves{First: ms + 200, Last: ms + 200, TID: 1, LastTID: 1}, Out: model.Moves{First: 2 * ms, Last: 2 * ms, TID: 1, LastTID: 1}}, ""},
		{"one thread", model.Moments{In: in, Out: model.Moves{Oncpu: ms + 350_000, First: 2 * ms, Last: 2 * ms, TID: 1, LastTID: 1}, Sleeps: sleeps, Running: ran(849_800), Runqueue: ran(50_000)},
			"1/849900: 1000000 ? 1000010 blocked 1000020 queue 1000100 run 1200000 blocked futex 1300000 queue 1350000 run 2000000"},
		{"it lost its CPU, nobody saw when", model.Moments{In: in, Out: model.Moves{Oncpu: ms + 900_000, First: 2 * ms, Last: 2 * ms, TID: 1, LastTID: 1}, Sleeps: sleeps, Running: ran(500_000), Runqueue: ran(399_800)},
			"1/500099: 1000000 ? 1000010 blocked 1000020 queue 1000100 run 1000200 either 1200000 blocked futex 1300000 queue 1350000 either 1900000 run 2000000"},
		{"its sum is not known", model.Moments{In: in, Out: model.Moves{Oncpu: ms + 350_000, First: 2 * ms, Last: 2 * ms, TID: 1, LastTID: 1}, Sleeps: sleeps, Runqueue: ran(0)},
			"1/-: 1000000 ? 1000010 blocked 1000020 queue 1000100 run 1000200 either 1200000 blocked futex 1300000 queue 1350000 run 2000000"},
		{"its first sleeps are forgotten", model.Moments{In: in, Out: model.Moves{Oncpu: ms + 350_000, First: 2 * ms, Last: 2 * ms, TID: 1, LastTID: 1}, Sleeps: sleeps, SleepsSince: ms + 200_000, Running: ran(700_000)},
			"1/650100: 1000000 ? 1000010 blocked 1000020 queue 1000100 run 1000200 ? 1200000 blocked futex 1300000 queue 1350000 run 2000000"},
		{"the answer came in two parts", model.Moments{In: in, Out: model.Moves{Oncpu: ms + 100, First: ms + 500, Last: 2 * ms, TID: 1, LastTID: 1}, Running: ran(300)},
			"1/400: 1000000 ? 1000010 blocked 1000020 queue 1000100 run 1000500 ? 2000000"},
		{"it served another one first", model.Moments{In: model.Moves{Oncpu: ms - 50, Runnable: ms - 60, Other: ms + 90, First: ms + 200, Last: ms + 200, TID: 1, LastTID: 1}, Out: model.Moves{Oncpu: ms - 50, First: ms + 500, Last: ms + 500, TID: 1, LastTID: 1}, Running: ran(300)},
			"1/410: 1000000 others 1000090 run 1000500"},
		{"and lost its CPU then", model.Moments{In: model.Moves{Runnable: ms + 30, Waking: ms + 20, Other: ms + 90, Oncpu: ms + 50_000, First: ms + 50_200, Last: ms + 50_200, TID: 1, LastTID: 1}, Out: model.Moves{Oncpu: ms + 50_000, First: ms + 50_500, Last: ms + 50_500, TID: 1, LastTID: 1}, Running: ran(300)},
			"1/-: 1000000 ? 1000020 blocked 1000030 others 1000090 either 1050000 run 1050500"},
		{"for a moment", model.Moments{In: model.Moves{Runnable: ms - 30, Other: ms - 20, Oncpu: ms + 9_000, First: ms + 9_200, Last: ms + 9_200, TID: 1, LastTID: 1}, Out: model.Moves{Oncpu: ms + 9_000, First: ms + 9_500, Last: ms + 9_500, TID: 1, LastTID: 1}, Running: ran(300)},
			"1/500: 1000000 queue 1009000 run 1009500"},
		{"another thread answered", model.Moments{In: in, Out: model.Moves{Waking: ms + 400_000, Runnable: ms + 400_010, Oncpu: ms + 450_000, First: 2 * ms, Last: 2 * ms, TID: 2, LastTID: 2}, Sleeps: []model.Sleep{{Came: ms + 400_100, From: ms + 400_100, Runnable: 2 * ms, To: 2 * ms, On: "recvfrom"}},
			Running: ran(399_900), Runqueue: ran(49_990)},
			"1/400000: 1000000 ? 1000010 blocked 1000020 queue 1000100 run 1400100 blocked recvfrom 2000000; 2/550000: 1000000 ? 1400000 blocked 1400010 queue 1450000 run 2000000"},
		{"of which it ran before it lost its CPU", model.Moments{In: in, Out: model.Moves{Waking: ms + 400_000, Runnable: ms + 400_010, Oncpu: ms + 800_000, First: 2 * ms, Last: 2 * ms, TID: 2, LastTID: 2}, Running: ran(999_800), Runqueue: ran(100_000)},
			"1/999900: 1000000 ? 1000010 blocked 1000020 queue 1000100 run 2000000; 2/499990: 1000000 ? 1400000 blocked 1400010 either 1800000 run 2000000"},
		{"nothing is known of the one that answered", model.Moments{In: in, Out: model.Moves{First: 2 * ms, Last: 2 * ms, TID: 2, LastTID: 2}, Running: ran(999_800)},
			"1/999900: 1000000 ? 1000010 blocked 1000020 queue 1000100 run 2000000; 2/-: 1000000 ? 2000000"},
		{"all of it was told", model.Moments{In: in, Out: model.Moves{Oncpu: ms + 700_000, First: ms + 900_000, Last: 2 * ms, TID: 1, LastTID: 1}, Running: ran(400_000), Sleeps: []model.Sleep{
			{Came: ms - 300, From: ms - 200, Runnable: ms + 20, To: ms + 100, On: "accept4"}, {Came: ms + 100, From: ms + 500_000, Runnable: ms + 500_000, To: ms + 700_000},
			{Came: ms + 700_000, From: ms + 950_000, Runnable: ms + 960_000, To: ms + 960_000, On: "sendto"}, {Came: ms + 960_000, From: 3 * ms, Runnable: 4 * ms, To: 4 * ms, On: "recvfrom"}}},
			"1/789900: 1000000 blocked accept4 1000020 queue 1000100 run 1500000 queue 1700000 run 1950000 blocked sendto 1960000 run 2000000"},
		{"it lost its CPU over and over", model.Moments{In: in, Out: model.Moves{Oncpu: ms + 700_000, First: 2 * ms, Last: 2 * ms, TID: 1, LastTID: 1}, Running: ran(900_000), Sleeps: []model.Sleep{
			{Came: ms + 100, From: ms + 600_100, Runnable: ms + 600_100, To: ms + 700_000, Mixed: true}, {Came: ms + 700_000, From: 3 * ms, Runnable: 4 * ms, To: 4 * ms, On: "recvfrom"}}},
			"1/900014: 1000000 ? 1000010 blocked 1000020 queue 1000100 run 1000200 either 1700000 run 2000000"},
		{"all but one sleep", model.Moments{In: in, Out: model.Moves{Oncpu: ms + 700_000, First: ms + 900_000, Last: 2 * ms, TID: 1, LastTID: 1}, Running: ran(100_000), Sleeps: []model.Sleep{
			{Came: ms + 100, From: ms + 200_000, Runnable: ms + 300_000, To: ms + 400_000, On: "futex"}, {Came: ms + 700_000, From: ms + 950_000, Runnable: ms + 960_000, To: ms + 960_000, On: "sendto"}}},
			"1/449900: 1000000 ? 1000010 blocked 1000020 queue 1000100 run 1200000 blocked futex 1300000 queue 1400000 either 1700000 run 1950000 blocked sendto 1960000 ? 2000000"},
		{"all of two threads", model.Moments{In: in, Out: model.Moves{Waking: ms + 600_000, Runnable: ms + 600_000, Oncpu: ms + 600_000, Other: ms + 200_000, First: 2 * ms, Last: 2 * ms, TID: 2, LastTID: 2}, Running: ran(299_800), Runqueue: ran(100_000),
			Sleeps:    []model.Sleep{{Came: ms + 100, From: ms + 300_000, Runnable: 2 * ms, To: 2 * ms, On: "recvfrom"}},
			OutSleeps: []model.Sleep{{Came: ms - 9, From: ms + 290_000, Runnable: ms + 310_000, To: ms + 310_000, On: "read"}, {Came: ms + 310_000, From: ms + 500_000, Runnable: ms + 600_000, To: ms + 600_000, On: "futex"}}},
			"1/299900: 1000000 ? 1000010 blocked 1000020 queue 1000100 run 1300000 blocked recvfrom 2000000; 2/680000: 1000000 others 1200000 run 1290000 blocked read 1310000 run 1500000 blocked futex 1600000 run 2000000"},
		{"no answer", model.Moments{In: in}, "1/100: 1000000 ? 1000010 blocked 1000020 queue 1000100 run 1000200"},
		{"threads without a number", model.Moments{In: model.Moves{Oncpu: ms, First: ms + 200, Last: ms + 200}}, ""},
	} {
		if got := did(view.Lanes(&model.Exchange{Start: ms, TS: 2 * ms, TotalNS: model.Some(ms), Moments: tt.m})); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

// TestAnyLanes: whatever the moments are, a lane is without gaps, begins with the request, and no longer than its last moment.
func TestAnyLanes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	at := func() int64 { return r.Int64N(400) * min(1, r.Int64N(4)) }
	opt := func() model.Opt[int64] { return model.Opt[int64]{V: r.Int64N(300), Known: r.IntN(2) > 0} }
	moves := func() model.Moves {
		return model.Moves{Waking: at(), Runnable: at(), Oncpu: at(), Other: at(), Called: at(), First: at(), Last: at(), TID: r.Uint32N(4), LastTID: r.Uint32N(4)}
	}
	for range 20_000 {
		x := model.Exchange{Start: 100, TS: 400, TotalNS: model.Some[int64](300), Moments: model.Moments{In: moves(), Out: moves(), SleepsSince: at(), Running: opt(), Runqueue: opt()}}
		for _, all := range []*[]model.Sleep{&x.Moments.Sleeps, &x.Moments.OutSleeps} {
			for from := at(); r.IntN(3) > 0; from = (*all)[len(*all)-1].To + at() {
				runnable := from + at()/4
				*all = append(*all, model.Sleep{Came: from - at()/4, From: from, Runnable: runnable, To: runnable + at()/4, On: "futex"})
			}
		}
		for _, l := range view.Lanes(&x) {
			from := x.Start
			for _, p := range l.Parts {
				if p.From != from || p.To <= p.From || p.To > x.TS {
					t.Fatalf("%+v: %s", x.Moments, did([]*view.Lane{l}))
				}
				from = p.To
			}
			if l.RunningNS.Known && l.RunningNS.V < 0 {
				t.Fatalf("%+v: it ran for %d", x.Moments, l.RunningNS.V)
			}
		}
	}
}

// TestLaneLinks: Enter leads from each thread of a request to what it did, and what is drawn is as wide as the phases are.
func TestLaneLinks(t *testing.T) {
	s := viewtest.Relayed()
	for _, width := range []int{80, 120, 200} {
		d, _ := view.Open(view.Input{Snap: s}, view.Key{Kind: view.ExchangeRecord, ID: s.Exchanges[0].Conn, Name: "1"}, width)
		lanes := map[view.Key]bool{}
		for _, l := range d.Lines {
			if l.Link.Kind == view.LaneRecord {
				lanes[l.Link] = true
			}
			if l.Line.Width() >= width {
				t.Errorf("%d columns of %d: %s", l.Line.Width(), width, l.Line)
			}
		}
		for key := range lanes {
			if d, ok := view.Open(view.Input{Snap: s}, key, width); !ok || len(d.Lines) < 4 {
				t.Errorf("%v opens %v", key, d)
			}
			if title, text := view.ExplainRecord(view.Input{Snap: s}, key); !strings.HasPrefix(title, "tid ") || text == "" {
				t.Errorf("%v explains %q: %q", key, title, text)
			}
		}
		if len(lanes) != 2 {
			t.Errorf("lanes of %d threads at %d columns", len(lanes), width)
		}
	}
}
