// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"beltrace/collector/model"
	"beltrace/demos/demo"
	"beltrace/tui"
)

// lessonPlayer shows a demo's lesson beside the dashboard and runs the client again when it is asked to.
type lessonPlayer struct {
	run    *demoRunner
	latest func() *model.Snapshot
	watch  func(pid uint32) error // adds a client to what is watched
	again  chan struct{}          // holds one wish
	step   int                    // used by the user interface only
}

func newLessonPlayer(run *demoRunner, latest func() *model.Snapshot, watch func(pid uint32) error) *lessonPlayer {
	return &lessonPlayer{run: run, latest: latest, watch: watch, again: make(chan struct{}, 1)}
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

// View is the page of the lesson that the dashboard shows now.
func (p *lessonPlayer) View() *tui.LessonView {
	snap := p.latest()
	if snap == nil {
		return nil
	}
	lesson := &p.run.demo.Lesson
	step := &lesson.Steps[p.step]
	v := &tui.LessonView{
		Title: step.Title, Step: p.step + 1, Steps: len(lesson.Steps), Text: step.Text, Page: step.Page,
		Next:  func() { p.step = min(p.step+1, len(lesson.Steps)-1) },
		Prev:  func() { p.step = max(p.step-1, 0) },
		Again: p.wish,
	}
	_, claims := p.run.Judge(snap)
	for _, c := range claims {
		if c.step == p.step {
			v.Claims = append(v.Claims, tui.ClaimView{State: string(c.State), Text: c.text, Number: shortWords(c)})
		}
	}
	return v
}

// wish asks for another run; one that is asked for already is enough.
func (p *lessonPlayer) wish() {
	select {
	case p.again <- struct{}{}:
	default:
	}
}

// shortWords is what decides a claim, short enough for the side of a page.
func shortWords(c judged) string {
	if c.Why != "" {
		return c.Why
	}
	return words(c.Evidence[:min(2, len(c.Evidence))])
}
