// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// BPF is a set of BPF programs, links and maps of the kernel, by id.
type BPF struct{ Progs, Links, Maps map[uint32]bool }

// classes are the three classes of objects with their commands of bpf(2).
func (b BPF) classes() []class {
	return []class{
		{"program", "prog_id", unix.BPF_PROG_GET_NEXT_ID, b.Progs},
		{"link", "link_id", unix.BPF_LINK_GET_NEXT_ID, b.Links},
		{"map", "map_id", unix.BPF_MAP_GET_NEXT_ID, b.Maps},
	}
}

type class struct {
	name, key string
	next      uintptr
	ids       map[uint32]bool
}

func newBPF() BPF {
	return BPF{Progs: map[uint32]bool{}, Links: map[uint32]bool{}, Maps: map[uint32]bool{}}
}

// BPFOf returns the objects that a process holds by file descriptors.
func BPFOf(t testing.TB, pid int) BPF {
	t.Helper()
	objects := newBPF()
	dir := fmt.Sprintf("/proc/%d/fdinfo", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatalf("list the files of process %d: %v", pid, err)
	}
	for _, e := range entries {
		info, err := os.ReadFile(dir + "/" + e.Name())
		if err != nil {
			continue // closed meanwhile
		}
		for _, c := range objects.classes() {
			if id, ok := infoID(info, c.key); ok {
				c.ids[id] = true
			}
		}
	}
	return objects
}

// infoID finds a line "key:\tnumber" in the fdinfo of a BPF object.
func infoID(info []byte, key string) (uint32, bool) {
	lines := bufio.NewScanner(bytes.NewReader(info))
	for lines.Scan() {
		if value, ok := bytes.CutPrefix(lines.Bytes(), []byte(key+":")); ok {
			id, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 10, 32)
			return uint32(id), err == nil
		}
	}
	return 0, false
}

// AllBPF returns every object of the kernel, whoever made it.
func AllBPF(t testing.TB) BPF {
	t.Helper()
	objects := newBPF()
	for _, c := range objects.classes() {
		for id := uint32(0); ; {
			next, err := nextID(c.next, id)
			if errors.Is(err, unix.ENOENT) {
				break
			}
			if err != nil {
				t.Fatalf("list BPF %ss: %v", c.name, err)
			}
			c.ids[next], id = true, next
		}
	}
	return objects
}

// nextID returns the lowest id above id. The kernel's attribute is {start_id, next_id, open_flags}.
func nextID(command uintptr, id uint32) (uint32, error) {
	attr := [3]uint32{id}
	_, _, errno := unix.Syscall(unix.SYS_BPF, command, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	if errno != 0 {
		return 0, errno
	}
	return attr[1], nil
}

// Empty reports whether the set has no object.
func (b BPF) Empty() bool { return len(b.Progs)+len(b.Links)+len(b.Maps) == 0 }

// Without returns the objects that are not in o.
func (b BPF) Without(o BPF) BPF {
	return b.keep(func(i int, id uint32) bool { return !o.classes()[i].ids[id] })
}

// And returns the objects that are also in o.
func (b BPF) And(o BPF) BPF {
	return b.keep(func(i int, id uint32) bool { return o.classes()[i].ids[id] })
}

func (b BPF) keep(wanted func(class int, id uint32) bool) BPF {
	kept := newBPF()
	into := kept.classes()
	for i, c := range b.classes() {
		for id := range c.ids {
			if wanted(i, id) {
				into[i].ids[id] = true
			}
		}
	}
	return kept
}

// String lists the ids by class.
func (b BPF) String() string {
	var s []byte
	for _, c := range b.classes() {
		if len(c.ids) > 0 {
			s = fmt.Appendf(s, "%ss %v ", c.name, slices.Sorted(maps.Keys(c.ids)))
		}
	}
	return string(bytes.TrimSpace(s))
}
