// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"fmt"
	"slices"
	"time"

	"github.com/gdamore/tcell/v2"
	"github.com/rivo/tview"

	"beltrace/collector/model"
	"beltrace/internal/view"
)

// ui is the dashboard's state: what is looked at, and how. Only the goroutine of the user interface touches it, but for
// the channels.
type ui struct {
	*tview.Box
	opt   Options
	theme theme
	ascii bool
	keys  []binding

	live   *model.Snapshot // the latest
	snap   *model.Snapshot // what is shown: the latest, or the one that was frozen
	hist   *view.History
	frozen bool
	lesson *LessonView
	step   int // of the lesson, when it was last looked at

	pages  []view.Page
	at     int // index into pages and states
	states []pageState
	filter view.Filter // of all pages

	prompt  *prompt  // nil: no line is being typed
	overlay *overlay // nil: nothing stands above the page

	message   string
	warning   bool // the message tells of trouble
	until     time.Time
	recording bool
	pending   bool // Record was called and has not returned
	recorded  chan recordResult
	quit      chan struct{}
}

// pageState is how one page is looked at.
type pageState struct {
	sort   view.Sort
	list   cursor
	column int // index into the table's heads that e explains; -1: none, the record is explained
	opened []opened
	table  *view.Table // nil: to be made
}

// opened is a record that Enter opened.
type opened struct {
	key    view.Key
	cursor cursor
	filter view.Filter
	detail *view.Detail // the last that was known
	gone   bool         // the snapshot does not hold the record any more
	pids   []uint32     // whose stacks are asked for: of a request, as long as it was known
}

func newUI(o Options, t theme, ascii bool) (*ui, error) {
	u := &ui{Box: tview.NewBox(), opt: o, theme: t, ascii: ascii, hist: new(view.History), pages: view.Pages(),
		recorded: make(chan recordResult, 1), quit: make(chan struct{})}
	u.keys = bindings()
	u.states = make([]pageState, len(u.pages))
	for i := range u.pages {
		u.states[i] = pageState{sort: u.pages[i].Order, column: -1}
	}
	if o.Start != "" && !u.show(o.Start) {
		return nil, fmt.Errorf("no page named %q", o.Start)
	}
	u.refresh()
	return u, nil
}

// page and state are what is looked at now.
func (u *ui) page() *view.Page  { return &u.pages[u.at] }
func (u *ui) state() *pageState { return &u.states[u.at] }

// top returns the record that is open, or nil when the page's list is shown.
func (u *ui) top() *opened {
	if n := len(u.state().opened); n > 0 {
		return &u.state().opened[n-1]
	}
	return nil
}

// show goes to the page of that name.
func (u *ui) show(name string) bool {
	for i, p := range u.pages {
		if p.Name == name {
			u.at = i
			return true
		}
	}
	return false
}

// refresh takes in what is new since the last picture.
func (u *ui) refresh() {
	u.takeRecorded()
	if u.message != "" && time.Now().After(u.until) {
		u.message = ""
	}
	if s := u.opt.Snapshots(); s != nil && s != u.live {
		u.live = s
		u.hist.Add(s)
		if !u.frozen {
			u.snap = s
			u.changed()
		}
	}
	u.takeLesson()
	u.ask()
	u.askStacks()
}

// ask has those probes attached that the page, or the record that is open on it, needs.
func (u *ui) ask() {
	if u.opt.Need == nil {
		return
	}
	needs := u.page().Needs
	if u.top() != nil {
		needs = append(slices.Clone(needs), u.page().OpenNeeds...)
	}
	for _, set := range needs {
		u.opt.Need(set)
	}
}

// askStacks asks where the threads of the server sleep whose request is open.
func (u *ui) askStacks() {
	open := u.top()
	if open == nil || u.opt.Stacks == nil {
		return
	}
	if pids := view.StackPIDs(u.live, open.key); len(pids) > 0 {
		open.pids = pids
	}
	for _, pid := range open.pids {
		u.opt.Stacks(pid)
	}
}

// changed makes the tables anew when they are next painted.
func (u *ui) changed() {
	for i := range u.states {
		u.states[i].table = nil
	}
}

func (u *ui) input() view.Input {
	return view.Input{Snap: u.snap, Hist: u.hist, Filter: u.filter, Sort: u.state().sort}
}

// table returns the current page's table, with the cursor on its record.
func (u *ui) table() *view.Table {
	s := u.state()
	if s.table == nil {
		s.table = u.page().Table(u.input())
		s.list.follow(s.table.Keys)
	}
	return s.table
}

// tell shows a message for a few seconds.
func (u *ui) tell(text string, warning bool) {
	u.message, u.warning, u.until = text, warning, time.Now().Add(5*time.Second)
}

// stop ends the dashboard.
func (u *ui) stop() {
	select {
	case <-u.quit:
	default:
		close(u.quit)
	}
}

// InputHandler takes a key: the prompt's, or one of the key table.
func (u *ui) InputHandler() func(*tcell.EventKey, func(tview.Primitive)) {
	return func(e *tcell.EventKey, setFocus func(tview.Primitive)) {
		u.message = ""
		if e.Key() == tcell.KeyCtrlC {
			u.stop()
			return
		}
		if u.prompt != nil {
			u.prompt.key(u, e)
			return
		}
		u.press(e)
	}
}

// PasteHandler gives pasted text to the prompt. Without one it is dropped: its letters are no keys.
func (u *ui) PasteHandler() func(string, func(tview.Primitive)) {
	return func(text string, setFocus func(tview.Primitive)) {
		if u.prompt != nil {
			u.prompt.field.PasteHandler()(text, setFocus)
		}
	}
}
