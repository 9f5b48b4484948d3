// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"beltrace/collector/event"
	"beltrace/collector/live"
	"beltrace/collector/model"
	"beltrace/internal/testkit"
)

// sayArgs are bytes that a client says on a connection of its own making.
type sayArgs struct {
	Server    netip.AddrPort
	FD        int    // 0: a new connection
	Text      string // said Times over, in one call; or byte by byte
	Times     int
	Slowly    bool
	Responses int // of HTTP that are waited for; -1: anything until the end
	Close     bool
}

type said struct {
	FD       int
	Statuses []int
}

// opSay says them.
func opSay(a sayArgs) (s said, err error) {
	if s.FD = a.FD; s.FD == 0 {
		family, to := toSockaddr(a.Server)
		if s.FD, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return s, err
		}
		if err := unix.Connect(s.FD, to); err != nil {
			return s, err
		}
	}
	text, step := []byte(strings.Repeat(a.Text, a.Times)), len(a.Text)*a.Times
	if a.Slowly {
		step = 1
	}
	for len(text) > 0 {
		n, err := unix.Write(s.FD, text[:step])
		if err != nil {
			return s, err
		}
		text = text[n:]
		step = min(step, len(text))
	}
	in := bufio.NewReader(fdReader(s.FD))
	for range a.Responses {
		r, err := http.ReadResponse(in, nil)
		if err != nil {
			return s, err
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return s, err
		}
		s.Statuses = append(s.Statuses, r.StatusCode)
	}
	if a.Responses < 0 {
		unix.Shutdown(s.FD, unix.SHUT_WR)
		io.Copy(io.Discard, in)
	}
	if a.Close {
		return s, unix.Close(s.FD)
	}
	return s, nil
}

// fdReader reads a blocking descriptor.
type fdReader int

func (fd fdReader) Read(b []byte) (int, error) {
	n, err := unix.Read(int(fd), b)
	if n == 0 && err == nil {
		return 0, io.EOF
	}
	return max(n, 0), err
}

// detailed lets the collector ask for single calls, and says when it has.
func (w *watch) detailed() <-chan uint64 {
	asked := make(chan uint64, 64)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.detail = func(conn uint64) { w.session.Detail(conn); asked <- conn }
	return asked
}

// ofPath returns the exchanges with a path.
func ofPath(all []model.Exchange, path string) (out []model.Exchange) {
	for _, x := range all {
		if x.Path == path {
			out = append(out, x)
		}
	}
	return out
}

// whole counts the requests with a path that were seen from their beginning to their end.
func (w *watch) whole(path string) (n int) {
	for _, e := range w.seen() {
		if !e.Known(event.FieldMessages) {
			continue
		}
		for _, m := range e.Turn.Messages {
			if m.End && !m.Response && !m.Guess && m.Path == path {
				n++
			}
		}
	}
	return n
}

// TestDetail: a connection whose turns do not tell where messages end is told call by call; from then on
// every one of its requests is an exchange, and seen from its beginning to its end.
func TestDetail(t *testing.T) {
	p := newPair(t)
	w := p.openWatch(t, live.Config{NetNS: p.ns.Path()})
	if !w.knowsTurns() || !w.seesHeads() {
		t.Skip("this tier sees no first bytes")
	}
	asked := w.detailed()
	server := do[netip.AddrPort](p.server, "http", netip.MustParseAddrPort("127.0.0.1:0"))
	total := 0
	for _, tt := range []struct {
		name, path, header string
		at, batches        int // requests in one write, and how often
	}{
		{"pipelining", "/p", "", 16, 3},
		{"chunked bodies", "/chunks/5", "", 1, 5},
		{"large header", "/large", "X-Large: " + strings.Repeat("x", 900<<10) + "\r\n", 1, 2},
	} {
		text := fmt.Sprintf("GET %s?token=secret HTTP/1.1\r\nHost: a\r\n%s\r\n", tt.path, tt.header)
		first := do[said](p.client, "say", sayArgs{Server: server, Text: text, Times: tt.at, Responses: tt.at})
		select {
		case <-asked:
		case <-time.After(settleTime):
			t.Fatalf("%s: nobody asked for single calls", tt.name)
		}
		// What is under way when they are switched on may still be a guess.
		again := sayArgs{FD: first.FD, Text: strings.Replace(text, tt.path, "/between", 1), Times: 1, Responses: 1}
		do[said](p.client, "say", again)
		again.Text, again.Times, again.Responses = text, tt.at, tt.at
		for range tt.batches {
			do[said](p.client, "say", again)
		}
		again.Text, again.Times, again.Responses, again.Close = strings.Replace(text, tt.path, "/last", 1), 1, 1, true
		do[said](p.client, "say", again)
		total++
		testkit.Until(settleTime, func() bool { return len(ofPath(w.snapshot().Exchanges, "/last")) >= total })
		all := ofPath(w.snapshot().Exchanges, tt.path)
		for _, x := range all {
			checkSum(t, &x)
			if x.Status != 200 && !w.leavesOut() || strings.Contains(x.Summary, "token") {
				t.Errorf("%s: exchange %+v", tt.name, x)
			}
		}
		want := tt.at * tt.batches
		sure := w.whole(tt.path)
		if min(sure, len(all)) < want && !w.leavesOut() || max(sure, len(all)) > want+tt.at { // of the first ones some are known
			t.Errorf("%s: %d exchanges, %d requests were seen whole, want %d", tt.name, len(all), sure, want)
		}
	}
	w.lossless()
}

