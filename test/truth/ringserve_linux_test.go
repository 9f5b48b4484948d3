// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"

	"golang.org/x/sys/unix"

	"beltrace/internal/uring"
)

// ringServer answers HTTP from one thread by io_uring alone.
type ringServer struct {
	Addr      netip.AddrPort
	Multishot bool // one accept, and one receive for each connection, into buffers of the kernel's choice
	Direct    bool // connections are registered files and have no descriptor
	SQPoll    bool // a thread of the kernel's takes the submissions
}

const ringSlots = 64 // connections at a time, by descriptor or slot

// What a completion's user_data says beside the descriptor.
const (
	ringAccepts uint64 = iota << 32
	ringReceives
	ringSends
	ringCloses
)

// opRingServe starts one that lives as long as its agent, and returns its address; none where the kernel lacks what it needs.
func opRingServe(s ringServer) (netip.AddrPort, error) {
	l, err := opListen(listenArgs{Addr: s.Addr, Backlog: 16})
	if err != nil {
		return s.Addr, err
	}
	opened := make(chan error)
	go func() {
		runtime.LockOSThread()
		r, err := openServing(s, l.FD)
		opened <- err
		for err == nil {
			err = r.serve()
		}
	}()
	if err := <-opened; errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EINVAL) {
		return netip.AddrPort{}, nil
	} else if err != nil {
		return s.Addr, err
	}
	return l.Local, nil
}

type ringServing struct {
	ringServer
	ring     *uring.Ring
	buffers  *uring.Buffers
	memory   []byte // 1 KiB for each descriptor, then the answer
	listener int
	slot     uint32 // of the next direct accept
}

func openServing(s ringServer, listener int) (*ringServing, error) {
	r := &ringServing{ringServer: s, listener: listener}
	var err error
	var o uring.Options
	if s.SQPoll {
		o.Flags = uring.SQPoll
	}
	if r.ring, err = uring.Open(64, o); err != nil {
		return nil, err
	}
	if r.memory, err = uring.Memory((ringSlots + 1) << 10); err != nil {
		return nil, err
	}
	if s.Direct {
		if err := r.ring.RegisterFiles(ringSlots); err != nil {
			return nil, err
		}
	}
	copy(r.answer(), plainHead+"done")
	if s.Multishot {
		if r.buffers, err = r.ring.Buffers(1, 16, 1024); err != nil {
			return nil, err
		}
	}
	r.accept()
	return r, nil
}

func (r *ringServing) answer() []byte { return r.memory[ringSlots<<10:][:len(plainHead)+4] }

func (r *ringServing) accept() {
	e := r.ring.Next()
	switch {
	case r.Multishot && r.Direct:
		e.AcceptMultishotDirect(r.listener)
	case r.Multishot:
		e.AcceptMultishot(r.listener, unix.SOCK_CLOEXEC)
	case r.Direct:
		e.AcceptDirect(r.listener, r.slot)
	default:
		e.Accept(r.listener, unix.SOCK_CLOEXEC)
	}
	e.UserData = ringAccepts
}

// accepted says by what number the next operations name the connection.
func (r *ringServing) accepted(res int32) int {
	if !r.Direct || r.Multishot {
		return int(res)
	}
	slot := r.slot
	r.slot++
	return int(slot)
}

func (r *ringServing) named(e *uring.SQE, what uint64, fd int) {
	e.UserData = what | uint64(fd)
	if r.Direct {
		e.Flags |= uring.FixedFile
	}
}

func (r *ringServing) receive(fd int) {
	if e := r.ring.Next(); r.Multishot {
		r.named(e.RecvMultishot(fd, r.buffers), ringReceives, fd)
	} else {
		r.named(e.Recv(fd, r.memory[fd<<10:][:1024]), ringReceives, fd)
	}
}

func (r *ringServing) close(fd int) {
	if e := r.ring.Next(); r.Direct {
		e.CloseDirect(uint32(fd)).UserData = ringCloses
	} else {
		e.Close(fd).UserData = ringCloses
	}
}

// serve waits once and does what there is to do. The requests of its clients come in one piece.
func (r *ringServing) serve() error {
	if _, err := r.ring.Submit(1); err != nil {
		return err
	}
	for c := range r.ring.Reap() {
		fd := int(uint32(c.UserData))
		switch what := c.UserData &^ 0xffffffff; {
		case what == ringAccepts && c.Res < 0, what == ringAccepts && c.Res >= ringSlots:
			return fmt.Errorf("accept: %d", c.Res)
		case what == ringAccepts:
			fd := r.accepted(c.Res)
			if !c.More() {
				r.accept()
			}
			r.receive(fd)
		case what == ringReceives && c.Res > 0:
			if n, ok := c.Buffer(); ok {
				r.buffers.Return(n)
			}
			r.named(r.ring.Next().Send(fd, r.answer(), unix.MSG_NOSIGNAL), ringSends, fd)
			if r.Multishot && !c.More() {
				r.receive(fd)
			}
		case what == ringReceives:
			r.close(fd)
		case what == ringSends && !r.Multishot:
			r.receive(fd)
		}
	}
	return nil
}
