// SPDX-License-Identifier: Apache-2.0

package live

import (
	"os"
	"testing"

	"beltrace/bpf"

	"golang.org/x/sys/unix"
)

// A process holds a listener as long as it has it open, not as long as it lives.
func TestHolds(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var w ownership
	if w.holds() {
		t.Error("held though nobody was found")
	}
	w.found(&bpf.KernelOwner{Pid: uint32(os.Getpid()), Fd: uint32(fd)})
	if !w.holds() {
		t.Errorf("%s says %s: not held", w.at, w.link)
	}
	unix.Close(fd)
	if w.holds() {
		t.Error("held though it is closed")
	}
	other, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(other)
	if other == fd && w.holds() {
		t.Error("another socket with its descriptor is taken for it")
	}
}

// The owner goes by the name that its process has now.
func TestRenameOwner(t *testing.T) {
	text, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	name := string(text[:len(text)-1])
	w := ownership{pid: uint32(os.Getpid())}
	if w.rename(1, name); w.heir != nil {
		t.Errorf("renamed to %s from its own name", cString(w.heir.Comm[:]))
	}
	if w.rename(1, "before"); w.heir == nil || cString(w.heir.Comm[:]) != name || w.heir.Pid != w.pid {
		t.Errorf("%+v, want the name %s", w.heir, name)
	}
}

// Of several holders the one that it belongs to stays the owner; else a watched one comes first.
func TestClaims(t *testing.T) {
	s := &Session{listeners: map[uint64]*listenerState{1: {ownership: ownership{pid: 7}}}}
	own, watched, first := s.claims(&bpf.KernelOwner{Conn: 1, Pid: 7}), s.claims(&bpf.KernelOwner{Conn: 1, Pid: 8, Watched: 1}), s.claims(&bpf.KernelOwner{Conn: 2, Pid: 7})
	if own <= watched || watched <= first {
		t.Errorf("claims %d, %d, %d", own, watched, first)
	}
}
