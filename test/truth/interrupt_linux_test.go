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

	"beltrace/internal/testkit"
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

// TestFastOpenInterrupted: what is sent with the SYN is sent once, whatever signals come while the handshake lasts. The
// kernel starts an interrupted sendto again from its beginning, though the SYN has taken the data already.
func TestFastOpenInterrupted(t *testing.T) {
	testkit.Root(t)
	ns := testkit.NewNetNS(t)
	ns.Sysctl(t, "ipv4/tcp_fastopen", fastOpenFreely)
	for _, how := range []string{fastConnect, fastSend} {
		var in int
		if err := ns.Do(func() (err error) { in, err = fastOpenLate(how); return err }); err != nil || in != 100 {
			t.Errorf("%s: %d bytes of 100 came: %v", how, in, err)
		}
	}
}

// fastOpenLate sends 100 bytes to a listener whose accept queue is full at first, and returns how many come out of it.
func fastOpenLate(how string) (int, error) {
	l, err := opListen(listenArgs{Addr: loopback4, Backlog: 0, FastOpen: true})
	if err != nil {
		return 0, err
	}
	defer unix.Close(l.FD)
	var first, s socket
	if err := first.dial(dialArgs{Addr: l.Local, Talk: talk{End: endKeep}}); err != nil {
		return 0, err
	}
	defer unix.Close(first.FD)
	stop := interrupt()
	defer stop()
	time.AfterFunc(200*time.Millisecond, func() {
		fd, _, _ := unix.Accept4(l.FD, unix.SOCK_CLOEXEC)
		unix.Close(fd)
	})
	if err := s.dial(dialArgs{Addr: l.Local, How: how, Talk: talk{Write: 100}}); err != nil {
		return 0, err
	}
	fd, _, err := unix.Accept4(l.FD, unix.SOCK_CLOEXEC)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	for in, buf := 0, make([]byte, 1000); ; {
		n, err := unix.Read(fd, buf)
		if n <= 0 {
			return in, err
		}
		in += n
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
