// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/xml"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"beltrace/internal/view"
)

// The pictures' cells, and their columns (internal/screens).
const (
	pictureCell    = 8.4
	pictureColumns = 114 // of a table: it has a margin
)

// headWord is a word of a table's head and the cell that it begins in, counted from the first word.
type headWord struct {
	Text string
	At   int
}

// TestPicturesHaveTheColumns: a table whose columns have changed is to be drawn again, with scripts/screens.sh.
func TestPicturesHaveTheColumns(t *testing.T) {
	const dir = "../../docs/screens/"
	r, err := openRecording(dir + "traffic.ndjson.zst")
	if err != nil {
		t.Fatal(err)
	}
	w, err := newReplay(r, 0, &watchFlags{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"overview", "listeners", "connections", "events"} {
		page, err := view.PageNamed(name)
		if err != nil {
			t.Fatal(err)
		}
		table := page.Table(view.Input{Snap: w.Snapshot(), Sort: page.Order})
		want := headOf(table.Layout(pictureColumns, 0, 20).Header(-1).String())
		if diff := cmp.Diff(want, pictureHead(t, dir+name+".svg", want[0].Text)); diff != "" {
			t.Errorf("%s.svg (-dashboard +picture):\n%sscripts/screens.sh draws it again", name, diff)
		}
	}
}

// headOf finds the words of a line, without the arrows that say how it is sorted.
func headOf(line string) (out []headWord) {
	at := 0
	for _, word := range strings.SplitAfter(line, " ") {
		if text := strings.Trim(word, " ▲▼"); text != "" {
			out = append(out, headWord{text, at})
		}
		at += view.Width(word)
	}
	return relative(out)
}

// relative counts the cells from the first word.
func relative(words []headWord) []headWord {
	first := words[0].At
	for i := range words {
		words[i].At -= first
	}
	return words
}

// pictureHead returns the line of a picture that begins with that word.
func pictureHead(t *testing.T, path, begin string) []headWord {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var picture struct {
		Texts []struct {
			X    float64 `xml:"x,attr"`
			Y    float64 `xml:"y,attr"`
			Text string  `xml:",chardata"`
		} `xml:"text"`
	}
	if err := xml.Unmarshal(data, &picture); err != nil {
		t.Fatal(err)
	}
	var out []headWord
	line := -1.0
	for _, word := range picture.Texts {
		if line < 0 && strings.Trim(word.Text, "▲▼") == begin {
			line = word.Y
		}
		if text := strings.Trim(word.Text, "▲▼"); word.Y == line && text != "" {
			out = append(out, headWord{text, int(word.X/pictureCell + 0.5)})
		}
	}
	if out == nil {
		t.Fatalf("%s has no %s", path, begin)
	}
	return relative(out)
}
