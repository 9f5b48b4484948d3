// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gdamore/tcell/v2"
	"github.com/rivo/uniseg"

	"beltrace/collector/model"
	"beltrace/internal/view/viewtest"
)

func wide(runes []rune) int { return uniseg.StringWidth(string(runes)) }

// draw paints one picture after some keys, without a running application.
func draw(t *testing.T, w, h int, o Options, ascii bool, keys string) *watched {
	t.Helper()
	screen := newScreen(w, h)
	if err := screen.Init(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(screen.Fini)
	u, err := newUI(o, newTheme(o.NoColor), ascii)
	if err != nil {
		t.Fatal(err)
	}
	u.SetRect(0, 0, w, h)
	paint := func() {
		screen.Clear()
		u.Draw(screen)
		screen.Show()
	}
	paint()
	for _, k := range split(keys) {
		u.InputHandler()(k, nil)
		paint()
	}
	return screen
}

// split turns a text of keys into key events.
func split(keys string) []*tcell.EventKey {
	var out []*tcell.EventKey
	for keys != "" {
		if name, rest, ok := strings.Cut(keys, ">"); ok && keys[0] == '<' {
			k := map[string]tcell.Key{"<Enter": tcell.KeyEnter, "<Esc": tcell.KeyEscape, "<Right": tcell.KeyRight, "<PgDn": tcell.KeyPgDn}[name]
			out = append(out, tcell.NewEventKey(k, 0, 0))
			keys = rest
			continue
		}
		r := []rune(keys)[0]
		out = append(out, tcell.NewEventKey(tcell.KeyRune, r, 0))
		keys = keys[len(string(r)):]
	}
	return out
}

func showing(s *model.Snapshot) Options {
	return Options{Snapshots: func() *model.Snapshot { return s }}
}

func recorded(s *model.Snapshot) Options {
	o := showing(s)
	o.Title, o.Recorded = "replay a.zst", true
	return o
}

var sizes = [][2]int{{80, 24}, {120, 40}, {200, 50}}

func TestFrames(t *testing.T) {
	filtered := viewtest.Empty()
	filtered.Filters = []string{"--port 9"}
	for _, c := range []struct {
		name string
		opt  Options
		keys string
	}{
		{"overview", showing(viewtest.Busy()), "1"},
		{"listeners", showing(viewtest.Busy()), "2"},
		{"connections", showing(viewtest.Busy()), "3"},
		{"findings", showing(viewtest.Busy()), "8"},
		{"finding", showing(viewtest.Busy()), "8<Enter>"},
		{"explain_finding", showing(viewtest.Busy()), "8e"},
		{"findings_none", showing(viewtest.Empty()), "8"},
		{"requests", showing(viewtest.Busy()), "4"},
		{"request", showing(viewtest.Busy()), "4<Enter>"},
		{"request_threads", showing(viewtest.Relayed()), "4<Enter>"},
		{"lane", showing(viewtest.Relayed()), "4<Enter>jjjjjjj<Enter>"},
		{"phase", showing(viewtest.Busy()), "4<Enter>jjjjjj<Enter>"},
		{"phase_blocked", showing(viewtest.Busy()), "4jj<Enter>jjj<Enter>"},
		{"request_code", showing(viewtest.Busy()), "4jj<Enter>"},
		{"loops", showing(viewtest.Busy()), "5"},
		{"loop", showing(viewtest.Busy()), "5jjj<Enter>"},
		{"explain_loop", showing(viewtest.Busy()), "5jjje"},
		{"loops_none", showing(viewtest.Empty()), "5"},
		{"loops_none_recorded", recorded(viewtest.Empty()), "5"},
		{"workers", showing(viewtest.Busy()), "7"},
		{"rings", showing(viewtest.Busy()), "6"},
		{"ring", showing(viewtest.Busy()), "6<Enter>"},
		{"worker", showing(viewtest.Busy()), "7jjj<Enter>"},
		{"events", showing(viewtest.Busy()), "9"},
		{"listener", showing(viewtest.Busy()), "2<Enter>"},
		{"service", showing(viewtest.Busy()), "1j<Enter>"},
		{"connection", showing(viewtest.Busy()), "3/comm:curl<Enter><Enter>"},
		{"help", showing(viewtest.Busy()), "?"},
		{"explain", showing(viewtest.Busy()), "2e"},
		{"explain_column", showing(viewtest.Busy()), "2<Right><Right>e"},
		{"filter", showing(viewtest.Busy()), "3/port:9000"},
		{"filter_unknown", showing(viewtest.Busy()), "7/event:accept<Enter>"},
		{"filter_wrong", showing(viewtest.Busy()), "3/port:x"},
		{"nothing_matches", showing(viewtest.Busy()), "2/nobody<Enter>"},
		{"sorted", showing(viewtest.Busy()), "3ssssS"},
		{"frozen", showing(viewtest.Busy()), " "},
		{"empty", showing(filtered), "2"},
		{"empty_run", running(filtered), "2"},
		{"starting", showing(nil), ""},
		{"lesson", withLesson(), "2"},
		{"lesson_long", withLongLesson(), "2"},
		{"lesson_in_full", withLongLesson(), "2l"},
		{"output", withOutput(), "2"},
	} {
		for _, size := range sizes {
			name := fmt.Sprintf("%s_%dx%d", c.name, size[0], size[1])
			t.Run(name, func(t *testing.T) {
				golden(t, name+".txt", frame(draw(t, size[0], size[1], c.opt, false, c.keys)))
			})
		}
	}
}

func withLesson() Options {
	o := showing(viewtest.Busy())
	o.Title = "demo accept-queue"
	lesson := &LessonView{Title: "the queue that says no", Step: 2, Steps: 3, Page: "listeners",
		Text: "The kernel finishes handshakes without your code. Finished connections wait in the accept queue until you call accept. This server sleeps before it does.",
		Claims: []ClaimView{{State: "ok", Text: "more connections wait than the backlog allows", Number: "9 wait, backlog 8"}, {State: "failed", Text: "no SYN is refused", Number: "31 refused"},
			{State: "waiting", Text: "the queue drains when the server accepts"}, {State: "unproven", Text: "which SYN was refused"}},
		Again: func() {}}
	o.Lesson = func() *LessonView { return lesson }
	return o
}

// withLongLesson is a step with four claims, whose text does not fit below the page of a low screen.
func withLongLesson() Options {
	o := showing(viewtest.Busy())
	o.Title = "demo syn-queue"
	lesson := &LessonView{Title: "half-open requests take all places", Step: 1, Steps: 3, Page: "listeners",
		Text: "A SYN arrives, the kernel answers with a SYN-ACK and remembers the request in the SYN queue until the final ACK comes. Twenty clients here never hear the SYN-ACK, like an address that an attacker made up.\n" +
			"The backlog of 8 bounds this queue, too: nine requests fit, and wait for seconds. SYN cookies are off, so the kernel drops every further SYN. The server's program accepts at once and is idle all the while: it never hears of any of them.",
		Claims: []ClaimView{{State: "ok", Text: "the SYN queue filled to backlog + 1", Number: "syn queue 9 · backlog 8"},
			{State: "ok", Text: "the server's program got nothing of it: nothing was established", Number: "established 0 · begun 21"},
			{State: "ok", Text: "an honest client was refused, and gave up before its SYN was sent again", Number: "gave up 1 · after 700 ms"},
			{State: "ok", Text: "SYNs that found the queue full were dropped for that reason", Number: "dropped 23 · found no place 12"}},
		Again: func() {}}
	o.Lesson = func() *LessonView { return lesson }
	return o
}

// running is the dashboard of run.
func running(s *model.Snapshot) Options {
	o := showing(s)
	o.Title, o.Output = "run ./my-server", func() []string { return nil }
	return o
}

func withOutput() Options {
	o := showing(viewtest.Busy())
	o.Output = func() []string {
		return []string{"first line", "listening on :9000", "\x1b[31mred\x1b[0m\tafter a tab", "サーバー", "line 5", "line 6", "line 7", "line 8", "last line"}
	}
	return o
}

func TestSmallTerminal(t *testing.T) {
	for _, size := range [][2]int{{79, 24}, {80, 23}, {40, 10}, {20, 3}, {1, 1}, {0, 0}} {
		screen := draw(t, size[0], size[1], showing(viewtest.Busy()), false, "2j<Enter>?")
		if size[0] >= 20 {
			want := fmt.Sprintf("beltrace needs 80×24, this terminal has %d×%d: make it larger, or q", size[0], size[1])
			got := strings.Join(strings.Fields(frame(screen)), " ")
			if size[1] == 3 {
				want, _, _ = strings.Cut(want, " make") // that is as much as goes in
			}
			if !strings.Contains(got, want) {
				t.Errorf("%v: no %q in\n%s", size, want, got)
			}
		}
	}
}

func TestNoColorHasNoColour(t *testing.T) {
	for _, keys := range []string{"1", "2", "3", "8", "9", "2<Enter>", "2e", "?", "3/port:x", " "} {
		o := withLesson()
		o.NoColor = true
		for i, c := range cells(draw(t, 120, 40, o, false, keys)) {
			if fg, bg, _ := c.Style.Decompose(); fg != tcell.ColorDefault || bg != tcell.ColorDefault {
				t.Fatalf("keys %q: cell %d %q has colours %v on %v", keys, i, c.Runes, fg, bg)
			}
		}
	}
}

func TestColoursComeFromThePalette(t *testing.T) {
	seen := map[tcell.Color]bool{}
	for _, keys := range []string{"1", "2", "2<Enter>", "2e", "?", "3/port:x"} {
		for _, c := range cells(draw(t, 120, 40, withLesson(), false, keys)) {
			fg, bg, _ := c.Style.Decompose()
			seen[fg] = true
			if bg != tcell.ColorDefault {
				t.Fatalf("keys %q: background %v is not the terminal's own", keys, bg)
			}
		}
	}
	for fg := range seen {
		if fg != tcell.ColorDefault && fg != accentColor && fg != warningColor {
			t.Errorf("colour %v is neither the accent nor the warning", fg)
		}
	}
	if !seen[accentColor] || !seen[warningColor] {
		t.Error("the accent or the warning colour is never used")
	}
}

func TestASCIITerminal(t *testing.T) {
	for _, keys := range []string{"1", "2", "3", "8", "9", "2<Enter>", "?"} {
		for _, c := range cells(draw(t, 200, 50, showing(viewtest.Busy()), true, keys)) {
			for _, r := range c.Runes {
				if r > 0x7e || r < ' ' {
					t.Fatalf("keys %q: %q on a terminal that has only ASCII", keys, r)
				}
			}
		}
	}
}

func cells(s *watched) []tcell.SimCell {
	out, _, _ := s.GetContents()
	return out
}
