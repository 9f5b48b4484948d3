// SPDX-License-Identifier: Apache-2.0

package uring

import (
	"fmt"
	"sync/atomic"
	"unsafe"
)

// Buffers is a ring of buffers that the kernel chooses from when data arrives (struct io_uring_buf_ring, 5.19).
type Buffers struct {
	group  uint16
	size   uint32
	ring   []byte // entries of 16 bytes: address, length, number, and in the first one the tail
	memory []byte
	mask   uint16
	tail   uint16
}

type registration struct {
	address uint64
	entries uint32
	group   uint16
	_       uint16
	_       [3]uint64
}

const bufEntry = 16

// Memory is memory outside Go's heap, that the kernel may read and write at any time. It lives as long as the process.
func Memory(size int) ([]byte, error) {
	m, err := mmap(-1, 0, size)
	if err != nil {
		return nil, fmt.Errorf("map %d bytes: %w", size, err)
	}
	return m, nil
}

// Buffers registers count buffers (a power of two, at most 32768) of size bytes each.
func (r *Ring) Buffers(group uint16, count, size int) (*Buffers, error) {
	b := &Buffers{group: group, size: uint32(size), mask: uint16(count - 1)}
	var err error
	if b.ring, err = Memory(count * bufEntry); err != nil {
		return nil, err
	}
	if b.memory, err = Memory(count * size); err != nil {
		return nil, err
	}
	reg := &registration{address: address(b.ring), entries: uint32(count), group: group}
	if err := register(r.fd, registerBufRing, unsafe.Pointer(reg), 1); err != nil {
		return nil, fmt.Errorf("register %d buffers with the io_uring: %w", count, err)
	}
	for i := range count {
		b.Return(uint16(i))
	}
	return b, nil
}

// Bytes are the first n bytes of a buffer: those that a completion with that buffer and Res = n brought.
func (b *Buffers) Bytes(buffer uint16, n int) []byte {
	at := int(buffer) * int(b.size)
	return b.memory[at : at+n : at+int(b.size)]
}

// Return gives a buffer back to the kernel.
func (b *Buffers) Return(buffer uint16) {
	at := int(b.tail&b.mask) * bufEntry
	*(*uint64)(unsafe.Pointer(&b.ring[at])) = address(b.memory[int(buffer)*int(b.size):])
	*(*uint32)(unsafe.Pointer(&b.ring[at+8])) = b.size
	*(*uint16)(unsafe.Pointer(&b.ring[at+12])) = buffer
	b.tail++
	// The tail is the last two bytes of the first entry: published together with its number, as one word.
	first := (*uint32)(unsafe.Pointer(&b.ring[12]))
	atomic.StoreUint32(first, *first&0xffff|uint32(b.tail)<<16)
}

// RegisterFiles makes a table of so many empty slots for AcceptDirect and FixedFile (5.5).
func (r *Ring) RegisterFiles(slots int) error {
	fds := make([]int32, slots)
	for i := range fds {
		fds[i] = -1
	}
	if err := register(r.fd, registerFiles, unsafe.Pointer(&fds[0]), uint32(slots)); err != nil {
		return fmt.Errorf("register %d file slots with the io_uring: %w", slots, err)
	}
	return nil
}
