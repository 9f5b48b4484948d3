// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package execution

import (
	"errors"
	"time"

	"beltrace/internal/unix"
)

// timer stands for a slow database: a pipe on which it answers Delay after the question.
type timer struct{ r, w int }

func newTimer(async bool) (*timer, error) {
	var fd [2]int
	if err := unix.Pipe(fd[:]); err != nil {
		return nil, err
	}
	unix.CloseOnExec(fd[0])
	unix.CloseOnExec(fd[1])
	return &timer{fd[0], fd[1]}, unix.SetNonblock(fd[0], async)
}

// Ask asks the database.
func (t *timer) Ask() error {
	time.AfterFunc(Delay, func() { unix.Write(t.w, []byte{1}) })
	return nil
}

// Answer reads the database's answer, and waits for it.
func (t *timer) Answer() error {
	_, err := readFD(t.r, make([]byte, 1))
	return err
}

func (t *timer) Close() {
	unix.Close(t.r)
	unix.Close(t.w)
}

// number is that of a connection: only Linux has it.
func number(int) uint64 { return 0 }

var errLinux = errors.New("only Linux has it")

func missingEpoll() error { return errLinux }

func serveByEpoll(*site) error { return errLinux }

func missingRing() error { return errLinux }

func serveByRing(*site) error { return errLinux }

// nudge wakes those who wait in accept, whom a shutdown does not wake here: each gets a client that says nothing.
func nudge(ln int) {
	at, err := unix.Getsockname(ln)
	if err != nil {
		return
	}
	for range Team {
		if fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0); err == nil {
			unix.Connect(fd, at)
			unix.Close(fd)
		}
	}
}
