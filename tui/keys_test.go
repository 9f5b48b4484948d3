// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"

	"beltrace/collector/model"
	"beltrace/internal/view/viewtest"
)

// next returns a later snapshot, changed by f. Its lists are its own.
func next(s *model.Snapshot, f func(*model.Snapshot)) *model.Snapshot {
	n := *s
	n.Listeners = append([]model.Listener{}, s.Listeners...)
	n.Connections = append([]model.Connection{}, s.Connections...)
	n.TS += 1e9
	f(&n)
	return &n
}

// marked returns the text of the lines that the cursor is on.
func marked(s *watched) string {
	cells, w, h := s.GetContents()
	var out []string
	for y := 4; y < h-2; y++ {
		if _, _, attr := cells[y*w+2].Style.Decompose(); attr&tcell.AttrReverse != 0 {
			out = append(out, strings.Split(frame(s), "\n")[y])
		}
	}
	return strings.Join(out, "\n")
}

func TestPagesByKey(t *testing.T) {
	d := start(t, 80, 24, viewtest.Busy(), Options{})
	d.until("SERVICE")
	d.press("2")
	d.until("LISTENER")
	d.press("3")
	d.until("REMOTE")
	d.press("9")
	d.until("EVENT")
	d.press("<Tab>")
	d.until("SERVICE")
	d.press("<BackTab>")
	d.until("EVENT")
	d.press("6")
	d.until("IN FLIGHT")
}

func TestStartPage(t *testing.T) {
	d := start(t, 80, 24, viewtest.Busy(), Options{Start: "events"})
	d.until("EVENT")
	if err := Run(t.Context(), Options{Start: "nowhere", Snapshots: func() *model.Snapshot { return nil }}); err == nil {
		t.Error("a page that does not exist is no error")
	}
}

func TestEscNeverQuits(t *testing.T) {
	d := start(t, 80, 24, viewtest.Busy(), Options{})
	d.press("2<Enter>?")
	d.until("Keys")
	d.press("<Esc>") // the help
	d.until("WAITING NOW", "not:Keys")
	d.press("/9000<Enter>")
	d.until("/9000")
	d.press("<Esc>") // the filter
	d.until("WAITING NOW", "not:/9000")
	d.press("<Esc>") // the record
	d.until("LISTENER", "not:WAITING NOW")
	d.press("<Esc><Esc><Esc>3")
	d.until("REMOTE")
}

func TestEscDropsTheFilterOfTheList(t *testing.T) {
	d := start(t, 80, 24, viewtest.Busy(), Options{})
	d.press("2/port:9000<Enter>")
	d.until("1 of 8 listeners", "not:nginx")
	d.press("<Enter>")
	d.until("WAITING NOW")
	d.press("<Esc>")
	d.until("1 of 8 listeners", "not:nginx") // going back keeps it
	d.press("3")
	d.until("1 of 204 connections") // it holds on every page
	d.press("2<Esc>")
	d.until("nginx [::]:8080")
}

func TestFilterWhileTyping(t *testing.T) {
	d := start(t, 80, 24, viewtest.Busy(), Options{})
	d.press("3/comm:curl")
	d.until("/comm:curl", "not:[2001")
	d.press("<Esc>") // brings back what was before
	d.until("nginx")
	d.press("/--port 70000<Enter>")
	d.until(`port "70000": a number`)
	d.press("<Esc>q")
	d.until()
	if err := <-d.done; err != nil {
		t.Error(err)
	}
	d.done <- nil
}

func TestQuit(t *testing.T) {
	for _, key := range []string{"q", "<CtrlC>", "2<Enter>q", "/q<CtrlC>", "?q"} {
		t.Run(key, func(t *testing.T) {
			d := start(t, 80, 24, viewtest.Busy(), Options{})
			d.until("SERVICE")
			d.press(key)
			select {
			case err := <-d.done:
				if err != nil {
					t.Error(err)
				}
				d.done <- nil
			case <-time.After(10 * time.Second):
				t.Fatal("still running")
			}
		})
	}
}

