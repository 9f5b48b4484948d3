// SPDX-License-Identifier: Apache-2.0

package view_test

import (
	"bytes"
	"strings"
	"testing"

	"beltrace/collector/model"
	"beltrace/internal/view"
	"beltrace/internal/view/viewtest"
)

// TestListenerSecondLine: what has a column of its own is not said once more below.
func TestListenerSecondLine(t *testing.T) {
	page, err := view.PageNamed("listeners")
	if err != nil {
		t.Fatal(err)
	}
	table := page.Table(view.Input{Snap: viewtest.Busy(), Sort: page.Order})
	for _, c := range []struct {
		width          int
		refused, taken bool // a column of that has room
	}{{80, false, false}, {120, true, false}, {160, true, true}, {400, true, true}} {
		l := table.Layout(c.width, 0, len(table.Keys))
		head := l.Header(-1).String()
		if strings.Contains(head, "REFUSED") != c.refused || strings.Contains(head, "ACCEPTORS") != c.taken {
			t.Fatalf("%d columns: %q", c.width, head)
		}
		below := l.Row(0)[1].String()
		if strings.Contains(below, "refused") == c.refused || strings.Contains(below, "214") == c.refused || strings.Contains(below, "accept") == c.taken {
			t.Errorf("%d columns: %q below %q", c.width, below, head)
		}
		if hasPID := strings.Contains(head, "PID"); strings.Contains(below, "4711") == hasPID || hasPID != (c.width == 400) {
			t.Errorf("%d columns: %q below %q", c.width, below, head)
		}
	}
}

// TestListenersOfSeveralNamespaces: the same address in two network namespaces is not one listener shown twice.
func TestListenersOfSeveralNamespaces(t *testing.T) {
	s := viewtest.Empty()
	for i, netns := range []uint32{4026531840, 4026532281} {
		s.Listeners = append(s.Listeners, model.Listener{Conn: uint64(i + 1), Local: "0.0.0.0:8080", NetNS: netns, State: model.StateListening, Process: model.Process{Comm: "nginx"}})
	}
	text := func() string {
		var b bytes.Buffer
		if err := view.Text(&b, s); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	for _, want := range []string{"NETNS", "4026531840", "4026532281"} {
		if got := text(); !strings.Contains(got, want) {
			t.Errorf("no %s in %q", want, got)
		}
	}
	for _, width := range []int{80, 160} {
		for _, p := range []string{"overview", "listeners"} {
			if got := shown(t, s, p, width); !strings.Contains(got, "4026531840") || !strings.Contains(got, "4026532281") {
				t.Errorf("%s at %d columns does not tell them apart: %q", p, width, got)
			}
		}
	}
	if s.Listeners[1].Local = "0.0.0.0:8081"; strings.Contains(text(), "NETNS") {
		t.Errorf("it takes the room of others where addresses differ: %q", text())
	}
}

// shown is what a page shows of the snapshot.
func shown(t *testing.T, s *model.Snapshot, name string, width int) string {
	t.Helper()
	page, err := view.PageNamed(name)
	if err != nil {
		t.Fatal(err)
	}
	table := page.Table(view.Input{Snap: s, Sort: page.Order})
	l := table.Layout(width, 0, len(table.Keys))
	var out []string
	for row := range table.Keys {
		for _, line := range l.Row(row) {
			out = append(out, line.String())
		}
	}
	return strings.Join(out, "\n")
}
