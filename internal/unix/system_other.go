// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package unix

import "errors"

// The types, with the fields that are used.
type (
	PollFd struct {
		Fd      int32
		Events  int16
		Revents int16
	}
	Rusage        struct{ Utime, Stime Timespec }
	Sockaddr      any
	SockaddrInet4 struct {
		Port int
		Addr [4]byte
	}
	SockaddrInet6 struct {
		Port int
		Addr [16]byte
	}
	Timespec struct{}
)

// Nano returns 0: there is no such clock.
func (Timespec) Nano() int64 { return 0 }

// The constants, which nothing takes here.
const (
	AF_INET = iota
	AF_INET6
	CLOCK_MONOTONIC
	CLOCK_THREAD_CPUTIME_ID
	F_DUPFD_CLOEXEC
	IPPROTO_TCP
	POLLIN
	RUSAGE_SELF
	SHUT_RDWR
	SOCK_STREAM
	SOL_SOCKET
	SO_RCVBUF
	SO_REUSEADDR
	SO_REUSEPORT
)

// The functions: none of them can do its work here.
func Accept(int) (int, Sockaddr, error)         { return -1, nil, errors.ErrUnsupported }
func Bind(int, Sockaddr) error                  { return errors.ErrUnsupported }
func ClockGettime(int32, *Timespec) error       { return errors.ErrUnsupported }
func Close(int) error                           { return errors.ErrUnsupported }
func CloseOnExec(int)                           {}
func Connect(int, Sockaddr) error               { return errors.ErrUnsupported }
func FcntlInt(uintptr, int, int) (int, error)   { return -1, errors.ErrUnsupported }
func Getrusage(int, *Rusage) error              { return errors.ErrUnsupported }
func Getsockname(int) (Sockaddr, error)         { return nil, errors.ErrUnsupported }
func Listen(int, int) error                     { return errors.ErrUnsupported }
func Pipe([]int) error                          { return errors.ErrUnsupported }
func Poll([]PollFd, int) (int, error)           { return 0, errors.ErrUnsupported }
func Read(int, []byte) (int, error)             { return 0, errors.ErrUnsupported }
func SetNonblock(int, bool) error               { return errors.ErrUnsupported }
func SetsockoptInt(fd, level, opt, v int) error { return errors.ErrUnsupported }
func Shutdown(int, int) error                   { return errors.ErrUnsupported }
func Socket(int, int, int) (int, error)         { return -1, errors.ErrUnsupported }
func Write(int, []byte) (int, error)            { return 0, errors.ErrUnsupported }
