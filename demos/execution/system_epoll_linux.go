// SPDX-License-Identifier: Apache-2.0

package execution

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// missingEpoll: every Linux has epoll.
func missingEpoll() error { return nil }

// loop is an event loop.
type loop struct {
	*site
	ep      int
	clients map[int32]*client // by the descriptors of their socket and of their database
}

// client is what the loop knows of a client between two events.
type client struct {
	fd      int
	id      uint64 // of the connection
	db      *timer
	in      [maxRequest]byte
	have    int    // bytes of in
	waiting string // the path whose answer the database owes, "" if none
	out     []byte // what the socket did not take yet
	full    bool   // it took less than all: epoll says when it takes more
}

// serveByEpoll runs the loop in a thread of its own.
func serveByEpoll(s *site) error {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("epoll_create1: %w", err)
	}
	if err := unix.SetNonblock(s.fd, true); err != nil {
		unix.Close(ep)
		return err
	}
	s.thread(func() error {
		l := &loop{site: s, ep: ep, clients: map[int32]*client{}}
		defer l.leave()
		return l.turn()
	})
	return nil
}

// turn turns the loop until the server ends.
func (l *loop) turn() error {
	if err := l.watch(l.fd, unix.EPOLLIN); err != nil {
		return err
	}
	ready := make([]unix.EpollEvent, 64)
	for {
		n, err := unix.EpollWait(l.ep, ready, -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("epoll_wait: %w", err)
		}
		for _, e := range ready[:max(n, 0)] {
			if err := l.event(e); err != nil {
				return err
			}
		}
	}
}

// event does what a descriptor is ready for.
func (l *loop) event(e unix.EpollEvent) error {
	if e.Fd == int32(l.fd) {
		return l.acceptAll()
	}
	c := l.clients[e.Fd]
	switch {
	case c == nil: // it was closed by an event before this one
		return nil
	case e.Fd == int32(c.db.fd):
		if c.db.Answer() != nil || c.waiting == "" {
			return nil
		}
		path := c.waiting
		c.waiting = ""
		c.out = append(c.out, answer(path, c.id)...)
	case e.Events&unix.EPOLLOUT == 0:
		n, err := readFD(c.fd, c.in[c.have:])
		if errors.Is(err, unix.EAGAIN) {
			return nil
		}
		if err != nil || n == 0 {
			l.drop(c)
			return nil
		}
		c.have += n
	}
	return l.advance(c)
}

// advance works on a client's requests until one has to wait for something.
func (l *loop) advance(c *client) error {
	for c.waiting == "" {
		path, size, err := take(c.in[:c.have], c.id)
		if err != nil {
			refuse(c.fd)
			l.drop(c)
			return nil
		}
		if size == 0 {
			break
		}
		c.have = copy(c.in[:], c.in[size:c.have])
		if path == pathWait {
			c.waiting = path
			if err := c.db.Ask(); err != nil {
				return fmt.Errorf("ask the database: %w", err)
			}
			break
		}
		if err := work(path, c.db); err != nil {
			return err
		}
		c.out = append(c.out, answer(path, c.id)...)
	}
	return l.flush(c)
}

// flush writes what the socket takes, and has epoll say when it takes more.
func (l *loop) flush(c *client) error {
	if len(c.out) == 0 {
		return nil
	}
	n, err := unix.Write(c.fd, c.out)
	switch {
	case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR):
		n = 0
	case err != nil:
		l.drop(c)
		return nil
	}
	c.out = c.out[:copy(c.out, c.out[n:])]
	if full := len(c.out) > 0; full == c.full {
		return nil
	}
	c.full = !c.full
	events := uint32(unix.EPOLLIN)
	if c.full {
		events = unix.EPOLLOUT // nothing more is read from a client that reads nothing
	}
	return unix.EpollCtl(l.ep, unix.EPOLL_CTL_MOD, c.fd, &unix.EpollEvent{Events: events, Fd: int32(c.fd)})
}

// acceptAll accepts whoever waits.
func (l *loop) acceptAll() error {
	for {
		fd, _, err := unix.Accept4(l.fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		switch {
		case l.over():
			if err == nil {
				unix.Close(fd)
			}
			return errEnded
		case errors.Is(err, unix.EAGAIN):
			return nil
		case errors.Is(err, unix.EINTR) || errors.Is(err, unix.ECONNABORTED):
			continue
		case err != nil:
			return fmt.Errorf("accept: %w", err)
		}
		if err := l.take(fd); err != nil {
			return err
		}
	}
}

// take has epoll watch a new client and its database.
func (l *loop) take(fd int) error {
	if err := l.add(fd); err != nil {
		return err
	}
	db, err := newTimer(true)
	if err != nil {
		return err
	}
	c := &client{fd: fd, id: number(fd), db: db}
	l.clients[int32(fd)], l.clients[int32(db.fd)] = c, c
	return errors.Join(l.watch(fd, unix.EPOLLIN), l.watch(db.fd, unix.EPOLLIN))
}

func (l *loop) watch(fd int, events uint32) error {
	if err := unix.EpollCtl(l.ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)}); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

// drop closes a client's descriptors, with which epoll forgets them.
func (l *loop) drop(c *client) {
	delete(l.clients, int32(c.fd))
	delete(l.clients, int32(c.db.fd))
	c.db.Close()
	l.remove(c.fd)
}

// leave closes everything.
func (l *loop) leave() {
	for _, c := range l.clients {
		l.drop(c)
	}
	unix.Close(l.ep)
}
