// SPDX-License-Identifier: Apache-2.0

package bpf

import (
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// maxStack is what a program and the functions that it calls may use together (MAX_BPF_STACK).
const maxStack = 512

// TestStackDepth: no chain of calls needs more of the stack than there is, as kernels before 6.8 count it: each function's
// part rounded up to 32 bytes. The one here may be newer, and lets pass what those refuse.
func TestStackDepth(t *testing.T) {
	spec, err := LoadKernel()
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range spec.Programs {
		functions := functionsOf(p)
		if depth := functions.depth(p.Instructions[0].Symbol()); depth > maxStack {
			t.Errorf("%s: %d bytes", name, depth)
		} else if depth == 0 {
			t.Errorf("%s: its stack is not seen", name)
		}
	}
}

type function struct {
	stack int
	calls []string
}

type functions map[string]*function

func functionsOf(p *ebpf.ProgramSpec) functions {
	all := functions{}
	var f *function
	for _, ins := range p.Instructions {
		if s := ins.Symbol(); s != "" {
			f = &function{stack: 1}
			all[s] = f
		}
		if ins.IsFunctionCall() {
			f.calls = append(f.calls, ins.Reference())
		}
		f.stack = max(f.stack, stackUsed(ins))
	}
	return all
}

// stackUsed is how far down the instruction reaches: it reads or writes below the frame pointer, or makes an address there.
func stackUsed(ins asm.Instruction) int {
	op := ins.OpCode
	switch {
	case op.Class().IsLoad() && ins.Src == asm.R10, op.Class().IsStore() && ins.Dst == asm.R10:
		return -int(ins.Offset)
	case op.Class() == asm.ALU64Class && op.ALUOp() == asm.Add && op.Source() == asm.ImmSource && ins.Constant >= -maxStack:
		return -int(ins.Constant)
	}
	return 0
}

// depth is that of the deepest chain of calls from a function on.
func (all functions) depth(name string) (most int) {
	f := all[name]
	if f == nil {
		return 0
	}
	for _, callee := range f.calls {
		most = max(most, all.depth(callee))
	}
	return (f.stack+31)/32*32 + most
}
