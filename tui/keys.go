// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"slices"

	"github.com/gdamore/tcell/v2"

	"beltrace/internal/view"
)

// binding is a key and what it does. The help and the last line of the screen are made of these.
type binding struct {
	name  string // as people call it
	keys  []tcell.Key
	runes string
	help  string
	hint  string           // for the last line of the screen; "" is only in the help
	when  func(u *ui) bool // nil: always
	do    func(u *ui, r rune)
}

// bindings is the key table.
func bindings() []binding {
	return []binding{
		{name: "1 … 9", runes: "123456789", help: "go to the page of that number", do: (*ui).gotoPage},
		{name: "Tab Shift-Tab", keys: []tcell.Key{tcell.KeyTab}, help: "next page, page before", do: func(u *ui, _ rune) { u.turnPage(1) }},
		{keys: []tcell.Key{tcell.KeyBacktab}, do: func(u *ui, _ rune) { u.turnPage(-1) }},
		{name: "j k ↓ ↑", runes: "j", keys: []tcell.Key{tcell.KeyDown}, help: "down, up; the cursor stays with its record", do: func(u *ui, _ rune) { u.move(1) }},
		{runes: "k", keys: []tcell.Key{tcell.KeyUp}, do: func(u *ui, _ rune) { u.move(-1) }},
		{name: "g G Home End", runes: "g", keys: []tcell.Key{tcell.KeyHome}, help: "to the top and stay there, to the end", do: func(u *ui, _ rune) { u.home() }},
		{runes: "G", keys: []tcell.Key{tcell.KeyEnd}, do: func(u *ui, _ rune) { u.move(1 << 30) }},
		{name: "PgDn PgUp", keys: []tcell.Key{tcell.KeyPgDn, tcell.KeyCtrlF}, help: "a screen down, up", do: func(u *ui, _ rune) { u.move(u.screenful()) }},
		{keys: []tcell.Key{tcell.KeyPgUp, tcell.KeyCtrlB}, do: func(u *ui, _ rune) { u.move(-u.screenful()) }},
		{name: "← →", keys: []tcell.Key{tcell.KeyLeft}, help: "choose a column for e to explain", do: func(u *ui, _ rune) { u.moveColumn(-1) }},
		{keys: []tcell.Key{tcell.KeyRight}, do: func(u *ui, _ rune) { u.moveColumn(1) }},
		{name: "/", runes: "/", hint: "filter", help: "filter: " + view.FilterHelp, do: func(u *ui, _ rune) { u.startPrompt() }},
		{name: "Enter", keys: []tcell.Key{tcell.KeyEnter}, hint: "open", help: "look inside the record under the cursor", do: func(u *ui, _ rune) { u.enter() }},
		{name: "Esc Backspace", keys: []tcell.Key{tcell.KeyEscape, tcell.KeyBackspace, tcell.KeyBackspace2}, help: "back: closes a window, drops the filter, leaves a record; never quits", do: func(u *ui, _ rune) { u.back() }},
		{name: "s S", runes: "s", hint: "sort", help: "sort by the next column, the other way round", when: (*ui).inList, do: func(u *ui, _ rune) { u.sortNext() }},
		{runes: "S", when: (*ui).inList, do: func(u *ui, _ rune) { u.sortReverse() }},
		{name: "Space", runes: " ", hint: "freeze", help: "freeze the picture; collection goes on", do: func(u *ui, _ rune) { u.freeze() }},
		{name: "e", runes: "e", hint: "explain", help: "explain what the kernel does at the record or column under the cursor", do: func(u *ui, _ rune) { u.explain() }},
		{name: "R", runes: "R", hint: "record", help: "start or stop recording to a file", do: func(u *ui, _ rune) { u.record() }},
		{name: "n p r", runes: "n", help: "lesson: next step, step before, run it again", when: (*ui).inLesson, do: func(u *ui, _ rune) { call(u.lesson.Next) }},
		{runes: "p", when: (*ui).inLesson, do: func(u *ui, _ rune) { call(u.lesson.Prev) }},
		{runes: "r", when: (*ui).inLesson, do: func(u *ui, _ rune) { call(u.lesson.Again) }},
		{name: "l", runes: "l", help: "lesson: read it in full, where it is cut", when: (*ui).inLesson, do: func(u *ui, _ rune) { u.wholeLesson() }},
		{name: "?", runes: "?", keys: []tcell.Key{tcell.KeyF1}, hint: "help", help: "this help", do: func(u *ui, _ rune) { u.help() }},
		{name: "q", runes: "q", keys: []tcell.Key{tcell.KeyCtrlC}, hint: "quit", help: "quit; Ctrl-C too", do: func(u *ui, _ rune) { u.stop() }},
	}
}

// press does what the key table says. Esc and the key after it look like Alt and that key when they come together, as
// they do over a slow line: both count.
func (u *ui) press(e *tcell.EventKey) {
	if e.Key() == tcell.KeyRune && e.Modifiers()&tcell.ModAlt != 0 {
		u.back()
		e = tcell.NewEventKey(tcell.KeyRune, e.Rune(), tcell.ModNone)
	}
	for _, b := range u.keys {
		if !b.matches(e) || b.when != nil && !b.when(u) {
			continue
		}
		b.do(u, e.Rune())
		return
	}
}

func (b *binding) matches(e *tcell.EventKey) bool {
	if e.Key() == tcell.KeyRune {
		return slices.Contains([]rune(b.runes), e.Rune())
	}
	return slices.Contains(b.keys, e.Key())
}

func (u *ui) inList() bool   { return u.top() == nil }
func (u *ui) inLesson() bool { return u.lesson != nil }

func call(f func()) {
	if f != nil {
		f()
	}
}

func (u *ui) gotoPage(r rune) {
	for i, p := range u.pages {
		if rune('0'+p.Number) == r {
			u.overlay = nil
			u.at = i
			return
		}
	}
	u.tell("there is no page "+string(r), true)
}

func (u *ui) turnPage(by int) {
	u.overlay = nil
	u.at = (u.at + by + len(u.pages)) % len(u.pages)
}
