// SPDX-License-Identifier: Apache-2.0

package model

import "testing"

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
