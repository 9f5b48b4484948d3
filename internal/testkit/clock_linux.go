// SPDX-License-Identifier: Apache-2.0

package testkit

import "golang.org/x/sys/unix"

// Mono returns the time of CLOCK_MONOTONIC in ns: the clock of every event.
func Mono() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err) // the clock exists on every Linux
	}
	return ts.Nano()
}
