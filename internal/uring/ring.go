// SPDX-License-Identifier: Apache-2.0

package uring

import (
	"fmt"
	"iter"
	"sync/atomic"
	"unsafe"
)

// Flags of Open, IORING_SETUP_* of the kernel.
const (
	SQPoll       uint32 = 1 << 1  // a kernel thread takes submissions: no call needed while it runs
	CQSize       uint32 = 1 << 3  // set by Options.CQEntries
	SingleIssuer uint32 = 1 << 12 // only one thread submits (6.0)
	DeferTaskrun uint32 = 1 << 13 // completions are made when the thread waits for them, with SingleIssuer (6.1)
)

// Options are what a ring may be asked for beyond its size.
type Options struct {
	Flags     uint32
	CQEntries uint32 // 0: twice the submission entries
}

// Ring is an io_uring instance. It is not safe for concurrent use.
type Ring struct {
	fd     int
	params params
	rings  []byte // both rings; one mapping since 5.4
	table  []byte // the SQEs
	sq     queue
	cq     queue
	tail   uint32 // SQEs filled; the kernel sees them when Submit stores it
}

// queue is one of the two rings in the memory shared with the kernel.
type queue struct {
	head, tail, flags *uint32
	mask, entries     uint32
	at                uint32 // offset of its array, or of the CQEs
}

// params is struct io_uring_params.
type params struct {
	sqEntries, cqEntries, flags, sqThreadCPU, sqThreadIdle, features, wqFD uint32
	_                                                                      [3]uint32
	sq                                                                     sqOffsets
	cq                                                                     cqOffsets
}

type sqOffsets struct {
	head, tail, mask, entries, flags, dropped, array, _ uint32
	_                                                   uint64
}

type cqOffsets struct {
	head, tail, mask, entries, overflow, cqes, flags, _ uint32
	_                                                   uint64
}

const (
	sqesOffset  = 0x10000000
	sqeSize     = int(unsafe.Sizeof(SQE{}))
	cqeSize     = int(unsafe.Sizeof(CQE{}))
	enterWait   = 1 << 0
	enterWakeup = 1 << 1
	needWakeup  = 1 << 0
	sqOverflow  = 1 << 1
)

// Open sets up a ring of that many submission entries, rounded up to a power of two by the kernel.
func Open(entries uint32, o Options) (*Ring, error) {
	r := &Ring{params: params{flags: o.Flags, cqEntries: o.CQEntries, sqThreadIdle: 1000}}
	if o.CQEntries != 0 {
		r.params.flags |= CQSize
	}
	var err error
	if r.fd, err = setup(entries, &r.params); err != nil {
		return nil, fmt.Errorf("set up an io_uring of %d entries: %w", entries, err)
	}
	if err := r.mapRings(); err != nil {
		return nil, fmt.Errorf("map the io_uring: %w", closing(r, err))
	}
	return r, nil
}

func closing(r *Ring, err error) error {
	_ = r.Close() // the error that brought us here says more
	return err
}

func (r *Ring) mapRings() (err error) {
	p := &r.params
	size := max(int(p.sq.array+4*p.sqEntries), int(p.cq.cqes)+cqeSize*int(p.cqEntries))
	if r.rings, err = mmap(r.fd, 0, size); err != nil {
		return err
	}
	if r.table, err = mmap(r.fd, sqesOffset, sqeSize*int(p.sqEntries)); err != nil {
		return err
	}
	r.sq = queue{head: r.word(p.sq.head), tail: r.word(p.sq.tail), flags: r.word(p.sq.flags),
		mask: *r.word(p.sq.mask), entries: p.sqEntries, at: p.sq.array}
	r.cq = queue{head: r.word(p.cq.head), tail: r.word(p.cq.tail), mask: *r.word(p.cq.mask), entries: p.cqEntries, at: p.cq.cqes}
	for i := range p.sqEntries { // slot i of the ring always names SQE i
		*r.word(r.sq.at + 4*i) = i
	}
	return nil
}

func (r *Ring) word(offset uint32) *uint32 { return (*uint32)(unsafe.Pointer(&r.rings[offset])) }

// FD is the ring's descriptor.
func (r *Ring) FD() int { return r.fd }

// Entries are the sizes of submission and completion queue.
func (r *Ring) Entries() (sq, cq uint32) { return r.sq.entries, r.cq.entries }

// Next is the next free SQE, or nil while the queue is full: Submit first. Fill it before the next call of Submit.
func (r *Ring) Next() *SQE {
	if r.tail-atomic.LoadUint32(r.sq.head) >= r.sq.entries {
		return nil
	}
	s := (*SQE)(unsafe.Pointer(&r.table[int(r.tail&r.sq.mask)*sqeSize]))
	r.tail++
	return s
}

// Submit gives the kernel what was filled since the last time, waits for that many completions to be there (0: does not
// wait), and returns how many submissions the kernel took. It makes no call if there is nothing to do.
func (r *Ring) Submit(wait uint32) (int, error) {
	n := r.tail - atomic.LoadUint32(r.sq.tail)
	atomic.StoreUint32(r.sq.tail, r.tail)
	var flags uint32
	if r.params.flags&SQPoll != 0 {
		if atomic.LoadUint32(r.sq.flags)&needWakeup != 0 {
			flags |= enterWakeup
		}
	} else {
		n = r.tail - atomic.LoadUint32(r.sq.head) // with what it did not take the last time
	}
	if wait > 0 || r.params.flags&DeferTaskrun != 0 || atomic.LoadUint32(r.sq.flags)&sqOverflow != 0 {
		flags |= enterWait
	}
	if flags == 0 && (n == 0 || r.params.flags&SQPoll != 0) {
		return int(n), nil
	}
	took, err := enter(r.fd, n, wait, flags)
	for err == nil && r.Ready() < int(wait) { // a signal cut the wait short
		_, err = enter(r.fd, 0, wait, enterWait)
	}
	if err != nil {
		return 0, fmt.Errorf("io_uring_enter: %w", err)
	}
	return took, nil
}

// Reap takes the completions that are there. Each is taken when its turn of the loop ends.
func (r *Ring) Reap() iter.Seq[CQE] {
	return func(yield func(CQE) bool) {
		for head := *r.cq.head; head != atomic.LoadUint32(r.cq.tail); head++ {
			c := *(*CQE)(unsafe.Pointer(&r.rings[int(r.cq.at)+int(head&r.cq.mask)*cqeSize]))
			more := yield(c)
			atomic.StoreUint32(r.cq.head, head+1)
			if !more {
				return
			}
		}
	}
}

// Ready is how many completions are there to be taken.
func (r *Ring) Ready() int { return int(atomic.LoadUint32(r.cq.tail) - *r.cq.head) }

// Close gives the ring back; what is in flight is cancelled.
func (r *Ring) Close() error {
	return release(r.fd, r.rings, r.table)
}
