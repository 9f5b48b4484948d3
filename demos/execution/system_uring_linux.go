// SPDX-License-Identifier: Apache-2.0

package execution

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"

	"beltrace/internal/uring"
)

// Sizes of the ring server. A client beyond maxSeats is turned away.
const (
	ringEntries = 128
	maxSeats    = 64
	seatMemory  = 2*maxRequest + 8
	recvBuffers = 64 // of maxRequest bytes each
)

// What a completion is of: the low bits of its UserData; the others are the seat's number.
const (
	ofAccept = iota
	ofRecv
	ofSend
	ofDatabase
	ofBits = 2
)

// missingRing says why there can be no ring, as with io_uring_disabled.
func missingRing() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r, err := uring.Open(1, uring.Options{})
	if err != nil {
		return err
	}
	return r.Close()
}

// ringServer serves by completions.
type ringServer struct {
	*site
	ring    *uring.Ring
	buffers *uring.Buffers // nil: this kernel has no multishot recv
	seats   [maxSeats]seat
	once    bool // this kernel has no multishot accept
}

// serveByRing runs the server in a thread of its own, which the ring belongs to.
func serveByRing(s *site) error {
	s.thread(func() error {
		r, err := newRingServer(s)
		if err != nil {
			return err
		}
		err = r.turn()
		for i := range r.seats {
			r.seats[i].clear(s)
		}
		return errors.Join(err, r.ring.Close())
	})
	return nil
}

func newRingServer(s *site) (*ringServer, error) {
	ring, err := uring.Open(ringEntries, uring.Options{})
	if err != nil {
		return nil, err
	}
	r := &ringServer{site: s, ring: ring}
	memory, err := uring.Memory(maxSeats * seatMemory)
	if err != nil {
		return nil, errors.Join(err, ring.Close())
	}
	for i := range r.seats {
		m := memory[i*seatMemory : (i+1)*seatMemory]
		r.seats[i] = seat{fill: m[:maxRequest], send: m[maxRequest : 2*maxRequest], answer: m[2*maxRequest:]}
	}
	if b, err := ring.Buffers(1, recvBuffers, maxRequest); err == nil {
		r.buffers = b
	}
	return r, nil
}

// turn hands over what is wanted, and takes what is done, until the server ends.
func (r *ringServer) turn() error {
	if err := r.wantClients(); err != nil {
		return err
	}
	for {
		if _, err := r.ring.Submit(1); err != nil && !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("io_uring_enter: %w", err)
		}
		for c := range r.ring.Reap() {
			if err := r.done(c); err != nil {
				return err
			}
		}
	}
}

// next is the next free submission; a full ring is handed over first.
func (r *ringServer) next() (*uring.SQE, error) {
	if e := r.ring.Next(); e != nil {
		return e, nil
	}
	if _, err := r.ring.Submit(0); err != nil {
		return nil, fmt.Errorf("io_uring_enter: %w", err)
	}
	if e := r.ring.Next(); e != nil {
		return e, nil
	}
	return nil, errors.New("the ring is full")
}

// wantClients asks for a client, or for all that will come.
func (r *ringServer) wantClients() error {
	e, err := r.next()
	if err != nil {
		return err
	}
	if r.once {
		e.Accept(r.fd, unix.SOCK_CLOEXEC)
	} else {
		e.AcceptMultishot(r.fd, unix.SOCK_CLOEXEC)
	}
	e.UserData = ofAccept
	return nil
}

// done takes a completion.
func (r *ringServer) done(c uring.CQE) error {
	kind, n := c.UserData&(1<<ofBits-1), int(c.UserData>>ofBits)
	if kind == ofAccept {
		return r.accepted(c)
	}
	s := &r.seats[n]
	if kind != ofRecv || !c.More() {
		s.pending--
	}
	err := error(nil)
	switch {
	case s.leaving:
		r.giveBack(c)
	case kind == ofRecv:
		err = r.received(s, n, c)
	case kind == ofSend:
		err = r.sent(s, n, c)
	case s.waiting != "":
		path := s.waiting
		s.waiting = ""
		s.out = append(s.out, answer(path, s.id)...)
		err = r.advance(s, n)
	}
	if s.leaving && s.pending == 0 {
		s.clear(r.site)
	}
	return err
}

// accepted gives a client a seat.
func (r *ringServer) accepted(c uring.CQE) error {
	switch errno := unix.Errno(-c.Res); {
	case r.over():
		if c.Res >= 0 {
			unix.Close(int(c.Res))
		}
		return errEnded
	case c.Res < 0 && errno == unix.EINVAL && !r.once:
		r.once = true
	case c.Res < 0 && errno != unix.ECONNABORTED && errno != unix.EINTR && errno != unix.EAGAIN:
		return fmt.Errorf("accept: %w", errno)
	case c.Res >= 0:
		if err := r.sit(int(c.Res)); err != nil {
			return err
		}
	}
	if c.More() {
		return nil
	}
	return r.wantClients()
}

// sit takes a seat for a new client and asks for what it sends.
func (r *ringServer) sit(fd int) error {
	if err := r.add(fd); err != nil {
		return err
	}
	for n := range r.seats {
		s := &r.seats[n]
		if s.client != nil {
			continue
		}
		db, err := newTimer(false)
		if err != nil {
			return err
		}
		s.client = &client{fd: fd, id: number(fd), db: db}
		return r.wantData(s, n)
	}
	r.remove(fd)
	return nil
}
