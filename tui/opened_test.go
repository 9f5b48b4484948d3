// SPDX-License-Identifier: Apache-2.0

package tui

import (
	"strings"
	"testing"

	"beltrace/collector/model"
	"beltrace/internal/view/viewtest"
)

// waiting opens the listener in whose queue connections wait, and puts the cursor on the one from that address.
func waiting(t *testing.T, s *model.Snapshot, remote string) *dash {
	t.Helper()
	d := start(t, 100, 60, s, Options{})
	d.press("2/port:9000<Enter><Enter>")
	d.until("WAITING NOW", remote)
	for range 60 {
		if strings.Contains(d.last.cursor, remote) {
			return d
		}
		before := d.last.cursor
		d.press("j")
		for d.until("WAITING NOW").cursor == before {
		}
	}
	t.Fatalf("the cursor never was on %s:\n%s", remote, d.last.all)
	return nil
}

// TestExplainUnderTheCursor: in a record that is open, e explains what the line under the cursor leads to; where it leads
// nowhere, the record.
func TestExplainUnderTheCursor(t *testing.T) {
	d := waiting(t, viewtest.Busy(), "172.17.0.4:51234")
	d.press("e")
	d.until("┌ api 172.17.0.2:9000 ─", "The handshake is complete")
	d.press("<Esc>gjjje") // its process: no record
	d.until("┌ api 0.0.0.0:9000 ─")
	d.press("<Esc>ge") // what is wrong with it
	d.until("┌ accept-queue-full ")
	d.press("<Esc><Esc><Esc>4<Enter>jjjje") // a phase of a request
	d.until("┌ handshake ")
}

// TestSelectionFollowsTheRecordWithin: in a record that is open, too, the cursor stays with what it is on.
func TestSelectionFollowsTheRecordWithin(t *testing.T) {
	const remote = "172.17.0.4:51236"
	s := viewtest.Busy()
	d := waiting(t, s, remote)
	d.snap.Store(next(s, func(n *model.Snapshot) { // the oldest is accepted
		for i := range n.Listeners {
			if w := n.Listeners[i].Waiting; len(w) > 0 {
				n.Listeners[i].Waiting = w[1:]
			}
		}
	}))
	if got := d.until("not:172.17.0.4:51234").cursor; !strings.Contains(got, remote) {
		t.Errorf("the cursor is on %q", got)
	}
	d.press("/51236<Enter>")
	if got := d.until("/51236", "not:172.17.0.4:51237").cursor; !strings.Contains(got, remote) {
		t.Errorf("the cursor is on %q", got)
	}
	d.press("<Esc>")
	if got := d.until("172.17.0.4:51237").cursor; !strings.Contains(got, remote) {
		t.Errorf("without the filter the cursor is on %q", got)
	}
}
