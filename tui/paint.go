// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"strings"

	"github.com/gdamore/tcell/v2"

	"beltrace/internal/view"
)

// painter puts lines on a screen.
type painter struct {
	screen tcell.Screen
	theme  theme
	ascii  bool // the terminal shows nothing else
}

// area is a rectangle of the screen.
type area struct{ x, y, w, h int }

// top cuts n lines off the top of the area and returns both parts.
func (a area) top(n int) (top, rest area) {
	n = max(0, min(n, a.h))
	return area{a.x, a.y, a.w, n}, area{a.x, a.y + n, a.w, a.h - n}
}

// bottom cuts n lines off the bottom of the area and returns both parts.
func (a area) bottom(n int) (rest, bottom area) {
	n = max(0, min(n, a.h))
	return area{a.x, a.y, a.w, a.h - n}, area{a.x, a.y + a.h - n, a.w, n}
}

// margin takes one column off each side.
func (a area) margin() area { return area{a.x + 1, a.y, max(0, a.w-2), a.h} }

// line paints l in row y of the area (counted from 0), and nothing outside of it.
func (p painter) line(a area, y int, l view.Line) {
	p.paint(a, y, l, func(s view.Style) tcell.Style { return p.theme[s] })
}

// cursor paints l as the line that the cursor is on, over the whole width of the area.
func (p painter) cursor(a area, y int, l view.Line) {
	p.paint(a, y, l.Pad(a.w, view.Left), p.theme.selected)
}

func (p painter) paint(a area, y int, l view.Line, style func(view.Style) tcell.Style) {
	if y < 0 || y >= a.h {
		return
	}
	x := a.x
	for _, s := range l.Fit(a.w) {
		p.screen.PutStrStyled(x, a.y+y, p.text(s.Text), style(s.Style))
		x += view.Width(s.Text)
	}
}

func (p painter) text(s string) string {
	if p.ascii {
		return view.ASCII(s)
	}
	return s
}

// rule paints a line across the area.
func (p painter) rule(a area, y int) {
	p.line(a, y, view.Styled(strings.Repeat("─", a.w), view.Dim))
}

// clear blanks the area.
func (p painter) clear(a area) {
	blank := view.Plain(strings.Repeat(" ", a.w))
	for y := range a.h {
		p.line(a, y, blank)
	}
}

// lines paints several lines from the top of the area.
func (p painter) lines(a area, lines []view.Line) {
	for y, l := range lines {
		p.line(a, y, l)
	}
}
