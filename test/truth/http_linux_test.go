// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"beltrace/internal/testkit"
)

// opHTTP starts a net/http server that lives as long as its agent, and returns its address. /sleep/MS sleeps, /spin/MS
// keeps a CPU busy, /lock/MS waits for a sync.Mutex, any other path answers at once.
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
	Dialed       int   // connections that were made for it
}

// opFetch makes the requests.
func opFetch(a fetchArgs) ([]fetched, error) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var out []fetched
	var failed error
	for lane := range a.Lanes {
		wg.Go(func() {
			tr := &http.Transport{DisableKeepAlives: a.Close}
			defer tr.CloseIdleConnections()
			for i := range a.N {
				f, err := fetchOne(tr, a.Server, a.Paths[(i+lane)%len(a.Paths)])
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

func fetchOne(tr *http.Transport, server netip.AddrPort, path string) (f fetched, err error) {
	f.Path = path
	req, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://%s%s?token=secret", server, path), nil)
	if err != nil {
		return f, err
	}
	got := func(c httptrace.GotConnInfo) {
		f.Begun = testkit.Mono()
		if !c.Reused {
			f.Dialed++
		}
	}
	trace := &httptrace.ClientTrace{GotConn: got, GotFirstResponseByte: func() { f.First = testkit.Mono() }}
	res, err := tr.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	if err != nil {
		return f, err
	}
	defer res.Body.Close()
	f.Status = res.StatusCode
	_, err = io.Copy(io.Discard, res.Body)
	f.Ended = testkit.Mono()
	return f, err
}
