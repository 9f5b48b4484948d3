// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"beltrace/collector/event"
)

// list is a source of given events.
type list struct {
	events []event.Event
	closed bool
}

func (l *list) Next(e *event.Event) error {
	if len(l.events) == 0 || l.closed {
		return io.EOF
	}
	*e, l.events = l.events[0], l.events[1:]
	return nil
}
func (l *list) Close() error { l.closed = true; return nil }
func (l *list) Stop()        { l.events = nil }

func at(times ...time.Duration) *list {
	l := &list{}
	for i, d := range times {
		e := event.Event{TS: int64(d), Kind: event.Connect, Conn: uint64(i + 1)}
		l.events = append(l.events, *e.Set(event.FieldConn))
	}
	return l
}

// arrivals reads a feed and returns when each event came, from the start.
func arrivals(t *testing.T, f feed) []time.Duration {
	t.Helper()
	start := time.Now()
	var got []time.Duration
	var e event.Event
	for {
		err := f.Next(&e)
		if err == io.EOF {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, time.Since(start).Round(time.Millisecond))
	}
}

func TestReplayFeedPaces(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		name  string
		start time.Duration
		speed float64
		limit time.Duration
		want  []time.Duration
	}{
		{"as it happened", 10 * s, 1, 0, []time.Duration{0, 2 * s, 7 * s}},
		{"twice as fast", 10 * s, 2, 0, []time.Duration{0, s, 3500 * time.Millisecond}},
		{"from the recording's start", 9 * s, 1, 0, []time.Duration{s, 3 * s, 8 * s}},
		{"no start known", 0, 1, 0, []time.Duration{0, 2 * s, 7 * s}},
		{"a start after the events", 99 * s, 1, 0, []time.Duration{0, 2 * s, 7 * s}},
		{"at once", 10 * s, 0, 0, []time.Duration{0, 0, 0}},
		{"the first seconds", 10 * s, 1, 3 * s, []time.Duration{0, 2 * s}},
		{"the first seconds at once", 10 * s, 0, 3 * s, []time.Duration{0, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newReplayFeed(at(10*s, 12*s, 17*s), int64(c.start), c.speed, c.limit)
				if got := arrivals(t, f); !slices.Equal(got, c.want) {
					t.Errorf("events came at %v, want %v", got, c.want)
				}
			})
		})
	}
}

// TestReplayFeedTicks: the dashboard moves while nothing happens.
func TestReplayFeedTicks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newReplayFeed(at(time.Second, 2*time.Second), 0, 1, 0)
		var ticks []int64
		f.OnTick(func(now int64) error { ticks = append(ticks, now); return nil })
		arrivals(t, f)
		if len(ticks) < 15 || !slices.IsSorted(ticks) || ticks[len(ticks)-1] > int64(2*time.Second) {
			t.Errorf("%d ticks in a second: %v", len(ticks), ticks)
		}
	})
}

func TestReplayFeedStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newReplayFeed(at(time.Second, time.Hour), 0, 1, 0)
		time.AfterFunc(time.Minute, f.Stop)
		start := time.Now()
		if got := arrivals(t, f); len(got) != 1 || time.Since(start) != time.Minute {
			t.Errorf("%d events in %v", len(got), time.Since(start))
		}
	})
}

// TestLiveFeedTicks: a tick comes when everything before it has been delivered, and not before.
func TestLiveFeedTicks(t *testing.T) {
	mark := func(ts int64) event.Event { return event.Event{TS: ts, Kind: event.Watermark} }
	conn := func(ts int64) event.Event { return event.Event{TS: ts, Kind: event.Connect} }
	src := &list{events: []event.Event{conn(3), conn(1), mark(5), conn(6), mark(10), mark(20), conn(21)}}
	f := newLiveFeed(src)
	var got []int64 // events, and ticks as negative numbers
	f.OnTick(func(now int64) error { got = append(got, -now); return nil })
	var e event.Event
	for f.Next(&e) == nil {
		got = append(got, e.TS)
	}
	if want := []int64{1, 3, -5, 6, -10, 21}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	f.Stop()
	if err := f.Close(); err != nil || !src.closed {
		t.Errorf("close: %v, closed %v", err, src.closed)
	}
}
