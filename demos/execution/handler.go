// SPDX-License-Identifier: Apache-2.0

package execution

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"beltrace/internal/unix"
)

// converse serves one client after the other way round: read, work, write, until the client closes. The thread that calls
// it sleeps in read while the client is silent, and in the handler of /wait until the database answers. It closes fd.
func (s *site) converse(fd int) error {
	defer s.remove(fd)
	db, err := newTimer(false)
	if err != nil {
		return err
	}
	defer db.Close()
	in, have, id := make([]byte, maxRequest), 0, number(fd)
	for {
		n, err := readFD(fd, in[have:])
		if err != nil || n == 0 {
			return nil // the client is gone: how is its own affair
		}
		have += n
		path, size, err := take(in[:have], id)
		if err != nil {
			refuse(fd)
			return nil
		}
		if size == 0 {
			continue
		}
		have = copy(in, in[size:have])
		if err := work(path, db); err != nil {
			return err
		}
		if err := writeFD(fd, answer(path, id)); err != nil {
			return nil
		}
	}
}

// work does what a path asks for; the calling thread waits for the database.
func work(path string, db *timer) error {
	switch path {
	case pathCPU:
		compute()
	case pathWait:
		if err := db.Ask(); err != nil {
			return fmt.Errorf("ask the database: %w", err)
		}
		if err := db.Answer(); err != nil {
			return fmt.Errorf("wait for the database: %w", err)
		}
	}
	return nil
}

// compute keeps the CPU busy for about Work.
func compute() {
	var block [4096]byte
	for range rounds() {
		sum := sha256.Sum256(block[:])
		copy(block[:], sum[:])
	}
}

// rounds is how many blocks are hashed in Work of CPU time: measured once, by the thread's own clock, so that others on
// the machine do not count.
var rounds = sync.OnceValue(func() int {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var block [4096]byte
	n, begin := 0, threadTime()
	for threadTime()-begin < int64(Work) {
		for range 8 {
			sum := sha256.Sum256(block[:])
			copy(block[:], sum[:])
		}
		n += 8
	}
	return n
})

// threadTime is the CPU time that the calling thread has used, in ns.
func threadTime() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		panic(err) // the clock is there on every system that Go runs on
	}
	return ts.Nano()
}

// readFD reads what is there, and sleeps while there is nothing.
func readFD(fd int, buf []byte) (int, error) {
	for {
		n, err := unix.Read(fd, buf)
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// writeFD writes all of it.
func writeFD(fd int, buf []byte) error {
	for len(buf) > 0 {
		n, err := unix.Write(fd, buf)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return err
		case n == 0:
			return io.ErrShortWrite
		}
		buf = buf[n:]
	}
	return nil
}
