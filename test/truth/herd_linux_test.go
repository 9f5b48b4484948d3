// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"beltrace/collector/event"
	"beltrace/collector/live"
	"beltrace/internal/testkit"
)

// herdArgs make a worker of several that wait for one listener, each on an epoll instance of its own.
type herdArgs struct {
	Listener  socket // of the process that made it
	Stop      int    // a descriptor of the worker: it ends when that is ready
	Exclusive bool   // EPOLLEXCLUSIVE
}

// herded is what a worker knows about itself.
type herded struct {
	PID, TID uint32
	EpFD     int
	Returns  int // of its waits, for the listener
	Accepted int // of them, with somebody there
}

// opPipe makes a pipe.
func opPipe(struct{}) (p [2]int, err error) {
	err = unix.Pipe2(p[:], unix.O_CLOEXEC)
	return p, err
}

// opHerd accepts one connection whenever its wait says that there may be one, and looks once before it waits. All workers share a
// CPU: the first that runs takes the connection before the others look.
func opHerd(a herdArgs) (h herded, err error) {
	h.PID, h.TID = uint32(os.Getpid()), uint32(unix.Gettid())
	var first unix.CPUSet
	first.Set(0)
	if err := unix.SchedSetaffinity(0, &first); err != nil {
		return h, fmt.Errorf("pin: %w", err)
	}
	listener, err := adopt(a.Listener)
	if err != nil {
		return h, err
	}
	defer unix.Close(listener)
	if h.EpFD, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return h, err
	}
	defer unix.Close(h.EpFD)
	for fd, events := range map[int]uint32{listener: a.events(), a.Stop: unix.EPOLLIN} {
		if err := unix.EpollCtl(h.EpFD, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)}); err != nil {
			return h, err
		}
	}
	if _, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC); err != unix.EAGAIN {
		return h, fmt.Errorf("accept where nobody waits: %v", err)
	}
	for {
		found := make([]unix.EpollEvent, loopServerEvents)
		n, err := again(func() (int, error) { return unix.EpollWait(h.EpFD, found, -1) })
		if err != nil {
			return h, err
		}
		for _, ev := range found[:n] {
			if int(ev.Fd) == a.Stop {
				return h, nil
			}
			h.Returns++
			fd, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
			if err == unix.EAGAIN {
				continue
			}
			if err != nil {
				return h, fmt.Errorf("accept: %w", err)
			}
			h.Accepted++
			unix.Close(fd)
		}
	}
}

func (a *herdArgs) events() uint32 {
	if a.Exclusive {
		return unix.EPOLLIN | unix.EPOLLEXCLUSIVE
	}
	return unix.EPOLLIN
}

// adopt makes a socket of another process one of this one, too.
func adopt(s socket) (int, error) {
	pidfd, err := unix.PidfdOpen(int(s.PID), 0)
	if err != nil {
		return -1, fmt.Errorf("pidfd_open: %w", err)
	}
	defer unix.Close(pidfd)
	fd, err := unix.PidfdGetfd(pidfd, s.FD, 0)
	if err != nil {
		return -1, fmt.Errorf("pidfd_getfd: %w", err)
	}
	return fd, nil
}

const (
	herdWorkers = 4
	herdClients = 30
)

// TestHerd: a connection wakes every worker that waits for its listener. One takes it; who looks later finds nothing, in accept or
// within epoll_wait, where it goes back to sleep: each wake-up is one or the other. With EPOLLEXCLUSIVE only one is woken.
func TestHerd(t *testing.T) {
	p := newPair(t)
	workers := []*agent{p.server}
	for range herdWorkers - 1 {
		workers = append(workers, startAgent(t, testkit.ChildOptions{Comm: serverName(), NetNS: p.ns}))
	}
	c := live.Config{}
	for _, a := range workers {
		c.PIDs = append(c.PIDs, a.PID)
	}
	w := p.openWatch(t, c)
	for _, exclusive := range []bool{false, true} {
		t.Run(fmt.Sprintf("exclusive %v", exclusive), func(t *testing.T) {
			l := do[socket](p.server, "listen", listenArgs{Addr: loopback4, Backlog: 16, NonBlocking: true})
			stop := runHerd(t, p, workers, herdArgs{Listener: l, Exclusive: exclusive})
			if !exclusive {
				f := w.finding("thundering-herd", l)
				w.number(f, "vain_each", 1, herdWorkers) // each has looked once, at the beginning
				w.number(f, "threads", 2, herdWorkers)
				w.number(f, "spurious_10s", 1, herdClients*(herdWorkers-1))
			}
			w.checkHerd(t, stop(), exclusive)
			for _, f := range w.findings(l) {
				if exclusive && f.ID == "thundering-herd" {
					t.Errorf("only one is woken: %s", f.Text)
				}
			}
		})
	}
	w.lossless()
}

