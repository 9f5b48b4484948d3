// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// word is one of a picture, with its class.
type word struct {
	Class string `xml:"class,attr"`
	Text  string `xml:",chardata"`
}

func TestSVG(t *testing.T) {
	lines, err := parse("\x1b[1mapi\x1b[0m 9/8 \x1b[31m!\x1b[39m <&\n\x1b[7mopen it\x1b[27m \x1b[36m▁█\x1b[39m──\n", 12)
	if err != nil {
		t.Fatal(err)
	}
	var picture struct {
		Title string `xml:"title"`
		Texts []word `xml:"text"`
	}
	text := string(svg(lines, 12, "a <title>"))
	if err := xml.Unmarshal([]byte(text), &picture); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	want := []word{{"b", "api"}, {"", "9/8"}, {"c1", "!"}, {"", "<&"}, {"n", "open"}, {"n", "it"}}
	if diff := cmp.Diff(want, picture.Texts); diff != "" {
		t.Errorf("words (-want +got):\n%s", diff)
	}
	if picture.Title != "a <title>" {
		t.Errorf("title %q", picture.Title)
	}
	// One background each for the picture and for "open it", two blocks of different height, one line.
	if got := strings.Count(text, "<rect"); got != 5 {
		t.Errorf("%d rectangles, want 5:\n%s", got, text)
	}
}

func TestParse(t *testing.T) {
	for name, text := range map[string]string{
		"unknown code": "\x1b[5mblinks", "no end": "\x1b[1", "not a number": "\x1b[xm", "too wide": strings.Repeat("x", 11),
	} {
		if _, err := parse(text, 10); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	lines, err := parse("\x1b[2;4ma\x1b[mb", 3)
	if err != nil {
		t.Fatal(err)
	}
	plain := look{color: -1}
	want := [][]cell{{{'a', look{color: -1, dim: true, underline: true}}, {'b', plain}, {' ', plain}}}
	if diff := cmp.Diff(want, lines, cmp.AllowUnexported(cell{}, look{})); diff != "" {
		t.Errorf("cells (-want +got):\n%s", diff)
	}
}

// TestEveryBlockHasItsHeight tests that the eight blocks of a bar are eight heights within their cell.
func TestEveryBlockHasItsHeight(t *testing.T) {
	last := 0.0
	for r := '▁'; r <= '█'; r++ {
		p := rectangle(r, 0, 0, cellW)
		if p[3] <= last || p[1] < 0 || p[1]+p[3] > cellH {
			t.Errorf("%c: y %g, height %g after %g", r, p[1], p[3], last)
		}
		last = p[3]
	}
}

func TestAwait(t *testing.T) {
	if err := await(strings.NewReader("note\nwatching all\n"), "watching"); err != nil {
		t.Error(err)
	}
	if err := await(strings.NewReader("needs root\n"), "watching"); err == nil || errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "needs root") {
		t.Errorf("error %v does not say what the program said", err)
	}
}
