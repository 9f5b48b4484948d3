// SPDX-License-Identifier: Apache-2.0

package view

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/rivo/uniseg"
)

// Width returns the number of terminal cells that s takes.
func Width(s string) int {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return uniseg.StringWidth(s)
		}
	}
	return len(s) // nearly all text
}

// Clean makes s safe for a terminal: a process chooses its own name, and may put escape codes into it.
func Clean(s string) string {
	bad := func(r rune) bool {
		return r == unicode.ReplacementChar || unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
	}
	if strings.IndexFunc(s, bad) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		if bad(r) {
			return '?'
		}
		return r
	}, s)
}

// Truncate cuts s to at most width cells; an ellipsis says that something is missing.
func Truncate(s string, width int) string {
	if Width(s) <= width {
		return s
	}
	if width <= 0 {
		return ""
	}
	return head(s, width-1) + "…"
}

// head returns the longest beginning of s that takes at most width cells, never splitting a character.
func head(s string, width int) string {
	state, n, end := -1, 0, 0
	for rest := s; rest != ""; {
		var cluster string
		var w int
		cluster, rest, w, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if n+w > width {
			break
		}
		n += w
		end += len(cluster)
	}
	return s[:end]
}

// Fit cuts a line to at most width cells.
func (l Line) Fit(width int) Line {
	switch {
	case l.Width() <= width:
		return l
	case width <= 0:
		return nil
	}
	var out Line
	for _, s := range l {
		w := Width(s.Text)
		if w < width {
			out = append(out, s)
			width -= w
			continue
		}
		// What follows is not empty, or the line would have fitted.
		return append(out, Span{head(s.Text, width-1) + "…", s.Style})
	}
	return out
}

// cut fits a line into at most width cells, leaving out the given part of it.
func (l Line) cut(width int, what Cut) Line {
	switch what {
	case CutMiddle:
		return l.fitPort(width)
	case CutStart:
		return l.fitTail(width)
	}
	return l.Fit(width)
}

// fitTail keeps the end of a line, which is in one style.
func (l Line) fitTail(width int) Line {
	text := []rune(l.String())
	if len(text) <= width {
		return l
	}
	return Styled(string(text[len(text)-width:]), l[0].Style)
}

// fitPort cuts a line that ends in an address to at most width cells, keeping the port.
func (l Line) fitPort(width int) Line {
	text := l.String()
	if Width(text) <= width {
		return l
	}
	at := strings.LastIndexByte(text, ':')
	if _, err := strconv.ParseUint(text[at+1:], 10, 16); at < 0 || err != nil || len(text)-at > width/2 {
		if rest := width - l[1:].Width(); len(l) > 1 && rest >= 3 { // a name and its number
			return append(l[:1].Fit(rest), l[1:]...)
		}
		return l.Fit(width)
	}
	port := text[at:]
	return append(l.Fit(width-Width(port)), Span{port, l[len(l)-1].Style})
}

// Pad fits a line into exactly width cells.
func (l Line) Pad(width int, align Align) Line {
	l = l.Fit(width)
	gap := width - l.Width()
	if gap <= 0 {
		return l
	}
	space := Span{Text: strings.Repeat(" ", gap)}
	if align == Right {
		return append(Line{space}, l...)
	}
	return append(append(Line{}, l...), space)
}

// Wrap breaks text into lines of at most width cells, at spaces. A line break in the text is kept.
func Wrap(text string, width int) []string {
	var out []string
	for paragraph := range strings.SplitSeq(text, "\n") {
		out = append(out, wrapParagraph(paragraph, max(width, 1))...)
	}
	return out
}

func wrapParagraph(text string, width int) []string {
	var out []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && Width(line)+1+Width(word) > width {
			out = append(out, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
		for Width(line) > width {
			part := head(line, width)
			if part == "" {
				break // one character wider than the line
			}
			out = append(out, part)
			line = line[len(part):]
		}
	}
	return append(out, line)
}
