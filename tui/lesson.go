// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"fmt"
	"math"

	"beltrace/internal/view"
)

// LessonView is a step of a demo's lesson, as it stands beside the page.
type LessonView struct {
	Title  string // of the step
	Step   int    // from 1
	Steps  int
	Text   string
	Page   string // name of the page that shows it; the dashboard goes there when the step begins. "": stay
	Claims []ClaimView
	// Next, Prev and Again are called for the keys n, p and r. They must return at once. Nil: the key does nothing.
	Next, Prev, Again func()
}

// ClaimView is a sentence of the lesson with what was seen of it.
type ClaimView struct {
	State  string // ok, failed, waiting, unproven: the states of package demo
	Text   string
	Number string // what decides it; "" if there is none yet
}

// lessonWidth is the width of the lesson beside a page; it stands below where the page would become too narrow.
const lessonWidth = 40

// lessonHeight is how many lines the lesson may take below a page on a low screen; on others it is half of the lines.
const lessonHeight = 10

// takeLesson looks at the lesson, and follows it to the page of a step that begins.
func (u *ui) takeLesson() {
	if u.opt.Lesson == nil {
		return
	}
	u.lesson = u.opt.Lesson()
	if u.lesson == nil || u.lesson.Step == u.step {
		return
	}
	u.step = u.lesson.Step
	if u.overlay != nil {
		u.overlay.first = 0 // of the lesson in full: a new page
	}
	if u.lesson.Page != "" {
		u.show(u.lesson.Page)
	}
}

// drawLesson paints the lesson at the right or at the bottom and returns what is left of the area.
func (u *ui) drawLesson(p painter, a area) area {
	if u.lesson == nil {
		return a
	}
	if a.w >= minWidth+lessonWidth {
		rest := area{a.x, a.y, a.w - lessonWidth, a.h}
		side := area{a.x + rest.w, a.y, lessonWidth, a.h}
		for y := range side.h {
			p.line(side, y, view.Styled("│", view.Dim))
		}
		p.lines(area{side.x + 2, side.y, side.w - 3, side.h}, u.lesson.lines(side.w-3, side.h))
		return rest
	}
	lines := u.lesson.lines(a.w-2, max(lessonHeight, a.h/2))
	rest, below := a.bottom(len(lines) + 1)
	p.rule(below, 0)
	_, below = below.top(1)
	p.lines(below.margin(), lines)
	return rest
}

// wholeLesson opens the lesson in full, or closes it.
func (u *ui) wholeLesson() {
	if u.overlay != nil {
		u.overlay = nil
		return
	}
	u.overlay = &overlay{title: "Lesson", lines: func(width int) []view.Line { return u.lesson.lines(width, math.MaxInt) }}
}

// lines writes the lesson; if it is too long, its text gives way, never its claims.
func (l *LessonView) lines(width, height int) []view.Line {
	title := view.Line{{Text: fmt.Sprintf("Lesson %d of %d: ", l.Step, l.Steps), Style: view.Accent}, {Text: l.Title, Style: view.Strong}}
	out := wrapTitle(title, width)
	var end []view.Line
	for _, c := range l.Claims {
		end = append(end, c.lines(width)...)
	}
	hint := "n next  p back"
	if l.Again != nil {
		hint += "  r again"
	}
	text := view.Wrap(l.Text, width)
	if room := height - len(out) - len(end) - 1; len(text) > room {
		hint += "  l in full"
		text = text[:max(0, room)]
		if len(text) > 0 {
			text[len(text)-1] = view.Truncate(text[len(text)-1]+" …", width)
		}
	}
	for _, t := range text {
		out = append(out, view.Plain(t))
	}
	return append(append(out, end...), view.Styled(hint, view.Dim))
}

func wrapTitle(title view.Line, width int) []view.Line {
	if title.Width() <= width {
		return []view.Line{title}
	}
	out := []view.Line{title[:1]}
	for _, t := range view.Wrap(title[1].Text, width) {
		out = append(out, view.Styled(t, title[1].Style))
	}
	return out
}

// marks begin a claim: its state is said by a sign, not by colour alone.
var marks = map[string]view.Span{
	"ok":       {Text: "✓ ", Style: view.Good},
	"failed":   {Text: "✗ ", Style: view.Bad},
	"waiting":  {Text: "… ", Style: view.Dim},
	"unproven": {Text: "? ", Style: view.Warning},
}

func (c ClaimView) lines(width int) []view.Line {
	text := c.Text
	switch {
	case c.Number != "":
		text += ": " + c.Number
	case c.State == "unproven":
		text += ": this kernel does not show it"
	}
	var out []view.Line
	for i, t := range view.Wrap(text, width-2) {
		mark := view.Span{Text: "  "}
		if i == 0 {
			mark = marks[c.State]
		}
		out = append(out, view.Line{mark, {Text: t}})
	}
	return out
}
