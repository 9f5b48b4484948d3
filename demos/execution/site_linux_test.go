// SPDX-License-Identifier: Apache-2.0

package execution

import (
	"context"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"beltrace/demos/demo"
)

// TestSharedListenerEnds: who waits at a listening socket that another process with the same socket has shut down is to
// end, too, and has nothing to complain about.
func TestSharedListenerEnds(t *testing.T) {
	ln, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	var fds [2]int
	for i := range fds {
		f, err := ln.File()
		if err != nil {
			t.Fatal(err)
		}
		if fds[i], err = blocking(f); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	mine, other := &site{fd: fds[0], sockets: map[int]bool{fds[0]: true}}, &site{fd: fds[1], sockets: map[int]bool{fds[1]: true}}
	done := make(chan error, 1)
	go func() {
		_, err := mine.accept(mine.fd)
		done <- err
	}()
	other.end()
	select {
	case err := <-done:
		if !errors.Is(err, errEnded) {
			t.Errorf("accept: %v, want %v", err, errEnded)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("accept still waits")
	}
	other.remove(other.fd)
	mine.remove(mine.fd)
}

// TestInheritedBlocks: a process that comes with the same listening socket must not make it return EAGAIN to those that
// accept already, not even for a moment.
func TestInheritedBlocks(t *testing.T) {
	ln, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	fd, err := plain(ln)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	var never, seen atomic.Bool
	watched := make(chan struct{})
	go func() { // the flag as the first of them meets it
		defer close(watched)
		for !never.Load() {
			if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK != 0 {
				seen.Store(true)
			}
		}
	}()
	for range 100 {
		ctx, stop := context.WithCancel(t.Context())
		inherited, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		stop() // it ends as soon as it is there
		serveInherited(ctx, &demo.Env{}, os.NewFile(uintptr(inherited), "listener"))
	}
	never.Store(true)
	<-watched
	if seen.Load() {
		t.Error("the shared socket was non-blocking for a moment")
	}
}
