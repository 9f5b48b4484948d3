// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"beltrace/collector"
	"beltrace/collector/event"
	"beltrace/collector/model"
)

// script is a feed of events that a test gives.
type script struct {
	events chan event.Event
	end    error // after the last event; nil: io.EOF
	once   sync.Once
	done   chan struct{}
	closed chan struct{}
	tick   func(int64) error
}

func newScript(events ...event.Event) *script {
	s := &script{events: make(chan event.Event, len(events)), done: make(chan struct{}), closed: make(chan struct{})}
	for _, e := range events {
		s.events <- e
	}
	return s
}

func (s *script) OnTick(tick func(int64) error) { s.tick = tick }
func (s *script) Stop()                         { s.once.Do(func() { close(s.done) }) }
func (s *script) Close() error                  { s.Stop(); close(s.closed); return nil }

// Next returns the events, then s.end if there is one, and else waits for Stop.
func (s *script) Next(e *event.Event) error {
	select {
	case *e = <-s.events:
		if s.tick != nil {
			return s.tick(e.TS)
		}
		return nil
	default:
	}
	if s.end != nil {
		return s.end
	}
	<-s.done
	return io.EOF
}

func (s *script) run(w *watch) *watch {
	w.Feed, w.Model, w.Now = s, collector.New(collector.Options{}), func() int64 { return 0 }
	return w
}

func connects(n int) []event.Event {
	var out []event.Event
	for i := range n {
		e := event.Event{TS: int64(i + 1), Kind: event.Connect, Conn: uint64(i + 1)}
		out = append(out, *e.Set(event.FieldConn))
	}
	return out
}

// sinkFunc is a sink that looks at each event.
type sinkFunc func(*event.Event) error

func (f sinkFunc) Add(e *event.Event) error { return f(e) }
func (f sinkFunc) Tick(int64) error         { return nil }
func (f sinkFunc) End() error               { return nil }

func TestRunEndsWithItsEvents(t *testing.T) {
	s := newScript(connects(3)...)
	s.end = io.EOF
	w := s.run(&watch{})
	if err := w.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := len(w.Snapshot().Connections); got != 3 {
		t.Errorf("%d connections in the last snapshot, want 3", got)
	}
	select {
	case <-s.closed:
	default:
		t.Error("the source is not closed")
	}
}

// TestRunKeepsWhatWasGood: an error of the source ends the run, after the sinks have had their end.
func TestRunKeepsWhatWasGood(t *testing.T) {
	bad := errors.New("line 5: cut off")
	s := newScript(connects(2)...)
	s.end = bad
	var out strings.Builder
	w := s.run(&watch{})
	w.Sinks = []sink{&printer{out: &out, json: true, make: w.snapshot}}
	if err := w.Run(t.Context()); err != bad {
		t.Errorf("error %v, want %v", err, bad)
	}
	if !strings.Contains(out.String(), `"conn":2`) {
		t.Errorf("printed %q", out.String())
	}
}

func TestRunEndsWithEnough(t *testing.T) {
	s := newScript(connects(5)...)
	seen := 0
	w := s.run(&watch{})
	w.Sinks = []sink{sinkFunc(func(*event.Event) error { seen++; return nil }), &counter{3}}
	if err := w.Run(t.Context()); err != nil || seen != 3 {
		t.Errorf("saw %d events, %v; want 3", seen, err)
	}
}

func TestRunEndsAtItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if err := newScript().run(&watch{Limit: time.Hour}).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != time.Hour {
			t.Errorf("took %v", took)
		}
	})
}

// slowEnd is a feed that takes its time to close.
type slowEnd struct {
	feed
	took time.Duration
}

func (s slowEnd) Close() error {
	time.Sleep(s.took)
	return s.feed.Close()
}

// TestRunSaysThatItsEndTakesLong: once, and only then.
func TestRunSaysThatItsEndTakesLong(t *testing.T) {
	for took, want := range map[time.Duration]int{lingering / 2: 0, 3 * lingering: 1} {
		synctest.Test(t, func(t *testing.T) {
			said := 0
			w := newScript().run(&watch{Limit: time.Hour, Lingers: func() { said++ }})
			w.Feed = slowEnd{w.Feed, took}
			if err := w.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if synctest.Wait(); said != want {
				t.Errorf("said %d times that an end of %v takes long, want %d", said, took, want)
			}
		})
	}
}

