// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"beltrace/collector/event"
	"beltrace/internal/testkit"
	"beltrace/internal/uring"
)

// operateArgs is work for two rings: an accept on the first, then batches of nops and some reads on the second.
type operateArgs struct {
	Listener socket
	Batches  int
	Size     int // nops of each batch
	Async    int // of them, forced to a worker thread
	Reads    int // that wait for their bytes; then comes one of a descriptor that is not there
}

// operated is what a program knows of one of its operations.
type operated struct {
	Ring             uint32
	Op, How          string // How "": it may be any
	UserData         uint64
	Res              int32
	Called, Returned int64 // before it was submitted, and after its completion was found
	Least            int64 // ns that it was in flight for certain
}

// opOperate makes two rings and uses them; it returns nothing where the kernel has no io_uring for us. The rings end with it.
func opOperate(a operateArgs) ([]operated, error) {
	first, err := openOperator(1, 4)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer first.ring.Close()
	first.next(operated{Op: "accept"}, func(e *uring.SQE) *uring.SQE { return e.Accept(a.Listener.FD, unix.SOCK_CLOEXEC) })
	if err := first.submit(1); err != nil {
		return nil, err
	}
	second, err := openOperator(2, 16)
	if err != nil {
		return nil, err
	}
	defer second.ring.Close()
	if err := errors.Join(second.nops(a), second.reads(a.Reads), unix.Close(int(first.done[0].Res))); err != nil {
		return nil, err
	}
	third, err := openOperator(3, 8)
	if err != nil {
		return nil, err
	}
	defer third.ring.Close()
	return append(first.done, second.done...), third.overflow()
}

// overflow submits what the completion queue has no room for: 16 of 24 completions.
func (o *operator) overflow() error {
	for range 3 {
		for range 8 {
			o.ring.Next().Nop()
		}
		if _, err := o.ring.Submit(0); err != nil {
			return err
		}
	}
	return nil
}

// operator works with one ring.
type operator struct {
	ring   *uring.Ring
	number uint32
	flying map[uint64]operated // by user_data
	done   []operated
	last   uint64
}

func openOperator(number, entries uint32) (*operator, error) {
	o := uring.Options{}
	if number == 3 {
		o.CQEntries = entries
	}
	r, err := uring.Open(entries, o)
	return &operator{ring: r, number: number, flying: map[uint64]operated{}}, err
}

// next fills in the next submission, with a user_data of its own.
func (o *operator) next(op operated, fill func(*uring.SQE) *uring.SQE) {
	o.last++
	op.Ring, op.UserData, op.Called = o.number, uint64(o.number)<<32|o.last, testkit.Mono()
	o.flying[op.UserData] = op
	e := fill(o.ring.Next())
	e.UserData = op.UserData
	if op.How == event.HowIOWQ {
		e.Flags |= uring.Async
	}
}

// submit gives the kernel what was filled in, and takes what is complete when so many are.
func (o *operator) submit(wait uint32) error {
	if _, err := o.ring.Submit(wait); err != nil {
		return err
	}
	for c := range o.ring.Reap() {
		op, ok := o.flying[c.UserData]
		if !ok {
			return fmt.Errorf("a completion of %#x, which is not in flight", c.UserData)
		}
		delete(o.flying, c.UserData)
		op.Res, op.Returned = c.Res, testkit.Mono()
		o.done = append(o.done, op)
	}
	return nil
}

func (o *operator) nops(a operateArgs) error {
	for range a.Batches {
		for i := range a.Size {
			op := operated{Op: "nop", How: event.HowInline}
			if i >= a.Size-a.Async {
				op.How = event.HowIOWQ
			}
			o.next(op, (*uring.SQE).Nop)
		}
		if err := o.submit(uint32(a.Size)); err != nil {
			return err
		}
	}
	return nil
}

// reads has the ring wait for bytes that come after the submission.
func (o *operator) reads(n int) error {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socketpair: %w", err)
	}
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	buf, err := uring.Memory(4096)
	if err != nil {
		return err
	}
	for range n {
		o.next(operated{Op: "read", How: event.HowPoll}, func(e *uring.SQE) *uring.SQE { return e.Read(fds[0], buf[:16], ^uint64(0)) })
		if err := o.submit(0); err != nil {
			return err
		}
		began := testkit.Mono()
		time.Sleep(2 * time.Millisecond)
		op := o.flying[o.last|uint64(o.number)<<32]
		op.Least = testkit.Mono() - began
		o.flying[op.UserData] = op
		if _, err := unix.Write(fds[1], []byte("hello")); err != nil {
			return fmt.Errorf("write: %w", err)
		}
		if err := o.submit(1); err != nil {
			return err
		}
	}
	o.next(operated{Op: "read"}, func(e *uring.SQE) *uring.SQE { return e.Read(1<<20, buf[:16], ^uint64(0)) })
	return o.submit(1)
}

// spinArgs is a ring that is kept busy with nops, in batches of two sizes by turns.
type spinArgs struct {
	For   time.Duration
	Sizes [2]int
	Async int // of each batch, forced to a worker thread
}

type spun struct {
	Count, IOWQ uint64
	Took        time.Duration
}

// opSpin returns nothing where the kernel has no io_uring for us. The ring ends with it.
func opSpin(a spinArgs) (*spun, error) {
	o, err := openOperator(1, uint32(max(a.Sizes[0], a.Sizes[1])))
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer o.ring.Close()
	var s spun
	for began := time.Now(); s.Took < a.For; s.Took = time.Since(began) {
		for _, size := range a.Sizes {
			if err := o.nops(operateArgs{Batches: 1, Size: size, Async: a.Async}); err != nil {
				return nil, err
			}
			s.Count, s.IOWQ = s.Count+uint64(size), s.IOWQ+uint64(a.Async)
		}
		for _, op := range o.done {
			if op.Res != 0 {
				return nil, fmt.Errorf("a nop ended with %d", op.Res)
			}
		}
		o.done = o.done[:0]
	}
	return &s, nil
}

// opChurn makes so many rings, one after the other, of which each does one nop more than the one before it.
func opChurn(rings int) (int, error) {
	for n := range rings {
		o, err := openOperator(uint32(n), 4)
		if err != nil {
			return n, err
		}
		if err := errors.Join(o.nops(operateArgs{Batches: n + 1, Size: 1}), o.ring.Close()); err != nil {
			return n, err
		}
		time.Sleep(30 * time.Millisecond) // until the kernel has given its memory back, more often than not
	}
	return rings, nil
}
