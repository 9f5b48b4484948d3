// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"fmt"
	"syscall"
)

// credential is a user that a process runs as, with all of their groups.
type credential = syscall.Credential

// ownGroup starts a process in a process group of its own, as that user; nil: as ours.
func ownGroup(user *credential) (*syscall.SysProcAttr, error) {
	return &syscall.SysProcAttr{Setpgid: true, Credential: user}, nil
}

// killGroup sends a signal to the process and all that it started.
func killGroup(pid int, s syscall.Signal) error { return syscall.Kill(-pid, s) }

// setUser makes this process one of that user.
func setUser(uid, gid int, groups []int) error {
	if err := syscall.Setgroups(groups); err != nil {
		return fmt.Errorf("set groups: %w", err)
	}
	if err := syscall.Setgid(gid); err != nil {
		return fmt.Errorf("set group %d: %w", gid, err)
	}
	if err := syscall.Setuid(uid); err != nil {
		return fmt.Errorf("set user %d: %w", uid, err)
	}
	return nil
}

// inode returns the number of a file.
func inode(path string) (uint64, error) {
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil {
		return 0, err
	}
	return st.Ino, nil
}
