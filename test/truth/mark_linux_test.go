// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"testing"

	"beltrace/collector/event"
	"beltrace/collector/live"
	"beltrace/demos/demo"
)

// opMark notes a moment of the work on a connection, as a cooperating server does.
func opMark(s socket) (int, error) {
	demo.Mark("work", demo.Begin, s.Cookie)
	demo.Mark("work", demo.End, s.Cookie)
	return 2, nil
}

// TestFilterMarks: each filter selects the notes of the servers that it selects, and nobody else's; without one all are told.
func TestFilterMarks(t *testing.T) {
	for name, filter := range map[string]func(*pair) live.Config{
		"none":  func(*pair) live.Config { return live.Config{} },
		"pid":   func(p *pair) live.Config { return live.Config{PIDs: []uint32{p.server.PID}} },
		"comm":  func(*pair) live.Config { return live.Config{Comm: serverName()} },
		"port":  func(*pair) live.Config { return live.Config{Ports: []uint16{onePort.Port(), settlePort}} },
		"netns": func(p *pair) live.Config { return live.Config{NetNS: p.ns.Path()} },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t)
			other := p.sibling(t)
			if name == "netns" {
				other = newPair(t)
			}
			c := filter(p)
			c.Marks, c.MarkSymbol = []string{"/proc/self/exe"}, demo.MarkSymbol
			w := p.openWatch(t, c)
			theirs, _ := other.talkOn(w, otherPort)
			ours, _ := p.talkOn(w, onePort)
			want := map[uint32]int{p.server.PID: do[int](p.server, "mark", ours[0])}
			told := do[int](other.server, "mark", theirs[0])
			if name == "none" {
				want[other.server.PID] = told
			}
			do[int](p.server, "mark", ours[1]) // the last ones: those before it have come
			w.until("the last mark", func(e *event.Event) bool {
				return e.Kind == event.Mark && e.ID == ours[1].Cookie && e.Phase == event.PhaseEnd
			})
			want[p.server.PID] += 2
			got := map[uint32]int{}
			for _, e := range w.seen() {
				if e.Kind == event.Mark {
					got[e.PID]++
				}
			}
			if got[p.server.PID] != want[p.server.PID] || got[other.server.PID] != want[other.server.PID] {
				t.Errorf("marks by process are %v, want %v", got, want)
			}
		})
	}
}
