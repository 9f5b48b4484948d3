// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"slices"
	"strconv"
	"strings"

	"beltrace/internal/view"
)

// drawBody paints the record that is open, or the page's list.
func (u *ui) drawBody(p painter, a area) {
	inner := area{a.x + 1, a.y, a.w - 1, a.h}
	switch {
	case u.snap == nil:
		p.line(inner, 1, view.Styled("waiting for the first snapshot", view.Dim))
	case u.top() != nil:
		u.drawOpened(p, inner, u.top())
	default:
		u.drawList(p, inner)
	}
}

// bodyWidth is the width of the page without the lesson.
func (u *ui) bodyWidth() int {
	_, _, w, _ := u.GetRect()
	if u.lesson != nil && w >= minWidth+lessonWidth {
		w -= lessonWidth
	}
	return w - 1
}

// layout returns the layout of the rows that are visible, as they were painted last.
func (u *ui) layout() view.Layout {
	t := u.table()
	first := u.state().list.first
	return t.Layout(u.bodyWidth(), first, first+u.screenful()+2)
}

func (u *ui) drawList(p painter, a area) {
	t, s := u.table(), u.state()
	var lines []view.Line
	if foot := u.page().Foot; foot != nil {
		lines = foot(u.input(), a.w-1, a.h)
	}
	if len(lines) > 0 {
		var below area
		a, below = a.bottom(len(lines) + 1)
		p.rule(area{below.x - 1, below.y, below.w + 1, below.h}, 0)
		_, below = below.top(1)
		p.lines(below, lines)
	}
	if len(t.Keys) == 0 {
		for i, l := range view.Wrap(u.emptyText(t), a.w-2) {
			p.line(a, i+1, view.Plain(l))
		}
		return
	}
	head, rows := a.top(1)
	visible := max(1, rows.h/t.RowHeight())
	s.list.scroll(len(t.Keys), visible)
	last := min(s.list.first+visible, len(t.Keys))
	l := t.Layout(a.w, s.list.first, last)
	p.line(head, 0, l.Header(s.column))
	y := 0
	for row := s.list.first; row < last; row++ {
		for _, line := range l.Row(row) {
			if row == s.list.row {
				p.cursor(area{rows.x - 1, rows.y, rows.w + 1, rows.h}, y, append(view.Line{{Text: " "}}, line...))
			} else {
				p.line(rows, y, line)
			}
			y++
		}
	}
}

// emptyText says why there is nothing and what to do.
func (u *ui) emptyText(t *view.Table) string {
	if t.Total > 0 && len(t.Unknown) > 0 {
		return "no " + strings.Join(t.Unknown, ", no ") + " is known of " + view.Plural(t.Total, u.page().One, u.page().Many) + ": Esc drops the filter"
	}
	if t.Total > 0 {
		return "none of " + view.Plural(t.Total, u.page().One, u.page().Many) + " matches " + strconv.Quote(view.Clean(u.filter.Source)) + ": Esc drops the filter"
	}
	empty := u.page().Empty
	what, _, _ := strings.Cut(empty, ":")
	if u.opt.Recorded {
		empty = what + " in this recording"
		if len(u.page().Needs) > 0 {
			empty += ": it has what was watched when it was made"
		}
	}
	if len(u.snap.Filters) == 0 {
		return empty
	}
	if u.opt.Output != nil { // a command or demo was started to be watched: there is no filter to drop
		text := what + ": only the processes of " + view.Clean(u.opt.Title) + " are watched"
		if more := slices.DeleteFunc(slices.Clone(u.snap.Filters), isPID); len(more) > 0 {
			text += ", by " + view.Clean(strings.Join(more, " "))
		}
		return text
	}
	return empty + ", or drop the filter " + view.Clean(strings.Join(u.snap.Filters, " "))
}

func isPID(filter string) bool { return strings.HasPrefix(filter, "--pid ") }

// drawOpened paints a record's detail. If the record is gone, the last that was known of it stays.
func (u *ui) drawOpened(p painter, a area, o *opened) {
	if d, ok := view.Open(u.input(), o.key, a.w); ok {
		o.detail, o.gone = d, false
	} else {
		o.gone = true
	}
	title := o.detail.Title
	if o.gone {
		title = append(title[:len(title):len(title)], view.Span{Text: "  no longer remembered: this was the last", Style: view.Warning})
	}
	head, rest := a.top(2)
	p.line(head, 0, title)
	lines := o.lines()
	o.cursor.scroll(len(lines), rest.h)
	for y := range min(rest.h, len(lines)-o.cursor.first) {
		l := lines[o.cursor.first+y]
		if o.cursor.first+y == o.cursor.row {
			p.cursor(area{rest.x - 1, rest.y, rest.w + 1, rest.h}, y, append(view.Line{{Text: " "}}, l.Line...))
		} else {
			p.line(rest, y, l.Line)
		}
	}
}

// lines returns the lines of the record that its filter lets through, with the cursor on its record.
func (o *opened) lines() []view.DetailLine {
	var out []view.DetailLine
	for _, l := range o.detail.Lines {
		if o.filter.Match(view.LineSubject(l.Line)) {
			out = append(out, l)
		}
	}
	o.cursor.follow(links(out))
	return out
}

// links returns the record that each line leads to.
func links(lines []view.DetailLine) []view.Key {
	out := make([]view.Key, len(lines))
	for i, l := range lines {
		out[i] = l.Link
	}
	return out
}
