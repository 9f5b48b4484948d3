// SPDX-License-Identifier: Apache-2.0

package view

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"beltrace/collector/model"
)

// textWidth is how wide text tables become at most: they are read in logs, not in a window.
const textWidth = 140

// textRows is how many connections a text table shows; --json has them all.
const textRows = 20

// Text writes the snapshot as aligned tables without escape codes: what --once and --headless print.
func Text(w io.Writer, s *model.Snapshot) error {
	b := bufio.NewWriter(w)
	in := Input{Snap: s}
	writeLine(b, append(append(HeaderLeft(s, "", 0), Span{Text: "  "}), HeaderRight(s)...))
	if lost := LostText(s); lost != "" {
		writeLine(b, Plain("lost: "+lost))
	}
	if line := RequestsLine(in, 0); line != nil {
		writeLine(b, line)
	}
	writeLine(b, TotalsLine(in, 0))
	for i := range s.Findings {
		writeLine(b, findingLine(in, &s.Findings[i]))
	}
	for _, name := range []string{"listeners", "connections", "loops", "rings", "workers"} {
		page, _ := PageNamed(name)
		in.Sort = page.Order
		table := page.Table(in)
		if (name == "workers" || name == "loops" || name == "rings") && table.Total == 0 { // most often nobody asked
			continue
		}
		fmt.Fprintln(b)
		writeTable(b, page, table, s)
		if name == "connections" {
			writeRoutes(b, in)
		}
		if name == "workers" || name == "loops" {
			for _, l := range page.Foot(in, textWidth, 0) {
				writeLine(b, l)
			}
		}
	}
	return b.Flush()
}

// writeRoutes writes what requests there were by route, if there were any.
func writeRoutes(b *bufio.Writer, in Input) {
	lines := requestsFoot(in, textWidth, 4*textRows)
	if len(lines) > 0 {
		fmt.Fprintln(b)
	}
	for _, l := range lines {
		writeLine(b, l)
	}
}

// findingLine is a finding on one line: "!" if it is more than a note, and when it ended if it has.
func findingLine(in Input, f *model.Finding) Line {
	mark := "! "
	switch {
	case !present(f):
		mark = "  "
	case f.Severity == model.Note:
		mark = "· "
	}
	out := Line{{mark, Bad}, {Clean(f.Subject), Strong}, {"  " + Clean(f.Text), Normal}}
	if !present(f) {
		out = append(out, Span{" (ended " + in.clock().Time(f.Until.V) + ")", Dim})
	}
	return out
}

func writeTable(b *bufio.Writer, p *Page, t *Table, s *model.Snapshot) {
	if len(t.Keys) == 0 {
		fmt.Fprintf(b, "%s: none\n", strings.ToUpper(p.Title))
		return
	}
	n := min(len(t.Keys), textRows)
	t.Tall = false // there is room for what the second lines say
	l := t.Layout(textWidth, 0, n)
	t.Order = Sort{} // no arrow where no key can change it
	writeLine(b, l.Header(-1))
	for row := range n {
		for _, line := range l.Row(row) {
			writeLine(b, line)
		}
	}
	if more := len(t.Keys) - n; more > 0 {
		fmt.Fprintf(b, "… and %s (--json has all)\n", Plural(more, "more "+p.One, "more "+p.Many))
	}
	if gone := p.gone(s, "… and "); gone != "" {
		fmt.Fprintln(b, gone)
	}
}

// writeLine writes a line as it may go to a terminal: much of it comes from a recording that anybody may have written.
func writeLine(b *bufio.Writer, l Line) {
	b.WriteString(strings.TrimRight(Clean(l.String()), " "))
	b.WriteByte('\n')
}
