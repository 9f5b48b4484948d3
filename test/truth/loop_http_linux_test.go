// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"bytes"
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"beltrace/collector/live"
	"beltrace/internal/testkit"
)

// loopServer answers requests one after the other in one epoll loop, each after it slept and then worked for some time.
type loopServer struct {
	Listener    socket
	Clients     int
	N           int // requests of all clients
	Sleep, Work time.Duration
}

const loopServerEvents = 16 // that a wait may return: Go's own loop asks for more

// served is a request as a loop saw it.
type served struct {
	Path              string
	From, Wrote, Done int64 // CLOCK_MONOTONIC: before it was read, before and after it was answered
}

// opLoopServer serves so many requests. It waits for all clients first.
func opLoopServer(a loopServer) (looped, error) {
	l := looped{PID: uint32(os.Getpid()), TID: uint32(unix.Gettid())}
	var err error
	if l.EpFD, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return l, err
	}
	defer unix.Close(l.EpFD)
	for range a.Clients {
		fd, _, err := unix.Accept4(a.Listener.FD, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
		if err != nil {
			return l, err
		}
		defer unix.Close(fd)
		if err := unix.EpollCtl(l.EpFD, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
			return l, err
		}
	}
	events := make([]unix.EpollEvent, loopServerEvents)
	for len(l.Served) < a.N {
		n, err := again(func() (int, error) { return unix.EpollWait(l.EpFD, events, -1) })
		if err != nil {
			return l, err
		}
		for _, ev := range events[:n] {
			req, err := a.serve(int(ev.Fd))
			if err != nil {
				return l, err
			}
			if req.Path != "" {
				l.Served = append(l.Served, req)
			}
		}
	}
	return l, nil
}

// serve answers what came on a connection, if it is a request; else it returns one without a path.
func (a *loopServer) serve(fd int) (req served, err error) {
	req.From = testkit.Mono()
	buf := make([]byte, 4096)
	n, err := unix.Read(fd, buf)
	if err != nil && err != unix.EAGAIN {
		return req, err
	}
	if !bytes.HasSuffix(buf[:max(n, 0)], []byte("\r\n\r\n")) {
		return req, nil
	}
	req.Path = string(bytes.Fields(buf[:n])[1])
	ts := unix.NsecToTimespec(int64(a.Sleep))
	if err := unix.Nanosleep(&ts, nil); err != nil && err != unix.EINTR {
		return req, err
	}
	for end := testkit.Mono() + int64(a.Work); testkit.Mono() < end; {
	}
	req.Wrote = testkit.Mono()
	_, err = unix.Write(fd, []byte(plainHead+"done"))
	req.Done = testkit.Mono()
	return req, err
}

// answered returns the request that was answered at a time.
func (l *looped) answered(at int64) served {
	for _, s := range l.Served {
		if s.From <= at && at <= s.Done {
			return s
		}
	}
	return served{}
}

// busyWithOthers is how long the loop served others between two times, up to their answers: whom these wake may take its CPU.
func (l *looped) busyWithOthers(from, to int64) (sum time.Duration) {
	for _, s := range l.Served {
		sum += time.Duration(max(0, min(s.Wrote, to)-max(s.From, from)))
	}
	return sum
}

// TestRequestsOfALoop: a request that comes while its loop sleeps or works for another one waits: that is no part of its
// reading.
func TestRequestsOfALoop(t *testing.T) {
	const each, sleep, work = 6, 10 * time.Millisecond, 20 * time.Millisecond
	p := newPair(t)
	w := p.openWatch(t, live.Config{NetNS: p.ns.Path()})
	l := w.listen(p, listenArgs{Addr: loopback4, Backlog: 4})
	serving := begin[looped](p.server, "loopserver", loopServer{Listener: l, Clients: 2, N: 2 * each, Sleep: sleep, Work: work})
	var asking []pending[[]fetched]
	for who := range 2 {
		paths := make([]string, each)
		for i := range paths {
			paths[i] = fmt.Sprintf("/%d/%d", who, i)
		}
		asking = append(asking, begin[[]fetched](p.client, "ask", askArgs{Server: l.Local, Paths: paths}))
	}
	did, asked := serving.result(), map[string]fetched{}
	for _, a := range asking {
		for _, f := range a.result() {
			asked[f.Path] = f
		}
	}
	all := w.exchanges(2 * each)
	if len(all) == 0 {
		return
	}
	met, right := 0, 0
	for i := range all {
		x := &all[i]
		checkSum(t, x)
		req := did.answered(x.TS)
		if req.Path == "" {
			t.Errorf("ends while none was answered: %+v", x)
			continue
		}
		busy := did.busyWithOthers(asked[req.Path].Sent, req.From)
		if busy < work {
			continue
		}
		met++
		if inPhase(x, "waiting") > busy*9/10 {
			right++
		} else {
			t.Logf("the loop served others for %v: %v of %v", busy, x.Phases, time.Duration(x.TotalNS.V))
		}
	}
	if w.leavesOut() {
		return
	}
	if right < met*9/10 || right < 3 {
		t.Errorf("of %d requests that came while the loop served the other client %d have waited for it, want nearly all, 3 at least", met, right)
	}
}
