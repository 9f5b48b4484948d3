// SPDX-License-Identifier: Apache-2.0

// Package unix is what the demos' servers need of golang.org/x/sys/unix, under the same names. It is there on every system: where
// there is no unix, each function returns errors.ErrUnsupported, so that the demos can be listed and replayed there.
package unix

import "syscall"

// The errors that the servers tell apart.
const (
	EAGAIN       = syscall.EAGAIN
	ECONNABORTED = syscall.ECONNABORTED
	EINTR        = syscall.EINTR
	EINVAL       = syscall.EINVAL
)
