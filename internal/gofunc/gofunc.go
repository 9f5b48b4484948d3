// SPDX-License-Identifier: Apache-2.0

// Package gofunc finds a function inside a Go executable, stripped or not, as an offset in the file: what a uprobe needs.
package gofunc

import (
	"debug/elf"
	"debug/gosym"
	"errors"
	"fmt"
)

// ErrNotFound says that the executable has no function of that name; errors of Offset wrap it.
var ErrNotFound = errors.New("no such function")

// Offset returns where the function's first instruction is, in bytes from the start of the executable file at path
// (which may be /proc/self/exe or /proc/PID/exe).
//
// The symbol is the linker's name: "import/path.Func", in which dots of the last path element are written %2e. It is
// looked up in the symbol table and, when the file is stripped (-ldflags=-s), in the table that the Go runtime itself
// uses for stack traces. A function that the compiler inlined everywhere is not in the file.
func Offset(path, symbol string) (uint64, error) {
	f, err := elf.Open(path)
	if err != nil {
		return 0, fmt.Errorf("open executable %s: %w", path, err)
	}
	defer f.Close()
	addr, err := address(f, symbol)
	if err != nil {
		return 0, fmt.Errorf("find %s in %s: %w", symbol, path, err)
	}
	off, err := fileOffset(f, addr)
	if err != nil {
		return 0, fmt.Errorf("find %s in %s: %w", symbol, path, err)
	}
	return off, nil
}

// address returns the function's virtual address, as the file has it before relocation.
func address(f *elf.File, symbol string) (uint64, error) {
	symbols, err := f.Symbols()
	if err != nil && !errors.Is(err, elf.ErrNoSymbols) {
		return 0, fmt.Errorf("read symbol table: %w", err)
	}
	for _, s := range symbols {
		if s.Name == symbol && elf.ST_TYPE(s.Info) == elf.STT_FUNC && s.Section != elf.SHN_UNDEF {
			return s.Value, nil
		}
	}
	return runtimeAddress(f, symbol)
}

// runtimeAddress looks the function up in the runtime's own table, which no linker flag removes.
func runtimeAddress(f *elf.File, symbol string) (uint64, error) {
	table, err := Table(f)
	if err != nil {
		return 0, err
	}
	fn := table.LookupFunc(symbol)
	if fn == nil {
		return 0, ErrNotFound
	}
	return fn.Entry, nil
}

// maxTable bounds the table that is read: a file may be anything.
const maxTable = 256 << 20

// Table returns the table that the Go runtime itself uses for stack traces: functions and lines by address.
func Table(f *elf.File) (*gosym.Table, error) {
	section := f.Section(".gopclntab")
	if section == nil {
		section = f.Section(".data.rel.ro.gopclntab") // position-independent executables of Go before 1.26
	}
	if section == nil {
		return nil, fmt.Errorf("%w: no symbol table, and not a Go executable", ErrNotFound)
	}
	if section.Size > maxTable {
		return nil, fmt.Errorf("section %s has %d bytes", section.Name, section.Size)
	}
	data, err := section.Data()
	if err != nil {
		return nil, fmt.Errorf("read section %s: %w", section.Name, err)
	}
	text, err := textStart(f)
	if err != nil {
		return nil, err
	}
	table, err := gosym.NewTable(nil, gosym.NewLineTable(data, text))
	if err != nil {
		return nil, fmt.Errorf("read section %s: %w", section.Name, err)
	}
	return table, nil
}

// moduleText is where runtime.moduledata keeps runtime.text, in words: a pointer, six slices, a pointer, minpc, maxpc.
const moduleText = 1 + 6*3 + 1 + 2

// textStart returns the address of runtime.text, on which the runtime's table is based. It is the start of the text
// section, except that an external linker puts C code before it: then only the runtime's module data knows.
func textStart(f *elf.File) (uint64, error) {
	text := f.Section(".text")
	if text == nil {
		return 0, errors.New("no section .text")
	}
	module := f.Section(".go.module") // Go 1.26 and newer
	if module == nil || f.Class != elf.ELFCLASS64 {
		return text.Addr, nil
	}
	word := make([]byte, 8)
	if _, err := module.ReadAt(word, moduleText*8); err != nil {
		return 0, fmt.Errorf("read section .go.module: %w", err)
	}
	start := f.ByteOrder.Uint64(word)
	if start == 0 {
		start = relocated(f, module.Addr+moduleText*8)
	}
	if start < text.Addr || start >= text.Addr+text.Size {
		return text.Addr, nil // another layout than we know
	}
	return start, nil
}

// relocated returns what the dynamic linker will add the load address to and store at addr; 0 if nothing.
func relocated(f *elf.File, addr uint64) uint64 {
	section := f.Section(".rela.dyn")
	if section == nil {
		return 0
	}
	data, err := section.Data()
	if err != nil {
		return 0
	}
	for ; len(data) >= 24; data = data[24:] { // Elf64_Rela: offset, info, addend
		if f.ByteOrder.Uint64(data) == addr {
			return f.ByteOrder.Uint64(data[16:])
		}
	}
	return 0
}

// fileOffset turns a virtual address into a place in the file, by the segment that is mapped executable there.
func fileOffset(f *elf.File, addr uint64) (uint64, error) {
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 && addr >= p.Vaddr && addr < p.Vaddr+p.Filesz {
			return addr - p.Vaddr + p.Off, nil
		}
	}
	return 0, fmt.Errorf("address %#x is in no executable segment", addr)
}
