// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"strings"

	"beltrace/internal/view"
)

// overlay is a window above the page.
type overlay struct {
	title string
	lines func(width int) []view.Line
	first int
}

// overlayWidth is how wide the text of an overlay is at most: longer lines are hard to read.
const overlayWidth = 74

// help opens the help, or closes it.
func (u *ui) help() {
	if u.overlay != nil {
		u.overlay = nil
		return
	}
	u.overlay = &overlay{title: "Keys", lines: u.helpLines}
}

// helpLines is made of the key table: what each key does here.
func (u *ui) helpLines(width int) []view.Line {
	const name = 15
	var out []view.Line
	for _, b := range u.keys {
		if b.name == "" || b.when != nil && !b.when(u) {
			continue
		}
		for i, text := range view.Wrap(b.help, width-name) {
			first := b.name
			if i > 0 {
				first = ""
			}
			out = append(out, view.Line{{Text: first + strings.Repeat(" ", max(1, name-view.Width(first))), Style: view.Accent}, {Text: text}})
		}
	}
	return out
}

// explain says what the kernel does at the column under the cursor, or at the record; at the one that is open where its line
// under the cursor is of no other.
func (u *ui) explain() {
	if u.overlay != nil {
		u.overlay = nil
		return
	}
	if u.snap == nil {
		return
	}
	title, text := u.explanation()
	if text == "" {
		u.tell("nothing to explain here", false)
		return
	}
	u.overlay = &overlay{title: title, lines: func(width int) []view.Line {
		var out []view.Line
		for _, l := range view.Wrap(text, width) {
			out = append(out, view.Plain(l))
		}
		return out
	}}
}

func (u *ui) explanation() (title, text string) {
	if o := u.top(); o != nil {
		key := u.under()
		if key == (view.Key{}) {
			key = o.key
		}
		return view.ExplainRecord(u.input(), key)
	}
	t, s := u.table(), u.state()
	if s.column >= 0 && s.column < len(t.Heads) {
		h := t.Heads[s.column]
		title = h.Title
		if title == "" {
			title = "→ ←"
		}
		return title, h.Explain
	}
	if s.list.row < len(t.Keys) {
		return view.ExplainRecord(u.input(), t.Keys[s.list.row])
	}
	return "", ""
}

// drawOverlay paints the window in the middle of the area.
func (u *ui) drawOverlay(p painter, a area) {
	o := u.overlay
	w := min(overlayWidth, a.w-8)
	lines := o.lines(w)
	h := min(len(lines), a.h-4)
	o.first = max(0, min(o.first, len(lines)-h))
	box := area{a.x + (a.w-w-4)/2, a.y + (a.h-h-2)/2, w + 4, h + 2}
	p.clear(area{box.x - 1, box.y, box.w + 2, box.h}) // a wide character beside it must not hide the border
	border := func(left, title, right string) view.Line {
		fill := max(0, box.w-2-view.Width(title))
		return view.Line{{Text: left, Style: view.Dim}, {Text: title, Style: view.Strong}, {Text: strings.Repeat("─", fill) + right, Style: view.Dim}}
	}
	p.line(box, 0, border("┌", " "+o.title+" ", "┐"))
	for i, l := range lines[o.first : o.first+h] {
		p.line(box, i+1, append(append(view.Line{{Text: "│ ", Style: view.Dim}}, l.Pad(w, view.Left)...), view.Span{Text: " │", Style: view.Dim}))
	}
	p.line(box, h+1, border("└", closing(o.first+h < len(lines)), "┘"))
}

func closing(more bool) string {
	if more {
		return " j more  Esc closes "
	}
	return " Esc closes "
}
