// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"os"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// makeMap makes an array map of one value. Its attribute is {type, key size, value size, entries}.
func makeMap(t *testing.T) int {
	t.Helper()
	attr := [4]uint32{unix.BPF_MAP_TYPE_ARRAY, 4, 8, 1}
	fd, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_MAP_CREATE, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	if errno != 0 {
		t.Fatalf("create map: %v", errno)
	}
	return int(fd)
}

func TestBPFObjectsAreSeenAndGone(t *testing.T) {
	Root(t)
	before := BPFOf(t, os.Getpid())
	fd := makeMap(t)
	mine := BPFOf(t, os.Getpid()).Without(before)
	if len(mine.Maps) != 1 || len(mine.Progs)+len(mine.Links) != 0 {
		t.Errorf("with one map open: %v", mine)
	}
	if seen := AllBPF(t).And(mine); len(seen.Maps) != 1 {
		t.Errorf("the kernel's list has %v of %v", seen, mine)
	}
	unix.Close(fd)
	if !Until(patience, func() bool { return AllBPF(t).And(mine).Empty() }) {
		t.Errorf("left after closing: %v", AllBPF(t).And(mine))
	}
}
