// SPDX-License-Identifier: Apache-2.0

package symbol

import (
	"cmp"
	"debug/elf"
	"debug/gosym"
	"encoding/binary"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"beltrace/internal/gofunc"
)

// maxTable bounds the tables that are read: a file may be anything.
const maxTable = 256 << 20

// file is what an executable or a library knows of its code.
type file struct {
	machine   elf.Machine
	loads     []elf.ProgHeader
	lines     *gosym.Table // nil: it is no Go program
	functions []function   // by address
}

type function struct {
	addr, size uint64
	name       string
}

// readFile reads the tables of a file; nil if it has none that can be read. What is in it was written by anybody.
func readFile(name string) (out *file) {
	defer func() {
		if recover() != nil { // debug/gosym trusts its input
			out = nil
		}
	}()
	f, err := elf.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	out = &file{machine: f.Machine}
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD {
			out.loads = append(out.loads, p.ProgHeader)
		}
	}
	if table, err := gofunc.Table(f); err == nil {
		out.lines = table
		return out
	}
	out.functions = functions(f)
	return out
}

// functions reads both symbol tables: a stripped library still exports some.
func functions(f *elf.File) []function {
	var out []function
	for _, section := range f.Sections {
		if (section.Type == elf.SHT_SYMTAB || section.Type == elf.SHT_DYNSYM) && section.Size > maxTable {
			return nil
		}
	}
	static, _ := f.Symbols()
	dynamic, _ := f.DynamicSymbols()
	for _, s := range append(static, dynamic...) {
		if t := elf.ST_TYPE(s.Info); (t == elf.STT_FUNC || t == elf.STT_GNU_IFUNC) && s.Section != elf.SHN_UNDEF && s.Size > 0 {
			out = append(out, function{s.Value, s.Size, s.Name})
		}
	}
	// Of several names the one that programs use.
	slices.SortStableFunc(out, func(a, b function) int {
		return cmp.Or(cmp.Compare(a.addr, b.addr), cmp.Compare(underscores(a.name), underscores(b.name)), cmp.Compare(len(a.name), len(b.name)))
	})
	return slices.CompactFunc(out, func(a, b function) bool { return a.addr == b.addr })
}

// underscores counts those that a name begins with.
func underscores(name string) int { return len(name) - len(strings.TrimLeft(name, "_")) }

// place is the virtual address of an offset in the file.
func (f *file) place(offset uint64) (uint64, bool) {
	for _, p := range f.loads {
		if offset >= p.Off && offset < p.Off+p.Filesz {
			return offset - p.Off + p.Vaddr, true
		}
	}
	return 0, false
}

// name returns the name of the code at an offset of the file; false if it is not known.
func (f *file) name(offset uint64) (name string, ok bool) {
	defer func() {
		if recover() != nil { // debug/gosym trusts its input
			name, ok = "", false
		}
	}()
	addr, ok := f.place(offset)
	if !ok {
		return "", false
	}
	if f.lines != nil {
		source, line, fn := f.lines.PCToLine(addr)
		if fn == nil {
			return "", false
		}
		return fmt.Sprintf("%s %s:%d", fn.Name, path.Base(source), line), true
	}
	i, found := slices.BinarySearchFunc(f.functions, addr, func(x function, addr uint64) int { return cmp.Compare(x.addr, addr) })
	if !found {
		i--
	}
	if i < 0 || addr >= f.functions[i].addr+f.functions[i].size {
		return "", false
	}
	return f.functions[i].name, true
}

// calls reports whether the instruction before an offset of the file, which is at path, is a call: else no call returns there.
func (f *file) calls(path string, offset uint64) bool {
	const longest = 7 // call with a base, an index and 32 bits of displacement
	if offset < longest {
		return false
	}
	from, err := os.Open(path)
	if err != nil {
		return false
	}
	defer from.Close()
	var code [longest]byte
	if _, err := from.ReadAt(code[:], int64(offset-longest)); err != nil {
		return false
	}
	return isCall(f.machine, code)
}

// isCall reports whether code ends with a call: of amd64 E8 with a displacement, or FF /2 with its operand; of arm64 BL, BLR.
func isCall(machine elf.Machine, code [7]byte) bool {
	if machine == elf.EM_AARCH64 {
		w := binary.LittleEndian.Uint32(code[3:])
		return w>>26 == 0x25 || w&0xfffffc1f == 0xd63f0000 || w&0xfefff800 == 0xd63f0800 // BL, BLR, BLRAA and its kin
	}
	if code[2] == 0xe8 {
		return true
	}
	for n := 2; n <= len(code); n++ { // the length of an indirect call, without a prefix
		c := code[len(code)-n:]
		if c[0] != 0xff || c[1]>>3&7 != 2 {
			continue
		}
		mod, rm := c[1]>>6, c[1]&7
		want := 2
		if rm == 4 && mod != 3 {
			want++
		}
		switch {
		case mod == 1:
			want++
		case mod == 2, mod == 0 && rm == 5, mod == 0 && rm == 4 && len(c) > 2 && c[2]&7 == 5:
			want += 4
		}
		if n == want {
			return true
		}
	}
	return false
}
