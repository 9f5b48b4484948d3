// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"beltrace/collector/event"
	"beltrace/collector/live"
	"beltrace/internal/testkit"
)

// TestDeadAcceptor: two listeners share a port, and one of them is not served. Its refusals are its own, though clients
// cannot tell the two apart.
func TestDeadAcceptor(t *testing.T) {
	p, w := newWatched(t, live.Config{})
	dead := w.listen(p, listenArgs{Addr: loopback4, Backlog: 2, ReusePort: true})
	served := w.listen(p, listenArgs{Addr: dead.Local, Backlog: 100, ReusePort: true})
	crowd := do[crowdResult](p.client, "crowd", crowdArgs{Addr: dead.Local, N: 40, Hold: 600 * time.Millisecond})
	if !w.knows(knowsCookie) {
		t.Skip("without cookies the two listeners cannot be told apart by the test")
	}
	counted := w.untilQuiet(p, dead)
	of := w.refused(dead)
	connected, syns := uint64(len(crowd.Connected)), uint64(crowd.SYNs-len(crowd.Connected))
	w.agree(&of, counted, syns)
	other := w.refused(served)
	if n := other.syn.sum() + other.ack.sum() + other.sample.Drops + other.sample.SkDrops; n != 0 {
		t.Errorf("the listener that had room refused %v and %v, its samples say %d", other.syn, other.ack, other.sample.Drops)
	}
	// A client whose final ACK was refused believes that it is connected.
	queued, unheard := uint64(of.sample.AcceptQueue+other.sample.AcceptQueue), counted["ListenDrops"]-syns
	if connected < queued || connected > queued+unheard || of.sample.AcceptQueue != 3 {
		t.Errorf("%d wait at one, %d at the other, %d clients are connected, %d final ACKs were refused", of.sample.AcceptQueue, other.sample.AcceptQueue, connected, unheard)
	}
}

// TestQueueSamplesAgree: samples say of both queues' users what /proc/net/tcp says, and come more often while a queue is
// more than half full.
func TestQueueSamplesAgree(t *testing.T) {
	p, w := newWatched(t, live.Config{})
	l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 8})
	rates := map[bool]int{} // samples in about a second, by whether the queue is more than half full
	for _, more := range []int{3, 3, 3} {
		do[[]socket](p.client, "dial", dialArgs{Addr: l.Local, N: more, Talk: talk{End: endKeep}})
		queue := procQueue(t, p, l)
		e := w.until("a sample", func(e *event.Event) bool {
			return e.Kind == event.Queue && e.ListenerConn == w.cookie(l) && e.AcceptQueue == uint32(queue)
		})
		time.Sleep(1500 * time.Millisecond)
		for _, s := range w.seen() {
			if s.Kind == event.Queue && s.ListenerConn == w.cookie(l) && s.TS > e.TS && s.TS < e.TS+int64(1200*time.Millisecond) {
				rates[2*queue > 9]++
			}
		}
	}
	if rates[false] > 2 || rates[true] < 8 { // two intervals of 1.2 s: 24 at best
		t.Errorf("%d samples of a queue that is less than half full, %d of one that is more", rates[false], rates[true])
	}
}

// procQueue is the length of the accept queue as the kernel's list of sockets has it.
func procQueue(t testing.TB, p *pair, l socket) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/tcp", p.server.PID))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) < 5 || words[3] != "0A" || !strings.HasSuffix(words[1], fmt.Sprintf(":%04X", l.Local.Port())) {
			continue
		}
		_, queue, _ := strings.Cut(words[4], ":")
		n, err := strconv.ParseUint(queue, 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		return int(n)
	}
	t.Fatalf("/proc/net/tcp has no %v", l.Local)
	return 0
}

// TestTraceRefusals: trace syn_drop,queue --port P tells what is refused there, and nothing else.
func TestTraceRefusals(t *testing.T) {
	testkit.Root(t)
	p := newPair(t)
	l := do[socket](p.server, "listen", listenArgs{Addr: loopback4, Backlog: 1})
	other := do[socket](p.server, "listen", listenArgs{Addr: loopback4, Backlog: 1})
	tl := startTool(t, "trace", "syn_drop,queue", "--json", "--port", fmt.Sprint(l.Local.Port()))
	for _, at := range []socket{other, l} {
		do[crowdResult](p.client, "crowd", crowdArgs{Addr: at.Local, N: 10, Hold: 100 * time.Millisecond})
	}
	before := netstat(t, p)["ListenDrops"]
	time.Sleep(3 * time.Second)
	if after := netstat(t, p)["ListenDrops"]; after != before {
		t.Fatalf("%d drops became %d", before, after)
	}
	tl.end(unix.SIGTERM)
	drops, samples := uint64(0), 0
	for _, e := range tl.events() {
		switch {
		case e.Kind == event.Queue && e.Listener == l.Local:
			samples++
		case e.Kind == event.SYNDrop && (e.Listener == l.Local || !e.Known(event.FieldListener)):
			drops += max(1, e.Count)
		case e.Kind == event.Lost && mayBeLost(e.Where):
		default:
			t.Errorf("nobody asked for %s", e.AppendJSON(nil))
		}
	}
	most := before / 2
	if len(byReason(nil)) == 0 && forcedTier(t) == "tracepoint" {
		most = before // the whole namespace's
	}
	if drops < before/2 || drops > most || samples == 0 {
		t.Errorf("%d refusals and %d samples, want %d to %d refusals", drops, samples, before/2, most)
	}
}
