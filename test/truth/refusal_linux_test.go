// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"fmt"
	"testing"
	"time"

	"beltrace/collector/event"
	"beltrace/collector/live"
	"beltrace/internal/testkit"
)

// refusals are what the events of a listener add up to.
type refusals struct {
	syn, ack map[string]uint64 // by reason
	single   int               // events that stand for one refusal each
	unplaced uint64            // of the namespace, without a listener
	sample   event.Event       // the last sample
	space    event.Space       // the namespace's counters as last told
}

// refused adds up the refusals of a listener.
func (w *watch) refused(l socket) refusals {
	r := refusals{syn: map[string]uint64{}, ack: map[string]uint64{}}
	for _, e := range w.seen() {
		if e.NetNS != w.ns {
			continue
		}
		count := uint64(1)
		if e.Known(event.FieldCount) {
			count = e.Count
		}
		switch {
		case e.Kind == event.NetNS:
			r.space = *e.Space
		case e.Kind == event.Queue && e.ListenerConn == w.cookie(l):
			r.sample = e
		case e.Kind == event.SYNDrop && !e.Known(event.FieldListener):
			r.unplaced += count
		case e.Kind == event.SYNDrop && e.ListenerConn == w.cookie(l):
			if !e.Known(event.FieldCount) {
				r.single++
			}
			if e.Stage == event.StageACK {
				r.ack[e.Reason] += count
			} else {
				r.syn[e.Reason] += count
			}
		}
	}
	return r
}

// cookie is the number under which beltrace knows a listener: its cookie, or one of beltrace's own.
func (w *watch) cookie(l socket) uint64 {
	if w.knows(knowsCookie) {
		return l.Cookie
	}
	for _, e := range w.seen() {
		if e.Kind == event.Listen && e.NetNS == w.ns && e.Local == l.Local {
			return e.Conn
		}
	}
	return 0
}

func sum(counts map[string]uint64) (n uint64) {
	for _, c := range counts {
		n += c
	}
	return n
}

// untilSampled waits for samples and counters of after now: two, since some are believed only twice.
func (w *watch) untilSampled(l socket) {
	w.t.Helper()
	at := testkit.Mono()
	for range 2 {
		e := w.until("a sample", func(e *event.Event) bool {
			return e.Kind == event.Queue && e.NetNS == w.ns && e.ListenerConn == w.cookie(l) && e.TS > at
		})
		at = e.TS + int64(900*time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond) // the namespace's counters come behind the samples
}

// TestAcceptQueueOverflow: nobody accepts. A backlog of N holds N + 1, all other clients are refused, each SYN is counted
// once, and beltrace, the kernel's own counters and the clients agree on how many.
func TestAcceptQueueOverflow(t *testing.T) {
	for _, c := range []struct{ backlog, clients int }{{1, 10}, {4, 20}, {128, 400}} {
		t.Run(fmt.Sprintf("backlog %d", c.backlog), func(t *testing.T) {
			p, w := newWatched(t, live.Config{})
			l := w.listen(p, listenArgs{Addr: loopback4, Backlog: c.backlog})
			crowd := do[crowdResult](p.client, "crowd", crowdArgs{Addr: l.Local, N: c.clients, Hold: 1500 * time.Millisecond})
			w.untilSampled(l)
			got, counted := w.refused(l), netstat(t, p)
			if queued := w.refused(l).sample.AcceptQueue; queued != uint32(c.backlog+1) {
				t.Errorf("the accept queue holds %d, want %d", queued, c.backlog+1)
			}
			w.agree(&got, counted, uint64(crowd.SYNs-len(crowd.Connected)))
		})
	}
}

// agree compares what was refused with the kernel's counters and with the SYNs that the clients sent in vain. All of it
// was for a full accept queue.
func (w *watch) agree(got *refusals, counted map[string]uint64, syns uint64) {
	w.t.Helper()
	drops := counted["ListenDrops"]
	if got.space.ListenDrops != drops || got.space.ListenOverflows != counted["ListenOverflows"] {
		w.t.Errorf("netns says %d drops, %d overflows; netstat %d, %d", got.space.ListenDrops, got.space.ListenOverflows, drops, counted["ListenOverflows"])
	}
	if !w.knows(knowsRefusals) {
		if got.unplaced != drops || sum(got.syn)+sum(got.ack) != 0 {
			w.t.Errorf("%d refusals without a listener, %v and %v with, netstat has %d", got.unplaced, got.syn, got.ack, drops)
		}
		return
	}
	if sum(got.syn) != syns || sum(got.syn)+sum(got.ack) != drops {
		w.t.Errorf("refused %v SYNs and %v ACKs; the clients sent %d SYNs in vain, netstat has %d", got.syn, got.ack, syns, drops)
	}
	c := &checker{e: &got.sample}
	is(c, event.FieldDrops, got.sample.Drops, drops)
	is(c, event.FieldSkDrops, got.sample.SkDrops, sum(got.syn)+2*sum(got.ack))
	reason := event.ReasonUnknown
	if w.knows(knowsReasons) {
		reason = event.ReasonAcceptQueueFull
		is(c, event.FieldOverflows, got.sample.Overflows, counted["ListenOverflows"])
	} else {
		c.absent(event.FieldOverflows)
	}
	if got.syn[reason] != sum(got.syn) || got.ack[event.ReasonAcceptQueueFull] != sum(got.ack) {
		w.t.Errorf("reasons %v of SYNs, %v of ACKs", got.syn, got.ack)
	}
	w.report(c)
}
