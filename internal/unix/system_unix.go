// SPDX-License-Identifier: Apache-2.0

//go:build unix

package unix

import "golang.org/x/sys/unix"

// The types of golang.org/x/sys/unix.
type (
	PollFd        = unix.PollFd
	Rusage        = unix.Rusage
	Sockaddr      = unix.Sockaddr
	SockaddrInet4 = unix.SockaddrInet4
	SockaddrInet6 = unix.SockaddrInet6
	Timespec      = unix.Timespec
)

// The constants of golang.org/x/sys/unix.
const (
	AF_INET                 = unix.AF_INET
	AF_INET6                = unix.AF_INET6
	CLOCK_MONOTONIC         = unix.CLOCK_MONOTONIC
	CLOCK_THREAD_CPUTIME_ID = unix.CLOCK_THREAD_CPUTIME_ID
	F_DUPFD_CLOEXEC         = unix.F_DUPFD_CLOEXEC
	IPPROTO_TCP             = unix.IPPROTO_TCP
	POLLIN                  = unix.POLLIN
	RUSAGE_SELF             = unix.RUSAGE_SELF
	SHUT_RDWR               = unix.SHUT_RDWR
	SOCK_STREAM             = unix.SOCK_STREAM
	SOL_SOCKET              = unix.SOL_SOCKET
	SO_RCVBUF               = unix.SO_RCVBUF
	SO_REUSEADDR            = unix.SO_REUSEADDR
	SO_REUSEPORT            = unix.SO_REUSEPORT
)

// The functions of golang.org/x/sys/unix.
var (
	Accept        = unix.Accept
	Bind          = unix.Bind
	ClockGettime  = unix.ClockGettime
	Close         = unix.Close
	CloseOnExec   = unix.CloseOnExec
	Connect       = unix.Connect
	FcntlInt      = unix.FcntlInt
	Getrusage     = unix.Getrusage
	Getsockname   = unix.Getsockname
	Listen        = unix.Listen
	Pipe          = unix.Pipe
	Poll          = unix.Poll
	Read          = unix.Read
	SetNonblock   = unix.SetNonblock
	SetsockoptInt = unix.SetsockoptInt
	Shutdown      = unix.Shutdown
	Socket        = unix.Socket
	Write         = unix.Write
)
