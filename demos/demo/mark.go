// SPDX-License-Identifier: Apache-2.0

package demo

import "encoding/binary"

// MarkSymbol is the function that carries marks: a collector puts a uprobe on its first instruction.
//
// Wire layout, in the integer argument registers of Go's calling convention:
//
//	       amd64  arm64
//	a, b   AX, BX R0, R1  the name, 16 bytes, little endian, padded with NUL
//	c      CX     R2      the server's own number of the request
//	d      DI     R3      0 begin, 1 end
const MarkSymbol = "beltrace/demos/demo.markPoint"

// MarkName is how many bytes of a mark's name are carried.
const MarkName = 16

// Phase says which end of an application moment a mark is.
type Phase uint64

// The phases.
const (
	Begin Phase = 0
	End   Phase = 1
)

// Mark tells whoever watches that the moment called name begins or ends for request id. An id that is the number of the
// request's connection (SO_COOKIE) joins it with its exchange. It costs a few ns when nobody
// does. Of the name the first MarkName bytes count; a string constant of at most that many is free to pass.
func Mark(name string, phase Phase, id uint64) {
	var wire [MarkName]byte
	copy(wire[:], name)
	markPoint(binary.LittleEndian.Uint64(wire[:8]), binary.LittleEndian.Uint64(wire[8:]), id, uint64(phase))
}

// markPoint does nothing. It calls leaf so that it has a stack frame: its first instruction is then PUSH BP, which the
// kernel emulates in a uprobe; any other is single-stepped, which costs 10 µs instead of 1.
//
//go:nosplit
//go:noinline
func markPoint(a, b, c, d uint64) { leaf(a, b, c, d) }

//go:nosplit
//go:noinline
func leaf(a, b, c, d uint64) {}
