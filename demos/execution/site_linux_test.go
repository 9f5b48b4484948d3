// SPDX-License-Identifier: Apache-2.0

package execution

import (
	"errors"
	"net"
	"testing"
	"time"
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
		l, err := net.FileListener(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		if fds[i], err = plain(l.(*net.TCPListener)); err != nil {
			t.Fatal(err)
		}
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
