// SPDX-License-Identifier: Apache-2.0

// Package tui is the dashboard. It paints what package view makes out of the latest snapshot; it never reads events,
// and nothing that it does on the goroutine of its user interface waits.
package tui

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/gdamore/tcell/v2"
	"github.com/rivo/tview"

	"beltrace/collector/model"
	"beltrace/internal/view"
)

// Options say what the dashboard shows. All functions are called on the goroutine of the user interface and must return
// at once, except Record.
type Options struct {
	// Snapshots returns the latest snapshot; nil before the first one.
	Snapshots func() *model.Snapshot
	// Refresh is the time between two pictures; 0 is 200 ms.
	Refresh time.Duration
	// Record switches recording on or off and returns what to tell the user, such as the file's name. It runs on a
	// goroutine of its own. Nil: recording is not available here.
	Record func(on bool) (string, error)
	// RecordFailed says why the recording that is on has ended by itself; nil: it goes on. Nil: no recording does.
	RecordFailed func() error
	// Need says that what the probes of a set tell is looked at. Nil: nothing can be asked for.
	Need func(set string)
	// Stacks says that somebody looks at a request that the process served. Nil: its stacks cannot be asked for.
	Stacks func(pid uint32)
	// Title is what is watched, in a few words: a demo, a file, a command. "" : this host.
	Title string
	// Recorded: what is shown comes from a recording, and nothing that the user starts now will appear.
	Recorded bool
	// Lesson returns the lesson to show beside the page. Nil, or returning nil: none.
	Lesson func() *LessonView
	// Output returns the last lines that a child process printed. Nil: there is no child.
	Output func() []string
	// Start is the name of the first page; "" is the overview.
	Start string
	// NoColor leaves out colours; the environment's NO_COLOR does the same.
	NoColor bool

	screen tcell.Screen // for tests; nil: the terminal
}

// defaultRefresh gives five pictures a second.
const defaultRefresh = 200 * time.Millisecond

// Run shows the dashboard until the user quits or ctx ends; both give nil. When it returns, or panics, the terminal is
// as it was before.
func Run(ctx context.Context, o Options) error {
	if o.Refresh <= 0 {
		o.Refresh = defaultRefresh
	}
	ascii := false
	if o.screen == nil {
		ascii = !view.UTF8(os.Getenv)
		o.NoColor = o.NoColor || os.Getenv("NO_COLOR") != ""
		if err := checkTerminal(os.Getenv("TERM")); err != nil {
			return err
		}
	}
	u, err := newUI(o, newTheme(o.NoColor), ascii)
	if err != nil {
		return err
	}
	app := tview.NewApplication().SetRoot(u, true)
	if err := begin(app, o.screen); err != nil {
		return fmt.Errorf("dashboard: %w", err)
	}
	// The goroutine ends by stopping the application, and so is never inside QueueUpdateDraw when nobody reads it;
	// only a screen that fails leaves it there, which is why nobody waits for it.
	go refresh(ctx, app, u, o.Refresh)
	if err := app.Run(); err != nil {
		return fmt.Errorf("dashboard: %w", err)
	}
	return nil
}

// begin gives the application its screen; nil is the terminal.
func begin(app *tview.Application, s tcell.Screen) error {
	if s != nil {
		app.SetScreen(s).EnablePaste(true)
		return nil
	}
	terminal, err := newTerminal()
	if err != nil {
		return err
	}
	if app.SetScreen(terminal); terminal.err != nil {
		return terminal.err
	}
	app.EnablePaste(true) // after the screen has begun: tview leaves a screen that it is given as it is
	return nil
}

// checkTerminal returns an error if nothing can be drawn on a terminal of that kind.
func checkTerminal(term string) error {
	info, err := tcell.LookupTerminfo(term)
	if err == nil && info.SetCursor != "" {
		return nil
	}
	return fmt.Errorf("no dashboard can be drawn on a terminal with TERM=%s: set it to what the terminal is, such as xterm, or use --headless", term)
}

// refresh redraws until ctx ends or the user quits, then stops the application.
func refresh(ctx context.Context, app *tview.Application, u *ui, every time.Duration) {
	app.QueueUpdateDraw(u.refresh) // returns when the application runs: stopping it earlier would be lost
	defer app.Stop()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-u.quit:
			return
		case <-tick.C:
			app.QueueUpdateDraw(u.refresh)
		}
	}
}
