// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package main

import (
	"errors"
	"net/netip"
	"os"
	"syscall"

	"beltrace/collector/live"
)

// watchable says whether this system can have a kernel that we can watch.
const watchable = false

// thisProgram leads to this program.
func thisProgram() (string, error) { return os.Executable() }

// endWithThread has no such means here: a demo's child ends when its standard input does.
func endWithThread(*syscall.SysProcAttr) {}

// monotonic is the clock of live events, of which there are none on this system.
func monotonic() int64 { return 0 }

// isTerminal reports whether the file is a terminal.
func isTerminal(f *os.File) bool {
	st, err := f.Stat()
	if err != nil || st.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(st, null)
}

// checkNetNS has nothing to check: there are no network namespaces on this system.
func checkNetNS(string) error { return nil }

// space is a network namespace, which this system does not have.
type space struct{}

func newSpace() (*space, error) {
	return nil, &live.Unsupported{
		What: "this demo needs a network namespace of its own, which only Linux has",
		Do:   "run it in the virtual machine (make vm), or look at its recording ('beltrace replay')",
	}
}

// Close has nothing to close.
func (*space) Close() error { return nil }

// Sysctl is never called.
func (*space) Sysctl(name, value string) error { return errors.ErrUnsupported }

// keepsPort cannot find out.
func keepsPort(string, netip.AddrPort) bool { return false }

// onThread runs f.
func onThread(_ *space, f func(error)) { f(nil) }

// sparesIPv4 cannot find out.
func sparesIPv4(string, netip.AddrPort) bool { return false }
