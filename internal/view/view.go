// SPDX-License-Identifier: Apache-2.0

// Package view turns a snapshot into what a person or a program reads: rows of styled cells, text tables, JSON and
// event lines. Everything in it is a pure function of its arguments; the dashboard only paints what it returns.
package view

import (
	"strings"
	"time"
)

// Style says what a piece of text means. The dashboard's theme maps it to attributes; text output ignores it, so
// the text itself must carry the meaning too.
type Style uint8

// The styles.
const (
	Normal  Style = iota
	Strong        // the number that matters
	Accent        // titles and keys
	Good          // as it should be
	Warning       // worth a look
	Bad           // in trouble
	Dim           // context
	Marked        // under the cursor of columns
)

// Span is a run of text in one style.
type Span struct {
	Text  string
	Style Style
}

// Line is one line of the screen.
type Line []Span

// Cell is what a table shows in one column of a record.
type Cell = Line

// Plain returns a line of one span in the normal style.
func Plain(text string) Line { return Line{{Text: text}} }

// Styled returns a line of one span.
func Styled(text string, style Style) Line { return Line{{text, style}} }

// String returns the line's text without its styles.
func (l Line) String() string {
	var b strings.Builder
	for _, s := range l {
		b.WriteString(s.Text)
	}
	return b.String()
}

// Width returns the number of terminal cells that the line takes.
func (l Line) Width() int {
	n := 0
	for _, s := range l {
		n += Width(s.Text)
	}
	return n
}

// Clock turns times of CLOCK_MONOTONIC into times of day.
type Clock struct {
	Offset int64 // ns to add to get unix time; 0: not known, times are shown since Start
	Start  int64 // CLOCK_MONOTONIC ns
}

// Time returns a moment as hours, minutes, seconds and milliseconds, or as seconds since the start when the time of
// day is not known.
func (c Clock) Time(ts int64) string {
	if c.Offset == 0 {
		return "+" + seconds(ts-c.Start)
	}
	return time.Unix(0, ts+c.Offset).Format("15:04:05.000")
}
