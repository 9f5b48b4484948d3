// SPDX-License-Identifier: Apache-2.0

package acceptqueue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"beltrace/demos/demo"
	"beltrace/internal/unix"
)

// server is the demo's server. Its one acceptor is a thread of its own, so that what it does between two accepts can
// be seen.
type server struct {
	env      *demo.Env
	open     atomic.Int64 // connections that were accepted and that the client has not closed
	slow     int          // for so many clients more the acceptor works itself
	handlers sync.WaitGroup
}

func serve(ctx context.Context, env *demo.Env) error {
	ln, err := env.Listen(ctx, Backlog)
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s := &server{env: env}
	ctx, end := context.WithCancel(ctx)
	defer s.handlers.Wait()
	defer end()
	return demo.AcceptAll(ctx, ln, func(c *net.TCPConn) error { return s.take(ctx, c) })
}

// take serves an accepted connection: itself while it is slow, else it leaves that to another.
func (s *server) take(ctx context.Context, c *net.TCPConn) error {
	if s.open.Add(1) == 1 {
		s.slow = Slow // the first of a new run
	}
	gone := s.watch(ctx, c)
	if s.slow == 0 {
		s.handlers.Go(func() {
			s.say(c, saidHand)
			select {
			case <-time.After(Work):
			case <-gone:
			}
			s.say(c, saidDone)
		})
		return nil
	}
	s.say(c, saidSelf)
	if err := ask(gone); err != nil {
		return fmt.Errorf("work for %s: %w", c.RemoteAddr(), err)
	}
	s.say(c, saidDone)
	if s.slow--; s.slow == 0 {
		s.env.Note(mendedNote, float64(demo.Now()))
	}
	return nil
}

// watch closes the connection when the client has, or at the end, and gone before that.
func (s *server) watch(ctx context.Context, c *net.TCPConn) (gone <-chan struct{}) {
	ended := make(chan struct{})
	s.handlers.Go(func() {
		defer c.Close()
		defer s.open.Add(-1)
		defer close(ended)
		defer context.AfterFunc(ctx, func() { c.SetReadDeadline(time.Now()) })()
		io.Copy(io.Discard, c) // until the client closes: how it does is its own affair
	})
	return ended
}

// say writes to the client. One that is gone shows in watch.
func (s *server) say(c *net.TCPConn, words string) { _, _ = io.WriteString(c, words) }

// ask puts a question to a slow database, and the calling thread waits in read for the answer: it can do nothing else
// meanwhile. It returns early if the client is gone.
func ask(gone <-chan struct{}) error {
	var fd [2]int
	if err := unix.Pipe(fd[:]); err != nil {
		return fmt.Errorf("pipe: %w", err)
	}
	defer unix.Close(fd[0])
	var database sync.WaitGroup
	defer database.Wait()
	database.Go(func() {
		defer unix.Close(fd[1]) // the end of the file is the answer
		select {
		case <-time.After(Work):
		case <-gone:
		}
	})
	for {
		if _, err := unix.Read(fd[0], make([]byte, 1)); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
