// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"beltrace/collector"
	"beltrace/collector/event"
	"beltrace/collector/live"
	"beltrace/internal/testkit"
)

// TestRequestsAfterLoss: the ring overflows, once because it is far too small and once because nobody reads it. What is
// told of requests all the same is right: each path has its own status. A connection whose bytes were missed says so, and the
// next request is told again.
func TestRequestsAfterLoss(t *testing.T) {
	onceAKernel(t)
	p := newPair(t)
	w := p.openWatch(t, live.Config{RingBytes: 16384, NetNS: p.ns.Path()})
	if !w.knowsTurns() || !w.seesHeads() {
		t.Skip("this tier sees no first bytes")
	}
	server := do[netip.AddrPort](p.server, "http", netip.MustParseAddrPort("127.0.0.1:0"))
	const lanes, each = 4, 100
	var paths []string
	for i := range lanes * each {
		paths = append(paths, fmt.Sprintf("/status/%d", 500+i))
	}
	got := do[[]fetched](p.client, "fetch", fetchArgs{Server: server, Paths: paths, N: each, Lanes: lanes})
	for _, f := range got {
		if f.Path != fmt.Sprintf("/status/%d", f.Status) {
			t.Fatalf("the client was answered %d for %s", f.Status, f.Path)
		}
	}
	lost := func() uint64 { return w.snapshot().Lost["ring"] }
	if !testkit.Until(settleTime, func() bool { return lost() > 0 }) {
		t.Fatal("nothing is lost")
	}
	w.pairsRight()

	say := sayArgs{Server: server, Times: 1, Responses: 1}
	ask := func(path string) {
		say.Text = "GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n"
		say.FD = do[said](p.client, "say", say).FD
	}
	ask("/status/201")
	w.untilTold("/status/201")
	w.mu.Lock() // nobody reads
	for i := range 60 {
		ask(fmt.Sprintf("/status/%d", 300+i))
	}
	w.mu.Unlock()
	var conn uint64
	for i := 0; i < 30 && conn == 0; i++ { // the first ones may be lost, too, and then one tells that answers are missing
		path := fmt.Sprintf("/status/%d", 400+i)
		ask(path)
		testkit.Until(200*time.Millisecond, func() bool {
			told := ofPath(w.snapshot().Exchanges, path)
			if len(told) > 0 {
				conn = told[0].Conn
			}
			return conn != 0
		})
	}
	w.pairsRight()
	if conn == 0 && w.leavesOut() {
		return
	}
	if conn == 0 {
		t.Fatal("no request is told any more")
	}
	w.resynced(conn)
}

// resynced looks at a connection after each of its turns, once more from the beginning: its bytes were missed, and then it was
// in step again.
func (w *watch) resynced(conn uint64) {
	w.t.Helper()
	c := collector.New(collector.Options{})
	var was, is bool
	for _, e := range w.seen() {
		c.Add(&e)
		if e.Conn != conn || e.Kind != event.Turn {
			continue
		}
		for _, x := range c.Snapshot(e.TS).Connections {
			is = x.Conn == conn && x.Resyncing || x.Conn != conn && is
		}
		was = was || is
	}
	if !was || is {
		w.t.Errorf("a connection whose bytes were missed was resyncing: %v, and is at the end: %v", was, is)
	}
}

// untilTold waits until the request for a path is told.
func (w *watch) untilTold(path string) {
	w.t.Helper()
	if !testkit.Until(settleTime, func() bool { return len(ofPath(w.snapshot().Exchanges, path)) == 1 }) && !w.leavesOut() {
		w.t.Errorf("the request for %s is not told", path)
	}
}

// pairsRight compares each exchange's path with its status.
func (w *watch) pairsRight() {
	w.t.Helper()
	paired := 0
	for _, x := range w.snapshot().Exchanges {
		var want int
		checkSum(w.t, &x)
		if x.Incomplete && !w.leavesOut() {
			w.t.Errorf("%s is told as cut off, although all were answered", x.Summary)
		}
		if _, err := fmt.Sscanf(x.Path, "/status/%d", &want); err != nil || x.Status == 0 {
			continue
		}
		if paired++; x.Status != want {
			w.t.Errorf("wrongly paired: %s", x.Summary)
		}
	}
	w.t.Logf("%d requests are paired, %d records were lost", paired, w.snapshot().Lost["ring"])
	if paired == 0 && !w.leavesOut() {
		w.t.Error("no request is told")
	}
}