// runHerd lets clients connect one after the other, each when all workers sleep. What it returns ends the workers.
func runHerd(t *testing.T, p *pair, workers []*agent, args herdArgs) func() []herded {
	t.Helper()
	var working []pending[herded]
	var stops []int
	for _, a := range workers {
		pipe := do[[2]int](a, "pipe", struct{}{})
		args.Stop = pipe[0]
		stops = append(stops, pipe[1])
		working = append(working, begin[herded](a, "herd", args))
	}
	tids := make([]uint32, len(workers))
	for i, a := range workers {
		if !testkit.Until(settleTime, func() bool { tids[i] = epollWaiter(t, a.PID); return tids[i] != 0 }) {
			t.Fatal("a worker does not wait")
		}
	}
	for range herdClients {
		before := slept(t, workers, tids)
		do[[]socket](p.client, "dial", dialArgs{Addr: args.Listener.Local, N: 1, Talk: talk{End: endDrain}})
		if !testkit.Until(settleTime, func() bool { return rested(slept(t, workers, tids), before, args.Exclusive) }) {
			t.Fatal("the workers do not sleep again")
		}
	}
	return func() (did []herded) {
		for i, a := range workers {
			do[bool](a, "send", sendArgs{FD: stops[i], Text: "x"})
			did = append(did, working[i].result())
		}
		return did
	}
}

// slept is how often each worker has gone to sleep, -1 of one that does not wait now.
func slept(t *testing.T, workers []*agent, tids []uint32) []int {
	t.Helper()
	out := make([]int, len(workers))
	for i, a := range workers {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/status", a.PID, tids[i]))
		if err != nil {
			t.Fatal(err)
		}
		out[i] = -1
		if _, rest, ok := strings.Cut(string(text), "\nvoluntary_ctxt_switches:"); ok && epollWaiter(t, a.PID) == tids[i] {
			fmt.Sscan(rest, &out[i])
		}
	}
	return out
}

// rested reports whether all sleep, and those that were to be woken have been.
func rested(now, before []int, one bool) bool {
	woken := 0
	for i, n := range now {
		if n < 0 {
			return false
		}
		if n > before[i] {
			woken++
		}
	}
	return woken == len(now) || one && woken > 0
}

// checkHerd compares what is told of each worker.
func (w *watch) checkHerd(t *testing.T, did []herded, exclusive bool) {
	t.Helper()
	accepted, spurious := 0, 0
	for _, h := range did {
		all := func(e *event.Event) bool { return int(e.Loop.Waits-e.Loop.Failed) == h.Returns+1 }
		e := w.until("all waits of a worker", func(e *event.Event) bool {
			return e.Kind == event.Loop && e.TID == h.TID && int(e.Loop.EpFD) == h.EpFD && (all(e) || w.leavesOut() && e.Phase == event.PhaseEnd)
		})
		want := 0
		if !exclusive { // each client woke it
			want = herdClients - h.Returns
		}
		if all(&e) && (!e.Known(event.FieldSpurious) || int(e.Loop.Spurious) != want) {
			t.Errorf("it was woken %d times in vain; told is %s", want, e.AppendJSON(nil))
		}
		accepted, spurious = accepted+h.Accepted, spurious+want
	}
	if accepted != herdClients || !exclusive && spurious == 0 {
		t.Errorf("%d accepted, %d woken in vain: %+v", accepted, spurious, did)
	}
}
