// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"bytes"
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"beltrace/internal/testkit"
)

// untilInAccept waits until n threads of a process are blocked in accept.
func untilInAccept(t testing.TB, pid uint32, n int) {
	t.Helper()
	if !testkit.Until(10*time.Second, func() bool { return threadsIn(t, pid, unix.SYS_ACCEPT4) == n }) {
		t.Fatalf("%d threads of %d are in accept, want %d", threadsIn(t, pid, unix.SYS_ACCEPT4), pid, n)
	}
}

// threadsIn counts the threads of a process that are blocked in a system call.
func threadsIn(t testing.TB, pid uint32, call int) int {
	t.Helper()
	tasks := fmt.Sprintf("/proc/%d/task", pid)
	entries, err := os.ReadDir(tasks)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		// "number arguments…", or "running".
		state, err := os.ReadFile(tasks + "/" + e.Name() + "/syscall")
		if err == nil && bytes.HasPrefix(state, fmt.Appendf(nil, "%d ", call)) {
			n++
		}
	}
	return n
}
