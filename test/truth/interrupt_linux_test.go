// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestWorkInterrupted: a thread passes all of its time, whatever signals come meanwhile. Go's own runtime sends some to
// preempt, and one that reaches a thread just before its nanosleep ends that at once.
func TestWorkInterrupted(t *testing.T) {
	const each = 30 * time.Millisecond
	stop := interrupt()
	defer stop()
	for how := range whatCall {
		pass, err := passTime(workArgs{N: 1, How: how, For: each})
		if err != nil {
			t.Fatal(err)
		}
		var w worked
		if err := w.turn(how, pass, -1); err != nil || w.Took < int64(each) {
			t.Errorf("%s: passed %v, want %v at least: %v", how, time.Duration(w.Took), each, err)
		}
	}
}

// interrupt sends each thread of this process the runtime's own signal every millisecond, until stop is called.
func interrupt() (stop func()) {
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		every := time.NewTicker(time.Millisecond)
		defer every.Stop()
		for {
			tasks, _ := filepath.Glob("/proc/self/task/[0-9]*")
			for _, task := range tasks {
				tid, _ := strconv.Atoi(filepath.Base(task))
				unix.Tgkill(os.Getpid(), tid, unix.SIGURG) // it may have ended
			}
			select {
			case <-done:
				return
			case <-every.C:
			}
		}
	})
	return func() { close(done); wg.Wait() }
}
