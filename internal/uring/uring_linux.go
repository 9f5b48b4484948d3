// SPDX-License-Identifier: Apache-2.0

package uring

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	registerFiles   = 2
	registerBufRing = 22
)

func setup(entries uint32, p *params) (int, error) {
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, uintptr(entries), uintptr(unsafe.Pointer(p)), 0)
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}

func enter(fd int, submit, wait, flags uint32) (int, error) {
	for {
		n, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(fd), uintptr(submit), uintptr(wait), uintptr(flags), 0, 0)
		switch {
		case errno == 0:
			return int(n), nil
		case errno != unix.EINTR: // the Go runtime's signals; nothing was submitted
			return 0, errno
		}
	}
}

func register(fd int, op uint32, arg unsafe.Pointer, n uint32) error {
	if _, _, errno := unix.Syscall6(unix.SYS_IO_URING_REGISTER, uintptr(fd), uintptr(op), uintptr(arg), uintptr(n), 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// mmap maps the ring's memory, or with fd -1 new memory.
func mmap(fd int, offset int64, size int) ([]byte, error) {
	flags := unix.MAP_SHARED | unix.MAP_POPULATE
	if fd < 0 {
		flags = unix.MAP_PRIVATE | unix.MAP_ANONYMOUS | unix.MAP_POPULATE
	}
	return unix.Mmap(fd, offset, size, unix.PROT_READ|unix.PROT_WRITE, flags)
}

func release(fd int, maps ...[]byte) error {
	var errs []error
	for _, m := range maps {
		if m != nil {
			errs = append(errs, unix.Munmap(m))
		}
	}
	return errors.Join(append(errs, unix.Close(fd))...)
}
