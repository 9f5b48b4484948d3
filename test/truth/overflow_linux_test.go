// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"beltrace/collector/live"
	"beltrace/collector/model"
	"beltrace/internal/testkit"
)

// TestRequestsAfterLoss: the ring overflows, once because it is far too small and once because nobody reads it. What is
// told of requests all the same is right: each path has its own status. A connection whose bytes were missed says so, and the
// next request is told again.
func TestRequestsAfterLoss(t *testing.T) {
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
	before := lost()
	w.pairsRight()

	say := func(fd int, path string, responses int) said {
		return do[said](p.client, "say", sayArgs{Server: server, FD: fd, Text: "GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n", Times: 1, Responses: responses})
	}
	first := say(0, "/status/201", 1)
	w.untilTold("/status/201")
	w.mu.Lock() // the reader is held up
	for i := range 60 {
		say(first.FD, fmt.Sprintf("/status/%d", 300+i), 1)
	}
	answering := begin[said](p.client, "say", sayArgs{FD: first.FD, Text: "GET /late/500 HTTP/1.1\r\nHost: a\r\n\r\n", Times: 1, Responses: 1})
	time.Sleep(100 * time.Millisecond) // the first piece is written, and lost
	w.mu.Unlock()
	answering.result()
	if !testkit.Until(settleTime, func() bool { return lost() > before }) {
		t.Fatal("nothing is lost, although nobody read")
	}
	resyncing := func() bool {
		for _, c := range w.snapshot().Connections {
			if c.Local == server.String() && c.State == model.StateEstablished {
				return c.Resyncing
			}
		}
		return false
	}
	if !testkit.Until(settleTime, resyncing) {
		t.Errorf("bytes were missed, but the connection is not resyncing: %v", summaries(w.snapshot().Exchanges))
	}
	say(first.FD, "/status/401", 1)
	w.untilTold("/status/401")
	if resyncing() {
		t.Error("the connection is resyncing, although its last request is told")
	}
	w.pairsRight()
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
		if x.Incomplete {
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
