// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The load on HTTP servers is our own. With ab and wrk a request is sent when the last one is answered: while the server
// stalls they ask nothing, and what a real client would have waited for is missing from their percentiles (coordinated
// omission). h2load's rate is one of new connections. wrk2 counts from the scheduled time, but no Debian release has it.

const (
	webRequest = "GET /bench.txt HTTP/1.1\r\nHost: bench\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"
	webAnswer  = 4096             // more than an answer with its header
	webLate    = 15 * time.Second // longest time for the last answers
)

// driver is one thread of the load with its connections.
type driver struct {
	epoll int
	conns []webConn
	idle  []int         // connections that no request is under way on, the one that was used longest ago first
	every time.Duration // between the scheduled times of two requests; 0: each connection asks again at once
	next  time.Duration // the next scheduled time
	took  []int64       // ns from the scheduled time of each request to the end of its answer
	done  int           // answers that came in time
	buf   [webAnswer]byte
}

// webConn is one connection of the load. Its answers are all as long as the first one.
type webConn struct {
	fd    int
	size  int           // of an answer
	left  int           // bytes of it that are to come
	since time.Duration // scheduled time of the request
}

// newDriver opens connections, and has a first answer on each.
func newDriver(n int) (*driver, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	d := &driver{epoll: epoll, took: make([]int64, 0, 1<<20)}
	for i := range n {
		c, err := d.open()
		if err != nil {
			return nil, err
		}
		e := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)}
		if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, c.fd, &e); err != nil {
			return nil, fmt.Errorf("epoll_ctl: %w", err)
		}
		d.conns, d.idle = append(d.conns, c), append(d.idle, i)
	}
	return d, nil
}

func (d *driver) open() (webConn, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return webConn{}, fmt.Errorf("socket: %w", err)
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: loadPort, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return webConn{}, fmt.Errorf("connect: %w", err)
	}
	if _, err := unix.Write(fd, []byte(webRequest)); err != nil {
		return webConn{}, fmt.Errorf("write: %w", err)
	}
	for have := 0; have < webAnswer; {
		n, err := unix.Read(fd, d.buf[have:])
		if err != nil {
			return webConn{}, fmt.Errorf("read: %w", err)
		}
		if n == 0 {
			return webConn{}, errors.New("no answer")
		}
		have += n
		size, err := answerSize(d.buf[:have])
		if err != nil {
			return webConn{}, err
		}
		if size == have {
			return webConn{fd: fd, size: size}, unix.SetNonblock(fd, true)
		}
	}
	return webConn{}, errors.New("the answer is too long")
}

// answerSize is how long an answer with its header is; 0: its header is not complete.
func answerSize(answer []byte) (int, error) {
	head, _, ok := bytes.Cut(answer, []byte("\r\n\r\n"))
	if !ok {
		return 0, nil
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")) {
		return 0, fmt.Errorf("the answer is %q", head)
	}
	_, length, _ := bytes.Cut(head, []byte("Content-Length: "))
	length, _, _ = bytes.Cut(length, []byte("\r\n"))
	n, err := strconv.Atoi(string(length))
	if err != nil {
		return 0, fmt.Errorf("the answer has no Content-Length: %q", head)
	}
	return len(head) + 4 + n, nil
}

// run sends requests from start on until length, and takes the answers.
func (d *driver) run(start time.Time, length time.Duration) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread() // a thread that ends would take the server with it that it started
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("timer slack: %w", err)
	}
	events := make([]unix.EpollEvent, len(d.conns))
	time.Sleep(time.Until(start))
	for {
		now := time.Since(start)
		for len(d.idle) > 0 && d.due(now, length) {
			if err := d.ask(now); err != nil {
				return err
			}
		}
		switch {
		case now >= length+webLate:
			return fmt.Errorf("%d requests were not answered", len(d.conns)-len(d.idle))
		case now >= length && len(d.idle) == len(d.conns):
			return nil
		}
		n, err := wait(d.epoll, events, d.patience(now, length))
		if err != nil {
			return err
		}
		for _, e := range events[:n] {
			if err := d.take(int(e.Fd), start, length); err != nil {
				return err
			}
		}
	}
}

// due reports whether a request is to be sent now. What was scheduled and had no free connection is sent late.
func (d *driver) due(now, length time.Duration) bool {
	if d.every == 0 {
		return now < length
	}
	return d.next <= now && d.next < length
}

// patience is how long there is nothing to do unless an answer comes.
func (d *driver) patience(now, length time.Duration) time.Duration {
	if d.every > 0 && d.next < length && len(d.idle) > 0 {
		return max(0, d.next-now)
	}
	return max(time.Millisecond, length-now)
}

// ask sends the next request.
func (d *driver) ask(now time.Duration) error {
	i := d.idle[0]
	d.idle = append(d.idle[:0], d.idle[1:]...)
	c := &d.conns[i]
	c.left, c.since = c.size, now
	if d.every > 0 {
		c.since = d.next
		d.next += d.every
	}
	if n, err := unix.Write(c.fd, requestBytes); err != nil || n != len(requestBytes) {
		return fmt.Errorf("write: %d bytes, %w", n, err)
	}
	return nil
}

var requestBytes = []byte(webRequest)

// take reads what came on a connection.
func (d *driver) take(i int, start time.Time, length time.Duration) error {
	c := &d.conns[i]
	n, err := unix.Read(c.fd, d.buf[:])
	switch {
	case err == unix.EAGAIN:
		return nil
	case err != nil:
		return fmt.Errorf("read: %w", err)
	case n == 0 || n > c.left:
		return fmt.Errorf("%d bytes came, and %d were to come", n, c.left)
	}
	if c.left -= n; c.left > 0 {
		return nil
	}
	now := time.Since(start)
	d.took = append(d.took, int64(now-c.since))
	if now < length {
		d.done++
	}
	d.idle = append(d.idle, i)
	return nil
}

// wait is epoll_pwait2: a request every 50 µs cannot be scheduled in ms.
func wait(epoll int, events []unix.EpollEvent, longest time.Duration) (int, error) {
	ts := unix.NsecToTimespec(int64(longest))
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(epoll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)),
		uintptr(unsafe.Pointer(&ts)), 0, 0)
	switch errno {
	case 0:
		return int(n), nil
	case unix.EINTR:
		return 0, nil
	}
	return 0, fmt.Errorf("epoll_pwait2: %w", errno)
}
