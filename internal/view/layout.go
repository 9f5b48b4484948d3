// SPDX-License-Identifier: Apache-2.0

package view

import (
	"cmp"
	"slices"
	"strings"
)

// gap is the number of cells between two columns; a wide terminal gets more columns, never bigger gaps.
const gap = 2

// Layout says which columns of a table are shown, and how wide.
type Layout struct {
	Columns []int // indexes into the table's Heads, in order
	Widths  []int // of Columns
	table   *Table
	width   int
}

// Layout chooses the columns for rows from to to of the table in a width: the important ones first, each as wide as its
// content in these rows, within its limits.
func (t *Table) Layout(width, from, to int) Layout {
	order := make([]int, len(t.Heads))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(t.Heads[a].Priority, t.Heads[b].Priority) })
	left := width + gap
	widths := make([]int, len(t.Heads))
	wanted := make([]int, len(t.Heads)) // 0: not known yet
	need := func(i int) int {
		if wanted[i] == 0 {
			wanted[i] = min(t.natural(i, from, to), t.Heads[i].Max)
		}
		return wanted[i]
	}
	var shown []int
	for _, i := range order {
		h := t.Heads[i]
		if h.Priority > 0 {
			left = widen(widths, shown, left, need)
			if h.Min+gap > left {
				break // a less important column must not take its place
			}
		}
		shown = append(shown, i)
		widths[i] = h.Min
		left -= h.Min + gap
	}
	widen(widths, shown, left, need)
	slices.Sort(shown)
	l := Layout{table: t, Columns: shown, width: width}
	for _, i := range shown {
		l.Widths = append(l.Widths, widths[i])
	}
	return l
}

// widen gives the columns that are shown what they need, as far as it is there, and returns what is left.
func widen(widths, shown []int, left int, need func(col int) int) int {
	for _, i := range shown {
		if more := min(need(i)-widths[i], left); more > 0 {
			widths[i] += more
			left -= more
		}
	}
	return left
}

func (t *Table) natural(col, from, to int) int {
	n := Width(t.Heads[col].Title)
	if t.Order.Column == t.Heads[col].Title && n > 0 {
		n++ // the arrow
	}
	for row := max(from, 0); row < min(to, len(t.Keys)); row++ {
		n = max(n, t.cells(row, col).Width())
		if t.Tall {
			n = max(n, t.subs(row, col, nil).Width())
		}
	}
	return n
}

// Header returns the line of column titles; an arrow marks the column that the table is sorted by, marked (an index
// into the table's Heads, or -1) the one that the cursor is on.
func (l Layout) Header(marked int) Line {
	return l.join(func(col int) Cell {
		h := l.table.Heads[col]
		title, style := h.Title, Dim
		if l.table.Order.Column == title && title != "" {
			style = Accent
			if h.Up != l.table.Order.Reverse {
				title += "▲"
			} else {
				title += "▼"
			}
		}
		if col == marked {
			style = Marked
		}
		return Styled(title, style)
	})
}

// Row returns the lines of a row: one, or two in a tall table.
func (l Layout) Row(row int) []Line {
	out := []Line{l.join(func(col int) Cell { return l.table.cells(row, col) })}
	switch {
	case l.table.Tall && l.table.under != nil:
		out = append(out, l.table.under(row).Fit(l.width))
	case l.table.Tall:
		out = append(out, l.join(func(col int) Cell { return l.table.subs(row, col, l.shows) }))
	}
	return out
}

// shows reports whether there is a column of that title.
func (l Layout) shows(title string) bool {
	return slices.ContainsFunc(l.Columns, func(col int) bool { return l.table.Heads[col].Title == title })
}

func (l Layout) join(cell func(col int) Cell) Line {
	var out Line
	for i, col := range l.Columns {
		if i > 0 {
			out = append(out, Span{Text: strings.Repeat(" ", gap)})
		}
		h := l.table.Heads[col]
		c := cell(col).cut(l.Widths[i], h.Cut)
		if i == len(l.Columns)-1 && h.Align == Left {
			return append(out, c.Fit(l.Widths[i])...) // no blanks at the end of a line
		}
		out = append(out, c.Pad(l.Widths[i], h.Align)...)
	}
	return out
}
