// SPDX-License-Identifier: Apache-2.0

package uring

import "unsafe"

// Op is an operation, IORING_OP_* of the kernel.
type Op uint8

// The operations that this package fills in.
const (
	OpNop    Op = 0
	OpAccept Op = 13
	OpClose  Op = 19
	OpRead   Op = 22
	OpSend   Op = 26
	OpRecv   Op = 27
)

// Flags of an SQE, IOSQE_* of the kernel.
const (
	FixedFile    uint8 = 1 << 0 // the descriptor is a slot of RegisterFiles
	Link         uint8 = 1 << 2 // the next SQE starts when this one has succeeded
	Async        uint8 = 1 << 4 // give it to an io-wq worker without trying it inline
	bufferSelect uint8 = 1 << 5
)

// Bits of SQE.IoPrio, by operation.
const (
	acceptMultishot uint16 = 1 << 0
	recvMultishot   uint16 = 1 << 1
)

const anySlot = ^uint32(0) // of SQE.FileIndex

// SQE is one submission, struct io_uring_sqe. Fill it with one of the methods, then set Flags and UserData.
type SQE struct {
	Op          Op
	Flags       uint8
	IoPrio      uint16
	FD          int32
	Off         uint64
	Addr        uint64
	Len         uint32
	OpFlags     uint32 // MSG_*, SOCK_*, RWF_*: by operation
	UserData    uint64 // returned in the completion
	BufGroup    uint16
	Personality uint16
	FileIndex   uint32
	_           [2]uint64
}

// Nop does nothing, inline.
func (s *SQE) Nop() *SQE { return s.fill(OpNop, -1, nil, 0) }

// Read reads from a file at off, or from where it stands with off = ^0 (5.6).
func (s *SQE) Read(fd int, buf []byte, off uint64) *SQE { return s.fill(OpRead, fd, buf, off) }

// Accept accepts one connection; flags are SOCK_*. The completion's Res is the descriptor (5.5).
func (s *SQE) Accept(fd int, flags uint32) *SQE {
	s.fill(OpAccept, fd, nil, 0).OpFlags = flags
	return s
}

// AcceptMultishot goes on accepting: each connection is a completion with CQE.More (5.19).
func (s *SQE) AcceptMultishot(fd int, flags uint32) *SQE {
	s.Accept(fd, flags).IoPrio = acceptMultishot
	return s
}

// AcceptDirect accepts into a slot of RegisterFiles, so that the connection has no descriptor (5.15).
func (s *SQE) AcceptDirect(fd int, slot uint32) *SQE {
	s.Accept(fd, 0).FileIndex = slot + 1
	return s
}

// AcceptMultishotDirect goes on accepting into free slots of RegisterFiles: the completion's Res says into which (5.19).
func (s *SQE) AcceptMultishotDirect(fd int) *SQE {
	s.AcceptMultishot(fd, 0).FileIndex = anySlot
	return s
}

// Recv receives up to len(buf) bytes (5.6).
func (s *SQE) Recv(fd int, buf []byte) *SQE { return s.fill(OpRecv, fd, buf, 0) }

// RecvMultishot goes on receiving into buffers of b: CQE.Buffer says into which. It ends (no CQE.More) with the stream,
// with an error, and with ENOBUFS while no buffer is free (6.0).
func (s *SQE) RecvMultishot(fd int, b *Buffers) *SQE {
	s.fill(OpRecv, fd, nil, 0)
	s.IoPrio, s.Flags, s.BufGroup = recvMultishot, bufferSelect, b.group
	return s
}

// Send sends buf; it may send less (5.6).
func (s *SQE) Send(fd int, buf []byte, flags uint32) *SQE {
	s.fill(OpSend, fd, buf, 0).OpFlags = flags
	return s
}

// Close closes a descriptor (5.6).
func (s *SQE) Close(fd int) *SQE { return s.fill(OpClose, fd, nil, 0) }

// CloseDirect empties a slot of RegisterFiles (5.15).
func (s *SQE) CloseDirect(slot uint32) *SQE {
	s.fill(OpClose, 0, nil, 0).FileIndex = slot + 1
	return s
}

func (s *SQE) fill(op Op, fd int, buf []byte, off uint64) *SQE {
	*s = SQE{Op: op, FD: int32(fd), Off: off, Addr: address(buf), Len: uint32(len(buf))}
	return s
}

func address(b []byte) uint64 { return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) }

// CQE is one completion, struct io_uring_cqe.
type CQE struct {
	UserData uint64
	Res      int32 // what the system call would have returned: negative errno on an error
	flags    uint32
}

// More reports that the submission goes on and has further completions.
func (c CQE) More() bool { return c.flags&2 != 0 }

// Buffer is the buffer that was filled; false if none was.
func (c CQE) Buffer() (uint16, bool) { return uint16(c.flags >> 16), c.flags&1 != 0 }
