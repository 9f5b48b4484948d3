// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
)

// kernelWalk follows pointers of the kernel, from the current thread's task on, by the offsets that its types say.
type kernelWalk struct {
	types *btf.Spec
	at    []uint32 // for each pointer: where it is, from where the one before points to
	plus  uint32   // to the next one
	err   error
}

func newKernelWalk() (*kernelWalk, error) {
	types, err := btf.LoadKernelSpec()
	return &kernelWalk{types: types}, err
}

// element follows a pointer of an array of them.
func (k *kernelWalk) element(i int) { k.at = append(k.at, uint32(8*i)) }

// field goes to a member of the struct that it is at.
func (k *kernelWalk) field(of, name string) {
	at, err := k.memberOf(of, name)
	k.err = errors.Join(k.err, err)
	k.plus += at
}

// deref follows a member that is a pointer.
func (k *kernelWalk) deref(of, name string) {
	k.field(of, name)
	k.at, k.plus = append(k.at, k.plus), 0
}

// memberOf is where a member is in a struct.
func (k *kernelWalk) memberOf(of, name string) (uint32, error) {
	var s *btf.Struct
	if err := k.types.TypeByName(of, &s); err != nil {
		return 0, err
	}
	for _, m := range s.Members {
		if m.Name == name {
			return m.Offset.Bytes(), nil
		}
	}
	return 0, fmt.Errorf("struct %s has no %s", of, name)
}

// walk returns the last pointer.
func (k *kernelWalk) walk() (uint64, error) {
	if k.err != nil {
		return 0, k.err
	}
	result, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	if err != nil {
		return 0, err
	}
	defer result.Close()
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.RawTracepoint, Instructions: k.program(result.FD()), License: "GPL"})
	if err != nil {
		return 0, fmt.Errorf("load: %w", err)
	}
	defer prog.Close()
	if _, err := prog.Run(&ebpf.RunOptions{}); err != nil {
		return 0, err
	}
	var out uint64
	if err := result.Lookup(uint32(0), &out); err != nil || out == 0 {
		return 0, errors.Join(err, errors.New("a pointer of the kernel leads nowhere"))
	}
	return out, nil
}

// program reads pointer after pointer and keeps the last one.
func (k *kernelWalk) program(result int) asm.Instructions {
	const slot, key = -8, -16 // on the stack
	out := asm.Instructions{asm.FnGetCurrentTask.Call(), asm.Mov.Reg(asm.R6, asm.R0)}
	for _, at := range k.at {
		out = append(out,
			asm.Mov.Reg(asm.R1, asm.RFP), asm.Add.Imm(asm.R1, slot),
			asm.Mov.Imm(asm.R2, 8),
			asm.Mov.Reg(asm.R3, asm.R6), asm.Add.Imm(asm.R3, int32(at)),
			asm.FnProbeReadKernel.Call(),
			asm.LoadMem(asm.R6, asm.RFP, slot, asm.DWord),
		)
	}
	return append(out,
		asm.StoreImm(asm.RFP, key, 0, asm.Word),
		asm.LoadMapPtr(asm.R1, result),
		asm.Mov.Reg(asm.R2, asm.RFP), asm.Add.Imm(asm.R2, key),
		asm.Mov.Reg(asm.R3, asm.RFP), asm.Add.Imm(asm.R3, slot),
		asm.Mov.Imm(asm.R4, 0),
		asm.FnMapUpdateElem.Call(),
		asm.Mov.Imm(asm.R0, 0), asm.Return(),
	)
}
