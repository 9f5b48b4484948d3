// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

func phaseWords(p *partition) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(p.phases)) {
		out = append(out, fmt.Sprintf("%s=%d", name, p.phases[name]))
	}
	return strings.Join(out, " ")
}

// TestApplication: what the sums and the sleeps of the threads say of the time between the request and its answer.
func TestApplication(t *testing.T) {
	asleep := map[uint32][]sleep{1: {{from: 30, runnable: 60, to: 65, on: "futex"}, {from: 70, runnable: 80, to: 80, on: "poll"}}}
	own := map[uint32][]sleep{1: {{from: 30, runnable: 60, to: 65, on: "epoll_wait", conn: 5}, {from: 70, runnable: 80, to: 80, on: "poll", conn: 6}}}
	for _, tt := range []struct {
		name   string
		sleeps map[uint32][]sleep
		out    moves
		want   string
		by     string
	}{
		{"sums and sleeps", asleep, moves{tid: 1, ran: true, running: 50, runqueue: 10}, "app.blocked:futex=30 app.blocked:poll=10 app.runqueue=10 app.running=50", byThread},
		{"a sleep was not told", asleep, moves{tid: 1, ran: true, running: 20, runqueue: 10}, "app.blocked:futex=30 app.blocked:poll=10 app.blocked:unknown=30 app.runqueue=10 app.running=20", byThread},
		{"sleeps alone", asleep, moves{tid: 1}, "app.blocked:futex=30 app.blocked:poll=10 app.runqueue=5 app.running=55", byThread},
		{"another one wakes up", asleep, moves{tid: 2, oncpu: 90, runnable: 85, ran: true, running: 30, runqueue: 5}, "app.blocked:futex=55 app.runqueue=5 app.running=40", byGuess},
		{"another one was awake", asleep, moves{tid: 2, oncpu: 5, runnable: 4, ran: true, running: 30}, "app.running=100", byGuess},
		{"another one served others", asleep, moves{tid: 2, oncpu: 5, runnable: 4, other: 95, ran: true, running: 30}, "app.running=35 unobserved=65", byGuess},
		{"the reader served others", asleep, moves{tid: 2, oncpu: 5, runnable: 90}, "app.running=10 unobserved=90", byGuess},
		{"the reader answered others before it slept", own, moves{tid: 2, oncpu: 5, runnable: 90}, "app.blocked:epoll_wait=60 app.running=10 unobserved=30", byGuess},
		{"the reader had read another request before it slept", map[uint32][]sleep{1: {{from: 30, runnable: 60, to: 65, on: "futex", conn: 6}}}, moves{tid: 2, oncpu: 5, runnable: 90}, "app.running=10 unobserved=90", byGuess},
		{"both served others", own, moves{tid: 2, oncpu: 5, runnable: 4, other: 95}, "app.running=5 unobserved=95", byGuess},
		{"the reader did not sleep", nil, moves{tid: 2, oncpu: 90, runnable: 90, ran: true, running: 80}, "app.runqueue=10 app.running=90", byGuess},
		{"nothing known of it", asleep, moves{tid: 2}, "unobserved=100", byStream},
	} {
		c := New(Options{})
		for tid, all := range tt.sleeps {
			for _, s := range all {
				c.sleeps.thread(tid).add(sleep{from: s.from, runnable: s.from + 1, to: s.from + 1, on: s.on, conn: s.conn}) // told before it ended
				c.sleeps.thread(tid).add(s)
			}
		}
		tt.out.first = 100
		p := newPartition(0, 100)
		by := c.application(p, 5, &ask{in: moves{oncpu: -1, lastTID: 1}, out: tt.out})
		if got := phaseWords(p); got != sortWords(tt.want) || by != tt.by {
			t.Errorf("%s: %s (%s)\nwant %s (%s)", tt.name, got, by, sortWords(tt.want), tt.by)
		}
	}
}

func sortWords(s string) string {
	words := strings.Fields(s)
	slices.Sort(words)
	return strings.Join(words, " ")
}

// TestSleepsAreBounded: the last sleeps of the last threads stay.
func TestSleepsAreBounded(t *testing.T) {
	var s sleeps
	for tid := range uint32(10 * maxSleepers) {
		for i := range int64(3) {
			s.thread(tid).add(sleep{from: i, to: i + 1})
		}
		if n := len(s.young) + len(s.old); n > maxSleepers {
			t.Fatalf("sleeps of %d threads", n)
		}
	}
	last := uint32(10*maxSleepers - 1)
	for i := range int64(2 * maxSleeps) {
		s.thread(last).add(sleep{from: 10 * i, to: 10*i + 5})
	}
	all, since := s.in(last, 0, 1<<40)
	if len(all) != maxSleeps || since != 10*maxSleeps || all[0].from != 10*maxSleeps {
		t.Errorf("%d sleeps, all since %v, first %+v", len(all), since, all[0])
	}
	if _, since := s.in(last, 10*maxSleeps, 1<<40); since != 0 {
		t.Error("more sleeps than there were since the first one that is kept")
	}
}

// TestLostCPUs: a thread that loses its CPU over and over takes no room for each time, and its sums stay right.
func TestLostCPUs(t *testing.T) {
	const n, ran, waited = 1000, 70_000, 10_000
	var s sleeps
	for i := range int64(n) {
		came := i * (ran + waited)
		s.thread(1).add(sleep{came: came, from: came + ran, runnable: came + ran, to: came + ran + waited})
	}
	end := int64(n * (ran + waited))
	s.thread(1).add(sleep{came: end, from: end + ran, runnable: end + 2*ran, to: end + 2*ran, on: "futex"})
	all, since := s.in(1, 0, 2*end)
	var on, off int64
	for _, x := range all[:len(all)-1] {
		on, off = on+x.from-x.came, off+x.to-x.runnable
	}
	if on != n*ran || off != n*waited || since != 0 || len(all) > n/10 {
		t.Errorf("on a CPU for %d, waited for one for %d, in %d times since %d", on, off, len(all), since)
	}
	if last := all[len(all)-1]; last.came != end || last.on != "futex" || last.mixed {
		t.Errorf("the sleep after them: %+v", last)
	}
	for i := range int64(maxSleeps) { // each for long: nothing is put together
		came := 3*end + i*int64(2*flutter)
		s.thread(2).add(sleep{came: came, from: came + flutter, runnable: came + flutter, to: came + 2*flutter})
	}
	if all, _ := s.in(2, 0, 1<<40); len(all) != maxSleeps || all[0].mixed {
		t.Errorf("%d long times off a CPU, first %+v", len(all), all[0])
	}
}
