// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"
)

// look is how a cell is drawn: what the program may use of the terminal's palette and attributes.
type look struct {
	color                         int // of the palette; -1: the terminal's own
	bold, dim, underline, reverse bool
}

// cell is a character of the screen.
type cell struct {
	r rune
	look
}

// parse reads lines of text with the escape codes that set looks, and fills each up to width cells.
func parse(text string, width int) ([][]cell, error) {
	var lines [][]cell
	now := look{color: -1}
	for line := range strings.Lines(text) {
		var cells []cell
		line = strings.TrimSuffix(line, "\n")
		for line != "" {
			if rest, ok := strings.CutPrefix(line, "\x1b["); ok {
				codes, rest, ok := strings.Cut(rest, "m")
				if !ok {
					return nil, fmt.Errorf("an escape code without an end: %q", line)
				}
				if err := now.apply(codes); err != nil {
					return nil, err
				}
				line = rest
				continue
			}
			r := []rune(line)[0]
			cells = append(cells, cell{r, now})
			line = line[len(string(r)):]
		}
		if len(cells) > width {
			return nil, fmt.Errorf("a line of %d cells on a screen of %d", len(cells), width)
		}
		for len(cells) < width {
			cells = append(cells, cell{' ', look{color: -1}})
		}
		lines = append(lines, cells)
	}
	return lines, nil
}

// apply changes the look as an escape code says, such as "0;1;36".
func (l *look) apply(codes string) error {
	for code := range strings.SplitSeq(codes, ";") {
		n, err := strconv.Atoi(code)
		if code == "" {
			n, err = 0, nil
		}
		switch {
		case err != nil:
			return fmt.Errorf("escape code %q: %w", codes, err)
		case n == 0:
			*l = look{color: -1}
		case n == 1:
			l.bold = true
		case n == 2:
			l.dim = true
		case n == 4:
			l.underline = true
		case n == 7:
			l.reverse = true
		case n == 22:
			l.bold, l.dim = false, false
		case n == 24:
			l.underline = false
		case n == 27:
			l.reverse = false
		case n >= 30 && n <= 37:
			l.color = n - 30
		case n == 39:
			l.color = -1
		case n == 49: // the background, which is the terminal's own everywhere
		default:
			return fmt.Errorf("escape code %q: %d is not one that the dashboard uses", codes, n)
		}
	}
	return nil
}

// Sizes in pixels.
const (
	cellW  = 8.4
	cellH  = 18.0
	margin = 14.0
)

// head has a palette such as terminals have; the dashboard itself uses two colours of it.
const head = `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]g" height="%[2]g" viewBox="0 0 %[1]g %[2]g" role="img">
<title>%[3]s</title>
<style>
text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#cdd3de}
rect{fill:#cdd3de}
.c1{fill:#f0776e}.c6{fill:#56c8c0}.b{font-weight:bold;fill:#fff}.c1.b{fill:#ff8f87}.c6.b{fill:#7fe3db}.d{opacity:.6}.u{text-decoration:underline}.n{fill:#161b22}
</style>
<rect width="100%%" height="100%%" rx="8" style="fill:#161b22"/>
`

// svg draws the cells.
func svg(lines [][]cell, width int, title string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, head, round(float64(width)*cellW+2*margin), round(float64(len(lines))*cellH+2*margin), escape(title))
	for y, line := range lines {
		top := margin + float64(y)*cellH
		for _, p := range pieces(line, backs) {
			fmt.Fprintf(&b, "<rect x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\"/>\n", round(p.left()), top, round(p.width()), cellH)
		}
		for _, p := range pieces(line, words) {
			p.draw(&b, top)
		}
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// piece is a part of a line that is drawn at once.
type piece struct {
	x    int
	text []rune
	look
}

// pieces cuts a line up: goesOn says whether a cell begins no piece of its own after the one before it, and visible
// whether it is drawn at all.
func pieces(line []cell, kind func(before, c cell) (goesOn, visible bool)) []piece {
	var out []piece
	open := false
	var before cell
	for x, c := range line {
		goesOn, visible := kind(before, c)
		switch {
		case !visible:
			open = false
		case open && goesOn:
			p := &out[len(out)-1]
			p.text = append(p.text, c.r)
		default:
			out, open = append(out, piece{x, []rune{c.r}, c.look}), true
		}
		before = c
	}
	return out
}

// backs finds the backgrounds that are not the terminal's own.
func backs(before, c cell) (goesOn, visible bool) { return before.reverse, c.reverse }

// words finds what is written: each word is placed by itself, so that no font can shift it.
func words(before, c cell) (goesOn, visible bool) {
	same := before.look == c.look && block(before.r) == block(c.r) && (!block(c.r) || before.r == c.r)
	return same, c.r != ' '
}

// block reports whether a character is drawn as a rectangle: fonts do not agree on these.
func block(r rune) bool { return r >= '▁' && r <= '█' || r == '─' || r == '│' }

func (p *piece) left() float64  { return margin + float64(p.x)*cellW }
func (p *piece) width() float64 { return float64(len(p.text)) * cellW }

func (p *piece) draw(b *bytes.Buffer, top float64) {
	class := p.class()
	if block(p.text[0]) {
		r := rectangle(p.text[0], p.left(), top, p.width())
		fmt.Fprintf(b, "<rect%s x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\"/>\n", class, round(r[0]), round(r[1]), round(r[2]), round(r[3]))
		return
	}
	fmt.Fprintf(b, "<text%s x=\"%g\" y=\"%g\" textLength=\"%g\">%s</text>\n",
		class, round(p.left()), top+13.5, round(p.width()), escape(string(p.text)))
}

// rectangle says which part of its cells a block or a line fills: x, y, width, height.
func rectangle(r rune, x, top, w float64) [4]float64 {
	switch r {
	case '─':
		return [4]float64{x, top + cellH/2, w, 1}
	case '│':
		return [4]float64{x + cellW/2, top, 1, cellH}
	}
	h := float64(r-'▁'+1) / 8 * (cellH - 3)
	return [4]float64{x, top + cellH - 2 - h, w, h}
}

func (l look) class() string {
	var names []string
	if l.color >= 0 {
		names = append(names, "c"+strconv.Itoa(l.color))
	}
	for _, a := range []struct {
		on   bool
		name string
	}{{l.bold, "b"}, {l.dim, "d"}, {l.underline, "u"}, {l.reverse, "n"}} {
		if a.on {
			names = append(names, a.name)
		}
	}
	if names == nil {
		return ""
	}
	return ` class="` + strings.Join(names, " ") + `"`
}

func round(v float64) float64 { return float64(int(v*10+0.5)) / 10 }

func escape(s string) string {
	var b bytes.Buffer
	xml.EscapeText(&b, []byte(s)) // a bytes.Buffer does not fail
	return b.String()
}
