// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// selfCommand starts this program again as the invoking user, in a process group of its own. It ends with the thread
// that starts it.
func selfCommand(args ...string) (*exec.Cmd, error) {
	user, err := invokingUser()
	if err != nil {
		return nil, err
	}
	// The link works where the user may not enter the directory of the program.
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Args[0] = "beltrace"
	cmd.Env = userEnv(user)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL, Credential: user}
	return cmd, nil
}
