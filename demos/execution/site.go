// SPDX-License-Identifier: Apache-2.0

package execution

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"beltrace/demos/demo"
	"beltrace/internal/unix"
)

// site is a server: its listening socket, the sockets of its clients, and its threads.
type site struct {
	ctx     context.Context
	env     *demo.Env
	fd      int // the listening socket, blocking
	threads errgroup.Group

	mu      sync.Mutex
	ended   bool
	sockets map[int]bool // to be shut down at the end: whoever waits for one comes back then
}

// errEnded says that the server is to end.
var errEnded = errors.New("the server ends")

// serverOf returns a demo's server that lets the model serve on a listening socket until ctx ends.
func serverOf(serve func(*site) error) func(context.Context, *demo.Env) error {
	return func(ctx context.Context, env *demo.Env) error {
		ln, err := env.Listen(ctx, 0)
		if err != nil {
			return err
		}
		fd, err := plain(ln)
		if err != nil {
			return err
		}
		return run(ctx, env, fd, serve)
	}
}

// run lets the model serve on a listening socket, which it closes at the end.
func run(ctx context.Context, env *demo.Env, fd int, serve func(*site) error) error {
	rounds() // measured before anybody waits for it
	s := &site{ctx: ctx, env: env, fd: fd, sockets: map[int]bool{}}
	if err := s.add(fd); err != nil {
		return err
	}
	defer s.remove(fd)
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { defer close(stopped); s.end() })
	err := serve(s)
	if err == nil || errors.Is(err, errEnded) {
		err = s.threads.Wait()
	} else {
		s.end()
		s.threads.Wait()
	}
	if !stop() {
		<-stopped
	}
	if errors.Is(err, errEnded) {
		return nil
	}
	return err
}

// plain takes a socket out of package net: its descriptor, blocking, as a program in C has it.
func plain(ln *net.TCPListener) (int, error) {
	defer ln.Close()
	f, err := ln.File()
	if err != nil {
		return -1, err
	}
	defer f.Close()
	return blocking(f)
}

// blocking returns a descriptor of its own of a socket, which blocks. All processes that inherited the socket share O_NONBLOCK
// (open(2)): one that takes it through package net, which sets it, would make the others' accept return EAGAIN.
func blocking(socket *os.File) (int, error) {
	fd, err := unix.FcntlInt(socket.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("dup of the listener: %w", err)
	}
	return fd, unix.SetNonblock(fd, false)
}

// thread runs f in a thread of its own, which ends with it.
func (s *site) thread(f func() error) {
	s.threads.Go(func() error {
		runtime.LockOSThread() // without an unlock: the thread ends with the goroutine
		err := f()
		if err != nil && !errors.Is(err, errEnded) {
			s.end()
		}
		return err
	})
}

// accept waits for the next client at a listening socket. The thread sleeps in the kernel meanwhile.
func (s *site) accept(ln int) (int, error) {
	for {
		fd, _, err := unix.Accept(ln)
		switch {
		case err == nil:
			unix.CloseOnExec(fd)
			return fd, s.add(fd)
		case s.over(), errors.Is(err, unix.EINVAL): // a process with the same socket has shut it down: all of them end
			return -1, errEnded
		case !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.ECONNABORTED):
			return -1, fmt.Errorf("accept: %w", err)
		}
	}
}

// add notes a socket; at the end it closes it instead and returns errEnded.
func (s *site) add(fd int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		unix.Close(fd)
		return errEnded
	}
	s.sockets[fd] = true
	return nil
}

// remove closes a socket.
func (s *site) remove(fd int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sockets, fd)
	unix.Close(fd)
}

// over reports whether the server is to end.
func (s *site) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// end wakes all that wait for a socket.
func (s *site) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	for fd := range s.sockets {
		unix.Shutdown(fd, unix.SHUT_RDWR)
	}
	nudge(s.fd)
}
