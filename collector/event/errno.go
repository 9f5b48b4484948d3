// SPDX-License-Identifier: Apache-2.0

package event

import "strconv"

// errnos names the errors of accept and connect by Linux's numbers, so that a recording reads the same on any system.
var errnos = map[int32]string{
	1: "EPERM", 4: "EINTR", 9: "EBADF", 11: "EAGAIN", 12: "ENOMEM", 13: "EACCES", 14: "EFAULT", 22: "EINVAL",
	23: "ENFILE", 24: "EMFILE", 71: "EPROTO", 88: "ENOTSOCK", 92: "ENOPROTOOPT", 95: "EOPNOTSUPP", 97: "EAFNOSUPPORT",
	98: "EADDRINUSE", 99: "EADDRNOTAVAIL", 100: "ENETDOWN", 101: "ENETUNREACH", 103: "ECONNABORTED", 104: "ECONNRESET",
	105: "ENOBUFS", 106: "EISCONN", 110: "ETIMEDOUT", 111: "ECONNREFUSED", 112: "EHOSTDOWN", 113: "EHOSTUNREACH",
	115: "EINPROGRESS", 125: "ECANCELED",
}

// ErrnoName returns the name of a positive errno of Linux: EMFILE; one that it does not know is "errno 77".
func ErrnoName(n int32) string {
	if name, ok := errnos[n]; ok {
		return name
	}
	return "errno " + strconv.Itoa(int(n))
}
