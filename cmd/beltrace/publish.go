// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"sync/atomic"
	"time"

	"beltrace/collector/event"
	"beltrace/collector/model"
	"beltrace/collector/probes"
	"beltrace/internal/view"
)

// publisher makes the snapshots that other goroutines look at, when they want one.
type publisher struct {
	make   func(now int64) *model.Snapshot
	latest atomic.Pointer[model.Snapshot]
	wanted atomic.Bool
}

var _ sink = (*publisher)(nil)

// Snapshot returns the newest snapshot and asks for the next.
func (p *publisher) Snapshot() *model.Snapshot {
	p.wanted.Store(true)
	return p.latest.Load()
}

// Add does nothing: an event shows in the next snapshot.
func (p *publisher) Add(*event.Event) error { return nil }

// Tick publishes a snapshot if somebody has asked for one.
func (p *publisher) Tick(now int64) error {
	if p.wanted.Swap(false) {
		p.latest.Store(p.make(now))
	}
	return nil
}

// End publishes the last snapshot, which holds everything.
func (p *publisher) End() error {
	p.latest.Store(p.make(0))
	return nil
}

// headlessPeriod is the time between two snapshots without a terminal.
const headlessPeriod = 5 * time.Second

// printer writes snapshots: from time to time, and the last one.
type printer struct {
	out   io.Writer
	json  bool
	every time.Duration // 0: only the last one
	make  func(now int64) *model.Snapshot
	text  func(io.Writer, *model.Snapshot) error // nil: view.Text
	need  func(set string)                       // nil: nothing can be asked for

	due     int64 // when the next one is
	printed bool
}

var _ sink = (*printer)(nil)

// Add does nothing.
func (p *printer) Add(*event.Event) error { return nil }

// Tick writes a snapshot when one is due. A program may look at any part of one: it needs them all.
func (p *printer) Tick(now int64) error {
	if p.json && p.need != nil {
		p.need(string(probes.Sched))
		p.need(string(probes.Data))
		p.need(string(probes.Loops))
		p.need(string(probes.Readiness))
		p.need(string(probes.Rings))
	}
	if p.every == 0 || now < p.due {
		return nil
	}
	first := p.due == 0
	p.due = now + int64(p.every)
	if first {
		return nil
	}
	return p.print(now)
}

// End writes the last snapshot.
func (p *printer) End() error { return p.print(0) }

func (p *printer) print(now int64) error {
	s := p.make(now)
	if p.json {
		return view.JSON(p.out, s)
	}
	if p.printed {
		if _, err := io.WriteString(p.out, "\n"); err != nil {
			return err
		}
	}
	p.printed = true
	if p.text != nil {
		return p.text(p.out, s)
	}
	return view.Text(p.out, s)
}

// counter ends a run after so many events.
type counter struct{ left uint64 }

var _ sink = (*counter)(nil)

// Add counts what happened; what was there before, and losses, do not count.
func (c *counter) Add(e *event.Event) error {
	if !happened(e) {
		return nil
	}
	if c.left--; c.left == 0 {
		return errEnough
	}
	return nil
}

// Tick does nothing.
func (c *counter) Tick(int64) error { return nil }

// End does nothing.
func (c *counter) End() error { return nil }

// happened reports whether the event is one of the run's own: not a loss, nor something that was there before.
func happened(e *event.Event) bool {
	return e.Kind != event.Lost && e.Kind != event.Watermark && !(e.Known(event.FieldPreExisting) && e.PreExisting)
}