func TestContextEndsIt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // before it begins
	done := make(chan error, 1)
	screen := newScreen(80, 24)
	go func() { done <- Run(ctx, Options{Snapshots: func() *model.Snapshot { return nil }, screen: screen}) }()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("still running")
	}
}

func TestSelectionFollowsTheRecord(t *testing.T) {
	s := viewtest.Busy()
	d := start(t, 80, 24, s, Options{})
	d.press("2jjjj") // the fifth: nginx
	d.until("LISTENER")
	d.press("<Right>") // one more picture after all of them
	for !strings.Contains(d.last.cursor, "nginx [::]:8080") {
		d.until("LISTENER")
	}
	d.snap.Store(next(s, func(n *model.Snapshot) {
		n.Listeners[0].AcceptQueue = model.Some[uint32](511) // now it is the fullest but one
		n.Listeners[0].ArrivalsPerSec = 777
	}))
	if got := d.until("777").cursor; !strings.Contains(got, "nginx [::]:8080") {
		t.Errorf("the cursor is on %q", got)
	}
	d.press("G")
	d.press("g")
	d.until("LISTENER")
}

func TestOnTopTheCursorStaysOnTop(t *testing.T) {
	s := viewtest.Busy()
	d := start(t, 80, 24, s, Options{Start: "events"})
	d.until("lost")
	d.snap.Store(next(s, func(n *model.Snapshot) {
		n.Events = append(append([]model.EventLine{}, s.Events...), model.EventLine{TS: s.TS + 1, Kind: "listen", Text: "brand new"})
	}))
	if got := d.until("brand new").cursor; !strings.Contains(got, "brand new") {
		t.Errorf("the cursor is on %q", got)
	}
}

func TestFreeze(t *testing.T) {
	s := viewtest.Busy()
	d := start(t, 80, 24, s, Options{})
	d.until("api :9000")
	d.press(" ")
	d.until("frozen, +0 new")
	d.snap.Store(next(s, func(n *model.Snapshot) { n.EventsTotal += 132; n.Listeners, n.Findings = nil, nil }))
	d.until("frozen, +132 new", "api :9000")
	d.press(" ")
	d.until("not:frozen", "not:api :9000")
}

// TestFindingLeadsToItsListener: and the listener leads back to what is wrong with it.
func TestFindingLeadsToItsListener(t *testing.T) {
	d := start(t, 80, 40, viewtest.Busy(), Options{})
	d.press("8<Enter>")
	d.until("WHAT THE KERNEL DOES", "WHAT TO CHANGE", "Enter opens it")
	d.press("jjjj<Enter>")
	d.until("WAITING NOW", "slow-acceptor")
	d.press("j<Enter>")
	d.until("connections wait in the accept queue", "WHAT TO CHANGE", "not:WAITING NOW")
	d.press("<Esc><Esc><Esc>")
	d.until("SEVERITY", "listener-closed-waiting")
}

func TestDrillDown(t *testing.T) {
	d := start(t, 80, 40, viewtest.Busy(), Options{})
	d.press("3/comm:curl<Enter><Enter>")
	d.until("STORY", "+42 µs", "peer socket")
	d.press("jjjjjjjj") // to the peer
	d.press("<Enter>")
	d.until("side           server", "listener       nginx")
	d.press("jjjjjjjjj<Enter>")
	d.until("ACCEPTORS")
	d.press("<Esc><Esc><Esc>")
	d.until("2 of 204 connections")
}

func TestGoneRecordStays(t *testing.T) {
	s := viewtest.Busy()
	d := start(t, 80, 40, s, Options{})
	d.press("2<Enter>")
	d.until("WAITING NOW")
	d.snap.Store(next(s, func(n *model.Snapshot) { n.Listeners = nil }))
	d.until("no longer remembered", "WAITING NOW")
}

func TestSortShowsInTheHeader(t *testing.T) {
	d := start(t, 80, 24, viewtest.Busy(), Options{})
	d.press("2s")
	d.until("IN/s▼")
	d.press("S")
	d.until("IN/s▲")
}

