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
}

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
}

func openServing(s ringServer, listener int) (*ringServing, error) {
	r := &ringServing{ringServer: s, listener: listener}
	var err error
	if r.ring, err = uring.Open(64, uring.Options{}); err != nil {
		return nil, err
	}
	if r.memory, err = uring.Memory(65 << 10); err != nil {
		return nil, err
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

func (r *ringServing) answer() []byte { return r.memory[64<<10:][:len(plainHead)+4] }

func (r *ringServing) accept() {
	if e := r.ring.Next(); r.Multishot {
		e.AcceptMultishot(r.listener, unix.SOCK_CLOEXEC).UserData = ringAccepts
	} else {
		e.Accept(r.listener, unix.SOCK_CLOEXEC).UserData = ringAccepts
	}
}

func (r *ringServing) receive(fd int) {
	if e := r.ring.Next(); r.Multishot {
		e.RecvMultishot(fd, r.buffers)
		e.UserData = ringReceives | uint64(fd)
	} else {
		e.Recv(fd, r.memory[fd<<10:][:1024]).UserData = ringReceives | uint64(fd)
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
		case what == ringAccepts && c.Res < 0, what == ringAccepts && c.Res >= 64:
			return fmt.Errorf("accept: %d", c.Res)
		case what == ringAccepts:
			if !c.More() {
				r.accept()
			}
			r.receive(int(c.Res))
		case what == ringReceives && c.Res > 0:
			if n, ok := c.Buffer(); ok {
				r.buffers.Return(n)
			}
			r.ring.Next().Send(fd, r.answer(), unix.MSG_NOSIGNAL).UserData = ringSends | uint64(fd)
			if r.Multishot && !c.More() {
				r.receive(fd)
			}
		case what == ringReceives:
			r.ring.Next().Close(fd).UserData = ringCloses | uint64(fd)
		case what == ringSends && !r.Multishot:
			r.receive(fd)
		}
	}
	return nil
}
