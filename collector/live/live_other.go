// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package live

import (
	"context"
	"io"
	"runtime"

	"beltrace/collector/event"
	"beltrace/collector/model"
	"beltrace/collector/probes"
)

// Session is never made on this system.
type Session struct{}

// Reading is nothing.
type Reading struct{}

// Open says that there is no Linux kernel to watch.
func Open(context.Context, Config) (*Session, error) {
	return nil, &Unsupported{
		What: runtime.GOOS + " has no Linux kernel to watch",
		Do:   "run it in the virtual machine (make vm), or 'beltrace replay' with a recording",
	}
}

// Next returns io.EOF.
func (*Session) Next(*event.Event) error { return io.EOF }

// Stop does nothing.
func (*Session) Stop() {}

// Close does nothing.
func (*Session) Close() error { return nil }

// Info returns nothing.
func (*Session) Info() Info { return Info{} }

// WatchPID does nothing.
func (*Session) WatchPID(uint32) error { return nil }

// Need does nothing.
func (*Session) Need(probes.Set) {}

// Detail does nothing.
func (*Session) Detail(uint64) {}

// Stacks does nothing.
func (*Session) Stacks(uint32) {}

// Sets are none.
func (*Session) Sets() []string { return nil }

// Sampling returns 1: of all.
func (*Session) Sampling() uint32 { return 1 }

// Cost is not known.
func (*Session) Cost() (model.Cost, bool) { return model.Cost{}, false }

// Doctor says what is missing.
func Doctor() Report {
	return Report{Kernel: runtime.GOOS, Checks: []Check{{
		Name: "kernel", Found: runtime.GOOS, Do: "run it in the virtual machine (make vm)",
	}}}
}
