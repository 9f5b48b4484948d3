// SPDX-License-Identifier: Apache-2.0

package model

import (
	"strings"
	"testing"
)

// TestStack: the program's own code is told from what leads to a system call.
func TestStack(t *testing.T) {
	for _, tt := range []struct {
		stack         Stack
		site, callers string
	}{
		{nil, "", ""},
		{Stack{"runtime.futex sys_linux_amd64.s:557", "runtime.mcall asm_amd64.s:459"}, "", ""},
		{Stack{"clock_nanosleep libc.so.6"}, "", ""},
		{Stack{"0x7f00"}, "", ""},
		{Stack{"app+0x12"}, "app+0x12", "app+0x12"},
		{Stack{"internal/runtime/syscall.Syscall6 asm.s:1", "syscall.Syscall s.go:2", "runtimes.Wait w.go:3", "main.f[go.shape.struct { x int }] f.go:4", "main.main m.go:5"},
			"runtimes.Wait w.go:3", "runtimes.Wait (w.go:3) ← main.f[go.shape.struct { x int }] (f.go:4)"},
		{Stack{"clock_nanosleep libc.so.6", "handle server"}, "handle server", "handle (server)"},
	} {
		if site, callers := tt.stack.Site(), tt.stack.Callers(2); site != tt.site || callers != tt.callers {
			t.Errorf("%q: %q, %q", tt.stack, site, callers)
		}
	}
}

// TestIdle: threads of Go's that have nothing to run, as they were seen, and others.
func TestIdle(t *testing.T) {
	for innermost, want := range map[string]bool{
		"runtime.notesleep lock_futex.go:47,runtime.stopm proc.go:1967,runtime.findRunnable proc.go:3796,runtime.schedule proc.go:4164,runtime.mcall asm_amd64.s:496": true,
		"runtime.notesleep lock_futex.go:47,runtime.stopm proc.go:1967,runtime.exitsyscallNoP proc.go:5114,runtime.mcall asm_amd64.s:496":                             true,
		"runtime.usleep sys_linux_amd64.s:135,runtime.sysmon proc.go:6506,runtime.mstart1 proc.go:1935,runtime.mstart asm_amd64.s:426":                                true,
		"runtime.notesleep lock_futex.go:47,runtime.stoplockedm proc.go:3131,runtime.schedule proc.go:4017":                                                           false,
		"internal/poll.(*FD).Read fd_unix.go:165,os.(*File).Read file.go:118,main.handler main.go:9,runtime.goexit asm_amd64.s:1700":                                  false,
		"pread64 libc.so.6,uv__fs_read node,node::fs::ReadFileSync node":                                                                                              false,
	} {
		if got := Stack(strings.Split(innermost, ",")).Idle(); got != want {
			t.Errorf("%s: idle %v", innermost, got)
		}
	}
}
