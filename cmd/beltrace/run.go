// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"beltrace/collector"
	"beltrace/collector/event"
	"beltrace/collector/model"
	"beltrace/tui"
)

// sink is a consumer of events. Its methods are called on the goroutine that owns the model.
type sink interface {
	// Add takes an event that the model has completed. errEnough ends the run as it should end.
	Add(e *event.Event) error
	// Tick comes several times a second; everything up to now has been added.
	Tick(now int64) error
	// End comes after the last event.
	End() error
}

// fileSink is a sink that may write to a regular file, which takes what it takes. A reader may take nothing for ever.
type fileSink interface {
	sink
	ToFile() bool
}

// toFile reports whether the sink writes to a regular file.
func toFile(s sink) bool {
	f, ok := s.(fileSink)
	return ok && f.ToFile()
}

// errEnough is returned by a sink that has all the events that it was to have.
var errEnough = errors.New("enough")

// watch is one run: where the events come from and who gets them. Fill it in and call Run once.
type watch struct {
	Feed  feed
	Model *collector.Collector
	// Cost says what watching costs; nil: nothing that could be said.
	Cost func() (model.Cost, bool)
	// Sets names the probe sets that are attached now; nil: those that the model has.
	Sets func() []string
	// Sampling is 1 in how many connections exchanges are told of; nil: of all.
	Sampling func() uint32
	// Lingers is called when the feed takes long to close; nil: nothing is.
	Lingers func()
	// Now is the clock of the events. It may stand still: the model's time is never before its newest event.
	Now   func() int64
	Sinks []sink
	Limit time.Duration // ends the run; 0: nothing does

	// Dashboard, if there is one, is shown until the user quits. Its snapshots come from this run.
	Dashboard *tui.Options
	// Stay keeps the dashboard when the events are over.
	Stay bool
	// Job is what is watched, if we start it ourselves. The run ends after it, unless there is a dashboard; when the
	// run ends first, its context ends with the same cause, and it is waited for. Nil: nothing is started.
	Job func(context.Context) error

	latest publisher
	steps  atomic.Uint64 // odd: the sinks are at work
}

// Snapshot returns the newest snapshot and asks for a newer one; nil before the first. Any goroutine may call it.
func (w *watch) Snapshot() *model.Snapshot { return w.latest.Snapshot() }

// Run collects until the events, the time, the job or the user end it, or ctx does. Every goroutine that lives as long
// as a run is started here, and has ended when it returns (but for errStuck and errEndless); so has everything that was attached.
func (w *watch) Run(ctx context.Context) error {
	defer w.close()
	w.latest.make = w.snapshot
	w.Sinks = append(w.Sinks, &w.latest)
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)

	var g errgroup.Group
	var collected, worked, shown error // each is written by one goroutine, and read when all have ended
	collecting, working, showing := make(chan struct{}), make(chan struct{}), make(chan struct{})
	g.Go(func() error { defer close(collecting); collected = w.collect(); return nil })
	g.Go(func() error { defer close(working); worked = w.work(ctx); return nil })
	g.Go(func() error { defer close(showing); shown = w.show(ctx); return nil })
	w.await(ctx, collecting, working, showing)
	end(context.Cause(ctx))
	<-working // it may still have something to do that should be seen
	w.Feed.Stop()
	if err := w.within(ctx, collecting); err != nil {
		return err
	}
	g.Wait()
	return first(collected, shown, worked)
}

// lingering is how long the end may take before it is said why.
const lingering = time.Second

// close closes the feed.
func (w *watch) close() {
	if w.Lingers != nil {
		defer time.AfterFunc(lingering, w.Lingers).Stop()
	}
	w.Feed.Close()
}

// patience is how long after a signal the run may stand still. While events go through, or a file is written, it may take
// what it takes.
const patience = 3 * time.Second

// errStuck: the write that holds up the end cannot be interrupted, but for the end of the process.
var errStuck = errors.New("standard output takes nothing: the last lines are not written")

// errEndless: the source of events yields none, and does not end.
var errEndless = errors.New("the source of events does not end")

// within waits for done, but once a signal has come only as long as something moves.
func (w *watch) within(ctx context.Context, done <-chan struct{}) error {
	var got signalled
	if !errors.As(context.Cause(ctx), &got) {
		<-done
		return nil
	}
	for {
		before := w.steps.Load()
		select {
		case <-done:
			return nil
		case <-time.After(patience):
		}
		switch now := w.steps.Load(); {
		case now != before:
		case now%2 == 1 && slices.ContainsFunc(w.Sinks, toFile):
		case now%2 == 1:
			return errStuck
		default:
			return errEndless
		}
	}
}

// first returns the first error that is one.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// await returns when the run is to end.
func (w *watch) await(ctx context.Context, collecting, working, showing <-chan struct{}) {
	var limit <-chan time.Time
	if w.Limit > 0 {
		t := time.NewTimer(w.Limit)
		defer t.Stop()
		limit = t.C
	}
	if w.Dashboard == nil {
		showing = nil
	}
	if w.Job == nil || w.Dashboard != nil {
		working = nil
	}
	if w.Stay && w.Dashboard != nil {
		collecting = nil
	}
	select {
	case <-ctx.Done():
	case <-limit:
	case <-working:
	case <-showing:
	case <-collecting:
	}
}

func (w *watch) work(ctx context.Context) error {
	if w.Job == nil {
		return nil
	}
	return w.Job(ctx)
}

func (w *watch) show(ctx context.Context) error {
	if w.Dashboard == nil {
		return nil
	}
	w.Dashboard.Snapshots = w.Snapshot
	// Five snapshots a second are soon garbage: collecting them earlier keeps a third of the memory.
	defer debug.SetGCPercent(debug.SetGCPercent(60))
	return tui.Run(ctx, *w.Dashboard)
}

// collect owns the model: it takes in every event and hands it on.
func (w *watch) collect() error {
	w.Feed.OnTick(w.tick)
	var e event.Event
	var err error
	for err == nil {
		if err = w.Feed.Next(&e); err == nil {
			w.Model.Add(&e)
			err = w.add(&e)
			for _, d := range w.Model.Derived() {
				if err == nil {
					err = w.add(&d)
				}
			}
		}
	}
	if err == io.EOF || errors.Is(err, errEnough) {
		err = nil
	}
	w.steps.Add(1)
	defer w.steps.Add(1)
	for _, s := range w.Sinks {
		if end := s.End(); err == nil {
			err = end
		}
	}
	return err
}

func (w *watch) add(e *event.Event) error {
	w.steps.Add(1)
	defer w.steps.Add(1)
	for _, s := range w.Sinks {
		if err := s.Add(e); err != nil {
			return err
		}
	}
	return nil
}

func (w *watch) tick(now int64) error {
	w.steps.Add(1)
	defer w.steps.Add(1)
	for _, s := range w.Sinks {
		if err := s.Tick(now); err != nil {
			return err
		}
	}
	return nil
}

// snapshot makes a snapshot; now is 0 after the last event. Only sinks may call it.
func (w *watch) snapshot(now int64) *model.Snapshot {
	if now == 0 {
		now = w.Now()
	}
	s := w.Model.Snapshot(now)
	if w.Cost != nil {
		if c, ok := w.Cost(); ok {
			s.Cost = model.Some(c)
		}
	}
	if w.Sets != nil {
		s.Sets = w.Sets()
	}
	if w.Sampling != nil {
		s.Sampling = w.Sampling()
	}
	return s
}
