// SPDX-License-Identifier: Apache-2.0

package view

import (
	"strings"
	"testing"

	"beltrace/collector/model"
)

// TestWhyNotOwn: a stack without a function of the program is Go's scheduler, in whatever call it waits, or a library's.
func TestWhyNotOwn(t *testing.T) {
	for _, tt := range []struct {
		stack model.Stack
		goes  bool
	}{
		{model.Stack{"runtime.futex sys_linux_amd64.s:570", "runtime.notesleep lock_futex.go:47", "runtime.mcall asm_amd64.s:496"}, true},
		{model.Stack{"internal/runtime/syscall/linux.Syscall6 asm_linux_amd64.s:36", "runtime.netpoll netpoll_epoll.go:119", "runtime.mcall asm_amd64.s:496"}, true},
		{model.Stack{"epoll_pwait libc.so.6"}, false},
	} {
		if got := whyNotOwn(tt.stack); strings.Contains(got, "Go's scheduler") != tt.goes {
			t.Errorf("%q: %s", tt.stack, got)
		}
	}
}
