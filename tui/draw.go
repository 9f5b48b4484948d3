// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/gdamore/tcell/v2"

	"beltrace/internal/view"
)

// The smallest terminal in which the pages can be read.
const (
	minWidth  = 80
	minHeight = 24
)

// outputLines is how many lines of a child's output are shown at most, by the height of the screen.
func outputLines(height int) int {
	if height >= 40 {
		return 8
	}
	return 4
}

// Draw paints the whole screen.
func (u *ui) Draw(screen tcell.Screen) {
	w, h := screen.Size()
	p := painter{screen, u.theme, u.ascii}
	all := area{0, 0, w, h}
	screen.HideCursor()
	if w < minWidth || h < minHeight {
		u.drawTooSmall(p, all)
		return
	}
	head, rest := all.top(3)
	u.drawHead(p, head)
	body, foot := rest.bottom(2)
	u.drawStatus(p, foot)
	body = u.drawOutput(p, u.drawLesson(p, body))
	u.drawBody(p, body)
	if u.overlay != nil {
		u.drawOverlay(p, rest)
	}
}

// drawTooSmall says how much larger the terminal has to be, as far as there is room for the words.
func (u *ui) drawTooSmall(p painter, a area) {
	text := fmt.Sprintf("beltrace needs %d×%d, this terminal has %d×%d: make it larger, or q", minWidth, minHeight, a.w, a.h)
	lines := view.Wrap(text, a.w)
	for i, l := range lines {
		p.line(a, max(0, (a.h-len(lines))/2)+i, view.Plain(l))
	}
}

// drawHead paints what is watched, the pages, and a rule.
func (u *ui) drawHead(p painter, a area) {
	inner := a.margin()
	if u.snap == nil {
		p.line(inner, 0, view.Line{{Text: "beltrace", Style: view.Accent}, {Text: "  starting", Style: view.Dim}})
	} else {
		right := view.HeaderRight(u.snap)
		left := view.HeaderLeft(u.snap, u.opt.Title, inner.w-right.Width()-1)
		p.line(inner, 0, view.Sides(left, right, inner.w))
	}
	x := inner.x
	tabs, gap := u.tabs(inner.w)
	for _, l := range tabs {
		p.line(area{x, a.y, a.w - x, a.h}, 1, l)
		x += l.Width() + gap
	}
	p.rule(a, 2)
}

// tabs are the pages' numbers and titles with the gap between two, short ones and close together where the long ones do not fit.
func (u *ui) tabs(width int) ([]view.Line, int) {
	var long, short []view.Line
	total := 0
	for i := range u.pages {
		p := &u.pages[i]
		long = append(long, tab(p.Number, p.Title+" ", i == u.at))
		short = append(short, tab(p.Number, cmp.Or(p.Short, p.Title), i == u.at))
		total += long[i].Width() + 1
	}
	if total > width {
		return short, 0
	}
	return long, 1
}

func tab(number int, title string, current bool) view.Line {
	first, rest := fmt.Sprintf(" %d ", number), title
	if current {
		return view.Line{{Text: first + rest, Style: view.Marked}}
	}
	return view.Line{{Text: first, Style: view.Accent}, {Text: rest}}
}

// drawOutput paints the last lines of the child's output and returns what is left of the area.
func (u *ui) drawOutput(p painter, a area) area {
	if u.opt.Output == nil {
		return a
	}
	lines := u.opt.Output()
	if n := outputLines(a.h + 5); len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	if len(lines) == 0 {
		return a
	}
	rest, below := a.bottom(len(lines) + 1)
	p.rule(below, 0)
	p.line(area{below.x + 2, below.y, 8, 1}, 0, view.Styled(" output ", view.Accent))
	for i, l := range lines {
		p.line(below.margin(), i+1, view.Plain(view.Clean(strings.ReplaceAll(l, "\t", "    "))))
	}
	return rest
}

// drawStatus paints the line that says how the page is looked at, and the one with the keys or the prompt.
func (u *ui) drawStatus(p painter, a area) {
	inner := a.margin()
	p.line(inner, 0, view.Sides(u.statusLeft(), u.statusRight(), inner.w))
	inner = area{a.x + 1, a.y, a.w - 1, a.h}
	if u.prompt == nil {
		p.line(inner, 1, u.hints(inner.w))
		return
	}
	f := u.prompt.field
	f.SetRect(inner.x, inner.y+1, inner.w, 1)
	f.Draw(p.screen)
}

func (u *ui) statusLeft() view.Line {
	filter := u.frontFilter()
	switch {
	case u.prompt != nil && u.prompt.err != nil:
		return view.Styled(u.prompt.err.Error(), view.Warning)
	case u.prompt != nil:
		return view.Styled(view.FilterHelp, view.Dim)
	case u.message != "" && u.warning:
		return view.Styled("! "+view.Clean(u.message), view.Warning)
	case u.message != "":
		return view.Plain(view.Clean(u.message))
	case u.snap == nil:
		return nil
	case !filter.Empty() && u.inList():
		t := u.table()
		return view.Line{{Text: fmt.Sprintf("%d of %s", len(t.Keys), u.page().Size(t, u.snap))}, {Text: "  /" + view.Clean(filter.Source), Style: view.Accent}, {Text: "  Esc drops the filter", Style: view.Dim}}
	case !filter.Empty():
		return view.Line{{Text: "/" + view.Clean(filter.Source), Style: view.Accent}, {Text: "  Esc drops the filter", Style: view.Dim}}
	case !u.inList():
		return view.Styled("Esc goes back to "+strings.ToLower(u.page().Title), view.Dim)
	}
	if lost := view.LostText(u.snap); lost != "" {
		return view.Styled("! lost "+lost, view.Warning)
	}
	return view.Styled(u.page().Size(u.table(), u.snap), view.Dim)
}

func (u *ui) statusRight() view.Line {
	var out view.Line
	if u.recording {
		out = append(out, view.Span{Text: "recording  ", Style: view.Bad})
	}
	if u.frozen {
		fresh := uint64(0)
		if u.live != nil && u.snap != nil && u.live.EventsTotal > u.snap.EventsTotal {
			fresh = u.live.EventsTotal - u.snap.EventsTotal
		}
		out = append(out, view.Span{Text: fmt.Sprintf(" frozen, +%s new ", view.Count(fresh)), Style: view.Marked})
	}
	return out
}

// hints is the last line: the keys that matter here, as many as fit; help and quit always do.
func (u *ui) hints(width int) view.Line {
	var items []view.Line
	total := 0
	for _, b := range u.keys {
		if b.hint == "" || b.when != nil && !b.when(u) {
			continue
		}
		name, _, _ := strings.Cut(b.name, " ")
		l := view.Line{{Text: "  "}, {Text: name, Style: view.Accent}, {Text: " " + b.hint}}
		items = append(items, l)
		total += l.Width()
	}
	for len(items) > 2 && total-2 > width {
		total -= items[len(items)-3].Width()
		items = append(items[:len(items)-3], items[len(items)-2:]...)
	}
	var out view.Line
	for _, l := range items {
		out = append(out, l...)
	}
	return out[1:] // without the gap before the first
}
