// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"beltrace/collector/event"
)

// TestHostileMemory feeds 10,000 connections of what no honest client says, each in calls as they come of a connection in
// detail, and bounds what is kept of each of them while it is open, and of all when they have ended.
func TestHostileMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("feeds five million events")
	}
	const conns = 10_000
	r := rand.New(rand.NewPCG(5, 6))
	garbage := make([]byte, 4096)
	for i := range garbage {
		garbage[i] = byte(r.Uint32())
	}
	lines := []byte(strings.Repeat("X-Endless: "+strings.Repeat("h", 117)+"\r\n", 4096/130+1))[:4096]
	one := func(dir int, first, rest string, calls, n int) func(call int) (int, []byte, uint64) {
		return func(call int) (int, []byte, uint64) {
			if call >= calls {
				return 0, nil, 0
			}
			text := rest
			if call == 0 {
				text = first
			}
			return dir, []byte(text), uint64(max(n, len(text)))
		}
	}
	head := "GET /a HTTP/1.1\r\n"
	slow := head + string(lines[:60])
	for _, tt := range []struct {
		name string
		say  func(call int) (dir int, text []byte, n uint64) // n 0: it is over
		each uint64                                          // bytes a connection while it is open
	}{
		{"binary garbage", one(inwards, string(garbage), string(garbage[:1000]), 8, 0), 4 << 10},
		{"garbage that begins as HTTP", one(inwards, "GET\x00"+string(garbage[:4000]), string(garbage), 8, 0), 12 << 10},
		{"headers without end", one(inwards, head, string(lines), 16, 0), 12 << 10},
		{"a header of 1 MB", one(inwards, head+"X: "+string(bytes.Repeat([]byte("h"), 4000)), string(bytes.Repeat([]byte("h"), 4096)), 8, 1<<17), 12 << 10},
		{"a path of 1 MB", one(inwards, "GET /"+strings.Repeat("p", 4090), strings.Repeat("p", 4096), 8, 1<<17), 12 << 10},
		{"byte by byte", func(call int) (int, []byte, uint64) {
			if call >= len(slow) {
				return 0, nil, 0
			}
			return inwards, []byte{slow[call]}, 1
		}, 12 << 10},
		{"answers that nobody asked for", one(outwards, response, response, 40, 0), 4 << 10},
		{"requests that nobody answers", one(inwards, request, request, 40, 0), 12 << 10},
		{"chunks without end", one(inwards, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", strings.Repeat("f", 4096), 8, 0), 12 << 10},
	} {
		c := New(Options{Detail: func(uint64) {}})
		before := heap()
		ts := ms
		for conn := uint64(1); conn <= conns; conn++ {
			var pos [2]uint64
			for call := 0; ; call++ {
				dir, text, n := tt.say(call)
				if n == 0 {
					break
				}
				ts += 1000
				e := callEvent([]event.Kind{event.Read, event.Write}[dir], pos[dir], string(text), ts)
				e.Conn, e.Bytes = conn, n
				pos[dir] += n
				c.Add(&e)
				c.Derived()
			}
		}
		open := heap() - before
		if n := len(c.Snapshot(ts).Connections); n != conns {
			t.Fatalf("%s: %d connections are open", tt.name, n)
		}
		for conn := uint64(1); conn <= conns; conn++ {
			ts += 1000
			e := closeEvent(conn, ts)
			c.Add(&e)
			c.Derived()
		}
		ended := heap() - before
		t.Logf("%s: %d bytes a connection, %d MB in all, %d MB when they have ended", tt.name, open/conns, open>>20, ended>>20)
		if open/conns > tt.each {
			t.Errorf("%s: %d bytes are kept of a connection, at most %d", tt.name, open/conns, tt.each)
		}
		if ended > 40<<20 {
			t.Errorf("%s: %d bytes are kept of connections that have ended", tt.name, ended)
		}
		if c.asks != 0 {
			t.Errorf("%s: %d requests wait for an answer, of connections that have ended", tt.name, c.asks)
		}
		runtime.KeepAlive(c)
	}
}

// heap is how many bytes are in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
