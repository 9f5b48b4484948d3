// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"sync"
	"time"

	"beltrace/collector"
	"beltrace/collector/event"
)

// feed is where a run's events come from, in order.
type feed interface {
	event.Source
	// Stop makes Next return io.EOF after what happened up to now. Any goroutine may call it.
	Stop()
	// OnTick sets what is called, from within Next, several times a second, whether there are events or not. Every
	// event up to now has been returned by then. It is called before the first Next.
	OnTick(tick func(now int64) error)
}

// stopper is a source of live events, which ends with what has happened when it is stopped.
type stopper interface {
	event.Source
	Stop()
}

// liveFeed orders the events of a live session. Its ticks are the session's watermarks.
type liveFeed struct {
	event.Source
	live  stopper
	marks *watermarks
}

// newLiveFeed returns a feed of the source, which yields watermarks.
func newLiveFeed(src stopper) *liveFeed {
	marks := &watermarks{Source: src}
	return &liveFeed{collector.Ordered(marks), src, marks}
}

func (f *liveFeed) OnTick(tick func(int64) error) { f.marks.tick = tick }
func (f *liveFeed) Stop()                         { f.live.Stop() }

// watermarks watches the watermarks go by, on their way to what orders the events.
type watermarks struct {
	event.Source
	tick   func(int64) error
	passed int64 // the last watermark: what it released has been delivered when the next one comes
}

func (w *watermarks) Next(e *event.Event) error {
	if err := w.Source.Next(e); err != nil || e.Kind != event.Watermark {
		return err
	}
	passed := w.passed
	w.passed = e.TS
	if passed == 0 || w.tick == nil {
		return nil
	}
	return w.tick(passed)
}

// pacePeriod is how often a paced replay ticks while no event is due.
const pacePeriod = 50 * time.Millisecond

// replayFeed yields the events of a recording, as fast as they can be read or as they happened.
type replayFeed struct {
	src   event.Source
	speed float64                 // 1: as it happened; 0: as fast as possible
	pick  func(*event.Event) bool // nil: every event
	limit int64                   // ns of the recording that are shown; 0: all
	first int64                   // when it began, ns on the recording's clock
	began time.Time
	last  time.Time // when it ticked
	tick  func(int64) error
	once  sync.Once
	done  chan struct{}
}

// newReplayFeed returns a feed of the recording, which began at start (0: at its first event that was not there before).
func newReplayFeed(src event.Source, start int64, speed float64, limit time.Duration) *replayFeed {
	return &replayFeed{src: collector.Ordered(src), speed: speed, first: start, limit: int64(limit), done: make(chan struct{})}
}

func (f *replayFeed) OnTick(tick func(int64) error) { f.tick = tick }

// Stop also ends a read that waits: a recording may be a pipe.
func (f *replayFeed) Stop() { f.once.Do(func() { close(f.done); f.src.Close() }) }

// Close ends the reading.
func (f *replayFeed) Close() error {
	f.Stop()
	return nil
}

func (f *replayFeed) Next(e *event.Event) error {
	select {
	case <-f.done:
		return io.EOF
	default:
	}
	if err := f.read(e); err != nil {
		return err
	}
	if e.Known(event.FieldPreExisting) && e.PreExisting {
		return nil
	}
	if f.first == 0 || f.first > e.TS {
		f.first = e.TS
	}
	if f.limit > 0 && e.TS-f.first > f.limit {
		f.Stop()
		return io.EOF
	}
	if f.speed <= 0 {
		return nil
	}
	return f.await(e.TS)
}

// read returns the next event that was asked for.
func (f *replayFeed) read(e *event.Event) error {
	for {
		if err := f.src.Next(e); err != nil {
			return err
		}
		if f.pick == nil || f.pick(e) {
			return nil
		}
	}
}

// await returns when the recording's clock shows ts.
func (f *replayFeed) await(ts int64) error {
	if f.began.IsZero() {
		f.began = time.Now()
	}
	for {
		now := f.first + int64(float64(time.Since(f.began))*f.speed)
		if f.tick != nil && time.Since(f.last) >= pacePeriod {
			f.last = time.Now()
			if err := f.tick(min(now, ts)); err != nil {
				return err
			}
		}
		if now >= ts {
			return nil
		}
		select {
		case <-f.done:
			return io.EOF
		case <-time.After(min(pacePeriod, time.Duration(float64(ts-now)/f.speed)+1)):
		}
	}
}
