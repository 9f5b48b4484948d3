// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"
	"github.com/google/go-cmp/cmp"

	"beltrace/collector/model"
)

var update = flag.Bool("update", false, "write the golden files")

func TestMain(m *testing.M) {
	time.Local = time.UTC // golden files hold times of day
	os.Exit(m.Run())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (make it with -update)", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}

// picture is what a screen showed: all of it, and the lines that the cursor was on.
type picture struct{ all, cursor string }

// watched is a screen that tells what it shows.
type watched struct {
	tcell.SimulationScreen
	shown    chan picture
	finished bool // the terminal is as it was before; only for a screen of one goroutine
}

func newScreen(w, h int) *watched {
	s := &watched{SimulationScreen: tcell.NewSimulationScreen("UTF-8"), shown: make(chan picture, 1)}
	s.SetSize(w, h)
	return s
}

func (s *watched) Show() {
	s.SimulationScreen.Show()
	select {
	case <-s.shown: // nobody wanted it: only the latest counts
	default:
	}
	s.shown <- picture{frame(s), marked(s)}
}

func (s *watched) Fini() {
	s.finished = true
	s.SimulationScreen.Fini()
}

// Init keeps the size that the test chose.
func (s *watched) Init() error {
	w, h := s.Size()
	err := s.SimulationScreen.Init()
	s.SetSize(w, h)
	return err
}

// frame returns what the screen shows, a line each.
func frame(s tcell.SimulationScreen) string {
	cells, w, h := s.GetContents()
	var b strings.Builder
	for y := range h {
		var line strings.Builder
		for x := 0; x < w; {
			c := cells[y*w+x]
			line.WriteString(string(c.Runes))
			x += max(1, wide(c.Runes))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}

// dash is a running dashboard whose keys are pressed by the test.
type dash struct {
	t      *testing.T
	screen *watched
	done   chan error
	cancel context.CancelFunc
	snap   atomic.Pointer[model.Snapshot]
	last   picture
}

// start runs the dashboard; it redraws after keys only, or when the test changes what Snapshots returns and waits.
func start(t *testing.T, w, h int, s *model.Snapshot, o Options) *dash {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	d := &dash{t: t, screen: newScreen(w, h), done: make(chan error, 1), cancel: cancel}
	d.snap.Store(s)
	o.Snapshots = d.snap.Load
	o.screen = d.screen
	if o.Refresh == 0 {
		o.Refresh = 5 * time.Millisecond
	}
	go func() { d.done <- Run(ctx, o) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-d.done:
		case <-time.After(10 * time.Second):
			t.Error("the dashboard does not end with its context")
		}
	})
	d.until() // the screen is there
	return d
}

// until waits for a picture in which every text stands, and returns it.
func (d *dash) until(texts ...string) picture {
	d.t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		select {
		case d.last = <-d.screen.shown:
		case <-timeout:
			d.t.Fatalf("never saw %q; the last picture:\n%s", texts, d.last.all)
		}
		all := true
		for _, text := range texts {
			if not, found := strings.CutPrefix(text, "not:"); found {
				all = all && !strings.Contains(d.last.all, not)
			} else {
				all = all && strings.Contains(d.last.all, text)
			}
		}
		if all {
			return d.last
		}
	}
}

// press presses keys: one each rune, or a name such as <Enter>.
func (d *dash) press(keys string) {
	names := map[string]tcell.Key{"Enter": tcell.KeyEnter, "Esc": tcell.KeyEscape, "Tab": tcell.KeyTab, "BackTab": tcell.KeyBacktab, "Down": tcell.KeyDown, "Right": tcell.KeyRight,
		"PgDn": tcell.KeyPgDn, "CtrlC": tcell.KeyCtrlC}
	for keys != "" {
		if keys[0] == '<' {
			name, rest, _ := strings.Cut(keys[1:], ">")
			d.screen.InjectKey(names[name], 0, 0)
			keys = rest
			continue
		}
		for _, r := range keys {
			d.screen.InjectKey(tcell.KeyRune, r, 0)
			keys = keys[len(string(r)):]
			break
		}
	}
}