func TestRecordKey(t *testing.T) {
	d := start(t, 80, 24, viewtest.Busy(), Options{})
	d.press("R")
	d.until("recording is not available here")

	var calls []bool
	d = start(t, 80, 24, viewtest.Busy(), Options{Record: func(on bool) (string, error) {
		if calls = append(calls, on); len(calls) == 3 {
			return "", errors.New("disk full")
		}
		return map[bool]string{true: "writes bt.ndjson", false: "wrote bt.ndjson"}[on], nil
	}})
	d.press("R")
	d.until("writes bt.ndjson", "recording")
	d.press("R")
	d.until("wrote bt.ndjson", "not:recording")
	d.press("R")
	d.until("disk full")
}

// TestRecordingThatFails: one that ends by itself, or whose end fails, is on no longer.
func TestRecordingThatFails(t *testing.T) {
	var failed atomic.Bool
	d := start(t, 80, 24, viewtest.Busy(), Options{
		Record: func(on bool) (string, error) {
			if !on {
				return "", errors.New("no space left")
			}
			return "writes bt.ndjson", nil
		},
		RecordFailed: func() error {
			if failed.Load() {
				return errors.New("disk full")
			}
			return nil
		},
	})
	d.press("R")
	d.until("writes bt.ndjson", "recording")
	d.press("R")
	d.until("no space left", "not:recording  ")
	d.press("R")
	d.until("writes bt.ndjson")
	failed.Store(true)
	d.until("disk full", "not:recording  ")
}

func TestLessonKeys(t *testing.T) {
	step := 1
	pages := []string{"", "overview", "listeners"}
	turn := func(by int) func() { return func() { step += by } }
	d := start(t, 80, 24, viewtest.Busy(), Options{Lesson: func() *LessonView {
		return &LessonView{Title: "a lesson", Step: step, Steps: 2, Text: "text", Page: pages[step], Next: turn(1), Prev: turn(-1)}
	}})
	d.until("Lesson 1 of 2", "SERVICE")
	d.press("n")
	d.until("Lesson 2 of 2", "LISTENER") // it goes to the step's page
	d.press("3r")
	d.until("Lesson 2 of 2", "REMOTE") // and lets one go elsewhere
	d.press("p")
	d.until("Lesson 1 of 2", "SERVICE")
}

func TestResize(t *testing.T) {
	d := start(t, 80, 24, viewtest.Busy(), Options{})
	d.until("SERVICE")
	d.screen.SetSize(60, 20)
	d.until("needs 80×24, this terminal has 60×20")
	d.screen.SetSize(120, 40)
	d.until("SERVICE")
}

func TestPastedTextIsNoKeys(t *testing.T) {
	d := start(t, 80, 24, viewtest.Busy(), Options{})
	d.until("SERVICE")
	paste := func(text string) {
		d.screen.PostEvent(tcell.NewEventPaste(true))
		d.press(text)
		d.screen.PostEvent(tcell.NewEventPaste(false))
	}
	paste("q")
	d.press("3/")
	d.until("state:closed", "REMOTE")
	paste("port:9000")
	d.until("/port:9000", "not:[2001")
}

func TestPanicGivesTheTerminalBack(t *testing.T) {
	screen := newScreen(80, 24)
	defer func() {
		if recover() == nil {
			t.Error("the panic is swallowed")
		}
		if !screen.finished {
			t.Error("the terminal is not given back")
		}
	}()
	err := Run(t.Context(), Options{screen: screen, Output: func() []string { panic("broken") }, Snapshots: func() *model.Snapshot { return nil }})
	t.Errorf("Run returned %v", err)
}

// TestLessonAgain tests that the key that runs a demo again is offered only where there is something to run: not in a
// replay.
func TestLessonAgain(t *testing.T) {
	for _, tt := range []struct {
		again func()
		want  string
	}{{nil, "n next  p back"}, {func() {}, "n next  p back  r again"}} {
		l := &LessonView{Title: "a lesson", Step: 1, Steps: 1, Again: tt.again}
		lines := l.lines(60, 10)
		if got := lines[len(lines)-1].String(); got != tt.want {
			t.Errorf("the keys are %q, want %q", got, tt.want)
		}
	}
}
