// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"beltrace/internal/testkit"
)

// opHTTP starts a net/http server that lives as long as its agent, and returns its address. /sleep/MS sleeps, /spin/MS
// keeps a CPU busy, /lock/MS waits for a sync.Mutex, /status/N has that status, any other path is
// answered at once.
func opHTTP(addr netip.AddrPort) (netip.AddrPort, error) {
	l, err := net.Listen("tcp", addr.String())
	if err != nil {
		return addr, err
	}
	go http.Serve(l, http.HandlerFunc(answerHTTP))
	return l.Addr().(*net.TCPAddr).AddrPort(), nil
}

func answerHTTP(w http.ResponseWriter, r *http.Request) {
	what, ms, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	n, _ := strconv.Atoi(ms)
	d := time.Duration(n) * time.Millisecond
	switch what {
	case "sleep":
		time.Sleep(d)
	case "spin":
		for start := time.Now(); time.Since(start) < d; {
		}
	case "lock": // another goroutine holds it
		var mu sync.Mutex
		mu.Lock()
		time.AfterFunc(d, mu.Unlock)
		mu.Lock()
	case "status":
		w.WriteHeader(n)
	case "missing":
		w.WriteHeader(http.StatusNotFound)
	case "chunks": // they begin anywhere in the writes to the socket
		for range n {
			w.Write(make([]byte, 3000))
		}
	}
	io.WriteString(w, "done")
}

type fetchArgs struct {
	Server netip.AddrPort
	Paths  []string // each client asks for them in turn
	N      int      // requests of each client
	Lanes  int      // clients side by side
	Close  bool     // a connection for each request
}

// fetched is a request as its client saw it.
type fetched struct {
	Path         string
	Status       int
	Begun, Ended int64 // CLOCK_MONOTONIC: before it was sent, when all of the response was read
	First        int64 // when its first byte was read
	Sent         int64 // after it was sent, of one that asked
}

// opFetch makes the requests.
func opFetch(a fetchArgs) ([]fetched, error) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var out []fetched
	var failed error
	for lane := range a.Lanes {
		wg.Go(func() {
			c := client{server: a.Server, oneEach: a.Close}
			defer c.close()
			for i := range a.N {
				f, err := c.fetch(a.Paths[(i+lane)%len(a.Paths)])
				mu.Lock()
				out = append(out, f)
				if err != nil {
					failed = err
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return out, failed
}

// client makes requests over one connection, or one each. Not by http.Transport: that gives up a connection where it
// learns more than 50 ms after a response that the request was written (maxWriteWaitBeforeConnReuse), as in a busy guest.
type client struct {
	server  netip.AddrPort
	oneEach bool
	conn    net.Conn
	in      *bufio.Reader
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

func (c *client) fetch(path string) (f fetched, err error) {
	f.Path = path
	req, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://%s%s?token=secret", c.server, path), nil)
	if err != nil {
		return f, err
	}
	req.Close = c.oneEach
	if c.conn == nil {
		if c.conn, err = net.Dial("tcp", c.server.String()); err != nil {
			c.conn = nil
			return f, err
		}
		c.in = bufio.NewReader(c.conn)
	}
	f.Begun = testkit.Mono()
	if err := req.Write(c.conn); err != nil {
		return f, err
	}
	if _, err := c.in.Peek(1); err != nil {
		return f, err
	}
	f.First = testkit.Mono()
	res, err := http.ReadResponse(c.in, req)
	if err != nil {
		return f, err
	}
	f.Status = res.StatusCode
	_, err = io.Copy(io.Discard, res.Body)
	f.Ended = testkit.Mono()
	if err != nil || res.Close || c.oneEach {
		c.close()
	}
	return f, err
}
