// SPDX-License-Identifier: Apache-2.0

package symbol

import (
	"debug/elf"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

func TestParseMaps(t *testing.T) {
	got, err := ParseMaps(strings.NewReader(`00400000-00401000 r--p 00000000 fe:00 17 /srv/my api
00401000-00500000 r-xp 00001000 fe:00 17 /srv/my api (deleted)
7f00-7fff rw-p 00000000 00:00 0
7ffe000-7fff000 r-xp 00000000 00:00 0 [vdso]
`))
	want := []Mapping{{0x401000, 0x500000, 0x1000, "/srv/my api (deleted)"}, {0x7ffe000, 0x7fff000, 0, "[vdso]"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	if _, err := ParseMaps(strings.NewReader("x-y r-xp 0 fe:00 17 /a\n")); err == nil {
		t.Error("a damaged line is no mapping")
	}
}

// TestFileOfAnybody: what is no executable, or a damaged one, has no names and does no harm.
func TestFileOfAnybody(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "damaged")
	for _, n := range []int{0, 10, 100, 5000, len(whole) / 2} {
		if err := os.WriteFile(name, whole[:n], 0o644); err != nil {
			t.Fatal(err)
		}
		if f := readFile(name); f != nil {
			f.name(0x1000)
		}
	}
	for i := 64; i < len(whole); i += 97 {
		whole[i] ^= 0x5a
	}
	if err := os.WriteFile(name, whole, 0o644); err != nil {
		t.Fatal(err)
	}
	if f := readFile(name); f != nil {
		for offset := uint64(0); offset < uint64(len(whole)); offset += 4096 {
			f.name(offset)
		}
	}
}

// TestOwnStack: the runtime's own stack trace is the truth.
func TestOwnStack(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("no /proc here")
	}
	pcs := returnsTo()
	frame, _ := runtime.CallersFrames(pcs).Next()
	want := []string{"0x1", fmt.Sprintf("%s symbol_test.go:%d", frame.Function, frame.Line)}
	n := New()
	for _, end := range []uint64{1, uint64(pcs[0]) + 1, uint64(uintptr(unsafe.Pointer(&pcs[0])))} {
		got := n.Names(uint32(os.Getpid()), []uint64{1, uint64(pcs[0]), end, uint64(pcs[0])})
		if !slices.Equal(got, want) {
			t.Errorf("%q, want %q: it ends before what is no return address", got, want)
		}
	}
	if got := n.Names(uint32(os.Getpid()), nil); len(got) != 0 {
		t.Errorf("an empty stack has names: %q", got)
	}
}

// returnsTo returns the address to which it returns.
//
//go:noinline
func returnsTo() []uintptr {
	pcs := make([]uintptr, 1)
	runtime.Callers(2, pcs)
	return pcs
}

// TestIsCall: what precedes a return address, as objdump shows it, and what does not.
func TestIsCall(t *testing.T) {
	for _, tt := range []struct {
		code    string
		machine elf.Machine
		want    bool
	}{
		{"9090e811223344", elf.EM_X86_64, true},   // call rel32
		{"9090909090ffd0", elf.EM_X86_64, true},   // call *%rax
		{"9090909041ffd4", elf.EM_X86_64, true},   // call *%r12
		{"90ff1544332211", elf.EM_X86_64, true},   // call *0x11223344(%rip)
		{"90909090ff5308", elf.EM_X86_64, true},   // call *0x8(%rbx)
		{"90909090ff14c2", elf.EM_X86_64, true},   // call *(%rdx,%rax,8)
		{"ff94c344332211", elf.EM_X86_64, true},   // call *0x11223344(%rbx,%rax,8)
		{"90909090909090", elf.EM_X86_64, false},  // nop
		{"9090909090ffe0", elf.EM_X86_64, false},  // jmp *%rax
		{"e8112233449090", elf.EM_X86_64, false},  // a call, and more
		{"9090900c000094", elf.EM_AARCH64, true},  // bl
		{"90909020003fd6", elf.EM_AARCH64, true},  // blr x1
		{"90909020001fd6", elf.EM_AARCH64, false}, // br x1
	} {
		raw, err := hex.DecodeString(tt.code)
		if err != nil {
			t.Fatal(err)
		}
		if got := isCall(tt.machine, [7]byte(raw)); got != tt.want {
			t.Errorf("%s: %t", tt.code, got)
		}
	}
}
