// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"beltrace/demos/demo"
)

// lessonPlayer runs a demo below the dashboard, and its client again when it is asked to.
type lessonPlayer struct {
	run   *demoRunner
	watch func(pid uint32) error // adds a client to what is watched
	again chan struct{}          // holds one wish
}

func newLessonPlayer(run *demoRunner, watch func(pid uint32) error) *lessonPlayer {
	return &lessonPlayer{run: run, watch: watch, again: make(chan struct{}, 1)}
}

// Play starts the server and runs client after client until ctx ends. A child that fails ends it.
func (p *lessonPlayer) Play(ctx context.Context) error {
	r := p.run
	if err := r.Serve(ctx); err != nil {
		return err
	}
	if err := r.Drive(); err != nil {
		return err
	}
	ended := r.client.Ended
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.server.Ended:
			return r.died(r.server)
		case <-ended:
			if r.client.err != nil {
				return r.died(r.client)
			}
			r.state.End(demo.Now())
			ended = nil
		case <-p.again:
			r.client.Stop()
			if err := r.prepare(); err != nil {
				return err
			}
			if err := p.watch(uint32(r.client.PID)); err != nil {
				return err
			}
			if err := r.Drive(); err != nil {
				return err
			}
			ended = r.client.Ended
		}
	}
}

// wish asks for another run; one that is asked for already is enough.
func (p *lessonPlayer) wish() {
	select {
	case p.again <- struct{}{}:
	default:
	}
}
