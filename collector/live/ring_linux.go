// SPDX-License-Identifier: Apache-2.0

package live

import (
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// ring reads a BPF ring buffer (kernel/bpf/ringbuf.c) without a poll and without a copy. Records are sent without
// wake-ups, so whoever reads comes by itself; a record costs a quarter of what the library's reader takes.
type ring struct {
	consumer []byte // one page, ours to write
	producer []byte // one page, then the data
	data     []byte
	wrapped  []byte // a record that goes on at the beginning, put together
	mask     uint64
	pos      uint64 // next byte to read
	end      uint64 // producer's position when the present drain began
}

const (
	ringBusy    = 1 << 31
	ringDiscard = 1 << 30
	ringHeader  = 8
)

func newRing(m *ebpf.Map) (*ring, error) {
	page, size := os.Getpagesize(), int(m.MaxEntries())
	consumer, err := unix.Mmap(m.FD(), 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map the ring's consumer page: %w", err)
	}
	// The kernel offers the data twice in a row, so that no record is torn; but all that is mapped counts as resident.
	producer, err := unix.Mmap(m.FD(), int64(page), page+size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		unix.Munmap(consumer)
		return nil, fmt.Errorf("map the ring's data: %w", err)
	}
	return &ring{consumer: consumer, producer: producer, data: producer[page:], mask: uint64(size - 1)}, nil
}

func (r *ring) close() {
	unix.Munmap(r.consumer)
	unix.Munmap(r.producer)
}

// begin opens a drain: next returns what had been reserved by now.
func (r *ring) begin() {
	r.end = atomic.LoadUint64((*uint64)(unsafe.Pointer(&r.producer[0])))
}

// next returns the next record, valid until the one after it is asked for, or nil at the end of the drain. complete is
// false when the drain ended at a record that its program is still writing.
func (r *ring) next() (record []byte, complete bool) {
	for {
		atomic.StoreUint64((*uint64)(unsafe.Pointer(&r.consumer[0])), r.pos)
		if r.pos >= r.end {
			return nil, true
		}
		start := r.pos & r.mask
		header := atomic.LoadUint32((*uint32)(unsafe.Pointer(&r.data[start])))
		if header&ringBusy != 0 {
			return nil, false
		}
		size := uint64(header &^ (ringBusy | ringDiscard))
		record = r.record(start+ringHeader, size)
		r.pos += (ringHeader + size + 7) &^ 7
		if header&ringDiscard == 0 {
			return record, true
		}
	}
}

// record returns the bytes from start on, a multiple of eight like every record's.
func (r *ring) record(start, size uint64) []byte {
	all := uint64(len(r.data))
	start %= all
	if start+size <= all {
		return r.data[start : start+size]
	}
	r.wrapped = append(append(r.wrapped[:0], r.data[start:]...), r.data[:start+size-all]...)
	return r.wrapped
}
