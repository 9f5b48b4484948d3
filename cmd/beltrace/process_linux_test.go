// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCheckProcess(t *testing.T) {
	if err := checkProcess(uint64(os.Getpid())); err != nil {
		t.Errorf("this process: %v", err)
	}
	if err := checkProcess(1 << 23); err == nil || !strings.Contains(err.Error(), "there is no process 8388608") {
		t.Errorf("a process above pid_max: %v", err)
	}
	other := make(chan int)
	done := make(chan struct{})
	defer close(done)
	go func() {
		runtime.LockOSThread() // not unlocked: the thread ends with the goroutine
		other <- unix.Gettid()
		<-done
	}()
	tid := <-other
	if tid == os.Getpid() {
		t.Skip("the goroutine got the first thread")
	}
	want := fmt.Sprintf("%d is a thread of the process %d: use --pid %[2]d", tid, os.Getpid())
	if err := checkProcess(uint64(tid)); err == nil || err.Error() != want {
		t.Errorf("a thread: %v, want %s", err, want)
	}
}