func summaries(all []model.Exchange) (out []string) {
	for _, x := range all {
		out = append(out, fmt.Sprintf("%s (%s)", x.Summary, x.Confidence))
	}
	return out
}

// TestOddRequests: what is no HTTP, or not all of it, gets the label that it deserves.
func TestOddRequests(t *testing.T) {
	p := newPair(t)
	w := p.openWatch(t, live.Config{NetNS: p.ns.Path()})
	if !w.knowsTurns() || !w.seesHeads() {
		t.Skip("this tier sees no first bytes")
	}
	w.detailed()
	server := do[netip.AddrPort](p.server, "http", netip.MustParseAddrPort("127.0.0.1:0"))
	const get = "GET /slow?token=secret HTTP/1.1\r\nHost: a\r\nX-A: b\r\n"
	for i, tt := range []struct {
		name, text, want string
		incomplete       bool
		say              sayArgs
	}{
		{"garbage", "\x00\xff\x1b[2J\n\r\n\r\n", "tcp", false, sayArgs{Responses: -1}},
		{"TLS", "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + strings.Repeat("r", 200), "tls?", false, sayArgs{Responses: -1}},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http2?", false, sayArgs{Responses: -1}},
		{"a response", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "tcp", false, sayArgs{Responses: -1}},
		{"slowly, and never all of it", get, "GET /slow", true, sayArgs{Slowly: true}},
		{"slowly", get + "\r\n", "GET /slow 200", false, sayArgs{Slowly: true, Responses: 1}},
		{"cut off", "GET /cut HTTP/1.1\r\nHo", "GET /cut", true, sayArgs{}},
	} {
		tt.say.Server, tt.say.Text, tt.say.Times, tt.say.Close = server, tt.text, 1, true
		do[said](p.client, "say", tt.say)
		testkit.Until(settleTime, func() bool { return len(w.snapshot().Exchanges) > i })
		all := w.snapshot().Exchanges
		if len(all) != i+1 && !w.leavesOut() {
			t.Fatalf("%s: %d exchanges, want one more than %d: %v", tt.name, len(all), i, summaries(all))
		}
		x := all[0]
		if tt.incomplete && x.Status == http.StatusBadRequest { // net/http answers what is cut off: at times before the connection is closed
			tt.want, tt.incomplete = tt.want+" 400", false
		}
		if !w.leavesOut() && (x.Summary != tt.want || x.Incomplete != tt.incomplete) {
			t.Errorf("%s: %q (incomplete %v), want %q (%v)", tt.name, x.Summary, x.Incomplete, tt.want, tt.incomplete)
		}
	}
}

// TestGoneClients: a client that goes before its answer ends the connection within the server's call. The next one, which the
// kernel may make in the same memory, has nothing of it.
func TestGoneClients(t *testing.T) {
	p := newPair(t)
	w := p.openWatch(t, live.Config{NetNS: p.ns.Path()})
	if !w.knowsTurns() {
		t.Skip("nothing tells of bytes here")
	}
	server := do[netip.AddrPort](p.server, "http", netip.MustParseAddrPort("127.0.0.1:0"))
	const n, most = 20, 200 // bytes of a request, or of its answer
	for i := range n {
		get := func(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n" }
		do[said](p.client, "say", sayArgs{Server: server, Text: get("/gone"), Times: 1, Close: true})
		do[said](p.client, "say", sayArgs{Server: server, Text: get(fmt.Sprintf("/after/%d", i)), Times: 1, Responses: 1, Close: true})
	}
	w.settle(p.client)
	pids := map[string]uint32{event.RoleServer: p.server.PID, event.RoleClient: p.client.PID}
	for _, e := range w.seen() {
		if e.Kind == event.Turn && (e.Turn.Pos+e.Bytes > most || e.PID != pids[e.Role]) {
			w.wrong("nobody said %s", e.AppendJSON(nil))
		}
	}
	if !w.seesHeads() || w.leavesOut() {
		return
	}
	answered := func() (all []string) {
		for _, x := range w.snapshot().Exchanges {
			if strings.HasPrefix(x.Path, "/after/") {
				all = append(all, x.Summary)
			}
		}
		return all
	}
	if !testkit.Until(settleTime, func() bool { return len(answered()) >= n }) {
		t.Errorf("%d of %d exchanges: %v", len(answered()), n, answered())
	}
}
