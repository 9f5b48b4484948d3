// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"slices"
	"testing"

	"beltrace/internal/view/viewtest"
)

// pressed is a dashboard in which keys were pressed.
func pressed(t *testing.T, o Options, keys string) *ui {
	t.Helper()
	u, err := newUI(o, newTheme(false), false)
	if err != nil {
		t.Fatal(err)
	}
	u.SetRect(0, 0, 120, 40)
	for _, k := range split(keys) {
		u.InputHandler()(k, nil)
	}
	return u
}

// TestNeed: a page asks for what it shows while it is shown, a listener for what its acceptors do while it is open, and an
// open loop for what becomes ready.
func TestNeed(t *testing.T) {
	for set, all := range map[string]map[string]bool{
		"sched": {"1": true, "2": false, "3": false, "7": true, "2<Enter>": true, "2<Enter><Esc>": false, "73": false},
		"ready": {"5": false, "5<Enter>": true, "5<Enter><Esc>": false, "4<Enter>": false},
	} {
		for keys, want := range all {
			o := showing(viewtest.Busy())
			var asked []string
			o.Need = func(set string) { asked = append(asked, set) }
			u := pressed(t, o, keys)
			asked = nil
			u.refresh()
			if got := slices.Contains(asked, set); got != want {
				t.Errorf("keys %q: asked for %v", keys, asked)
			}
		}
	}
}

// TestStacksAsked: while a request is open its server's stacks are asked for, and then no longer.
func TestStacksAsked(t *testing.T) {
	for keys, want := range map[string]bool{"4": false, "4<Enter>": true, "4<Enter><Esc>": false, "2<Enter>": false} {
		o := showing(viewtest.Busy())
		var asked []uint32
		o.Stacks = func(pid uint32) { asked = append(asked, pid) }
		u := pressed(t, o, keys)
		asked = nil
		u.refresh()
		if got := slices.Contains(asked, 4711); got != want {
			t.Errorf("keys %q: asked for %v", keys, asked)
		}
	}
}
