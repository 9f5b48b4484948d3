// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

import (
	"os"
	"os/exec"
	"syscall"
)

// selfCommand starts this program again as the invoking user, in a process group of its own.
func selfCommand(args ...string) (*exec.Cmd, error) {
	user, err := invokingUser()
	if err != nil {
		return nil, err
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe, args...)
	cmd.Args[0] = "beltrace"
	cmd.Env = userEnv(user)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: user}
	return cmd, nil
}
