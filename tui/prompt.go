// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"github.com/gdamore/tcell/v2"
	"github.com/rivo/tview"

	"beltrace/internal/view"
)

// prompt is the line in which a filter is typed. It filters while one types.
type prompt struct {
	field  *tview.InputField
	before view.Filter // what Esc brings back
	err    error       // why what is typed is no filter
}

func (u *ui) startPrompt() {
	u.overlay = nil
	p := &prompt{before: u.frontFilter()}
	p.field = tview.NewInputField()
	p.field.SetFormAttributes(1, tcell.ColorDefault, tcell.ColorDefault, tcell.ColorDefault, tcell.ColorDefault) // the terminal's own, not tview's
	p.field.SetLabel("/").SetText(p.before.Source).SetLabelStyle(u.theme[view.Accent])
	p.field.SetChangedFunc(func(text string) {
		f, err := view.ParseFilter(text)
		if p.err = err; err == nil {
			u.setFilter(f)
		}
	})
	p.field.Focus(nil)
	u.prompt = p
}

// key gives a key to the prompt: Enter keeps the filter, Esc brings the one before back.
func (p *prompt) key(u *ui, e *tcell.EventKey) {
	switch e.Key() {
	case tcell.KeyEnter:
		if p.err == nil { // what cannot be used stays to be corrected
			u.prompt = nil
		}
	case tcell.KeyEscape:
		u.prompt = nil
		u.setFilter(p.before)
	case tcell.KeyTab, tcell.KeyBacktab:
	default:
		p.field.InputHandler()(e, func(tview.Primitive) {})
	}
}
