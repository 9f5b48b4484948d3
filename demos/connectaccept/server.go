// SPDX-License-Identifier: Apache-2.0

package connectaccept

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"time"

	"beltrace/demos/demo"
	"beltrace/internal/unix"
)

// serve waits until somebody is in the accept queue, sleeps on, and only then accepts whoever is there.
func serve(ctx context.Context, env *demo.Env) error {
	ln, err := env.Listen(ctx, 0)
	if err != nil {
		return err
	}
	defer ln.Close()
	raw, err := ln.SyscallConn()
	if err != nil {
		return err
	}
	stopped, err := stopPipe(ctx)
	if err != nil {
		return err
	}
	defer stopped.Close()
	for {
		come, err := awaitClient(raw, stopped)
		if err != nil {
			return fmt.Errorf("wait for a client on %s: %w", ln.Addr(), err)
		}
		asleep := demo.Now()
		if !come || !sleep(ctx, Delay) {
			return nil
		}
		env.Note("slept_ns", float64(demo.Now()-asleep))
		if err := acceptAll(ctx, env, raw); err != nil {
			return fmt.Errorf("accept on %s: %w", ln.Addr(), err)
		}
	}
}

// stopPipe returns a file that becomes readable when ctx is done: poll cannot wait for a channel.
func stopPipe(ctx context.Context) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { w.Close() })
	return r, nil
}

// awaitClient returns true when a connection is in the accept queue, without taking it out, and false at the end.
func awaitClient(ln syscall.RawConn, stopped *os.File) (come bool, err error) {
	controlErr := ln.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(stopped.Fd()), Events: unix.POLLIN}}
		for {
			_, err = unix.Poll(fds, -1)
			if !errors.Is(err, unix.EINTR) {
				break
			}
		}
		come = fds[1].Revents == 0
	})
	return come, errors.Join(controlErr, err)
}

// acceptAll takes one run's connections out of the accept queue, or as many as there are, one at a time.
func acceptAll(ctx context.Context, env *demo.Env, raw syscall.RawConn) error {
	for range Connections {
		var fd int
		var from unix.Sockaddr
		var acceptErr error
		var before, after int64
		err := raw.Control(func(listener uintptr) {
			before = demo.Now()
			fd, from, acceptErr = unix.Accept(int(listener))
			after = demo.Now()
		})
		switch {
		case errors.Is(acceptErr, unix.EAGAIN):
			return nil // the queue is empty
		case errors.Is(acceptErr, unix.EINTR), errors.Is(acceptErr, unix.ECONNABORTED):
			continue
		case err != nil || acceptErr != nil:
			return errors.Join(err, acceptErr)
		}
		env.Note(acceptNote(address(from)), float64(before))
		env.Note(acceptedNote(address(from)), float64(after))
		if err := answer(ctx, fd); err != nil {
			env.Log.Printf("answer %s: %v", address(from), err)
		}
	}
	return nil
}

// answer works a little, says hello and hangs up.
func answer(ctx context.Context, fd int) error {
	defer unix.Close(fd)
	sleep(ctx, pause)
	_, err := unix.Write(fd, []byte("hello\n"))
	return err
}

// sleep waits for d and reports whether ctx is still on.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// address writes a socket address as the rest of the program does.
func address(sa unix.Sockaddr) string {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)).String()
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port)).String()
	}
	return ""
}
