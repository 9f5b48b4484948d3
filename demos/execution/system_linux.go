// SPDX-License-Identifier: Apache-2.0

package execution

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// timer stands for a slow database: a descriptor that becomes readable Delay after the question.
type timer struct{ fd int }

// newTimer returns a timer; async: one that says EAGAIN instead of waiting.
func newTimer(async bool) (*timer, error) {
	flags := unix.TFD_CLOEXEC
	if async {
		flags |= unix.TFD_NONBLOCK
	}
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, flags)
	if err != nil {
		return nil, fmt.Errorf("timerfd_create: %w", err)
	}
	return &timer{fd}, nil
}

// Ask asks the database.
func (t *timer) Ask() error {
	return unix.TimerfdSettime(t.fd, 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(int64(Delay))}, nil)
}

// Answer reads the database's answer, and waits for it.
func (t *timer) Answer() error {
	var buf [8]byte
	_, err := readFD(t.fd, buf[:])
	return err
}

func (t *timer) Close() { unix.Close(t.fd) }

// number is that of a connection (SO_COOKIE), 0 if it is not to be had.
func number(fd int) uint64 {
	n, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil {
		return 0
	}
	return n
}

// nudge wakes who waits in accept at a socket that was shut down: here the shutdown has done it.
func nudge(int) {}
