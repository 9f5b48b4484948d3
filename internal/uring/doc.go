// SPDX-License-Identifier: Apache-2.0

// Package uring is io_uring in raw calls: set a ring up, fill submission queue entries (SQE), enter the kernel, take
// completions (CQE). The io-uring demo and the tests that know what they submitted use it.
//
// It exists because golang.org/x/sys/unix has the numbers of the three system calls and no structures, and the libraries
// that once wrapped them (giouring, iouring-go, gouring) are not kept any more.
//
// A ring belongs to one thread: call runtime.LockOSThread before Open, and use the ring from that goroutine alone, since the
// kernel finishes much of the work when the submitting thread returns from a call. Memory that the kernel reads or writes
// must stay where it is until the completion: take it from Memory, not from Go's heap or stack.
//
// Linux only; elsewhere Open returns [errors.ErrUnsupported]. From which kernel on an operation exists is said beside it;
// an older one answers with EINVAL in the completion.
package uring
