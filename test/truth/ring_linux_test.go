// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"beltrace/internal/testkit"
)

// The part of the io_uring interface that one accept needs (uapi/linux/io_uring.h).
const (
	ringOpAccept  = 13
	ringGetEvents = 1
	ringSQEs      = 0x10000000 // offset at which the submission entries are mapped
)

type ringParams struct {
	sqEntries, cqEntries, flags, threadCPU, threadIdle, features, wqFD uint32
	_                                                                  [3]uint32
	sq                                                                 struct {
		head, tail, mask, entries, flags, dropped, array, _ uint32
		_                                                   uint64
	}
	cq struct {
		head, tail, mask, entries, overflow, cqes, flags, _ uint32
		_                                                   uint64
	}
}

type submission struct {
	opcode, flags uint8
	ioprio        uint16
	fd            int32
	off, addr     uint64
	length, how   uint32 // how: the flags of accept4
	userData      uint64
	_             [3]uint64
}

type completion struct {
	userData uint64
	res      int32
	flags    uint32
}

// ring is an io_uring that carries one operation at a time.
type ring struct {
	fd          int
	params      ringParams
	queues, sqe []byte
}

func newRing() (*ring, error) {
	r := new(ring)
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 4, uintptr(unsafe.Pointer(&r.params)), 0)
	if errno != 0 {
		return nil, errno
	}
	r.fd = int(fd)
	size := int(max(r.params.sq.array+4*r.params.sqEntries, r.params.cq.cqes+16*r.params.cqEntries))
	var err error
	if r.queues, err = unix.Mmap(r.fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return nil, fmt.Errorf("map queues: %w", err)
	}
	r.sqe, err = unix.Mmap(r.fd, ringSQEs, 4*64, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map entries: %w", err)
	}
	return r, nil
}

func (r *ring) close() error {
	return errors.Join(unix.Munmap(r.sqe), unix.Munmap(r.queues), unix.Close(r.fd))
}

// word is a number that the kernel and we share, at an offset that the kernel chose.
func (r *ring) word(offset uint32) *uint32 { return (*uint32)(unsafe.Pointer(&r.queues[offset])) }

// accept takes one connection from a listener and returns its descriptor.
func (r *ring) accept(listener int) (int, error) {
	*(*submission)(unsafe.Pointer(&r.sqe[0])) = submission{opcode: ringOpAccept, fd: int32(listener), how: unix.SOCK_CLOEXEC}
	tail := atomic.LoadUint32(r.word(r.params.sq.tail))
	*r.word(r.params.sq.array + 4*(tail&*r.word(r.params.sq.mask))) = 0 // entry 0
	atomic.StoreUint32(r.word(r.params.sq.tail), tail+1)
	head := atomic.LoadUint32(r.word(r.params.cq.head))
	for submit := uintptr(1); atomic.LoadUint32(r.word(r.params.cq.tail)) == head; {
		n, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(r.fd), submit, 1, ringGetEvents, 0, 0)
		if errno != 0 && errno != unix.EINTR {
			return 0, fmt.Errorf("io_uring_enter: %w", errno)
		}
		if errno == 0 {
			submit -= min(submit, n)
		}
	}
	at := r.params.cq.cqes + 16*(head&*r.word(r.params.cq.mask))
	done := *(*completion)(unsafe.Pointer(&r.queues[at]))
	atomic.StoreUint32(r.word(r.params.cq.head), head+1)
	if done.res < 0 {
		return 0, fmt.Errorf("accept by io_uring: %w", unix.Errno(-done.res))
	}
	return int(done.res), nil
}

// opRing accepts like opServe, but by io_uring. It returns nil where the kernel has no io_uring for us.
func opRing(a serveArgs) ([]socket, error) {
	r, err := newRing()
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("io_uring: %w", err)
	}
	defer r.close()
	var served []socket
	for range a.N {
		s := socket{Ring: true, Listener: a.Listener.Cookie, Called: testkit.Mono()}
		fd, err := r.accept(a.Listener.FD)
		if err != nil {
			return nil, err
		}
		s.Returned = testkit.Mono()
		if err := errors.Join(s.self(fd), s.serve(a.Talk)); err != nil {
			return nil, err
		}
		served = append(served, s)
	}
	return served, nil
}
