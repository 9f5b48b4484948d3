// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"testing"
	"time"

	"beltrace/collector/event"
	"beltrace/collector/live"
)

// TestBriefListeners: listeners end before or soon after the first sample that could show what they refused. All of it is
// told, and what their namespace counts, though no listener is left of which to take a sample.
func TestBriefListeners(t *testing.T) {
	p, w := newWatched(t, live.Config{})
	got := refusals{}
	got.syn, got.ack = counts{}, counts{}
	var listeners []socket
	for _, hold := range []time.Duration{50 * time.Millisecond, 400 * time.Millisecond, 900 * time.Millisecond} {
		l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 1})
		do[crowdResult](p.client, "crowd", crowdArgs{Addr: l.Local, N: 10, Hold: hold})
		do[[]socket](p.server, "finish", finishArgs{Sockets: []socket{l}})
		listeners = append(listeners, l)
	}
	counted := netstat(t, p)
	w.until("the namespace's counters", func(e *event.Event) bool {
		return e.Kind == event.NetNS && e.NetNS == w.ns && e.Space.ListenDrops == counted["ListenDrops"]
	})
	w.settle(p.client)
	for _, l := range listeners {
		of := w.refused(l)
		if w.knows(knowsRefusals) && of.syn.sum()+of.ack.sum() == 0 {
			t.Errorf("nothing is told of what the listener at %v refused", l.Local)
		}
		got.add(&of)
	}
	told := got.syn.sum() + got.ack.sum()
	if !w.knows(knowsRefusals) {
		told += got.unplaced
	}
	if told != counted["ListenDrops"] || told < 3*8 {
		t.Errorf("refused are %v and %v, %d without a listener; netstat has %d drops", got.syn, got.ack, got.unplaced, counted["ListenDrops"])
	}
}
