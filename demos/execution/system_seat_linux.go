// SPDX-License-Identifier: Apache-2.0

package execution

import (
	"fmt"

	"golang.org/x/sys/unix"

	"beltrace/internal/uring"
)

// seat is where a client sits, with memory that the kernel writes to.
type seat struct {
	*client
	fill, send, answer []byte // for recv, for send, for the database's answer
	pending            int    // submissions that have not completed
	sending            int    // bytes of c.out that the kernel has
	leaving            bool
}

// wantData asks for what a client will send.
func (r *ringServer) wantData(s *seat, n int) error {
	e, err := r.next()
	if err != nil {
		return err
	}
	if r.buffers != nil {
		e.RecvMultishot(s.fd, r.buffers)
	} else {
		e.Recv(s.fd, s.fill)
	}
	s.submitted(e, n, ofRecv)
	return nil
}

// submitted notes that a submission of a seat is on its way.
func (s *seat) submitted(e *uring.SQE, n int, kind uint64) {
	e.UserData = uint64(n)<<ofBits | kind
	s.pending++
}

// received takes what a client has sent.
func (r *ringServer) received(s *seat, n int, c uring.CQE) error {
	errno := unix.Errno(-c.Res)
	switch {
	case c.Res < 0 && errno == unix.EINVAL && r.buffers != nil: // buffers, but no multishot recv: 5.19
		r.buffers = nil
	case c.Res < 0 && errno == unix.ENOBUFS || c.Res < 0 && errno == unix.EINTR:
	case c.Res <= 0:
		s.dismiss()
		return nil
	default:
		data := s.fill[:c.Res]
		if b, ok := c.Buffer(); ok {
			data = r.buffers.Bytes(b, int(c.Res))
			defer r.buffers.Return(b)
		}
		if len(data) > len(s.in)-s.have {
			s.dismiss()
			return nil
		}
		s.have += copy(s.in[s.have:], data)
	}
	if !c.More() {
		if err := r.wantData(s, n); err != nil {
			return err
		}
	}
	return r.advance(s, n)
}

// giveBack returns the buffer of a completion that nobody wants any more.
func (r *ringServer) giveBack(c uring.CQE) {
	if b, ok := c.Buffer(); ok && r.buffers != nil {
		r.buffers.Return(b)
	}
}

// dismiss lets a client go. What is still submitted for it completes soon.
func (s *seat) dismiss() {
	s.leaving = true
	if s.pending > 0 {
		unix.Shutdown(s.fd, unix.SHUT_RDWR)
	}
}

// advance works on a client's requests until one has to wait for something, and sends the answers.
func (r *ringServer) advance(s *seat, n int) error {
	for s.waiting == "" {
		path, size, err := take(s.in[:s.have], s.id)
		if err != nil {
			refuse(s.fd)
			s.dismiss()
			return nil
		}
		if size == 0 {
			break
		}
		s.have = copy(s.in[:], s.in[size:s.have])
		if path == pathWait {
			s.waiting = path
			if err := r.askDatabase(s, n); err != nil {
				return err
			}
			break
		}
		if path == pathCPU { // what is in the ring need not wait for that
			if _, err := r.ring.Submit(0); err != nil {
				return fmt.Errorf("io_uring_enter: %w", err)
			}
		}
		if err := work(path, s.db); err != nil {
			return err
		}
		s.out = append(s.out, answer(path, s.id)...)
	}
	return r.flush(s, n)
}

// askDatabase asks, and has the kernel read the answer when it comes.
func (r *ringServer) askDatabase(s *seat, n int) error {
	if err := s.db.Ask(); err != nil {
		return fmt.Errorf("ask the database: %w", err)
	}
	e, err := r.next()
	if err != nil {
		return err
	}
	e.Read(s.db.fd, s.answer, 0)
	s.submitted(e, n, ofDatabase)
	return nil
}

// flush has the kernel send what is to be sent, one piece at a time.
func (r *ringServer) flush(s *seat, n int) error {
	if s.sending > 0 || len(s.out) == 0 {
		return nil
	}
	e, err := r.next()
	if err != nil {
		return err
	}
	s.sending = copy(s.send, s.out)
	e.Send(s.fd, s.send[:s.sending], unix.MSG_NOSIGNAL)
	s.submitted(e, n, ofSend)
	return nil
}

// sent goes on where the kernel ended.
func (r *ringServer) sent(s *seat, n int, c uring.CQE) error {
	s.sending = 0
	if c.Res < 0 {
		s.dismiss()
		return nil
	}
	s.out = s.out[:copy(s.out, s.out[c.Res:])]
	return r.flush(s, n)
}

// clear frees a seat.
func (s *seat) clear(of *site) {
	if s.client == nil {
		return
	}
	s.db.Close()
	of.remove(s.fd)
	s.client, s.pending, s.sending, s.leaving = nil, 0, 0, false
}
