// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// watchable says whether this system can have a kernel that we can watch.
const watchable = true

// thisProgram leads to this program, also where the user may not enter its directory, or it was replaced.
func thisProgram() (string, error) { return "/proc/self/exe", nil }

// endWithThread makes a child end with the thread that starts it, even by kill -9.
func endWithThread(attr *syscall.SysProcAttr) { attr.Pdeathsig = unix.SIGKILL }

// monotonic is the clock of the events: ns, CLOCK_MONOTONIC.
func monotonic() int64 {
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return ts.Nano()
}

// isTerminal reports whether the file is a terminal.
func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// checkNetNS refuses a file that is no network namespace. One that cannot be opened is left to who opens it for use.
func checkNetNS(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	if kind, err := unix.IoctlRetInt(int(f.Fd()), unix.NS_GET_NSTYPE); err != nil || kind != unix.CLONE_NEWNET {
		return fmt.Errorf("%s is no network namespace: take /run/netns/NAME or /proc/PID/ns/net", path)
	}
	return nil
}
