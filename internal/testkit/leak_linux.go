// SPDX-License-Identifier: Apache-2.0

package testkit

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"testing"
	"time"
)

// patience is how long the kernel and the runtime may take to free what was closed.
const patience = 5 * time.Second

// NoLeaks fails the test if at its end there are more goroutines, open files or BPF objects in this process than now.
func NoLeaks(t testing.TB) {
	t.Helper()
	startPoller(t)
	goroutines, files, bpf := runtime.NumGoroutine(), openFiles(), BPFOf(t, os.Getpid())
	t.Cleanup(func() {
		if !Until(patience, func() bool { return runtime.NumGoroutine() <= goroutines }) {
			stacks := make([]byte, 1<<20)
			t.Errorf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), goroutines, stacks[:runtime.Stack(stacks, true)])
		}
		if !Until(patience, func() bool { return len(extra(openFiles(), files)) == 0 }) {
			t.Errorf("open files left: %s", extra(openFiles(), files))
		}
		if left := BPFOf(t, os.Getpid()).Without(bpf); !left.Empty() {
			t.Errorf("BPF objects left: %v", left)
		}
	})
}

// startPoller makes the runtime open its own epoll instance now, not between the two counts.
func startPoller(t testing.TB) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	w.Close()
}

// inodeNumber is what makes two names like socket:[4711] different.
var inodeNumber = regexp.MustCompile(`:\[\d+\]$`)

// openFiles counts this process's open files by what they are: the number of a descriptor says nothing.
func openFiles() map[string]int {
	files := map[string]int{}
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name()))
		if err != nil {
			continue // the descriptor of this very listing
		}
		files[inodeNumber.ReplaceAllString(target, "")]++
	}
	return files
}

func extra(now, before map[string]int) []string {
	var left []string
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if n := now[name] - before[name]; n > 0 {
			left = append(left, fmt.Sprintf("%d × %s", n, name))
		}
	}
	return left
}
