// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"bytes"
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
	for served := 0; served < a.N; {
		n, err := again(func() (int, error) { return unix.EpollWait(l.EpFD, events, -1) })
		if err != nil {
			return l, err
		}
		for _, ev := range events[:n] {
			done, err := a.serve(int(ev.Fd))
			if err != nil {
				return l, err
			}
			if done {
				served++
			}
		}
	}
	return l, nil
}

// serve answers what came on a connection, if it is a request.
func (a *loopServer) serve(fd int) (bool, error) {
	buf := make([]byte, 4096)
	n, err := unix.Read(fd, buf)
	if err != nil && err != unix.EAGAIN {
		return false, err
	}
	if !bytes.HasSuffix(buf[:max(n, 0)], []byte("\r\n\r\n")) {
		return false, nil
	}
	ts := unix.NsecToTimespec(int64(a.Sleep))
	if err := unix.Nanosleep(&ts, nil); err != nil && err != unix.EINTR {
		return false, err
	}
	for end := testkit.Mono() + int64(a.Work); testkit.Mono() < end; {
	}
	_, err = unix.Write(fd, []byte(plainHead+"done"))
	return true, err
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
	for range 2 {
		paths := make([]string, each)
		for i := range paths {
			paths[i] = "/"
		}
		asking = append(asking, begin[[]fetched](p.client, "ask", askArgs{Server: l.Local, Paths: paths}))
	}
	for _, a := range asking {
		a.result()
	}
	serving.result()
	all := w.exchanges(2 * each)
	if len(all) == 0 {
		return
	}
	right := 0
	for i := range all {
		x := &all[i]
		checkSum(t, x)
		if inPhase(x, "waiting") > (sleep+work)*8/10 && inPhase(x, "read") < work/4 && inPhase(x, "runqueue") < work/4 {
			right++
		}
	}
	least := 2*each - 6 // the first ones of both, and the last one of the client that is longer there
	if right < least && !w.leavesOut() {
		t.Errorf("%d of %d requests waited for the other client's, want %d at least", right, 2*each, least)
		for _, x := range all {
			t.Logf("%v of %v", x.Phases, time.Duration(x.TotalNS))
		}
	}
}
