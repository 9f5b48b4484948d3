// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"os"
	"runtime"
	"testing"

	"beltrace/internal/gofunc"
)

// TestMarkPoint checks what a uprobe stands on: the symbol is there, and its first instruction is cheap to emulate.
func TestMarkPoint(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs an ELF executable of this program")
	}
	Mark("keep", Begin, 1)
	off, err := gofunc.Offset("/proc/self/exe", MarkSymbol)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	first := make([]byte, 1)
	if _, err := f.ReadAt(first, int64(off)); err != nil {
		t.Fatal(err)
	}
	const pushBP = 0x55
	if runtime.GOARCH == "amd64" && first[0] != pushBP {
		t.Errorf("markPoint begins with %#x, want PUSH BP (%#x)", first[0], pushBP)
	}
}

func TestMarkAllocatesNothing(t *testing.T) {
	names := []string{"", "parse", "exactly16bytes!!", "more than sixteen bytes of name"}
	if n := testing.AllocsPerRun(100, func() {
		for _, name := range names {
			Mark(name, End, 7)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkMark is the price of a mark that nobody watches.
func BenchmarkMark(b *testing.B) {
	for b.Loop() {
		Mark("handle", Begin, 42)
	}
}
