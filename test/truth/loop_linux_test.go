// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"beltrace/collector/event"
	"beltrace/internal/testkit"
)

// loopArgs make a loop over Pairs socket pairs.
type loopArgs struct {
	Kind  string // epoll, poll, select
	Pairs int
	Waits []waitArgs
}

// waitArgs are one turn of a loop: so many descriptors are made ready, some time passes, then it waits.
type waitArgs struct {
	Ready   int
	Late    time.Duration // they are made ready so long after the wait began
	Sleep   time.Duration // before the wait, in nanosleep
	Timeout int           // ms
}

// looped is what a loop knows about itself.
type looped struct {
	PID, TID uint32
	EpFD     int
	Waits    []waited
	Served   []served
	OnCPU    int64 // ns that it had a CPU or, as far as this kernel tells, waited for one
}

type waited struct {
	Called, Returned int64
	Ready            int
	Slept            int64 // ns before the call
	Awake            int64 // of them on a CPU or, as far as this kernel tells, waiting for one: its clock runs before it sleeps
}

// pairs are socket pairs: what is written to one end makes the other one ready.
type pairs struct {
	near, far []int
	late      []chan error // of turns that woke themselves
}

// opLoop does as it is told.
func opLoop(a loopArgs) (l looped, err error) {
	unhindered()
	l.PID, l.TID = uint32(os.Getpid()), uint32(unix.Gettid())
	var p pairs
	for range a.Pairs {
		both, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			return l, err
		}
		p.near, p.far = append(p.near, both[0]), append(p.far, both[1])
	}
	wait, err := p.waiter(a.Kind, &l)
	if err != nil {
		return l, err
	}
	cpu, queued := threadCPU(), threadQueued()
	for _, w := range a.Waits {
		if err := p.turn(w, wait, &l); err != nil {
			return l, fmt.Errorf("%s: %w", a.Kind, err)
		}
	}
	l.OnCPU = threadCPU() - cpu + threadQueued() - queued
	for _, late := range p.late { // between two waits that would be a sleep
		err = errors.Join(err, <-late)
	}
	return l, err
}

// unhindered lets no thread of this process wait for Go's scheduler when a call returns. Whoever asks for that looks into the
// runtime's epoll instance: not the thread of a loop.
func unhindered() {
	var wg sync.WaitGroup
	wg.Go(func() { runtime.GOMAXPROCS(16) })
	wg.Wait()
}

// turn makes descriptors ready, waits for them and reads them.
func (p *pairs) turn(a waitArgs, wait func(ms int) (int, error), l *looped) error {
	if a.Late > 0 {
		late := make(chan error, 1)
		p.late = append(p.late, late)
		time.AfterFunc(a.Late, func() { late <- p.wake(a.Ready) })
	} else if err := p.wake(a.Ready); err != nil {
		return err
	}
	var w waited
	if a.Sleep > 0 {
		before, awake := testkit.Mono(), threadCPU()+threadQueued()
		if err := wholly(a.Sleep, sleep); err != nil {
			return err
		}
		w.Slept, w.Awake = testkit.Mono()-before, threadCPU()+threadQueued()-awake
	}
	w.Called = testkit.Mono()
	n, err := wait(a.Timeout)
	w.Returned, w.Ready = testkit.Mono(), n
	if err != nil {
		return err
	}
	for _, fd := range p.near {
		unix.Read(fd, make([]byte, 16))
	}
	l.Waits = append(l.Waits, w)
	return nil
}

// wake makes the first n descriptors ready. In an epoll instance that is in one go only if the loop does not wait.
func (p *pairs) wake(n int) error {
	for _, fd := range p.far[:n] {
		if _, err := unix.Write(fd, []byte{1}); err != nil {
			return err
		}
	}
	return nil
}

// waiter returns the call in which a loop of that kind waits.
func (p *pairs) waiter(kind string, l *looped) (func(ms int) (int, error), error) {
	switch kind {
	case event.LoopPoll:
		fds := make([]unix.PollFd, len(p.near))
		for i, fd := range p.near {
			fds[i] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
		}
		return func(ms int) (int, error) { return again(func() (int, error) { return unix.Poll(fds, ms) }) }, nil
	case event.LoopSelect:
		return func(ms int) (int, error) {
			return again(func() (int, error) {
				var set unix.FdSet
				top := 0
				for _, fd := range p.near {
					set.Set(fd)
					top = max(top, fd)
				}
				var tv *unix.Timeval
				if ms >= 0 {
					t := unix.NsecToTimeval(int64(ms) * 1e6)
					tv = &t
				}
				return unix.Select(top+1, &set, nil, nil, tv)
			})
		}, nil
	}
	var err error
	if l.EpFD, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, err
	}
	for i, fd := range p.near {
		ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
		switch i { // one of each kind; the others are level-triggered
		case 0:
			ev.Events |= unix.EPOLLET
		case 1:
			ev.Events |= unix.EPOLLEXCLUSIVE
		}
		if err := unix.EpollCtl(l.EpFD, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
			return nil, err
		}
	}
	return epollWaits(l.EpFD), nil
}

// epollWaits returns a wait that takes turns at the system calls there are for it.
func epollWaits(epfd int) func(ms int) (int, error) {
	events := make([]unix.EpollEvent, 64)
	calls := []func(ms int) (int, error){
		func(ms int) (int, error) { return unix.EpollWait(epfd, events, ms) }, // epoll_pwait
		func(ms int) (int, error) {
			var ts *unix.Timespec
			if ms >= 0 {
				t := unix.NsecToTimespec(int64(ms) * 1e6)
				ts = &t
			}
			n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(epfd), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), uintptr(unsafe.Pointer(ts)), 0, 0)
			return int(n), errorOf(errno)
		},
	}
	if runtime.GOARCH == "amd64" {
		calls = append(calls, func(ms int) (int, error) { // epoll_wait
			n, _, errno := unix.Syscall6(232, uintptr(epfd), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), uintptr(ms), 0, 0)
			return int(n), errorOf(errno)
		})
	}
	turn := 0
	return func(ms int) (int, error) {
		turn++
		return again(func() (int, error) {
			n, err := calls[turn%len(calls)](ms)
			if err == unix.ENOSYS { // epoll_pwait2 before 5.11
				return calls[0](ms)
			}
			return n, err
		})
	}
}

// errorOf makes an error of a system call's errno, nil if there is none.
func errorOf(errno unix.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}

// again repeats what a signal interrupted, as loops do: Go's runtime sends some.
func again(wait func() (int, error)) (int, error) {
	for {
		if n, err := wait(); err != unix.EINTR {
			return n, err
		}
	}
}

type sendArgs struct {
	FD   int
	Text string
}

// opSend writes a text to a descriptor of the agent.
func opSend(a sendArgs) (bool, error) {
	n, err := unix.Write(a.FD, []byte(a.Text))
	return n == len(a.Text), err
}
