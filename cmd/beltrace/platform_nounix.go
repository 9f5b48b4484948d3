// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package main

import (
	"errors"
	"runtime"
	"syscall"

	"beltrace/collector/live"
)

// credential is a user that a process runs as: nobody changes users here.
type credential struct {
	Uid    uint32
	Gid    uint32
	Groups []uint32
}

// ownGroup refuses: the programs that we start need process groups, users, and files that they inherit.
func ownGroup(*credential) (*syscall.SysProcAttr, error) {
	return nil, &live.Unsupported{
		What: "the programs that beltrace starts need a unix, which " + runtime.GOOS + " is not",
		Do:   "run it in the virtual machine (make vm), or look at a recording ('beltrace replay')",
	}
}

// killGroup is never called.
func killGroup(int, syscall.Signal) error { return errors.ErrUnsupported }

// setUser is never called.
func setUser(uid, gid int, groups []int) error { return errors.ErrUnsupported }

// inode has no number of a file to tell.
func inode(string) (uint64, error) {
	return 0, errors.New("only its number in the recording can be given on " + runtime.GOOS)
}
