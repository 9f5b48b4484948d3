// SPDX-License-Identifier: Apache-2.0

package main

import "os/exec"

// selfCommand starts this program again as the invoking user, in a process group of its own. Where the system can do
// that, it ends with the thread that starts it.
func selfCommand(args ...string) (*exec.Cmd, error) {
	user, err := invokingUser()
	if err != nil {
		return nil, err
	}
	exe, err := thisProgram()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe, args...)
	cmd.Args[0] = "beltrace"
	cmd.Env = userEnv(user)
	if cmd.SysProcAttr, err = ownGroup(user); err != nil {
		return nil, err
	}
	endWithThread(cmd.SysProcAttr)
	return cmd, nil
}