// TestRunWaitsForItsJob: a job that is told to end has its time, and is seen to the end.
func TestRunWaitsForItsJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		var cause error
		w := newScript().run(&watch{})
		w.Job = func(ctx context.Context) error {
			<-ctx.Done()
			cause = context.Cause(ctx)
			time.Sleep(4 * time.Second)
			return status(7)
		}
		start := time.Now()
		time.AfterFunc(time.Second, func() { cancel(signalled{syscall.SIGTERM}) })
		err := w.Run(ctx)
		if took := time.Since(start); took != 5*time.Second || err != status(7) {
			t.Errorf("ended after %v with %v, want 5s and status 7", took, err)
		}
		if cause != (signalled{syscall.SIGTERM}) {
			t.Errorf("the job was told %v", cause)
		}
	})
}

func TestRunEndsWithItsJob(t *testing.T) {
	w := newScript(connects(2)...).run(&watch{})
	w.Job = func(context.Context) error { return status(3) }
	if err := w.Run(t.Context()); err != status(3) {
		t.Errorf("error %v, want status 3", err)
	}
}

// TestRunGivesUpOnAStuckOutput: a signal ends the run although nobody takes what is printed.
func TestRunGivesUpOnAStuckOutput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		stuck := make(chan struct{})
		s := newScript(connects(1)...)
		w := s.run(&watch{})
		w.Sinks = []sink{sinkFunc(func(*event.Event) error { <-stuck; return nil })}
		time.AfterFunc(time.Second, func() { cancel(signalled{syscall.SIGINT}) })
		start := time.Now()
		if err := w.Run(ctx); err != errStuck || time.Since(start) != time.Second+patience {
			t.Errorf("ended after %v with %v", time.Since(start), err)
		}
		<-s.closed
		close(stuck)
	})
}

// TestRunTakesItsTimeToEnd: what has happened until a signal is printed, however slowly, as long as something moves.
func TestRunTakesItsTimeToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		seen := 0
		w := newScript(connects(5)...).run(&watch{})
		w.Sinks = []sink{sinkFunc(func(*event.Event) error { seen++; time.Sleep(patience / 2); return nil })}
		time.AfterFunc(time.Second, func() { cancel(signalled{syscall.SIGINT}) })
		if err := w.Run(ctx); err != nil || seen != 5 {
			t.Errorf("saw %d events, %v; want 5", seen, err)
		}
	})
}

// TestRunGivesUpOnAnEndlessSource, with an error that says what it is.
func TestRunGivesUpOnAnEndlessSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		s := newScript()
		w := s.run(&watch{})
		stopped := make(chan struct{})
		w.Feed = endless{s, stopped}
		time.AfterFunc(time.Second, func() { cancel(signalled{syscall.SIGINT}) })
		if err := w.Run(ctx); err != errEndless {
			t.Errorf("ended with %v", err)
		}
		close(stopped)
	})
}

// endless is a feed whose Next does not heed Stop.
type endless struct {
	*script
	stopped chan struct{}
}

func (e endless) Next(*event.Event) error { <-e.stopped; return io.EOF }

func TestPrinterPeriod(t *testing.T) {
	var times []int64
	s := newScript(connects(1)...)
	w := s.run(&watch{})
	p := &printer{out: io.Discard, json: true, every: headlessPeriod}
	p.make = func(now int64) *model.Snapshot { times = append(times, now); return w.snapshot(now) }
	second := int64(time.Second)
	for _, now := range []int64{100 * second, 102 * second, 105 * second, 107 * second, 110*second + 1} {
		if err := p.Tick(now); err != nil {
			t.Fatal(err)
		}
	}
	if len(times) != 2 || times[0] != 105*second || times[1] != 110*second+1 {
		t.Errorf("printed at %v", times)
	}
}
