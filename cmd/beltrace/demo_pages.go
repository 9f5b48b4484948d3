// SPDX-License-Identifier: Apache-2.0

package main

import (
	"beltrace/collector/model"
	"beltrace/demos/demo"
	"beltrace/tui"
)

// lessonPages turns the pages of a lesson beside the dashboard, of a demo that runs or of one that was recorded. The
// user interface alone uses it.
type lessonPages struct {
	lesson *demo.Lesson
	latest func() *model.Snapshot
	judge  func(*model.Snapshot) []judged
	again  func() // runs the client again; nil: it cannot be
	step   int
}

// View is the page that the dashboard shows now.
func (p *lessonPages) View() *tui.LessonView {
	snap := p.latest()
	if snap == nil {
		return nil
	}
	step := &p.lesson.Steps[p.step]
	v := &tui.LessonView{
		Title: step.Title, Step: p.step + 1, Steps: len(p.lesson.Steps), Text: step.Text, Page: step.Page,
		Next:  func() { p.step = min(p.step+1, len(p.lesson.Steps)-1) },
		Prev:  func() { p.step = max(p.step-1, 0) },
		Again: p.again,
	}
	for _, c := range p.judge(snap) {
		if c.step == p.step {
			v.Claims = append(v.Claims, tui.ClaimView{State: string(c.State), Text: c.text, Number: shortWords(c)})
		}
	}
	return v
}

// shortWords is what decides a claim, short enough for the side of a page.
func shortWords(c judged) string {
	if c.Why != "" {
		return c.Why
	}
	return words(c.Evidence[:min(2, len(c.Evidence))])
}
